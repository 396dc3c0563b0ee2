//! `random.*`: with a seed what Salt gives, without one something else at every run.

use serde_json::Value as Json;

use super::{Args, Function, asked, hashutil};
use crate::compile::jinja::Twister;
use crate::compile::oracle::Oracle;
use crate::compile::{python, template};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("get_str", get_str),
    ("hash", |_, args| {
        let value = args.text("value")?;
        let kind = args.text_or("algorithm", "sha512");
        hashutil::hash(value.as_bytes(), &kind)
            .map(Json::String)
            .map_err(|_| "You must specify a valid algorithm.".to_owned())
    }),
    ("rand_int", rand_int),
    ("sample", |oracle, args| {
        let size = args.required("size")?;
        drawn(oracle, args, size, "random.sample")
    }),
    ("seed", |oracle, args| {
        let range = args.number("range", 10)?;
        let text = args.text_or("hash", &oracle.minion);
        below(&mut Twister::seeded(&text), range).map(Json::from)
    }),
    ("shuffle", |oracle, args| {
        drawn(oracle, args, Json::Null, "random.shuffle")
    }),
    ("str_encode", |_, args| {
        let value = args.text("value")?;
        match args.text_or("encoder", "base64").as_str() {
            "base64" => {
                template::expression("value | base64_encode", [("value", value.into())]).map(Json::String)
            }
            _ => Err("Value must be an encode-able string".to_owned()),
        }
    }),
];

/// `shadow.*` that needs no more than the names of users.
pub(super) const SHADOW: &[(&str, Function)] = &[
    ("default_hash", |_, _| Ok("!".into())),
    ("list_users", |oracle, _| {
        let lines = asked::lines(oracle, "/etc/passwd")?;
        let mut names: Vec<&str> = lines.iter().filter_map(|line| line.split(':').next()).collect();
        names.sort_unstable();
        Ok(names.into_iter().map(Json::from).collect())
    }),
];

fn below(twister: &mut Twister, range: i64) -> Result<i64, String> {
    match usize::try_from(range) {
        Ok(range) if range > 0 && range <= u32::MAX as usize => {
            Ok(i64::try_from(twister.below(range)).unwrap_or_default())
        }
        _ => Err(format!("empty range for a random number: {range}")),
    }
}

/// A generator that is seeded with the seed given, or by chance.
fn twister(oracle: &Oracle, seed: Option<&str>, function: &'static str) -> Twister {
    match seed {
        Some(text) => Twister::seeded(text),
        None => Twister::seeded(&oracle.chance(function).to_string()),
    }
}

fn rand_int(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let (start, end) = (args.number("start", 1)?, args.number("end", 10)?);
    let seed = match args.some("seed") {
        Some(Json::String(text)) => Some(text),
        Some(other) => {
            return Err(format!(
                "random.rand_int: a seed is a text here, not {}",
                python::repr(&other)
            ));
        }
        None => None,
    };
    let range = end.checked_sub(start).and_then(|range| range.checked_add(1));
    let range = range.ok_or_else(|| "random.rand_int: the range is too wide".to_owned())?;
    let mut twister = twister(oracle, seed.as_deref(), "random.rand_int");
    Ok((start + below(&mut twister, range)?).into())
}

/// Some members in another order, or all.
fn drawn(oracle: &Oracle, args: &mut Args, size: Json, function: &'static str) -> Result<Json, String> {
    let value = args.required("value")?;
    let seed = args
        .some("seed")
        .map_or_else(|| oracle.chance(function).to_string(), |seed| python::text(&seed));
    let way = if size.is_null() {
        "value | random_shuffle(seed) | json"
    } else {
        "value | random_sample(size, seed) | json"
    };
    let made = template::expression(way, [("value", value), ("size", size), ("seed", seed.into())])?;
    serde_json::from_str(&made).map_err(|error| error.to_string())
}

fn get_str(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    const BLANK: &str = " \t\n\r\x0b\x0c";
    let length = usize::try_from(args.number("length", 20)?.clamp(0, 65_536)).unwrap_or(20);
    let mut chars = args.text_or("chars", "");
    let everything = args.flag("printable", false);
    if chars.is_empty() || everything {
        chars.clear();
        let mut add = |name: &str, default: bool, set: &str| {
            if args.flag(name, default) || everything {
                chars.push_str(set);
            }
        };
        add("lowercase", true, "abcdefghijklmnopqrstuvwxyz");
        add("uppercase", true, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        add("digits", true, "0123456789");
        add("punctuation", true, PUNCTUATION);
        add("whitespace", false, BLANK);
    }
    let all: Vec<char> = chars.chars().collect();
    if all.is_empty() {
        return Err("random.get_str: no characters are left to choose from".to_owned());
    }
    let mut twister = twister(oracle, None, "random.get_str");
    Ok((0..length)
        .map(|_| all[twister.below(all.len())])
        .collect::<String>()
        .into())
}
