//! When a job runs: five fields, or one of cron's words.
//!
//! Cron ignores a whole table for one line it cannot read, so every field is checked before it is written, as `crontab`
//! does.

use std::fmt;

use proto::Digest;

use crate::{ArgsExt, Call, Host, Stop};

/// When a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    /// Minute, hour, day of the month, month, day of the week.
    Fields([String; 5]),
    /// `@daily` and its like.
    Special(String),
}

/// A field's name as an argument, its bounds, and the names it takes for numbers from the lower bound on.
struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const fn field(name: &'static str, low: u32, high: u32, names: &'static [&'static str]) -> Field {
    Field {
        name,
        low,
        high,
        names,
    }
}

static FIELDS: [Field; 5] = [
    field("minute", 0, 59, &[]),
    field("hour", 0, 23, &[]),
    field("daymonth", 1, 31, &[]),
    field(
        "month",
        1,
        12,
        &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    ),
    field(
        "dayweek",
        0,
        7,
        &["sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    ),
];

const SPECIALS: &[&str] = &[
    "@reboot",
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(fields) => f.write_str(&fields.join(" ")),
            Self::Special(word) => f.write_str(word),
        }
    }
}

impl When {
    pub(super) const fn is_special(&self) -> bool {
        matches!(self, Self::Special(_))
    }

    /// What a state asks for. `random` and `5:20` keep a number that is there; else a number is drawn from the host's id
    /// and the job, so that it differs among hosts and is the same whenever it is drawn again.
    ///
    /// # Errors
    /// [`Stop::Ask`] while the host's id is not known.
    pub(super) fn wanted(
        call: &Call<'_>,
        host: &Host<'_>,
        job: &str,
        now: Option<&Self>,
    ) -> Result<Self, Stop> {
        if let Some(word) = call.args().text("special") {
            return Ok(Self::Special(word));
        }
        let mut fields: [String; 5] = Default::default();
        for (at, field) in FIELDS.iter().enumerate() {
            let text = call.args().text(field.name);
            let text = text.map_or_else(|| "*".to_owned(), |text| text.to_lowercase());
            let bounds = match text.split_once(':').map(|(a, b)| (a.parse(), b.parse())) {
                _ if text == "random" && at == 2 => Some((1, longest(call))),
                _ if text == "random" && at == 4 => Some((0, 6)),
                _ if text == "random" => Some((field.low, field.high)),
                Some((Ok(a), Ok(b))) => Some((u32::min(a, b), u32::max(a, b))),
                _ => None,
            };
            let Some((low, high)) = bounds else {
                fields[at] = text;
                continue;
            };
            let there = match now {
                Some(Self::Fields(now)) if now[at] != "*" => Some(now[at].clone()),
                _ => None,
            };
            let fits = |now: &String| {
                text == "random" || now.parse().is_ok_and(|now: u32| (low..=high).contains(&now))
            };
            fields[at] = match there.filter(fits) {
                Some(there) => there,
                None => drawn(host, job, field.name, low, high)?.to_string(),
            };
        }
        Ok(Self::Fields(fields))
    }

    /// What cron would not read, in `crontab`'s words; `tilde` is whether this cron knows `5~20`.
    pub(super) fn problem(&self, tilde: bool) -> Option<String> {
        match self {
            Self::Special(word) if SPECIALS.contains(&word.as_str()) => None,
            Self::Special(word) => Some(format!(
                "bad time specifier {word:?}: cron knows {}",
                SPECIALS.join(", ")
            )),
            Self::Fields(fields) => FIELDS
                .iter()
                .zip(fields)
                .find(|(field, text)| !field.takes(text, tilde))
                .map(|(field, text)| format!("bad {} {text:?}", field.name)),
        }
    }
}

impl Field {
    fn takes(&self, text: &str, tilde: bool) -> bool {
        let number = |text: &str| {
            let named = self.names.iter().position(|name| *name == text);
            named
                .map(|at| at as u32 + self.low)
                .or_else(|| text.parse().ok())
                .filter(|number| (self.low..=self.high).contains(number))
        };
        text.split(',').all(|part| {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, step.parse::<u32>().ok().filter(|step| *step > 0)),
                None => (part, Some(1)),
            };
            let border = |c: char| c == '-' || (tilde && c == '~');
            let fine = match range.split_once(border) {
                _ if range == "*" || (tilde && range == "~") => true,
                Some((low, high)) => {
                    matches!((number(low), number(high)), (Some(low), Some(high)) if low <= high)
                }
                None => number(range).is_some() && (tilde || range.len() == part.len()),
            };
            fine && step.is_some()
        })
    }
}

/// The last day that the month, or every month, has.
fn longest(call: &Call<'_>) -> u32 {
    match call.args().text("month").as_deref() {
        Some("1" | "3" | "5" | "7" | "8" | "10" | "12") => 31,
        Some("4" | "6" | "9" | "11") => 30,
        _ => 28,
    }
}

fn drawn(host: &Host<'_>, job: &str, field: &str, low: u32, high: u32) -> Result<u32, Stop> {
    let id = host.grain("id")?.map(crate::args::plain).unwrap_or_default();
    let hex = Digest::of(format!("{id}\0{job}\0{field}")).hex();
    let number = u32::from_str_radix(&hex[..8], 16).unwrap_or(0);
    Ok(low + number % (high - low + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_cron_reads_them() {
        let fields = |text: &str| {
            let mut all: [String; 5] = Default::default();
            for (field, word) in all.iter_mut().zip(text.split(' ')) {
                word.clone_into(field);
            }
            When::Fields(all).problem(false)
        };
        for good in [
            "* * * * *",
            "*/5 0-23/2 1,15 jan-mar mon-fri",
            "59 23 31 12 7",
            "0 0 * * sun",
        ] {
            assert_eq!(fields(good), None, "{good}");
        }
        for (bad, part) in [
            ("60 * * * *", "minute"),
            ("* 24 * * *", "hour"),
            ("* * 0 * *", "daymonth"),
            ("* * * 13 *", "month"),
            ("* * * * 8", "dayweek"),
            ("*/0 * * * *", "minute"),
            ("5-1 * * * *", "minute"),
            ("a * * * *", "minute"),
            ("1, * * * *", "minute"),
            ("5~20 * * * *", "minute"),
        ] {
            assert!(fields(bad).is_some_and(|why| why.contains(part)), "{bad}");
        }
        assert_eq!(When::Special("@daily".into()).problem(false), None);
        assert!(When::Special("daily".into()).problem(false).is_some());
    }
}
