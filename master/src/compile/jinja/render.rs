//! One render from start to end: the variables, the run, the cleaning up.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use super::error::{Fault, Res, fault};
use super::eval::Interp;
use super::imports::directory;
use super::objects::lazy::{Lazy, Source};
use super::objects::salt::Salt;
use super::output::LineMap;
use super::parse::ast::Name;
use super::values::Value;
use super::values::convert::from_json;
use super::{RenderError, Rendered, Template, World};

/// Nesting that fits the stack of any thread.
pub(super) const SHALLOW: usize = 100;
/// Nesting on a stack made for it; about what Python's recursion limit allows.
const DEEP: usize = 3000;
/// That stack.
const STACK: usize = 256 << 20;

thread_local! {
    /// Whether this thread is inside a render: a function a template calls may render another.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Renders a template.
///
/// # Errors
/// With Salt's wording and the place in the user's file.
pub fn render(world: &Arc<dyn World>, template: &Template<'_>) -> Result<Rendered, RenderError> {
    if INSIDE.replace(true) {
        return with_room(world, template);
    }
    let result = attempt(world, template, SHALLOW);
    INSIDE.set(false);
    match result {
        // Few templates nest deeply. Those are rendered again from the start, with room for it.
        Err((fault, _)) if fault.too_deep => with_room(world, template),
        other => other.map_err(|failed| finish(world, template, failed)),
    }
}

/// Renders on a thread with a large stack.
fn with_room(world: &Arc<dyn World>, template: &Template<'_>) -> Result<Rendered, RenderError> {
    let run = || {
        INSIDE.set(true);
        attempt(world, template, DEEP).map_err(|failed| finish(world, template, failed))
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, run);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            _ => Err(finish(
                world,
                template,
                (
                    fault::other("there is no room to render the template"),
                    Texts::new(),
                ),
            )),
        }
    })
}

type Texts = HashMap<Arc<str>, Arc<str>>;

fn finish(
    world: &Arc<dyn World>,
    template: &Template<'_>,
    (fault, texts): (Box<Fault>, Texts),
) -> RenderError {
    let help = fault.wanted.as_ref().and_then(|wanted| wanted.help(world));
    RenderError::new(*fault, template.name, help, |file| texts.get(file).cloned())
}

fn attempt(
    world: &Arc<dyn World>,
    template: &Template<'_>,
    limit: usize,
) -> Result<Rendered, (Box<Fault>, Texts)> {
    let mut env = template.env.clone();
    let (text, skipped) = env.header(template.text);
    let mut interp = Interp::new(world, &env, limit);
    let file: Arc<str> = Arc::from(template.name);
    let index = interp.loader.add(&file, &Arc::from(template.text));
    let result = run(&mut interp, template, &text, (file, index), skipped);
    // Scopes with macros hold themselves alive.
    for scope in std::mem::take(&mut interp.noted) {
        scope.clear();
    }
    let texts = std::mem::take(&mut interp.loader.texts);
    result.map_err(|fault| (fault, texts))?;
    let mut sink = interp.sinks.pop().unwrap_or_default();
    if template.text.ends_with('\n') {
        sink.text.push('\n');
    }
    let files = std::mem::take(&mut interp.loader.files);
    Ok(Rendered {
        lines: LineMap::new(files, &sink),
        text: sink.text,
    })
}

fn run(
    interp: &mut Interp<'_>,
    template: &Template<'_>,
    text: &str,
    file: (Arc<str>, u32),
    skipped: Option<u32>,
) -> Res<()> {
    let world = interp.world.clone();
    let special = [
        ("salt", Value::object(Salt { world: world.clone() })),
        ("grains", Lazy::value(&world, Source::Grains)),
        ("pillar", Lazy::value(&world, Source::Pillar)),
        ("opts", Lazy::value(&world, Source::Opts)),
    ];
    let mut base: HashMap<Name, Value> = HashMap::new();
    for (name, value) in special {
        base.insert(Name::from(name), value);
    }
    for (name, value) in template.vars {
        base.insert(Name::from(name.as_str()), from_json(value));
    }
    let dir = match base.get("tpldir") {
        Some(Value::Str(dir)) => dir.to_string(),
        _ => directory(template.name).to_owned(),
    };
    for name in ["tplfile", "tpldir", "tpldot"] {
        if let Some(value) = base.get(name) {
            interp.loader.place.insert(Name::from(name), value.clone());
        }
    }
    interp.globals = base.clone();
    let tree = interp.parsed(text, &file.0, skipped)?;
    interp.run(file, dir, &tree, base, None)?;
    Ok(())
}
