//! Templates: the narrow way from the compiler to the Jinja engine, and the host as templates see it.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::diagnostic::{Diagnostic, Note};
use super::functions::{is_misuse, reference};
use super::jinja::{self, CallError, JinjaEnv, Kept, Known, LineMap, World};
use super::oracle::{NOT_AVAILABLE, Oracle};
use super::place::Lines;
use crate::tree::Kind;

/// A template to render.
pub(crate) struct Template<'t> {
    /// Path below the file root; relative imports start there.
    pub(crate) name: &'t str,
    /// Path in the tree, for messages.
    pub(crate) full: &'t str,
    pub(crate) text: &'t str,
    pub(crate) env: &'t str,
    pub(crate) vars: Map<String, Json>,
    /// It is an sls, not a file for a host.
    pub(crate) sls: bool,
}

/// What a template became.
pub(crate) struct Rendered {
    pub(crate) text: String,
    pub(crate) lines: Box<dyn Lines>,
}

/// A template that cannot be rendered.
pub(crate) struct Failed {
    /// Salt's sentence without the place.
    pub(crate) message: String,
    /// Path in the tree.
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
    /// The text of that file.
    pub(crate) source: Option<Arc<str>>,
    /// Salt's whole text, as states show it.
    pub(crate) shown: String,
    /// The way out, and the calls, imports and includes that led there, by their place in the tree.
    aid: Box<(Option<String>, Vec<Note>)>,
}

impl Failed {
    /// The problem, with a message that begins otherwise.
    pub(crate) fn diagnostic(self, message: String) -> Diagnostic {
        let problem = Diagnostic::error(message)
            .in_file(self.file)
            .at(self.line, self.column);
        let mut problem = match self.source {
            Some(text) => problem.with_source(&text),
            None => problem,
        };
        let (help, trail) = *self.aid;
        problem.notes = trail;
        problem.with_help_if(help)
    }
}

/// Renders a template.
///
/// # Errors
/// What Jinja says, with the place in the user's own file.
pub(crate) fn render(oracle: &Arc<Oracle>, template: &Template<'_>) -> Result<Rendered, Failed> {
    oracle.share();
    let view = Arc::new(View {
        oracle: oracle.clone(),
        env: template.env.to_owned(),
    });
    let world: Arc<dyn World> = view.clone();
    let env = JinjaEnv::from_opts(&oracle.opts, template.sls);
    let request = jinja::Template {
        name: template.name,
        text: template.text,
        vars: &template.vars,
        env: &env,
    };
    match jinja::render(&world, &request) {
        Ok(rendered) => {
            let lines = Origins {
                map: rendered.lines,
                main: template.name.into(),
                full: template.full.into(),
                view,
            };
            Ok(Rendered {
                text: rendered.text,
                lines: Box::new(lines),
            })
        }
        Err(error) => {
            let shown = error.to_string();
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let full = |file: &str| {
                if file == template.name {
                    template.full.to_owned()
                } else {
                    view.full(file)
                }
            };
            let source = if error.file == template.name {
                Some(Arc::from(template.text))
            } else {
                view.file(&error.file)
            };
            let trail = error.aid.trail.iter().map(|step| Note {
                message: step.what.clone(),
                file: Some(full(&step.file)),
                line: Some(number(step.line)),
                column: Some(number(step.column)),
            });
            Err(Failed {
                aid: Box::new((error.aid.help.clone(), trail.collect())),
                file: full(&error.file),
                message: error.message,
                line: number(error.line),
                column: number(error.column),
                source,
                shown,
            })
        }
    }
}

/// One environment of a host, as templates see it.
#[derive(Debug)]
struct View {
    oracle: Arc<Oracle>,
    env: String,
}

impl View {
    /// The path in the tree of a path below the file root.
    fn full(&self, path: &str) -> String {
        self.oracle
            .files
            .entry(&self.env, path)
            .map_or_else(|| path.to_owned(), |entry| entry.full.clone())
    }
}

impl World for View {
    fn file(&self, path: &str) -> Option<Arc<str>> {
        self.oracle.files.text(&self.env, path).ok().flatten()
    }

    fn call(&self, function: &str, args: &[Json], kwargs: &Map<String, Json>) -> Result<Json, CallError> {
        if !self.has_function(function) {
            return Err(CallError::Unknown);
        }
        let before = self.oracle.unanswered();
        let result = self.oracle.call(function, args, kwargs);
        if self.oracle.unanswered() != before {
            return Err(CallError::Pending);
        }
        result.map_err(|message| {
            if message.ends_with(NOT_AVAILABLE) {
                CallError::Unknown
            } else if is_misuse(&message) {
                CallError::Raised(message)
            } else {
                CallError::Failed(message)
            }
        })
    }

    fn has_function(&self, function: &str) -> bool {
        self.oracle.has_function(function)
    }

    fn has_module(&self, module: &str) -> bool {
        self.oracle.has_module(module)
    }

    fn grain(&self, key: &str) -> Result<Option<Json>, CallError> {
        let before = self.oracle.unanswered();
        let found = self.oracle.grain(key);
        if self.oracle.unanswered() == before {
            Ok(found)
        } else {
            Err(CallError::Pending)
        }
    }

    fn grains(&self) -> Result<Map<String, Json>, CallError> {
        let before = self.oracle.unanswered();
        let found = self.oracle.grains();
        if self.oracle.unanswered() == before {
            Ok(found)
        } else {
            Err(CallError::Pending)
        }
    }

    fn pillar(&self) -> &Map<String, Json> {
        self.oracle.pillar_map()
    }

    fn opts(&self) -> &Map<String, Json> {
        &self.oracle.opts
    }

    fn known(&self, what: Known) -> Vec<String> {
        match what {
            Known::Files => {
                let files = self.oracle.files.all(&self.env);
                let plain = files.filter(|(_, entry)| matches!(entry.kind, Kind::File { .. }));
                plain.map(|(path, _)| path.to_owned()).collect()
            }
            Known::Functions => reference::all().map(|entry| entry.name.to_owned()).collect(),
            Known::Grains => self.oracle.grains.asserted().keys().cloned().collect(),
        }
    }

    fn kept(&self) -> Option<&Kept> {
        Some(self.oracle.files.kept())
    }
}

/// Lines of a rendered text, by their place in the tree.
struct Origins {
    map: LineMap,
    main: String,
    full: String,
    view: Arc<View>,
}

impl Lines for Origins {
    fn origin(&self, line: u32) -> Option<(String, u32)> {
        let (file, line) = self.map.origin(usize::try_from(line).ok()?)?;
        let full = if file == self.main {
            self.full.clone()
        } else {
            self.view.full(file)
        };
        Some((full, u32::try_from(line).ok()?))
    }

    fn text(&self, full: &str) -> Option<Arc<str>> {
        self.view.oracle.files.text_at(full)
    }
}

/// A value as PyYAML's dumper writes it; `flow` is its `default_flow_style`.
///
/// # Errors
/// A value that cannot be written.
pub(crate) fn yaml(value: &Json, flow: &Json) -> Result<String, String> {
    expression(
        "value | yaml(flow)",
        [("value", value.clone()), ("flow", flow.clone())],
    )
}

/// What an expression of a template prints, with these variables and nothing else.
///
/// # Errors
/// What Jinja says.
pub(crate) fn expression<const N: usize>(text: &str, vars: [(&str, Json); N]) -> Result<String, String> {
    let world: Arc<dyn World> = Arc::new(Nowhere::default());
    let vars = vars
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let env = JinjaEnv::default();
    let request = jinja::Template {
        name: "expression",
        text: &format!("{{{{ {text} }}}}"),
        vars: &vars,
        env: &env,
    };
    jinja::render(&world, &request)
        .map(|rendered| rendered.text)
        .map_err(|error| error.message)
}

/// A world with nothing in it.
#[derive(Debug, Default)]
struct Nowhere(Map<String, Json>);

impl World for Nowhere {
    fn file(&self, _: &str) -> Option<Arc<str>> {
        None
    }

    fn call(&self, _: &str, _: &[Json], _: &Map<String, Json>) -> Result<Json, CallError> {
        Err(CallError::Unknown)
    }

    fn has_function(&self, _: &str) -> bool {
        false
    }

    fn has_module(&self, _: &str) -> bool {
        false
    }

    fn grain(&self, _: &str) -> Result<Option<Json>, CallError> {
        Ok(None)
    }

    fn grains(&self) -> Result<Map<String, Json>, CallError> {
        Ok(Map::new())
    }

    fn pillar(&self) -> &Map<String, Json> {
        &self.0
    }

    fn opts(&self) -> &Map<String, Json> {
        &self.0
    }
}
