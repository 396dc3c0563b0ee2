//! docs/salt-modules.md is what the registries say. `UPDATE_DOCS=1` writes it anew.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "the test writes the page when asked to"
)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use master::compile::codes;

use master::compile::functions::reference::{self, Place};

const HEAD: &str = "\
# Salt's modules

What Salt has and whether it is here, made from the registries of salt-rs; [coming from Salt](from-salt.md) says how to
read it. *Partly* names the arguments that are missing; *no* gives the reason, or what to do instead. The arguments of
everything that is here are in [states](states.md) and in `salt-rs doc`.

## State functions

";

const FUNCTIONS: &str = "\
## Execution functions

What templates, function-form guards, `module.run` and `salt-rs call` may use. *Master*: answered without the host; *host*:
asked of the host, all of a run at once, and remembered. `salt-rs doc FUNCTION` has the parameters of each.

| module | master | host | no |
|---|---|---|---|
";

const WITHOUT: &str = "\
### Modules of which there is nothing

| why, or what to do instead | modules |
|---|---|
";

/// What a module has, and what it has not with the way out.
#[derive(Default)]
struct Module {
    master: Vec<&'static str>,
    host: Vec<&'static str>,
    no: BTreeMap<&'static str, Vec<&'static str>>,
}

fn functions() -> String {
    let mut modules: BTreeMap<&str, Module> = BTreeMap::new();
    for entry in reference::all() {
        let (module, fun) = entry.name.split_once('.').expect("module.function");
        let module = modules.entry(module).or_default();
        match entry.place {
            Place::Master => module.master.push(fun),
            Place::Asks | Place::Host => module.host.push(fun),
        }
    }
    for (name, way) in reference::absent() {
        let (module, fun) = name.split_once('.').expect("module.function");
        let module = modules.entry(module).or_default();
        module.no.entry(way).or_default().push(fun);
    }
    let mut page = String::new();
    for (name, module) in modules {
        let no: Vec<String> = module.no.iter().map(|(way, funs)| because(way, funs)).collect();
        let (master, host) = (module.master.join(", "), module.host.join(", "));
        writeln!(page, "| {name} | {master} | {host} | {} |", no.join("; ")).expect("text");
    }
    page
}

fn because(way: &str, functions: &[&str]) -> String {
    let functions = functions.join(", ");
    if way.is_empty() {
        functions
    } else {
        format!("{functions}: {way}")
    }
}

fn without() -> String {
    let mut modules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, way) in reference::absent_modules() {
        let way = if way.is_empty() {
            "nobody has asked for them yet; `cmd.run` calls the program"
        } else {
            way
        };
        modules.entry(way).or_default().push(name);
    }
    let line = |(way, names): (&str, Vec<&str>)| format!("| {way} | {} |\n", names.join(", "));
    modules.into_iter().map(line).collect()
}

#[test]
fn salt_modules_is_current() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/salt-modules.md");
    let want = format!(
        "{HEAD}{}\n{FUNCTIONS}{}\n{WITHOUT}{}",
        states::salt::markdown(),
        functions(),
        without()
    );
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&page, &want).expect("the page is written");
    }
    let have = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        have == want,
        "docs/salt-modules.md is stale: UPDATE_DOCS=1 cargo test -p salt-rs --test docs"
    );
}

const LINT: &str = "\
# What salt-rs says of a tree

`salt-rs lint` tells all problems of a tree at once, each with file, line and column, a code, and the way out; `apply`,
`plan` and `show` tell the errors among them the same way. `salt-rs lint --explain CODE` prints a section of this page.

- Exit status 65 when there is an error. `--deny warnings` or `--deny CODE` makes warnings count too.
- `--json` prints `errors` and `warnings`, each with `severity`, `code`, `message`, `file`, `line`, `column`, `help` and
  `notes` (further places: the chain of calls, the edges of a cycle, the other declaration).
- `--sarif` prints SARIF 2.1.0, which code hosting sites show beside the lines.
- `# salt-rs: allow CODE, CODE` takes warnings away: behind a line that line's, on a line of its own those of the next
  line, at the top of a file those of the whole file. Errors cannot be allowed.

";

#[test]
fn lint_is_current() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lint.md");
    let want = format!("{LINT}{}", codes::markdown());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&page, &want).expect("the page is written");
    }
    let have = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        have == want,
        "docs/lint.md is stale: UPDATE_DOCS=1 cargo test -p salt-rs --test docs"
    );
}
