//! Proving a law on many random cases, and making a case that breaks it small.

use std::fmt::Debug;

use super::world::Dice;

/// How many of `whole` cases to try: all of them under `SALT_RS_LAWS=whole`, else one in `part`.
pub(super) fn count(whole: u64, part: u64) -> u64 {
    match std::env::var("SALT_RS_LAWS").as_deref() {
        Ok("whole") => whole,
        _ => whole.div_ceil(part),
    }
}

/// Tries the law on a case for each seed; `SALT_RS_LAWS_SEED` tries that one alone.
#[expect(
    clippy::print_stdout,
    reason = "how many cases held is what the test is to tell"
)]
pub(super) fn prove<T: Clone + Debug>(
    name: &str,
    cases: u64,
    make: impl Fn(&mut Dice) -> T,
    smaller: impl Fn(&T) -> Vec<T>,
    law: impl Fn(&T) -> Result<(), String>,
) {
    let only: Option<u64> = std::env::var("SALT_RS_LAWS_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = only.map_or(1..cases + 1, |seed| seed..seed + 1);
    for seed in seeds {
        let case = make(&mut Dice::of(seed));
        if let Err(why) = law(&case) {
            let (case, why) = shrink(case, why, &smaller, &law);
            panic!(
                "{name}, seed {seed} (SALT_RS_LAWS_SEED={seed}): {why}\nthe smallest case found:\n{case:#?}"
            );
        }
    }
    println!("{name}: {cases} cases");
}

fn shrink<T: Clone>(
    mut case: T,
    mut why: String,
    smaller: impl Fn(&T) -> Vec<T>,
    law: impl Fn(&T) -> Result<(), String>,
) -> (T, String) {
    'again: loop {
        for next in smaller(&case) {
            if let Err(reason) = law(&next) {
                (case, why) = (next, reason);
                continue 'again;
            }
        }
        return (case, why);
    }
}

/// All lists that lack one element.
pub(super) fn without<T: Clone>(list: &[T]) -> impl Iterator<Item = Vec<T>> + use<'_, T> {
    (0..list.len()).map(|skip| {
        let mut rest = list.to_vec();
        rest.remove(skip);
        rest
    })
}

/// Fails a law with words.
macro_rules! law {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err(format!($($words)+));
        }
    };
}
pub(super) use law;
