//! `ini.*`: files in sections, on the host.

use serde_json::{Map, Value as Json};

use super::{Args, Function, asked};
use crate::compile::oracle::Oracle;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("get_ini", |oracle, args| read(oracle, args).map(Json::Object)),
    ("get_section", |oracle, args| {
        let all = read(oracle, args)?;
        let section = args.text("section")?;
        Ok(match all.get(&section) {
            Some(found @ Json::Object(_)) => found.clone(),
            _ => Json::Object(Map::new()),
        })
    }),
    ("get_option", |oracle, args| {
        let all = read(oracle, args)?;
        let (section, option) = (args.text("section")?, args.text("option")?);
        let found = match section.as_str() {
            "" | "DEFAULT_IMPLICIT" => all.get(&option),
            _ => all.get(&section).and_then(|section| section.get(&option)),
        };
        Ok(found.cloned().unwrap_or(Json::Null))
    }),
];

fn read(oracle: &Oracle, args: &mut Args) -> Result<Map<String, Json>, String> {
    let path = args.text("file_name")?;
    let separator = args.text_or("separator", "=");
    sections(&asked::text(oracle, &path)?.unwrap_or_default(), &separator)
}

/// Sections and their options; options before the first section lie beside the sections.
pub(super) fn sections(text: &str, separator: &str) -> Result<Map<String, Json>, String> {
    if separator.is_empty() {
        return Err("the separator must not be empty".to_owned());
    }
    let mut all = Map::new();
    let mut section: Option<String> = None;
    let mut last: Option<String> = None;
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            all.entry(name).or_insert_with(|| Json::Object(Map::new()));
            section = Some(name.to_owned());
            last = None;
            continue;
        }
        let options = match &section {
            Some(name) => match all.get_mut(name).and_then(Json::as_object_mut) {
                Some(options) => options,
                None => continue,
            },
            None => &mut all,
        };
        if let Some((key, value)) = line
            .split_once(separator)
            .filter(|_| !line.starts_with([' ', '\t']))
        {
            options.insert(key.trim().to_owned(), value.trim().into());
            last = Some(key.trim().to_owned());
        } else if let Some(Json::String(text)) = last.as_ref().and_then(|key| options.get_mut(key)) {
            // A line that is indented goes on with the value before it.
            text.push('\n');
            text.push_str(bare);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sections_are_read() {
        let text = "top = 1\n[a]\nx=1\n  more\n; no\n[b]\ny = z = 2\n";
        assert_eq!(
            Json::from(sections(text, "=").unwrap_or_default()),
            json!({"top": "1", "a": {"x": "1\nmore"}, "b": {"y": "z = 2"}})
        );
    }
}
