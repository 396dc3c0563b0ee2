//! Two changes of one text put together line by line, where they do not meet.

use proto::arrange;

/// Texts that differ over more lines than this are not put together.
const LONGEST: usize = 4000;

/// Lines `base.0..base.1` become lines `to.0..to.1` of the other text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hunk {
    /// From, and up to but without.
    pub(crate) base: (usize, usize),
    /// The same in the other text.
    pub(crate) to: (usize, usize),
}

/// The lines of a text, each with its end.
pub(crate) fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Both changes of `base` together; `None` where they meet. `gap` is how many lines that neither touched must lie
/// between them. What both changed in the same way is changed once.
pub(super) fn merge(base: &str, ours: &str, theirs: &str, gap: usize) -> Option<String> {
    let (base, ours, theirs) = (lines(base), lines(ours), lines(theirs));
    let (mine, mut their) = (hunks(&base, &ours)?, hunks(&base, &theirs)?);
    their.retain(|b| {
        let same =
            |a: &Hunk| a.base == b.base && gap > 0 && ours.get(a.to.0..a.to.1) == theirs.get(b.to.0..b.to.1);
        !mine.iter().any(same)
    });
    let meet = |a: &Hunk, b: &Hunk| {
        let apart = a.base.1 + gap <= b.base.0 || b.base.1 + gap <= a.base.0;
        let same_place = a.base == b.base && a.base.0 == a.base.1;
        !apart || same_place
    };
    if mine.iter().any(|a| their.iter().any(|b| meet(a, b))) {
        return None;
    }
    let mut all: Vec<(Hunk, &Vec<&str>)> = mine.into_iter().map(|hunk| (hunk, &ours)).collect();
    all.extend(their.into_iter().map(|hunk| (hunk, &theirs)));
    arrange(&mut all, &|a, b| a.0.base < b.0.base);
    let (mut merged, mut at) = (String::new(), 0);
    for (hunk, text) in all {
        merged.extend(base.get(at..hunk.base.0)?.iter().copied());
        merged.extend(text.get(hunk.to.0..hunk.to.1)?.iter().copied());
        at = hunk.base.1;
    }
    merged.extend(base.get(at..)?.iter().copied());
    Some(merged)
}

/// What changed, by the longest common subsequence of lines; `None` where the texts are too long.
pub(crate) fn hunks(base: &[&str], other: &[&str]) -> Option<Vec<Hunk>> {
    let same = base.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (base, other) = (base.get(same..)?, other.get(same..)?);
    let ends = base.iter().rev().zip(other.iter().rev());
    let end = ends.take_while(|(a, b)| a == b).count();
    let (n, m) = (base.len() - end, other.len() - end);
    if n.max(m) > LONGEST {
        return None;
    }
    // common[i][j]: how many lines the texts from i and from j on have in common.
    let mut common = vec![vec![0_u16; m + 1]; n + 1];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            common[i][j] = if base[i] == other[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let mut hunks: Vec<Hunk> = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < n || j < m {
        if i < n && j < m && base[i] == other[j] {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        let from = (i, j);
        while (i < n || j < m) && !(i < n && j < m && base[i] == other[j]) {
            if j == m || (i < n && common[i + 1][j] >= common[i][j + 1]) {
                i += 1;
            } else {
                j += 1;
            }
        }
        hunks.push(Hunk {
            base: (same + from.0, same + i),
            to: (same + from.1, same + j),
        });
    }
    Some(hunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_others_stay_and_edited_ones_conflict() {
        for (base, ours, theirs, want) in [
            ("a\nJOB\n", "a\n", "a\nJOB\nmine\n", Some("a\nmine\n")),
            ("a\nJOB\n", "a\n", "b\na\nJOB\n", Some("b\na\n")),
            ("a\nJOB\nc\n", "a\nc\n", "a\nmine\nJOB\nc\n", Some("a\nmine\nc\n")),
            ("a\nJOB\nc\n", "a\nc\n", "JOB\n", Some("")),
            ("JOB\n", "", "JOB\nmine\n", Some("mine\n")),
            ("a\nJOB 1\n", "a\n", "a\nJOB 2\n", None),
            ("a\nJOB new\nc\n", "a\nJOB old\nc\n", "a\nJOB hand\nc\n", None),
            (
                "a\nJOB new\nc\n",
                "a\nJOB old\nc\n",
                "a\nJOB new\nd\n",
                Some("a\nJOB old\nd\n"),
            ),
            ("x\ny\n", "", "x\nmine\ny\n", None),
        ] {
            assert_eq!(
                merge(base, ours, theirs, 0).as_deref(),
                want,
                "{base:?} {theirs:?}"
            );
        }
    }
    #[test]
    fn with_a_gap_neighbours_conflict_and_the_same_change_does_not() {
        for (base, ours, theirs, want) in [
            (
                "1\n2\n3\n4\n",
                "x\n2\n3\n4\n",
                "1\n2\n3\ny\n",
                Some("x\n2\n3\ny\n"),
            ),
            ("1\n2\n3\n4\n", "1\nx\n3\n4\n", "1\n2\ny\n4\n", None),
            ("1\n2\n3\n", "1\n3\n", "1\n3\nmore\n", Some("1\n3\nmore\n")),
            ("1\n2\n3\n", "1\nx\n3\n", "1\ny\n3\n", None),
            ("1\n2\n3\n", "1\n2\nx\n", "0\n1\n2\n3\n", Some("0\n1\n2\nx\n")),
        ] {
            assert_eq!(
                merge(base, ours, theirs, 1).as_deref(),
                want,
                "{base:?} {theirs:?}"
            );
        }
    }

    /// Edits of lines that lie apart are all there; edits of one line are never put together (any number of them).
    #[test]
    fn edits_apart_are_both_there_and_edits_that_meet_are_not_put_together() {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut roll = |sides: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed % sides as u64) as usize
        };
        for _ in 0..2000 {
            let count = 3 + roll(20);
            let base: Vec<String> = (0..count)
                .map(|n| format!("line {}\n", n % (2 + count / 2)))
                .collect();
            let (mut ours, mut theirs, mut both) = (base.clone(), base.clone(), base.clone());
            // Each third line belongs to one of them, what lies between to nobody.
            for place in (0..count).step_by(2) {
                let (who, text) = (roll(3), format!("edit {place} {}\n", roll(1000)));
                if who == 0 {
                    ours[place].clone_from(&text);
                } else if who == 1 {
                    theirs[place].clone_from(&text);
                }
                if who < 2 {
                    both[place] = text;
                }
            }
            let [base, ours, theirs, both] = [base, ours, theirs, both].map(|lines| lines.concat());
            assert_eq!(
                merge(&base, &ours, &theirs, 1),
                Some(both),
                "{base} {ours} {theirs}"
            );
            let place = roll(count);
            let edited = |text: &str, word: &str| {
                let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
                lines[place] = format!("{word}\n");
                lines.concat()
            };
            assert_eq!(
                merge(&base, &edited(&ours, "mine"), &edited(&theirs, "theirs"), 1),
                None
            );
        }
    }
}
