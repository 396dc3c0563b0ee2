//! From a template's text to its tree: Jinja2's grammar with Salt's tags.

pub(crate) mod ast;
mod expressions;
mod lexer;
mod numbers;
mod openings;
mod parser;
mod statements;
mod strings;
mod tokens;

use std::sync::Arc;

use crate::compile::jinja::JinjaEnv;
use crate::compile::jinja::error::Res;

/// Parses `text`, the content of `file`.
///
/// `skipped` is the line that was taken out of the file before (a `#jinja2:` header), so that lines stay those of
/// the file. `depth` limits the nesting of expressions and blocks, which costs stack.
pub(crate) fn parse(
    text: &str,
    file: &Arc<str>,
    env: &JinjaEnv,
    skipped: Option<u32>,
    depth: usize,
) -> Res<ast::Tree> {
    let (tokens, failure) = lexer::tokens(text, env, skipped);
    parser::Parser::new(tokens, depth)
        .template(failure)
        .map_err(|mut fault| {
            if let Some((name, _)) = &mut fault.place {
                *name = file.clone();
            }
            for step in &mut fault.trail {
                step.file = file.to_string();
            }
            fault
        })
}
