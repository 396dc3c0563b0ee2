//! Sources: what `salt://` names at this commit, rendered where a state asks for it.
//!
//! A source that is missing or does not render is no compile error: it travels as such, and the state that needs it
//! fails as Salt's does (salt-semantics section 10).

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::chunk::{SourcedEntry, SourcedKind};
use proto::{Args, Digest, Sourced};
use serde_json::{Map, Value as Json};

use super::data::{self, Lists};
use super::files::{Entry, Files};
use super::low::Low;
use super::oracle::Oracle;
use super::python;
use super::template::{self, Template};
use crate::tree::Kind;

/// Contents by digest.
pub type Blobs = BTreeMap<Digest, Arc<[u8]>>;

/// A file of the tree as states name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SaltUri {
    /// Environment.
    pub(crate) env: String,
    /// Path below the file roots.
    pub(crate) path: String,
}

/// Reads `salt://path?saltenv=env`; `None` when it is no such address.
pub(crate) fn parse(text: &str, env: &str) -> Option<SaltUri> {
    let rest = text.strip_prefix("salt://")?;
    let rest = rest.strip_prefix('|').unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("saltenv="));
    Some(SaltUri {
        env: asked.unwrap_or(env).to_owned(),
        path: path.trim_matches('/').to_owned(),
    })
}

/// Arguments that hold no sources but data of the user's own.
pub(crate) const DATA: [&str; 6] = ["context", "defaults", "contents", "text", "env", "dataset"];

/// Reads and renders the sources of one chunk.
pub(crate) struct Sourcing<'o> {
    pub(crate) oracle: &'o Arc<Oracle>,
    pub(crate) blobs: &'o mut Blobs,
    /// What `file.accumulated` gathered for the file.
    pub(crate) accumulator: Option<&'o Args>,
}

impl Sourcing<'_> {
    /// Every source the chunk names, by the text it names it with. `free` are the arguments that are variables of
    /// its templates.
    pub(crate) fn of(&mut self, low: &Low, free: &Map<String, Json>) -> BTreeMap<String, Sourced> {
        // What `file.append` and `file.prepend` add is a template unless they say otherwise.
        let added = low.state == "file" && matches!(low.fun.as_str(), "append" | "prepend");
        let engine = match low.args.get("template") {
            None if added => Some("jinja".to_owned()),
            given => given.filter(|engine| python::truth(engine)).map(python::text),
        };
        let env = low.args.get("saltenv").and_then(Json::as_str).unwrap_or(&low.env);
        let mut found = BTreeMap::new();
        let mut texts = Vec::new();
        named(&low.name, 0, &mut texts);
        for (_, value) in low.args.iter().filter(|(key, _)| !DATA.contains(&key.as_str())) {
            named(value, 0, &mut texts);
        }
        for text in texts {
            if found.contains_key(text) {
                continue;
            }
            if let Some(uri) = parse(text, env) {
                let rendering = Rendering {
                    low,
                    free,
                    env: &uri.env,
                    source: text,
                    engine: engine.as_deref(),
                    accumulator: self.accumulator,
                };
                found.insert(text.to_owned(), self.one(&uri, &rendering));
            }
        }
        if low.args.contains_key("template") && engine.is_some() {
            self.elsewhere(low, &mut found);
        }
        found
    }

    /// A template that is not in the tree cannot be rendered here.
    fn elsewhere(&self, low: &Low, found: &mut BTreeMap<String, Sourced>) {
        let Some(source) = low.args.get("source") else {
            return;
        };
        let several = source
            .as_array()
            .map_or_else(|| vec![source], |items| items.iter().collect());
        for text in several
            .into_iter()
            .filter_map(Json::as_str)
            .filter(|text| !text.starts_with("salt://"))
        {
            let why = format!("{text} is not in the tree, and only files of the tree can be templates");
            found.entry(text.to_owned()).or_insert(Sourced::Broken(why));
        }
    }

    fn one(&mut self, uri: &SaltUri, rendering: &Rendering<'_>) -> Sourced {
        let files = self.oracle.files.clone();
        match files.entry(&uri.env, &uri.path).map(|entry| &entry.kind) {
            Some(Kind::File { executable }) => match self.file(&uri.env, &uri.path, rendering) {
                Ok((content, size)) => Sourced::File {
                    content,
                    size,
                    mode: mode(*executable),
                },
                Err(why) => Sourced::Broken(why),
            },
            Some(Kind::Dir) => Sourced::Dir(self.directory(&files, uri, rendering)),
            _ if uri.path.is_empty() => Sourced::Dir(self.directory(&files, uri, rendering)),
            _ => Sourced::Missing,
        }
    }

    fn directory(&mut self, files: &Files, uri: &SaltUri, rendering: &Rendering<'_>) -> Vec<SourcedEntry> {
        let prefix = if uri.path.is_empty() {
            String::new()
        } else {
            format!("{}/", uri.path)
        };
        let mut entries = Vec::new();
        for (path, Entry { kind, link, .. }) in files.all(&uri.env) {
            let Some(below) = path.strip_prefix(&prefix) else {
                continue;
            };
            let what = match (link, kind) {
                (Some(to), Kind::Link { .. }) => SourcedKind::Link { to: to.clone() },
                (_, Kind::Dir) => SourcedKind::Dir,
                (_, Kind::File { executable }) => match self.file(&uri.env, path, rendering) {
                    Ok((content, size)) => SourcedKind::File {
                        content,
                        size,
                        mode: mode(*executable),
                    },
                    Err(why) => SourcedKind::Broken(why),
                },
                (_, Kind::Link { .. } | Kind::Other) => continue,
            };
            let keeps = rendering.low.args.get("keep_symlinks").is_some_and(python::truth);
            let what = match link {
                Some(to) if keeps => SourcedKind::Link { to: to.clone() },
                _ => what,
            };
            entries.push(SourcedEntry {
                path: below.to_owned(),
                what,
            });
        }
        entries
    }

    fn file(&mut self, env: &str, path: &str, rendering: &Rendering<'_>) -> Result<(Digest, u64), String> {
        let bytes = self
            .oracle
            .files
            .read(env, path)?
            .ok_or_else(|| format!("{path} is no file"))?;
        let bytes = match rendering.engine {
            None => bytes,
            Some("jinja") => {
                let text = std::str::from_utf8(&bytes).map_err(|_| format!("{path} is not UTF-8 text"))?;
                let full = self
                    .oracle
                    .files
                    .entry(env, path)
                    .map_or(path, |entry| entry.full.as_str());
                let vars = rendering.variables()?;
                let template = Template {
                    name: path,
                    full,
                    text,
                    env,
                    vars,
                    sls: false,
                };
                let rendered = template::render(self.oracle, &template).map_err(|failed| failed.shown)?;
                Arc::from(rendered.text.into_bytes())
            }
            Some(engine) => {
                return Err(format!(
                    "Specified template format {engine} is not supported: use jinja"
                ));
            }
        };
        let digest = Digest::of(&bytes);
        let size = bytes.len() as u64;
        self.blobs.insert(digest, bytes);
        Ok((digest, size))
    }

    /// `contents` as a template.
    pub(crate) fn contents(&self, low: &Low, contents: &Json) -> Result<String, String> {
        let parts: Vec<String> = match contents {
            Json::Array(items) => items.iter().map(python::text).collect(),
            one => vec![python::text(one)],
        };
        let mut text = String::new();
        for line in parts.iter().flat_map(|part| part.lines()) {
            text.push_str(line);
            text.push('\n');
        }
        let none = Map::new();
        let rendering = Rendering {
            low,
            free: &none,
            env: &low.env,
            source: "",
            engine: None,
            accumulator: self.accumulator,
        };
        let vars = rendering.variables()?;
        let template = Template {
            name: "contents",
            full: &low.sls,
            text: &text,
            env: &low.env,
            vars,
            sls: false,
        };
        template::render(self.oracle, &template)
            .map(|rendered| rendered.text)
            .map_err(|failed| failed.shown)
    }
}

/// How the files of one chunk are rendered.
struct Rendering<'r> {
    low: &'r Low,
    free: &'r Map<String, Json>,
    env: &'r str,
    source: &'r str,
    engine: Option<&'r str>,
    accumulator: Option<&'r Args>,
}

impl Rendering<'_> {
    /// `context` over `defaults` over free arguments over what the state itself says.
    fn variables(&self) -> Result<Map<String, Json>, String> {
        let args = &self.low.args;
        let own = |key: &str| args.get(key).cloned().unwrap_or(Json::Null);
        let mut vars = Map::new();
        vars.insert("name".to_owned(), self.low.name.clone());
        vars.insert("source".to_owned(), self.source.into());
        vars.insert("user".to_owned(), own("user"));
        vars.insert("group".to_owned(), own("group"));
        vars.insert("mode".to_owned(), normal_mode(own("mode")));
        vars.insert("saltenv".to_owned(), self.env.into());
        vars.extend(self.free.clone());
        let mut context = Map::new();
        for key in ["defaults", "context"] {
            match args.get(key) {
                None | Some(Json::Null) => {}
                Some(Json::Object(map)) => data::update(&mut context, map, Lists::Replace),
                Some(_) => {
                    let mut key = key.to_owned();
                    key[..1].make_ascii_uppercase();
                    return Err(format!("{key} must be formed as a dict"));
                }
            }
        }
        vars.extend(context);
        if let Some(gathered) = self.accumulator {
            vars.insert("accumulator".to_owned(), gathered.clone().into());
        }
        Ok(vars)
    }
}

/// All texts that begin like a source.
pub(crate) fn named<'v>(value: &'v Json, depth: usize, into: &mut Vec<&'v str>) {
    match value {
        Json::String(text) if text.starts_with("salt://") => into.push(text),
        Json::Array(items) if depth < 4 => items.iter().for_each(|item| named(item, depth + 1, into)),
        Json::Object(map) if depth < 4 => {
            for (key, value) in map {
                if key.starts_with("salt://") {
                    into.push(key);
                }
                named(value, depth + 1, into);
            }
        }
        _ => {}
    }
}

fn mode(executable: bool) -> u32 {
    if executable { 0o755 } else { 0o644 }
}

/// A mode as templates see it: text of four digits.
fn normal_mode(mode: Json) -> Json {
    match mode {
        Json::Null => Json::Null,
        other => {
            let text = python::text(&other);
            let digits = text.trim_matches(['"', '\'']).trim_start_matches('0');
            Json::String(format!("{digits:0>4}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_environment_and_path() {
        let uri = |env: &str, path: &str| {
            Some(SaltUri {
                env: env.to_owned(),
                path: path.to_owned(),
            })
        };
        assert_eq!(parse("salt://a/b", "base"), uri("base", "a/b"));
        assert_eq!(parse("salt://a/b?saltenv=dev", "base"), uri("dev", "a/b"));
        assert_eq!(parse("salt://a/", "base"), uri("base", "a"));
        assert_eq!(parse("/a/b", "base"), None);
    }

    #[test]
    fn modes_have_four_digits() {
        assert_eq!(normal_mode(644.into()), Json::from("0644"));
        assert_eq!(normal_mode("0755".into()), Json::from("0755"));
        assert_eq!(normal_mode(Json::Null), Json::Null);
    }
}
