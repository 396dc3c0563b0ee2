//! `include`, `import`, `from … import` and `extends`: finding templates and running them.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::args::CallArgs;
use super::error::{Fault, Res, fault};
use super::eval::Interp;
use super::objects::macros::{Imported, Macro};
use super::parse::ast::{Expr, ExprKind, Name, Pos, Tree};
use super::parse::{ast, parse};
use super::render::SHALLOW;
use super::scope::{Scope, Unit};
use super::values::text::{quote, refuse, str};
use super::values::{Missing, Value, items};
use super::wanted::Among;
use super::{INCLUDES, Known, output::Sink};

/// Templates of one render: what was read and parsed, and where relative names start.
#[derive(Default)]
pub(crate) struct Loader {
    /// Files in the order they were first used; the line map speaks of them by number.
    pub(crate) files: Vec<Arc<str>>,
    /// Texts of the files, for excerpts.
    pub(crate) texts: HashMap<Arc<str>, Arc<str>>,
    trees: HashMap<String, Option<(u32, Arc<Tree>)>>,
    modules: HashMap<String, Value>,
    /// `tplfile`, `tpldir`, `tpldot` as the last loaded template left them.
    pub(crate) place: HashMap<Name, Value>,
    depth: usize,
}

/// A template that was found.
struct Found {
    path: String,
    index: u32,
    tree: Arc<Tree>,
}

impl Loader {
    /// Registers a file and its text.
    pub(crate) fn add(&mut self, file: &Arc<str>, text: &Arc<str>) -> u32 {
        self.texts.insert(file.clone(), text.clone());
        self.files.push(file.clone());
        u32::try_from(self.files.len() - 1).unwrap_or(0)
    }

    fn current_dir(&self) -> String {
        match self.place.get("tpldir") {
            Some(Value::Str(dir)) => dir.to_string(),
            _ => ".".to_owned(),
        }
    }
}

/// The directory part of a path, `.` at the root.
pub(crate) fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(dir, _)| dir)
}

/// A path without `.` and `..`; `None` when it leaves the root.
fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn not_found(name: &str) -> Box<Fault> {
    fault::other(name.to_owned()).wanting(name, Among::World(Known::Files))
}

impl Interp<'_> {
    fn find(&mut self, name: &str, scope: &Rc<Scope>) -> Res<Option<Found>> {
        let relative = matches!(name.split('/').next(), Some("." | ".."));
        let candidates = if relative {
            // From the importing file; Salt itself goes from the template it loaded last.
            vec![
                normal(&format!("{}/{name}", scope.unit.dir)),
                normal(&format!("{}/{name}", self.loader.current_dir())),
            ]
        } else {
            vec![normal(name)]
        };
        for path in candidates.into_iter().flatten() {
            if let Some((index, tree)) = self.read(&path)? {
                self.remember(name, &path, relative);
                return Ok(Some(Found { path, index, tree }));
            }
        }
        Ok(None)
    }

    /// What imports without context see of where they are.
    fn remember(&mut self, name: &str, path: &str, relative: bool) {
        let dir = match path.rsplit_once('/') {
            _ if relative => self.loader.current_dir(),
            Some((dir, _)) => dir.to_owned(),
            None => String::new(),
        };
        let file = if relative { name } else { path };
        let place = &mut self.loader.place;
        place.insert(Name::from("tplfile"), Value::str(file));
        place.insert(Name::from("tpldot"), Value::from(dir.replace('/', ".")));
        place.insert(
            Name::from("tpldir"),
            Value::str(if dir.is_empty() { "." } else { &dir }),
        );
    }

    fn read(&mut self, path: &str) -> Res<Option<(u32, Arc<Tree>)>> {
        if let Some(known) = self.loader.trees.get(path) {
            return Ok(known.clone());
        }
        let Some(text) = self.world.file(path) else {
            self.loader.trees.insert(path.to_owned(), None);
            return Ok(None);
        };
        let file: Arc<str> = Arc::from(path);
        let index = self.loader.add(&file, &text);
        let tree = self.parsed(&text, &file, None)?;
        self.loader
            .trees
            .insert(path.to_owned(), Some((index, tree.clone())));
        Ok(Some((index, tree)))
    }

    /// The tree of a text. On a stack made for deep nesting nothing is kept: elsewhere such a tree could not even be
    /// given back.
    pub(crate) fn parsed(&self, text: &str, file: &Arc<str>, skipped: Option<u32>) -> Res<Arc<Tree>> {
        let depth = self.limit / 3;
        match self.world.kept() {
            Some(kept) if skipped.is_none() && self.limit <= SHALLOW => {
                kept.tree(text, file, self.env, depth)
            }
            _ => parse(text, file, self.env, skipped, depth).map(Arc::new),
        }
    }

    /// The first of several templates that exists.
    fn select(&mut self, names: &Value, scope: &Rc<Scope>) -> Res<Result<Found, Vec<String>>> {
        let names: Vec<Value> = match names {
            Value::Str(_) | Value::Undefined(_) => vec![names.clone()],
            other => items::collect(other)?,
        };
        let mut tried = Vec::new();
        for name in names {
            let name = str(&name)?;
            if let Some(found) = self.find(&name, scope)? {
                return Ok(Ok(found));
            }
            tried.push(name);
        }
        Ok(Err(tried))
    }

    fn missing(tried: &[String]) -> Box<Fault> {
        match tried {
            [one] => not_found(one),
            all => fault::other(format!(
                "none of the templates given were found: {}",
                all.join(", ")
            )),
        }
    }

    /// Runs a template and everything it extends. Returns its top scope.
    pub(crate) fn run(
        &mut self,
        file: (Arc<str>, u32),
        dir: String,
        tree: &Arc<Tree>,
        base: HashMap<Name, Value>,
        parent: Option<Rc<Scope>>,
    ) -> Res<Rc<Scope>> {
        if self.loader.depth >= INCLUDES {
            return Err(fault::other(format!(
                "templates include each other more than {INCLUDES} deep"
            )));
        }
        self.loader.depth += 1;
        let result = self.run_inner(file, dir, tree, base, parent);
        self.loader.depth -= 1;
        result
    }

    fn run_inner(
        &mut self,
        file: (Arc<str>, u32),
        dir: String,
        tree: &Arc<Tree>,
        base: HashMap<Name, Value>,
        parent: Option<Rc<Scope>>,
    ) -> Res<Rc<Scope>> {
        let unit = Unit::new(file.0, file.1, dir, base);
        let scope = Scope::top(unit, parent);
        self.blocks_of(tree, &scope);
        self.body(&tree.body, &scope)?;
        let mut top = scope.clone();
        let mut steps = 0;
        loop {
            let name = top.unit.extends.borrow_mut().take();
            let Some(name) = name else { return Ok(scope) };
            steps += 1;
            if steps > INCLUDES {
                return Err(fault::other(format!(
                    "templates extend each other more than {INCLUDES} deep"
                )));
            }
            let Some(found) = self.find(&name, &top)? else {
                return Err(not_found(&name));
            };
            let parent_unit = Unit::new(
                Arc::from(found.path.as_str()),
                found.index,
                directory(&found.path).to_owned(),
                scope.unit.base.clone(),
            );
            let parent_scope = Scope::top(parent_unit, Some(top.clone()));
            // The parent's blocks go behind the child's.
            let inherited = top.unit.blocks.borrow().clone();
            *parent_scope.unit.blocks.borrow_mut() = inherited;
            self.blocks_of(&found.tree, &parent_scope);
            let shared = parent_scope.unit.blocks.borrow().clone();
            for (_, chain) in shared.iter() {
                for (_, home) in chain {
                    *home.unit.blocks.borrow_mut() = shared.clone();
                }
            }
            self.body(&found.tree.body, &parent_scope)?;
            top = parent_scope;
        }
    }

    fn blocks_of(&mut self, tree: &Tree, scope: &Rc<Scope>) {
        if tree.blocks.is_empty() {
            return;
        }
        self.note(scope);
        let mut blocks = scope.unit.blocks.borrow_mut();
        for block in &tree.blocks {
            let block: &Arc<ast::Block> = block;
            blocks
                .entry(block.name.clone())
                .or_default()
                .push((block.clone(), scope.clone()));
        }
    }

    fn run_found(&mut self, found: &Found, with_context: bool, scope: &Rc<Scope>) -> Res<Rc<Scope>> {
        let (base, parent) = if with_context {
            (scope.unit.base.clone(), Some(scope.snapshot()))
        } else {
            (self.loader.place.clone(), None)
        };
        self.run(
            (Arc::from(found.path.as_str()), found.index),
            directory(&found.path).to_owned(),
            &found.tree,
            base,
            parent,
        )
    }

    /// `{% include %}`.
    pub(crate) fn include(
        &mut self,
        names: &Value,
        ignore_missing: bool,
        with_context: bool,
        scope: &Rc<Scope>,
    ) -> Res<()> {
        if names.is_pending() {
            return Ok(());
        }
        match self.select(names, scope)? {
            Ok(found) => self.run_found(&found, with_context, scope).map(|_| ()),
            Err(_) if ignore_missing => Ok(()),
            Err(tried) => Err(Self::missing(&tried)),
        }
    }

    /// `{% import %}`: the module object.
    pub(crate) fn import(&mut self, names: &Value, with_context: bool, scope: &Rc<Scope>) -> Res<Value> {
        if names.is_pending() {
            return Ok(Value::pending());
        }
        let found = match self.select(names, scope)? {
            Ok(found) => found,
            Err(tried) => return Err(Self::missing(&tried)),
        };
        // Without context a template is run once and shared.
        if !with_context && let Some(known) = self.loader.modules.get(&found.path) {
            return Ok(known.clone());
        }
        self.sinks.push(Sink::default());
        let result = self.run_found(&found, with_context, scope);
        let sink = self.sinks.pop().unwrap_or_default();
        let module = Value::object(Imported {
            name: found.path.clone(),
            scope: result?,
            sink,
        });
        if !with_context {
            self.loader.modules.insert(found.path, module.clone());
        }
        Ok(module)
    }

    /// A problem inside of loaded text, at its place in the file it came from.
    pub(crate) fn inside(&self, mut fault: Box<Fault>, sink: &Sink) -> Box<Fault> {
        if let Some(within) = fault.within.take()
            && let Some((file, line)) = sink.origin(within.line)
            && let Some(file) = usize::try_from(file)
                .ok()
                .and_then(|file| self.loader.files.get(file))
        {
            let pos = Pos {
                line,
                column: within.column,
            };
            fault.place.get_or_insert((file.clone(), pos));
        }
        fault
    }

    /// The same for an imported file.
    pub(crate) fn loaded(&self, fault: Box<Fault>, module: &Value) -> Box<Fault> {
        match module {
            Value::Object(object) => match object.as_any().downcast_ref::<Imported>() {
                Some(imported) => self.inside(fault, &imported.sink),
                None => fault,
            },
            _ => fault,
        }
    }

    /// The value before a dot or bracket. What is undefined fails here, at its own name.
    pub(crate) fn base(&mut self, of: &Expr, scope: &Rc<Scope>) -> Res<Value> {
        let value = self.eval(of, scope)?;
        match &value {
            Value::Undefined(undefined) if !matches!(undefined.what, Missing::Pending) => {
                let mut pos = of.pos;
                if matches!(of.kind, ExprKind::Attr(..)) {
                    pos.column += 1;
                }
                Err(refuse(undefined).at(&scope.unit.file, pos))
            }
            _ => Ok(value),
        }
    }

    /// Calls a value; where it is a macro, an error in it is told with the call.
    pub(crate) fn enter(&mut self, callee: &Value, args: CallArgs, scope: &Rc<Scope>, at: Pos) -> Res<Value> {
        self.call(callee, args).map_err(|fault| match callee {
            Value::Object(object) => match object.as_any().downcast_ref::<Macro>() {
                Some(called) => fault.through(&scope.unit.file, at, &called.called()),
                None => fault,
            },
            _ => fault,
        })
    }

    /// One name of `{% from … import %}`.
    pub(crate) fn imported_name(
        &mut self,
        module: &Value,
        name: &Name,
        pos: Pos,
        scope: &Rc<Scope>,
    ) -> Res<Value> {
        let Value::Object(object) = module else {
            return Ok(Value::pending());
        };
        let Some(imported) = object.as_any().downcast_ref::<Imported>() else {
            return Ok(Value::pending());
        };
        if let Some(value) = imported.scope.exported(name) {
            return Ok(value);
        }
        let said = format!(
            "the template {} (imported on line {}{}) does not export the requested name {}",
            quote(&imported.name),
            pos.line,
            // Salt renders the first template from its text, so it has no name.
            if scope.unit.file_index == 0 {
                String::new()
            } else {
                format!(" in {}", quote(&scope.unit.file))
            },
            quote(name)
        );
        Ok(self.lacking(said, module, name))
    }
}
