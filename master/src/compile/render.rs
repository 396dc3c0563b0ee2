//! From a file of the tree to a document: the `#!` pipeline of renderers (salt-semantics section 4).
//!
//! Templates are rendered by `jinja`; this file chooses the stages, sets the variables every sls has, and keeps the
//! line map so that problems of the document are shown in the user's own file.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::diagnostic::Diagnostic;
use super::gather::{Page, Sls};
use super::lookup::Cipher;
use super::oracle::Oracle;
use super::place::{Lines, Place, Sources};
use super::python;
use super::stages::{Stage, stages};
use super::template::{self, Template};
use super::yaml::{self, Mark, Node, Value, YamlError};

/// Renders the sls files of one host.
pub(crate) struct Renderer {
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) sources: Sources,
    /// Things worth knowing that are no errors.
    pub(crate) warnings: Vec<Diagnostic>,
    /// Where top files name an sls.
    pub(crate) named: HashMap<String, Place>,
}

/// Which file, and as what.
pub(crate) struct Subject<'s> {
    pub(crate) env: &'s str,
    /// Path below the file root.
    pub(crate) path: &'s str,
    /// Path in the tree.
    pub(crate) full: &'s str,
    /// The sls name; empty for a top file.
    pub(crate) sls: &'s str,
    /// How messages begin: `Rendering SLS 'base:a' failed`.
    pub(crate) failed: String,
    /// Further variables.
    pub(crate) vars: Map<String, Json>,
}

impl Sls for Renderer {
    fn has_env(&self, env: &str) -> bool {
        self.oracle.files.has_env(env)
    }

    fn names(&self, env: &str) -> &[String] {
        self.oracle.files.names(env)
    }

    fn page(&mut self, env: &str, sls: &str) -> Result<Option<Page>, Vec<Diagnostic>> {
        self.take(Apart::render(&self.oracle, env, sls))
    }

    fn sources(&self) -> &Sources {
        &self.sources
    }

    fn named(&self, sls: &str) -> Place {
        self.named.get(sls).copied().unwrap_or_default()
    }
}

/// An sls rendered by itself, whatever else of the pass was rendered before it.
pub(crate) struct Apart {
    made: Renderer,
    page: Result<Option<Page>, Vec<Diagnostic>>,
}

impl Apart {
    /// Renders one.
    pub(crate) fn render(oracle: &Oracle, env: &str, sls: &str) -> Self {
        let mut made = Renderer::new(Arc::new(oracle.apart(&format!("{env}:{sls}"))));
        let page = made.own_page(env, sls).map_err(|problem| vec![*problem]);
        Self { made, page }
    }
}

impl Renderer {
    /// Makes an sls that was rendered apart a part of this pass.
    pub(crate) fn take(&mut self, apart: Apart) -> Result<Option<Page>, Vec<Diagnostic>> {
        let Apart { made, page } = apart;
        self.oracle.absorb(&made.oracle);
        self.warnings.extend(made.warnings);
        let before = self.sources.append(made.sources);
        let mut page = page?;
        if let Some(page) = &mut page {
            page.source += before;
        }
        Ok(page)
    }

    fn own_page(&mut self, env: &str, sls: &str) -> Result<Option<Page>, Box<Diagnostic>> {
        let Some(file) = self.oracle.files.sls(env, sls) else {
            return Ok(None);
        };
        let failed = format!("Rendering SLS '{env}:{sls}' failed");
        let subject = Subject {
            env,
            path: &file.path,
            full: &file.full,
            sls,
            failed,
            vars: Map::new(),
        };
        let (node, source) = self.document(&subject)?;
        Ok(Some(Page {
            node,
            source,
            init: file.init,
        }))
    }

    pub(crate) fn new(oracle: Arc<Oracle>) -> Self {
        Self {
            oracle,
            sources: Sources::default(),
            warnings: Vec::new(),
            named: HashMap::new(),
        }
    }

    /// Renders a file to a document; also returns the number of its text in the sources.
    pub(crate) fn document(&mut self, subject: &Subject<'_>) -> Result<(Node, u32), Box<Diagnostic>> {
        let failed = &subject.failed;
        let text = match self.oracle.files.text(subject.env, subject.path) {
            Ok(Some(text)) => text,
            Ok(None) => {
                return Err(Box::new(
                    Diagnostic::error(format!("{failed}: there is no file")).in_file(subject.full),
                ));
            }
            Err(error) => {
                let problem = Diagnostic::error(format!("{failed}: {error}")).in_file(subject.full);
                let mut problem = problem.at(1, 1);
                if let Some((line, column)) = self.oracle.files.foreign(subject.env, subject.path) {
                    problem = problem.at(line, column).with_help("save the file as UTF-8 text");
                }
                return Err(Box::new(problem));
            }
        };
        let stages = self.stages(&text, subject)?;
        self.staged(text, stages, subject)
    }

    /// Sends a text through stages, as [`Renderer::document`] does.
    pub(crate) fn staged(
        &mut self,
        text: Arc<str>,
        stages: Vec<Stage>,
        subject: &Subject<'_>,
    ) -> Result<(Node, u32), Box<Diagnostic>> {
        let failed = &subject.failed;
        let mut current: Arc<str> = text.clone();
        let mut made: Option<(Arc<str>, Box<dyn Lines>)> = None;
        let mut node = None;
        for stage in stages {
            match stage {
                Stage::Jinja => {
                    let template = Template {
                        name: subject.path,
                        full: subject.full,
                        text: &current,
                        env: subject.env,
                        vars: variables(subject),
                        sls: !subject.sls.is_empty(),
                    };
                    let before = self.oracle.chances(0).len();
                    let rendered = template::render(&self.oracle, &template).map_err(|error| {
                        let message = format!("{failed}: {}", error.message);
                        Box::new(error.diagnostic(message))
                    })?;
                    self.warn_of_chance(before, &current, subject);
                    current = rendered.text.into();
                    made = Some((current.clone(), rendered.lines));
                }
                Stage::Same => {}
                Stage::Decrypt(cipher) => match &mut node {
                    Some((node, source)) => self.decrypt(node, *source, cipher, "", failed)?,
                    None => {
                        let plain = self.oracle.decrypt(cipher, &current).map_err(|why| {
                            Box::new(
                                Diagnostic::error(format!("{failed}: it cannot be decrypted: {why}"))
                                    .in_file(subject.full),
                            )
                        })?;
                        if let Some(plain) = plain {
                            current = plain.into();
                        }
                    }
                },
                Stage::Yaml => {
                    let source = self.sources.add(subject.full, text.clone(), made.take());
                    let parsed = self.yaml(&current, &text, source, failed)?;
                    node = Some((parsed, source));
                }
                Stage::Json => {
                    let source = self.sources.add(subject.full, text.clone(), made.take());
                    let parsed = json(&current).map_err(|(message, mark)| {
                        Box::new(
                            self.sources
                                .error(Place { source, mark }, format!("{failed}: {message}")),
                        )
                    })?;
                    node = Some((parsed, source));
                }
            }
        }
        Ok(node.unwrap_or_else(|| {
            let value = if current.trim().is_empty() {
                Value::Null
            } else {
                Value::Text(current.to_string())
            };
            (
                Node {
                    value,
                    at: Mark { line: 1, column: 1 },
                },
                self.sources.add(subject.full, text, made),
            )
        }))
    }

    /// Tells of functions that give something else at every run, at the first line that names one.
    fn warn_of_chance(&mut self, before: usize, text: &str, subject: &Subject<'_>) {
        let mut told: Vec<&str> = Vec::new();
        for function in self.oracle.chances(before) {
            if told.contains(&function) {
                continue;
            }
            told.push(function);
            let line = (1u32..)
                .zip(text.lines())
                .find(|(_, line)| line.contains(function))
                .map_or(1, |(line, _)| line);
            let message =
                format!("{function} gives something else at every run, so no run finds the host as declared");
            self.warnings.push(
                Diagnostic::warning(message)
                    .in_file(subject.full)
                    .at(line, 1)
                    .with_source(text)
                    .with_help("give it a seed, or keep the value in the pillar"),
            );
        }
    }

    /// Decrypts every value below a node; `path` leads to it.
    fn decrypt(
        &self,
        node: &mut Node,
        source: u32,
        cipher: Cipher,
        path: &str,
        failed: &str,
    ) -> Result<(), Box<Diagnostic>> {
        let mark = node.at;
        match &mut node.value {
            Value::Text(text) => match self.oracle.decrypt(cipher, text) {
                Ok(Some(plain)) => *text = plain,
                Ok(None) => {}
                Err(why) => {
                    let message = format!("{failed}: `{path}` cannot be decrypted: {why}");
                    return Err(Box::new(self.sources.error(Place { source, mark }, message)));
                }
            },
            Value::List(items) => {
                for item in items {
                    self.decrypt(item, source, cipher, path, failed)?;
                }
            }
            Value::Map(entries) => {
                for (key, value) in entries {
                    let colon = if path.is_empty() { "" } else { ":" };
                    let path = format!("{path}{colon}{}", key.value.key_text());
                    self.decrypt(value, source, cipher, &path, failed)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Parses the text a template made.
    fn yaml(&self, made: &str, written: &str, source: u32, failed: &str) -> Result<Node, Box<Diagnostic>> {
        let parsed = yaml::load(made);
        let injected = self.oracle.injected(made, written);
        let until = parsed.as_ref().err().map_or(u32::MAX, |error| error.at.line);
        if let Some((line, text)) = injected.filter(|(line, _)| *line <= until) {
            let place = Place {
                source,
                mark: Mark { line, column: 1 },
            };
            let shown: String = text.chars().take(60).collect();
            let message = format!(
                "{failed}: the host's text {} changes the structure",
                python::quoted(&shown)
            );
            let help = "print it with `| yaml_encode`, so that it stays text";
            return Err(Box::new(self.sources.error(place, message).with_help(help)));
        }
        parsed.map_err(|error| {
            let place = Place {
                source,
                mark: error.at,
            };
            Box::new(self.malformed(&error, made, place, format!("{failed}: {}", error.message)))
        })
    }

    /// A YAML problem. What is open until the end of the text is told where it begins.
    fn malformed(&self, error: &YamlError, made: &str, place: Place, message: String) -> Diagnostic {
        let line = |mark: Mark| {
            let index = usize::try_from(mark.line).unwrap_or(usize::MAX).saturating_sub(1);
            made.lines().nth(index)
        };
        let at = |mark: Mark| Place { mark, ..place };
        let help = error.help(line(error.at).unwrap_or_default());
        match error.began.filter(|(began, _)| *began != error.at) {
            Some((began, _)) if line(error.at).is_none() => {
                self.sources.error(at(began), message).with_help_if(help)
            }
            Some((began, what)) => self
                .sources
                .error(place, message)
                .with_note(self.sources.note(at(began), what))
                .with_help_if(help),
            None => self.sources.error(place, message).with_help_if(help),
        }
    }

    /// The stages a file asks for.
    fn stages(&self, text: &str, subject: &Subject<'_>) -> Result<Vec<Stage>, Box<Diagnostic>> {
        let default = self.oracle.options.text("renderer").unwrap_or("jinja|yaml");
        stages(text, default).map_err(|none| {
            Box::new(
                Diagnostic::error(format!("{}: {}", subject.failed, none.message))
                    .in_file(subject.full)
                    .at(1, none.column)
                    .with_source(text)
                    .with_help(none.help),
            )
        })
    }
}

fn json(text: &str) -> Result<Node, (String, Mark)> {
    let text = if text.starts_with("#!") {
        text.split_once('\n').map_or("", |(_, rest)| rest)
    } else {
        text
    };
    let at = Mark { line: 1, column: 1 };
    if text.trim().is_empty() {
        return Ok(Node {
            value: Value::Null,
            at,
        });
    }
    let value: Json = serde_json::from_str(text).map_err(|error| {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (
            error.to_string(),
            Mark {
                line: number(error.line()),
                column: number(error.column()),
            },
        )
    })?;
    Ok(from_json(value, at))
}

/// A document without places of its own.
pub(crate) fn from_json(value: Json, at: Mark) -> Node {
    let value = match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => Value::Int(value.into()),
            (None, Some(value)) => Value::Float(value),
            (None, None) => Value::Null,
        },
        Json::String(text) => Value::Text(text),
        Json::Array(items) => Value::List(items.into_iter().map(|item| from_json(item, at)).collect()),
        Json::Object(map) => Value::Map(
            map.into_iter()
                .map(|(key, value)| {
                    (
                        Node {
                            value: Value::Text(key),
                            at,
                        },
                        from_json(value, at),
                    )
                })
                .collect(),
        ),
    };
    Node { value, at }
}

/// The variables that tell a template where it is.
pub(crate) fn variables(subject: &Subject<'_>) -> Map<String, Json> {
    let mut vars = subject.vars.clone();
    let dir = subject.path.rsplit_once('/').map_or("", |(dir, _)| dir);
    let mut set = |key: &str, value: String| {
        vars.insert(key.to_owned(), Json::String(value));
    };
    set("saltenv", subject.env.to_owned());
    if subject.sls.is_empty() {
        return vars;
    }
    set("sls", subject.sls.to_owned());
    set("tplfile", subject.path.to_owned());
    set("tplpath", subject.full.to_owned());
    set("tpldir", if dir.is_empty() { "." } else { dir }.to_owned());
    set("tpldot", dir.replace('/', "."));
    set("slspath", dir.to_owned());
    set("slsdotpath", dir.replace('/', "."));
    set("slscolonpath", dir.replace('/', ":"));
    set("sls_path", dir.replace('/', "_"));
    vars
}
