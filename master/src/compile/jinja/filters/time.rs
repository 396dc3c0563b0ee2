//! `strftime` and `date_format`. Times are UTC, so that a template means the same on every master.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Table;
use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::eval::Interp;
use crate::compile::jinja::values::text::{refuse, str};
use crate::compile::jinja::values::{Value, numbers};

pub(super) static FILTERS: Table = &[("strftime", strftime), ("date_format", strftime)];

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

struct Moment {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micro: i64,
    /// Sunday is 0.
    weekday: i64,
    /// January 1st is 1.
    yearday: i64,
    stamp: i64,
}

fn strftime(_it: &mut Interp<'_>, value: Value, args: CallArgs) -> Res<Value> {
    let bound = args.bind("strftime", ["format"], 0)?;
    let format = bound.text_or(0, "%Y-%m-%d")?;
    let seconds = match &value {
        Value::None => SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64()),
        Value::Undefined(undefined) => return Err(refuse(undefined)),
        other => match numbers::float(other) {
            Ok(seconds) if seconds.is_finite() && seconds.abs() < 2.5e11 => seconds,
            _ => {
                return Err(fault::other(format!(
                    "Unable to parse {}. Consider installing timelib",
                    str(other)?
                )));
            }
        },
    };
    Ok(Value::from(write(&moment(seconds), &format)))
}

fn moment(seconds: f64) -> Moment {
    let stamp = seconds.floor() as i64;
    let days = stamp.div_euclid(86_400);
    let rest = stamp.rem_euclid(86_400);
    // Days since March 1st of year 0, in eras of 400 years.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let leap = i64::from((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let index = usize::try_from(month - 1).unwrap_or(0);
    Moment {
        year,
        month,
        day,
        hour: rest / 3600,
        minute: rest / 60 % 60,
        second: rest % 60,
        micro: ((seconds - seconds.floor()) * 1e6).round() as i64 % 1_000_000,
        weekday: (days + 4).rem_euclid(7),
        yearday: before[index] + day + if month > 2 { leap } else { 0 },
        stamp,
    }
}

fn write(at: &Moment, format: &str) -> String {
    let mut out = String::new();
    let mut chars = format.chars();
    let name = |names: &[&str], index: i64| -> String {
        usize::try_from(index)
            .ok()
            .and_then(|i| names.get(i))
            .copied()
            .unwrap_or("")
            .to_owned()
    };
    let twelve = if at.hour % 12 == 0 { 12 } else { at.hour % 12 };
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut code = chars.next();
        let mut bare = false;
        if code == Some('-') {
            bare = true;
            code = chars.next();
        }
        let Some(code) = code else {
            out.push('%');
            break;
        };
        let two = |n: i64| if bare { n.to_string() } else { format!("{n:02}") };
        let piece = match code {
            'Y' => at.year.to_string(),
            'C' => two(at.year / 100),
            'y' => two(at.year % 100),
            'm' => two(at.month),
            'd' => two(at.day),
            'e' => format!("{:2}", at.day),
            'H' => two(at.hour),
            'k' => format!("{:2}", at.hour),
            'I' => two(twelve),
            'l' => format!("{twelve:2}"),
            'M' => two(at.minute),
            'S' => two(at.second),
            'f' => format!("{:06}", at.micro),
            'j' if bare => at.yearday.to_string(),
            'j' => format!("{:03}", at.yearday),
            'p' => if at.hour < 12 { "AM" } else { "PM" }.to_owned(),
            'P' => if at.hour < 12 { "am" } else { "pm" }.to_owned(),
            'a' => name(&DAYS, at.weekday).chars().take(3).collect(),
            'A' => name(&DAYS, at.weekday),
            'b' | 'h' => name(&MONTHS, at.month - 1).chars().take(3).collect(),
            'B' => name(&MONTHS, at.month - 1),
            'u' => (if at.weekday == 0 { 7 } else { at.weekday }).to_string(),
            'w' => at.weekday.to_string(),
            's' => at.stamp.to_string(),
            'U' => two((at.yearday + 6 - at.weekday) / 7),
            'W' => two((at.yearday + 6 - (at.weekday + 6) % 7) / 7),
            'F' => write(at, "%Y-%m-%d"),
            'T' | 'X' => write(at, "%H:%M:%S"),
            'D' | 'x' => write(at, "%m/%d/%y"),
            'R' => write(at, "%H:%M"),
            'r' => write(at, "%I:%M:%S %p"),
            'c' => write(at, "%a %b %e %H:%M:%S %Y"),
            'n' => "\n".to_owned(),
            't' => "\t".to_owned(),
            'z' | 'Z' => String::new(),
            '%' => "%".to_owned(),
            other => format!("%{other}"),
        };
        out.push_str(&piece);
    }
    out
}
