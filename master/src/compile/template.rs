//! Templates: the narrow way from the compiler to the Jinja engine.

use serde_json::{Map, Value as Json};

use super::diagnostic::Diagnostic;
use super::oracle::Oracle;
use super::place::Lines;

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
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) excerpt: Option<String>,
    /// Salt's whole text, as states show it.
    pub(crate) shown: String,
}

impl Failed {
    pub(crate) fn diagnostic(self, message: String) -> Diagnostic {
        let mut problem = Diagnostic::error(message)
            .in_file(self.file)
            .at(self.line, self.column);
        problem.excerpt = self.excerpt;
        problem
    }
}

struct Same(String);

impl Lines for Same {
    fn origin(&self, line: u32) -> Option<(String, u32)> {
        Some((self.0.clone(), line))
    }

    fn text(&self, _: &str) -> Option<std::sync::Arc<str>> {
        None
    }
}

/// Renders a template.
pub(crate) fn render(_: &std::sync::Arc<Oracle>, template: &Template<'_>) -> Result<Rendered, Failed> {
    if let Some(index) = template
        .text
        .lines()
        .position(|line| line.contains("{{") || line.contains("{%"))
    {
        return Err(Failed {
            message: "Jinja error: there is no engine yet".to_owned(),
            file: template.full.to_owned(),
            line: u32::try_from(index + 1).unwrap_or(0),
            column: 1,
            excerpt: None,
            shown: String::new(),
        });
    }
    Ok(Rendered {
        text: template.text.to_owned(),
        lines: Box::new(Same(template.full.to_owned())),
    })
}
