//! `ext_pillar` of the settings: kinds, their arguments, unknown ones refused with the nearest name.

use std::path::Path;

use super::{path, rev_is_plain};
use crate::compile::diagnostic::did_you_mean;
use crate::compile::yaml::{Node, Value};
use crate::document::Document;
use crate::pillar::external::{Branch, External, Keep, Render, Source};
use crate::tree::location::Location;

/// Salt's names of the kinds there are.
const KINDS: [&str; 4] = ["cmd_yaml", "cmd_json", "file_tree", "git"];

/// What paths are relative to, and names that have a meaning of their own.
pub(super) struct Around<'a> {
    pub(super) file: &'a Path,
    pub(super) base: &'a Path,
    pub(super) home: Option<&'a Path>,
    /// Salt's `git_pillar_base`: the branch that is the environment base.
    pub(super) git_base: String,
}

impl Around<'_> {
    /// The entries in their order; what is wrong is reported.
    pub(super) fn read(&self, document: &mut Document<'_>, node: &Node) -> Vec<External> {
        let Value::List(items) = &node.value else {
            let help = "such as `ext_pillar: [{cmd_yaml: /usr/local/bin/pillar %s}]`".to_owned();
            document.report(node.at, "ext_pillar must be a list", Some(help));
            return Vec::new();
        };
        let mut found = Vec::new();
        for item in items {
            for (key, value) in document.entries(item, "an entry of ext_pillar") {
                let name = key.value.key_text();
                let Some(name) = KINDS.into_iter().find(|kind| *kind == name) else {
                    let help = did_you_mean(&name, KINDS)
                        .unwrap_or_else(|| format!("there are {}", KINDS.join(", ")));
                    document.report(key.at, format!("unknown ext_pillar `{name}`"), Some(help));
                    continue;
                };
                let source = match name {
                    "file_tree" => self.folder(document, value),
                    "git" => self.git(document, value),
                    _ => program(document, value),
                };
                found.extend(source.map(|source| External {
                    name,
                    at: (self.file.display().to_string(), key.at.line, key.at.column),
                    source,
                }));
            }
        }
        found
    }

    fn folder(&self, document: &mut Document<'_>, node: &Node) -> Option<Source> {
        let (mut follow, mut keep_newline, mut template) = (false, Keep::All(false), None);
        let root = if node.as_text().is_some() {
            path(document, node, "file_tree", self.base, self.home)?
        } else {
            let mut fields = document.fields(node, "file_tree");
            let root = fields.take("root_dir");
            if let Some(truth) = fields
                .take("follow_dir_links")
                .and_then(|node| document.truth(node, "follow_dir_links"))
            {
                follow = truth;
            }
            match fields.take("keep_newline") {
                None => {}
                Some(Node {
                    value: Value::Bool(truth),
                    ..
                }) => keep_newline = Keep::All(*truth),
                Some(node) => keep_newline = Keep::Globs(document.texts(node, "keep_newline")?),
            }
            // It only makes Salt log more.
            fields.take("debug");
            let mut render = Render::default();
            if let Some(node) = fields.take("render_default") {
                render.default = document.text(node, "render_default");
            }
            for (name, list) in [
                ("renderer_blacklist", &mut render.refused),
                ("renderer_whitelist", &mut render.allowed),
            ] {
                if let Some(node) = fields.take(name) {
                    *list = document.texts(node, name)?;
                }
            }
            if let Some(node) = fields.take("template") {
                template = document.truth(node, "template")?.then_some(render);
            }
            fields.finish(document);
            let Some(root) = root else {
                document.report(node.at, "file_tree needs root_dir", None);
                return None;
            };
            path(document, root, "root_dir", self.base, self.home)?
        };
        Some(Source::Folder {
            root: root.display().to_string(),
            follow,
            keep_newline,
            template,
        })
    }

    fn git(&self, document: &mut Document<'_>, node: &Node) -> Option<Source> {
        let Value::List(items) = &node.value else {
            let help = "such as `git: [main https://example.org/pillar.git]`".to_owned();
            document.report(node.at, "git must be a list of branches", Some(help));
            return None;
        };
        let mut branches = Vec::new();
        for item in items {
            match &item.value {
                Value::Map(entries) => {
                    for (key, options) in entries {
                        branches.extend(self.branch(document, key, Some(options)));
                    }
                }
                _ => branches.extend(self.branch(document, item, None)),
            }
        }
        Some(Source::Git(branches))
    }

    /// `branch url`, and Salt's options for that one.
    fn branch(&self, document: &mut Document<'_>, node: &Node, options: Option<&Node>) -> Option<Branch> {
        let text = document.text(node, "a branch")?;
        let Some((rev, url)) = text.split_once(char::is_whitespace) else {
            document.report(node.at, "a branch is written `BRANCH URL`", None);
            return None;
        };
        if !rev_is_plain(rev) {
            document.report(node.at, "this is no branch, tag or commit", None);
            return None;
        }
        let url = match Location::parse(url.trim(), self.base, self.home) {
            Ok(url) => url,
            Err(error) => {
                document.report_hidden(node.at, format!("ext_pillar git: {error}"));
                return None;
            }
        };
        let mut branch = Branch {
            url,
            rev: rev.to_owned(),
            root: String::new(),
            env: if rev == self.git_base { "base" } else { rev }.to_owned(),
        };
        let given: Vec<&(Node, Node)> = match options.map(|options| &options.value) {
            Some(Value::Map(entries)) => entries.iter().collect(),
            Some(Value::List(items)) => items
                .iter()
                .filter_map(|item| match &item.value {
                    Value::Map(entries) => Some(entries),
                    _ => None,
                })
                .flatten()
                .collect(),
            _ => Vec::new(),
        };
        for (key, value) in given {
            let name = key.value.key_text();
            match name.as_str() {
                "root" => branch.root = super::roots(document, value, "root")?.into_iter().next()?,
                "env" => branch.env = document.text(value, "env")?,
                "name" => {}
                _ => {
                    let help = did_you_mean(&name, ["root", "env", "name"]).unwrap_or_else(|| {
                        "keys and passwords belong into git's own configuration; known are root, env, name".to_owned()
                    });
                    document.report(key.at, format!("unknown option `{name}` of a branch"), Some(help));
                }
            }
        }
        Some(branch)
    }
}

/// A command line, or its words. There is no shell.
fn program(document: &mut Document<'_>, node: &Node) -> Option<Source> {
    let words = match &node.value {
        Value::List(_) => document.texts(node, "a program")?,
        _ => {
            let line = document.text(node, "a program")?;
            let Some(words) = states::cmd::words(&line) else {
                document.report(node.at, "a quote in this command line has no end", None);
                return None;
            };
            words
        }
    };
    if words.is_empty() {
        document.report(node.at, "no program is named", None);
        return None;
    }
    Some(Source::Program(words))
}
