//! Jinja as Salt renders it: text in, text and a line map out.
//!
//! An engine of its own, made to the measure of Jinja2 in Salt's environment (sandboxed, `do`, loop controls, Salt's
//! tags, filters, tests and globals), with Python's values and Python's printing. It reaches outside only through
//! `World`, so whoever implements that knows every fact a template depended on. It does not know YAML documents of
//! states, renderer pipelines or where an sls file lies: that is the compiler's.
//!
//! Limits (requirement C2): steps, nesting, depth of includes, size of the output.
//!
//! What differs from Jinja2 under Salt, as far as known: `unique` and `union` of texts give lists, not sets; markup is
//! not tracked, so `autoescape` does nothing; an unknown filter or test fails when it is reached, not when the template
//! is read; an undefined value given to a `salt[…]` function is an error; whole numbers end at 128 bits; `./x` looks
//! beside the importing file first; `strftime` is in UTC; filters that look at a host, the network or JMESPath are refused.

mod args;
mod env;
mod error;
mod eval;
mod exec;
mod filters;
mod imports;
mod is_tests;
mod kept;
mod methods;
mod objects;
mod output;
mod parse;
mod render;
mod scope;
#[cfg(test)]
mod tests;
mod values;
mod wanted;
mod yaml_dump;

use std::sync::Arc;

use serde_json::{Map, Value as Json};

pub use env::JinjaEnv;
pub use error::{ErrorKind, RenderError};
pub(crate) use filters::random::Twister;
pub use kept::Kept;
pub use output::LineMap;
pub use render::render;
pub use wanted::Step;

/// Most bytes of output, and of any text made on the way.
pub(crate) const OUTPUT: usize = 16 << 20;
/// Most steps of one render; a step is a statement or an expression.
const FUEL: u64 = 5_000_000;
/// Deepest chain of templates that include, import or extend each other.
const INCLUDES: usize = 64;

/// What templates can reach outside themselves.
///
/// The implementor records what is read. All answers must stay the same during one render.
pub trait World: Send + Sync + std::fmt::Debug {
    /// A file of the tree by its path from the file root (`web/map.jinja`); `None` when there is none.
    fn file(&self, path: &str) -> Option<Arc<str>>;

    /// Calls an execution function.
    ///
    /// # Errors
    /// See `CallError`.
    fn call(&self, function: &str, args: &[Json], kwargs: &Map<String, Json>) -> Result<Json, CallError>;

    /// Whether an execution function exists, for `'x' in salt` and `salt['x'] is defined`.
    fn has_function(&self, function: &str) -> bool;

    /// Whether there is a module of execution functions, for `salt.x`.
    fn has_module(&self, module: &str) -> bool;

    /// One grain by its top-level key; `None` when the minion has no such grain.
    ///
    /// # Errors
    /// `Pending` when it is not known yet.
    fn grain(&self, key: &str) -> Result<Option<Json>, CallError>;

    /// All grains, for templates that iterate over them or print them.
    ///
    /// # Errors
    /// `Pending` when they are not known yet.
    fn grains(&self) -> Result<Map<String, Json>, CallError>;

    /// The pillar.
    fn pillar(&self) -> &Map<String, Json>;

    /// The configuration.
    fn opts(&self) -> &Map<String, Json>;

    /// Names there are, as far as that is known without asking, for who misspells one.
    fn known(&self, _what: Known) -> Vec<String> {
        Vec::new()
    }

    /// Where parsed templates are kept for the next render; nowhere when `None`.
    fn kept(&self) -> Option<&Kept> {
        None
    }
}

/// Names of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Files of the tree.
    Files,
    /// Execution functions.
    Functions,
    /// Grains.
    Grains,
}

/// Why the world gives no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// There is no such function.
    Unknown,
    /// Not known yet. The template goes on with a value that swallows whatever is done with it, so that further
    /// questions are met in the same pass; the text that comes out is worth nothing.
    Pending,
    /// The function refused, as Salt's own exceptions do: `Problem running salt function in Jinja template: …`.
    Failed(String),
    /// It raised some other exception, such as one about its arguments: `Jinja error: …`.
    Raised(String),
}

/// A template to render.
#[derive(Debug, Clone, Copy)]
pub struct Template<'a> {
    /// Its path as errors and the line map show it, from the file root where it has one.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Its variables: `sls`, `tpldir`, `saltenv`, the context of `file.managed`, … `salt`, `grains`, `pillar` and
    /// `opts` are always there.
    pub vars: &'a Map<String, Json>,
    /// Settings of the environment.
    pub env: &'a JinjaEnv,
}

/// A rendered template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Where each of its lines came from.
    pub lines: LineMap,
}
