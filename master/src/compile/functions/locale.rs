//! `locale.*` and `timezone.*`: how the host speaks, and when.

use super::{Function, asked};
use crate::compile::oracle::Oracle;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("get_locale", |oracle, _| {
        for file in ["/etc/locale.conf", "/etc/default/locale"] {
            let lines = asked::lines(oracle, file)?;
            if let Some(value) = lines.iter().find_map(|line| line.trim().strip_prefix("LANG=")) {
                return Ok(value.trim_matches(['"', '\'']).into());
            }
        }
        Ok("".into())
    }),
    ("list_avail", |oracle, _| Ok(available(oracle)?.into())),
    ("avail", |oracle, args| {
        let wanted = plain(&args.text("locale")?);
        Ok(available(oracle)?.iter().any(|one| plain(one) == wanted).into())
    }),
];

pub(super) const TIMEZONE: &[(&str, Function)] = &[
    ("get_zone", |oracle, _| {
        let link = asked::output(oracle, &["readlink", "-f", "/etc/localtime"])?.stdout;
        if let Some((_, zone)) = link.split_once("/zoneinfo/") {
            return Ok(zone.into());
        }
        let text = asked::text(oracle, "/etc/timezone")?.unwrap_or_default();
        Ok(match text.trim() {
            "" => "UTC".into(),
            zone => zone.into(),
        })
    }),
    ("get_offset", |oracle, _| {
        Ok(asked::must(oracle, &["date", "+%z"])?.into())
    }),
    ("get_zonecode", |oracle, _| {
        Ok(asked::must(oracle, &["date", "+%Z"])?.into())
    }),
];

fn available(oracle: &Oracle) -> Result<Vec<String>, String> {
    Ok(asked::must(oracle, &["locale", "-a"])?
        .lines()
        .map(str::to_owned)
        .collect())
}

/// A locale's name with its character set as the C library spells it.
fn plain(name: &str) -> String {
    match name.split_once('.') {
        Some((language, set)) => {
            let set: String = set.chars().filter(|c| *c != '-').collect();
            format!("{language}.{}", set.to_lowercase())
        }
        None => name.to_owned(),
    }
}
