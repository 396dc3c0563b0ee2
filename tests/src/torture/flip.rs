//! One bit of the journal flips: of entries, of the fence, of blobs. Going back afterwards either notices it, or does exactly
//! what it would have done; a file that is neither as before nor as it was left is a wrong byte on the host.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Instant;

use proto::{Digest, Outcome};

use super::agent::{self, Order, STATE, Watch};
use super::ground::{Ground, Soil};
use super::kinds::KINDS;
use super::sheet::Tally;
use super::trial::Trial;
use super::{Choice, Torn};
use crate::os;

/// Bits that are flipped in a whole sweep, besides every bit of the fence.
const BITS: usize = 2400;
/// Flips that one shell does, to spare entering the host for each.
const BATCH: usize = 40;
/// What is compared, a line each.
const LIST: &str = "cd /srv && { find f -printf '%p|%y|%m|%U:%G|%l\\n'; find f -type f -printf '%p|%T@\\n'; \
    find f -type f -exec sha256sum {} +; } | sort";

/// A bit of a file.
#[derive(Debug, Clone)]
struct Flip {
    file: String,
    byte: u64,
    bit: u32,
}

/// Flips bits of the journal of one run, one at a time. `seed` chooses them.
///
/// # Errors
/// The run cannot be made.
pub fn sweep(soil: &Soil, seed: u64, choice: &Choice) -> Result<Tally, Torn> {
    let began = Instant::now();
    let mut tally = Tally::new("flip", "journal, fence, blobs");
    let kind = KINDS
        .iter()
        .find(|kind| kind.name == "file")
        .ok_or(Torn("no kind".to_owned()))?;
    let trial = Trial::new(soil, kind)?;
    let host = soil.host(Some(trial.prepared()?))?;
    let before = lines(&host.check(LIST)?);
    let applied = agent::run(&host, &Order::Apply(&trial.bundle), 1, &Watch::Not)?;
    if applied.outcome() != Some(Outcome::Changed) {
        return Err(Torn(format!("not applied: {}", applied.why())));
    }
    let after = lines(&host.check(LIST)?);
    // A session writes the fence before it starts a run; here there was none.
    let fence = r#"{"epoch":1,"master":"test","catalog":null}"#;
    let sum = Digest::of(fence.trim_end_matches('}')).hex();
    let fence = fence.replace('}', &format!(",\"sum\":\"{sum}\"}}"));
    os::write(&host.root().join(&STATE[1..]).join("epoch"), fence)?;
    host.check(&format!(
        "mkdir /tmp/kept && cp -a {STATE} /tmp/kept/state && cp -a /srv/f /tmp/kept/f"
    ))?;
    let all = flips(&host, seed, choice)?;
    let points = match choice.point {
        Some(point) => vec![point],
        None => (0..all.len()).collect(),
    };
    for some in points.chunks(BATCH) {
        for (point, code, found) in tried(&host, &all, some)? {
            let wrong: Vec<&String> = found
                .iter()
                .filter(|line| !before.contains(*line) && !after.contains(*line))
                .collect();
            let back = found == before;
            let outcome = match (code, back) {
                (0, true) => "harmless",
                (0, false) => "unnoticed",
                (_, true) => "noticed, all back",
                (_, false) => "noticed",
            };
            tally.count(outcome);
            // A crash of the agent would be 128 and more.
            if !wrong.is_empty() || outcome == "unnoticed" || code > 64 {
                let flip = &all[point];
                tally.breaches.push(format!(
                    "torture flip --seed {seed} --point {point}\n  bit {} of byte {} of {}\n  exit {code}, {outcome}: {wrong:?}",
                    flip.bit, flip.byte, flip.file
                ));
            }
        }
    }
    tally.took = began.elapsed();
    Ok(tally)
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(str::to_owned).collect()
}

/// Every bit of the fence, and a random choice of those of entries and blobs, half and half.
fn flips(host: &Ground, seed: u64, choice: &Choice) -> Result<Vec<Flip>, Torn> {
    let mut sizes = BTreeMap::new();
    for line in host
        .check(&format!(
            "cd {STATE} && find . -type f -size +0 -printf '%P %s\\n' | sort"
        ))?
        .lines()
    {
        if let Some((path, size)) = line.split_once(' ') {
            sizes.insert(path.to_owned(), size.parse::<u64>().unwrap_or(0));
        }
    }
    let all = |path: &str| {
        let size = sizes.get(path).copied().unwrap_or(0);
        let path = path.to_owned();
        (0..size * 8).map(move |bit| Flip {
            file: path.clone(),
            byte: bit / 8,
            bit: u32::try_from(bit % 8).unwrap_or(0),
        })
    };
    let mut found: Vec<Flip> = all("epoch").collect();
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below.max(1)
    };
    let blobs: Vec<&String> = sizes.keys().filter(|path| path.starts_with("objects/")).collect();
    let entries: Vec<&String> = sizes.keys().filter(|path| path.ends_with("/entries")).collect();
    let wanted = choice.at_most(BITS).sample;
    for number in 0..wanted {
        let from = if number.is_multiple_of(2) {
            &entries
        } else {
            &blobs
        };
        let file = from[usize::try_from(next(from.len() as u64)).unwrap_or(0)].clone();
        let byte = next(sizes[&file]);
        let bit = u32::try_from(next(8)).unwrap_or(0);
        found.push(Flip { file, byte, bit });
    }
    Ok(found)
}

/// What became of some flips: the exit status of going back, and what is there then.
fn tried(host: &Ground, all: &[Flip], some: &[usize]) -> Result<Vec<(usize, i32, BTreeSet<String>)>, Torn> {
    let mut script = String::from(
        "flip() { rm -rf /srv/f STATE; cp -a /tmp/kept/f /srv/f; cp -a /tmp/kept/state STATE
          b=$(od -An -tu1 -j $2 -N 1 STATE/$1 | tr -d ' '); n=$(( b ^ (1 << $3) ))
          printf \"\\\\$(printf %03o $n)\" | dd of=STATE/$1 bs=1 seek=$2 conv=notrunc status=none
          /run/torture/agent rollback --dir STATE > /dev/null 2>&1; echo \"= $4 $?\"; (LIST); }\n",
    )
    .replace("STATE", STATE)
    .replace("LIST", LIST);
    for point in some {
        let Some(flip) = all.get(*point) else { continue };
        _ = writeln!(script, "flip {} {} {} {point}", flip.file, flip.byte, flip.bit);
    }
    os::write(&host.root().join("tmp/flips"), script)?;
    let told = host.check("sh /tmp/flips")?;
    let mut found: Vec<(usize, i32, BTreeSet<String>)> = Vec::new();
    for line in told.lines() {
        match line.strip_prefix("= ").and_then(|rest| rest.split_once(' ')) {
            Some((point, code)) => {
                found.push((
                    point.parse().unwrap_or(0),
                    code.parse().unwrap_or(255),
                    BTreeSet::new(),
                ));
            }
            None => {
                if let Some((.., list)) = found.last_mut() {
                    list.insert(line.to_owned());
                }
            }
        }
    }
    Ok(found)
}
