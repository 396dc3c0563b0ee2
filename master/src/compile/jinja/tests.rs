//! Templates rendered against texts that real Salt made (`fixtures`), and the laws of the engine.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use serde_json::{Map, Value as Json, json};

use super::{CallError, ErrorKind, JinjaEnv, RenderError, Rendered, Template, World, render};

/// A world of constants that notes which grains are read.
#[derive(Debug, Default)]
struct Still {
    files: BTreeMap<String, Arc<str>>,
    grains: Map<String, Json>,
    pillar: Map<String, Json>,
    opts: Map<String, Json>,
    read: Mutex<Vec<String>>,
}

impl World for Still {
    fn file(&self, path: &str) -> Option<Arc<str>> {
        self.files.get(path).cloned()
    }

    fn call(&self, function: &str, args: &[Json], kwargs: &Map<String, Json>) -> Result<Json, CallError> {
        match function {
            "test.echo" => Ok(args.first().cloned().unwrap_or_default()),
            "test.args" => Ok(json!({"args": args, "kwargs": kwargs})),
            "grains.get" => {
                let key = args.first().and_then(Json::as_str).unwrap_or_default();
                let default = args.get(1).cloned().unwrap_or_else(|| json!(""));
                Ok(self.grains.get(key).cloned().unwrap_or(default))
            }
            "pillar.get" => {
                let key = args.first().and_then(Json::as_str).unwrap_or_default();
                let default = args
                    .get(1)
                    .or(kwargs.get("default"))
                    .cloned()
                    .unwrap_or_else(|| json!(""));
                Ok(self.pillar.get(key).cloned().unwrap_or(default))
            }
            "test.fail" => Err(CallError::Failed("it is broken".to_owned())),
            "test.pending" => Err(CallError::Pending),
            _ => Err(CallError::Unknown),
        }
    }

    fn has_function(&self, function: &str) -> bool {
        matches!(
            function,
            "test.echo" | "test.args" | "grains.get" | "pillar.get" | "test.fail" | "test.pending"
        )
    }

    fn has_module(&self, module: &str) -> bool {
        matches!(module, "test" | "grains" | "pillar")
    }

    fn grain(&self, key: &str) -> Result<Option<Json>, CallError> {
        self.read.lock().unwrap().push(key.to_owned());
        if key == "pending" {
            return Err(CallError::Pending);
        }
        Ok(self.grains.get(key).cloned())
    }

    fn grains(&self) -> Result<Map<String, Json>, CallError> {
        self.read.lock().unwrap().push("*".to_owned());
        Ok(self.grains.clone())
    }

    fn pillar(&self) -> &Map<String, Json> {
        &self.pillar
    }

    fn opts(&self) -> &Map<String, Json> {
        &self.opts
    }
}

fn still() -> Still {
    let map = |value: Json| value.as_object().cloned().unwrap();
    Still {
        grains: map(json!({"id": "minion1", "os": "Testix", "roles": ["web", "db"], "n": {"d": 1}})),
        pillar: map(json!({"k": "v", "m": {"a": [1, 2]}, "users": {"x": {"uid": 1}}})),
        opts: map(json!({"id": "minion1"})),
        ..Still::default()
    }
}

fn run_in(world: Still, text: &str, env: &JinjaEnv) -> Result<Rendered, RenderError> {
    let vars = json!({"sls": "a.b", "tpldir": "a", "tplfile": "a/b.sls", "tpldot": "a", "saltenv": "base"});
    let world: Arc<dyn World> = Arc::new(world);
    render(
        &world,
        &Template {
            name: "a/b.sls",
            text,
            vars: vars.as_object().unwrap(),
            env,
        },
    )
}

fn run(text: &str) -> Result<String, RenderError> {
    run_in(still(), text, &JinjaEnv::default()).map(|rendered| rendered.text)
}

fn ok(text: &str) -> String {
    run(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn fails(text: &str) -> RenderError {
    match run(text) {
        Err(error) => error,
        Ok(made) => panic!("{text}\nrendered to {made:?}"),
    }
}

/// Splits a fixture into its parts: lines `=== kind name` begin one.
fn parts(text: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(head) = line.strip_prefix("=== ") {
            out.push((head.trim_end().to_owned(), String::new()));
        } else if let Some((_, body)) = out.last_mut() {
            body.push_str(line);
        }
    }
    out
}

/// Every fixture holds templates, each followed by the text or the error real Salt gives for it, an error with its line.
/// The line end before the next `===` belongs to the file, not to the template. `tests/templates.sh` writes the answers.
#[test]
fn fixtures_render_as_salt_renders_them() {
    // Others than those kept here may be compared too: `tests/templates.sh` records them.
    let dir = std::env::var_os("JINJA_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("src/compile/jinja/fixtures"),
        Into::into,
    );
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut names: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    for path in names {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut files = BTreeMap::new();
        let mut template = String::new();
        let mut env = JinjaEnv::default();
        for (head, body) in parts(&text) {
            let body = body.strip_suffix('\n').unwrap_or(&body).to_owned();
            if let Some(name) = head.strip_prefix("file ") {
                files.insert(name.to_owned(), Arc::from(body.as_str()));
            } else if head == "env" {
                env = JinjaEnv::default();
                env.apply(serde_json::from_str::<Json>(&body).unwrap().as_object().unwrap());
                env.allow_undefined = body.contains("allow_undefined");
            } else if head.starts_with("template") {
                template = body;
            } else {
                count += 1;
                let world = Still {
                    files: files.clone(),
                    ..still()
                };
                let got = run_in(world, &template, &env);
                let (kind, line) = head.split_once(' ').unwrap_or((&head, ""));
                let got = match (kind, &got) {
                    ("text", Ok(rendered)) => rendered.text.clone(),
                    ("error", Err(error)) if !line.is_empty() && line != error.line.to_string() => {
                        format!("(line {}) {}", error.line, error.message)
                    }
                    // The rest of a message is another parser's, or Python's, and only to be read.
                    ("error", Err(error)) if error.message.starts_with(&body) => body.clone(),
                    ("error", Err(error)) => error.message.clone(),
                    (_, Ok(rendered)) => format!("(text) {}", rendered.text),
                    (_, Err(error)) => format!("(error) {error}"),
                };
                if got != body {
                    let name = path.file_name().unwrap().to_string_lossy().into_owned();
                    wrong.push(format!(
                        "{name}: {template}\n  want {kind} {line} {body:?}\n  have {got:?}"
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count > 300, "only {count} fixtures were found");
}

#[test]
fn an_undefined_variable_is_named_with_its_place() {
    let error = fails("x:\n  test.nop:\n    - out: 1\n    - bad: {{ nosuch }}\n");
    assert_eq!(error.kind, ErrorKind::Undefined);
    assert_eq!(
        (error.line, error.column, error.file.as_str()),
        (4, 15, "a/b.sls")
    );
    assert_eq!(
        error.to_string(),
        "Jinja variable 'nosuch' is undefined; line 4\n\n---\nx:\n  test.nop:\n    - out: 1\n    - bad: {{ nosuch }}    \
         <======================\n---"
    );
}

#[test]
fn an_error_in_an_imported_template_names_that_file() {
    let mut world = still();
    world.files.insert(
        "lib.jinja".to_owned(),
        Arc::from("a\n{% macro f(x) %}\n{{ x.y }}{% endmacro %}\n"),
    );
    let text = "{% from 'lib.jinja' import f %}\n\n{{ f({}) }}\n";
    let error = run_in(world, text, &JinjaEnv::default()).unwrap_err();
    assert_eq!(
        (error.file.as_str(), error.line, error.imported),
        ("lib.jinja", 3, true)
    );
    assert_eq!(error.message, "Jinja variable 'dict object' has no attribute 'y'");
    assert!(error.to_string().contains("\nlib.jinja(3):\n---\na\n"), "{error}");
}

#[test]
fn a_syntax_error_is_placed_in_a_file_with_a_header() {
    let error = fails("#!jinja|yaml\n#jinja2: {\"trim_blocks\": true}\na\n{% if %}\n");
    assert_eq!((error.kind, error.line, error.column), (ErrorKind::Syntax, 4, 7));
}

#[test]
fn each_line_knows_where_it_came_from() {
    let mut world = still();
    world.files.insert(
        "m.jinja".to_owned(),
        Arc::from("{% macro f() %}\nm1\nm2\n{% endmacro %}"),
    );
    let text = "a\n{%- from 'm.jinja' import f %}\n{% for i in [1, 2] %}\n  b{{ i }}\n{% endfor %}\n{{ f() }}\nend: {{ 'x\\ny' }}\n";
    let rendered = run_in(world, text, &JinjaEnv::default()).unwrap();
    let origins: Vec<(String, &str, usize)> = rendered
        .text
        .lines()
        .enumerate()
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(index, text)| {
            let (file, line) = rendered.lines.origin(index + 1).unwrap();
            (text.to_owned(), file, line)
        })
        .collect();
    let want = [
        ("a", "a/b.sls", 1),
        ("  b1", "a/b.sls", 4),
        ("  b2", "a/b.sls", 4),
        ("m1", "m.jinja", 2),
        ("m2", "m.jinja", 3),
        ("end: x", "a/b.sls", 7),
        ("y", "a/b.sls", 7),
    ];
    assert_eq!(
        origins,
        want.map(|(text, file, line)| (text.to_owned(), file, line))
    );
    assert_eq!(rendered.lines.len(), rendered.text.lines().count());
}

#[test]
fn only_the_grains_that_are_read_are_asked_for() {
    let read = |text: &str| {
        let world: Arc<Still> = Arc::new(still());
        let shared: Arc<dyn World> = world.clone();
        let template = Template {
            name: "x",
            text,
            vars: &Map::new(),
            env: &JinjaEnv::default(),
        };
        render(&shared, &template).unwrap();
        std::mem::take(&mut *world.read.lock().unwrap())
    };
    let text = "{{ grains['os'] }}{{ grains.os }}{{ grains.get('id') }}{{ 'n' in grains }}{{ grains | traverse('roles:0') }}";
    assert_eq!(read(text), ["os", "id", "n", "roles"]);
    assert_eq!(
        read("{{ grains.nosuch is defined }}{{ grains.other | default('d') }}"),
        ["nosuch", "other"]
    );
    assert_eq!(read("{% for k in grains %}{{ grains[k] }}{% endfor %}"), ["*"]);
    assert_eq!(read("{{ grains | json }}"), ["*"]);
    assert_eq!(read("plain"), [""; 0]);
}

#[test]
fn a_pending_answer_does_not_stop_the_pass() {
    for text in [
        "{{ salt['test.pending']() }}",
        "{{ salt['test.pending']().a.b['c']() | upper | default('x') ~ 1 }}",
        "{% for x in salt['test.pending']() %}{{ x.y }}{% endfor %}",
        "{% if salt['test.pending']() > 5 and not grains.pending %}{{ nosuch }}{% endif %}",
        "{% set a, b = salt['test.pending']() %}{{ a + b * 2 - 1 }}{{ '%s' % a }}{{ a ~ b }}",
        "{{ salt['test.echo'](salt['test.pending']()).x }}{{ grains.pending.x | json }}",
        "{% set d = {grains.pending: 1} %}{{ d[grains.pending] }}{{ 'x' in grains.pending }}",
        "{% import grains.pending as x %}{% from grains.pending import y %}{{ x.y }}{{ y() }}",
        "{{ 'a'.join(grains.pending) }}{{ [1] + grains.pending }}{{ -grains.pending }}",
    ] {
        ok(text);
    }
}

#[test]
fn work_that_does_not_end_is_stopped() {
    let stopped = [
        "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}",
        "{% set l = [1] %}{% for x in l %}{% do l.append(x) %}{% endfor %}",
        "{{ 'x' * 99999999999 }}",
        "{% set ns = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
        "{{ '%99999999999d' % 1 }}",
        "{{ '{:99999999999}'.format(1) }}",
        "{{ 'x'.center(99999999999) }}",
        "{{ 2 ** 99999 }}",
        "{{ range(30) | permutations(20) | list }}",
        "{{ '10.0.0.0/8' | network_hosts }}",
        "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "{% for i in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}",
        "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' | regex_match('^(a|aa|(?=a)a)+$(?!x)') }}",
        "{% set l = [] %}{% do l.append(l) %}{{ l | json }}",
        "{% set l = [] %}{% set m = [l] %}{% do l.append(m) %}{{ l == m }}",
    ];
    for text in stopped {
        let error = fails(text);
        assert_ne!(error.message, "", "{text}");
    }
    let mut world = still();
    world
        .files
        .insert("loop.jinja".to_owned(), Arc::from("{% include 'loop.jinja' %}"));
    let error = run_in(world, "{% include 'loop.jinja' %}", &JinjaEnv::default()).unwrap_err();
    assert!(error.message.contains("deep"), "{error}");
}

#[test]
fn deep_nesting_neither_fails_early_nor_overflows_the_stack() {
    let nested = |open: &str, inner: &str, close: &str, n: usize| {
        format!("{{{{ {}{inner}{} }}}}", open.repeat(n), close.repeat(n))
    };
    assert_eq!(ok(&nested("(", "1", ")", 150)), "1");
    assert_eq!(ok(&nested("-", "1", "", 100)), "1");
    ok(&nested("[", "1", "]", 150));
    for text in [
        nested("(", "1", ")", 5_000),
        nested("not ", "1", "", 5_000),
        nested("[", "", "]", 5_000),
        "{% if 1 %}".repeat(5_000),
        format!("{{{{ {}1 }}}}", "1 if 1 else ".repeat(5_000)),
    ] {
        fails(&text);
    }
    // A macro may call itself about as deeply as Python allows.
    let text = "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{% else %}end{% endif %}{% endmacro %}{{ f(150) }}";
    assert_eq!(ok(text), "end");
    // Deep values are taken apart without recursion.
    ok("{% set ns = namespace(l=[]) %}{% for i in range(90000) %}{% set ns.l = [ns.l] %}{% endfor %}x");
    ok(
        "{% set ns = namespace(l={}) %}{% for i in range(90000) %}{% set ns.l = {'a': (ns.l,)} %}{% endfor %}x",
    );
}

#[test]
fn no_text_makes_the_engine_panic() {
    // Every prefix of, and every hole in, templates that use all of the grammar.
    let whole = [
        "{%- set x = [1, 'a', {'b': 2.5}] -%}{% for i in x if i is defined recursive %}{{ loop.index }}{% else %}{% endfor %}",
        "{# c #}{% macro f(a, b=1) %}{{ a[1:2] | join(',') ~ b }}{{ caller(1) }}{% endmacro %}{% call(z) f('xy') %}{{ z }}{% endcall %}",
        "{% raw %}{{ é }}{% endraw %}{{ 'é\\x41' * 2 if x.y['z'](*a, **b) else -1 ** 2 // 3 % 4 }}\r\n{% with a = (1,) %}{% endwith %}",
        "{% load_yaml as y %}{a: [1, é]}{% endload %}{% filter upper %}x{% endfilter %}{% set n %}{{ 0x1f }}{% endset %}",
    ];
    for text in whole {
        let chars: Vec<char> = text.chars().collect();
        for cut in 0..=chars.len() {
            let prefix: String = chars[..cut].iter().collect();
            drop(run(&prefix));
            let hole: String = chars.iter().take(cut).chain(chars.iter().skip(cut + 1)).collect();
            drop(run(&hole));
        }
    }
}
