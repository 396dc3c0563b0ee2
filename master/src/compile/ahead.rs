//! Rendering ahead: what will be wanted is rendered on other threads while the first of it is read.
//!
//! An sls is rendered apart from all others (`Apart`), so that it does not matter when, where and in which order that is
//! done; `gather` takes them in Salt's order. Nothing is rendered that would not be wanted in the end, unless an include
//! fails.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use indexmap::IndexMap;

use super::diagnostic::Diagnostic;
use super::gather::{Gather, Page, Sls, absolute};
use super::high::High;
use super::oracle::Oracle;
use super::place::{Place, Sources};
use super::python::fnmatch;
use super::render::{Apart, Renderer};
use super::yaml::Value;

/// Most threads, the one that asks among them.
const THREADS: usize = 4;
/// Most that lies ready: a rendered sls takes some memory until it is read.
const READY: usize = 12;
/// Fewer files than this are rendered before a thread has begun.
const FEW: usize = 4;

/// High data of all matched sls, and what is wrong with them.
pub(super) fn gathered(
    renderer: &mut Renderer,
    auto_order: bool,
    matches: &IndexMap<String, Vec<String>>,
) -> (High, Vec<Diagnostic>) {
    let files: usize = matches.keys().map(|env| renderer.names(env).len()).sum();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if files < FEW || cores < 2 {
        return Gather::new(renderer, auto_order).all(matches);
    }
    let desk = Desk::default();
    let oracle = renderer.oracle.clone();
    let (desk, oracle) = (&desk, &oracle);
    thread::scope(|scope| {
        let _closing = Closing(desk);
        for _ in 1..cores.min(THREADS) {
            let spawned = thread::Builder::new().spawn_scoped(scope, || desk.work(oracle));
            // Without room for a thread everything is rendered on this one.
            if spawned.is_err() {
                break;
            }
        }
        let mut ahead = Ahead {
            renderer,
            desk,
            taken: HashSet::new(),
        };
        ahead.announce(matches);
        Gather::new(&mut ahead, auto_order).all(matches)
    })
}

/// An sls by environment and name.
type Name = (Arc<str>, Arc<str>);

/// Where what is wanted and what is ready lies.
#[derive(Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What nobody has begun, the next first.
    waiting: VecDeque<Name>,
    begun: HashMap<Name, Begun>,
    ready: usize,
    closed: bool,
}

/// What became of what was wanted.
enum Begun {
    /// Somebody renders it.
    Working,
    /// It is there; or it could not be made on another thread.
    Ready(Option<Box<Apart>>),
}

/// What the one who asks is to do about an sls.
enum Step {
    Take(Box<Apart>),
    Make(Name),
    Wait,
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renders what waits until there is nothing more to come.
    fn work(&self, oracle: &Arc<Oracle>) {
        while let Some(name) = self.next() {
            self.make(oracle, name);
        }
    }

    fn next(&self) -> Option<Name> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if state.ready < READY
                && let Some(name) = state.waiting.pop_front()
            {
                state.begun.insert(name.clone(), Begun::Working);
                return Some(name);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn make(&self, oracle: &Arc<Oracle>, name: Name) {
        // What panics here panics where it is wanted, and not for ever after.
        let made = catch_unwind(AssertUnwindSafe(|| {
            Box::new(Apart::render(oracle, &name.0, &name.1))
        }));
        let mut state = self.state();
        state.begun.insert(name, Begun::Ready(made.ok()));
        state.ready += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// What is to be done to have this one; what waits is not waited for but made.
    fn step(&self, wanted: &Name) -> Step {
        let mut state = self.state();
        match state.begun.remove(wanted) {
            Some(Begun::Ready(made)) => {
                state.ready -= 1;
                self.changed.notify_all();
                made.map_or_else(|| Step::Make(wanted.clone()), Step::Take)
            }
            Some(Begun::Working) => {
                state.begun.insert(wanted.clone(), Begun::Working);
                let next = state.waiting.pop_front();
                match next {
                    Some(next) => {
                        state.begun.insert(next.clone(), Begun::Working);
                        Step::Make(next)
                    }
                    None => {
                        while matches!(state.begun.get(wanted), Some(Begun::Working)) {
                            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                        }
                        Step::Wait
                    }
                }
            }
            None => {
                state.waiting.retain(|name| name != wanted);
                Step::Make(wanted.clone())
            }
        }
    }

    /// Puts names before all that wait.
    fn put(&self, names: Vec<Name>) {
        let mut state = self.state();
        for name in names.into_iter().rev() {
            if !state.begun.contains_key(&name) && !state.waiting.contains(&name) {
                state.waiting.push_front(name);
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}

/// Sends the other threads home, whatever happens on this one.
struct Closing<'d>(&'d Desk);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.changed.notify_all();
    }
}

/// Pages that may have been rendered before they are asked for.
struct Ahead<'r> {
    renderer: &'r mut Renderer,
    desk: &'r Desk,
    /// What was asked for already.
    taken: HashSet<Name>,
}

impl Ahead<'_> {
    /// Says what will be wanted.
    fn announce(&self, matches: &IndexMap<String, Vec<String>>) {
        let mut names = Vec::new();
        for (env, wanted) in matches {
            let env: Arc<str> = env.as_str().into();
            for wanted in wanted {
                self.expand(&env, wanted, &mut names);
            }
        }
        self.desk.put(names);
    }

    fn expand(&self, env: &Arc<str>, wanted: &str, into: &mut Vec<Name>) {
        let found = self.names(env).iter().filter(|name| fnmatch(name, wanted));
        into.extend(found.map(|name| (env.clone(), Arc::from(name.as_str()))));
    }

    /// Says that what a page includes will be wanted, where that is plain.
    fn includes(&self, (env, sls): &Name, page: &Page) {
        let Value::Map(entries) = &page.node.value else {
            return;
        };
        let include = entries.iter().find(|(key, _)| key.as_text() == Some("include"));
        let Some(Value::List(items)) = include.map(|(_, node)| &node.value) else {
            return;
        };
        let mut names = Vec::new();
        for item in items {
            if let Some(name) = item.as_text().and_then(|name| absolute(name, sls, page.init)) {
                self.expand(env, &name, &mut names);
            }
        }
        names.retain(|name| !self.taken.contains(name));
        self.desk.put(names);
    }
}

impl Sls for Ahead<'_> {
    fn has_env(&self, env: &str) -> bool {
        self.renderer.has_env(env)
    }

    fn names(&self, env: &str) -> &[String] {
        self.renderer.names(env)
    }

    fn page(&mut self, env: &str, sls: &str) -> Result<Option<Page>, Vec<Diagnostic>> {
        let name: Name = (env.into(), sls.into());
        self.taken.insert(name.clone());
        let made = loop {
            match self.desk.step(&name) {
                Step::Take(made) => break *made,
                Step::Make(other) if other != name => self.desk.make(&self.renderer.oracle, other),
                Step::Make(_) => break Apart::render(&self.renderer.oracle, env, sls),
                Step::Wait => {}
            }
        };
        let page = self.renderer.take(made)?;
        if let Some(page) = &page {
            self.includes(&name, page);
        }
        Ok(page)
    }

    fn sources(&self) -> &Sources {
        &self.renderer.sources
    }

    fn named(&self, sls: &str) -> Place {
        self.renderer.named(sls)
    }
}
