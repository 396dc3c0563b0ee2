//! Texts from a grammar: templates, expressions and documents that are mostly right and seldom sensible.

use super::random::Random;
use super::words::{ARGUMENTS, ATTRIBUTES, FILTERS, NAMES, OPERATORS, SCALARS, STATES};

/// An expression.
fn expression(random: &mut Random, depth: usize, out: &mut String) {
    if depth == 0 {
        out.push_str(random.of(&[
            "1",
            "-1",
            "'a'",
            "\"é\\n\"",
            "1.5",
            "[]",
            "{}",
            "()",
            "none",
            "0x1f",
            "''",
        ]));
        return;
    }
    let inner = |random: &mut Random, out: &mut String| expression(random, depth - 1, out);
    match random.below(14) {
        0 | 1 => out.push_str(random.of(NAMES)),
        2 => {
            inner(random, out);
            out.push_str(&format!(" {} ", random.of(OPERATORS)));
            inner(random, out);
        }
        3 | 4 => {
            inner(random, out);
            out.push_str(&format!(" | {}", random.of(FILTERS)));
        }
        5 => {
            inner(random, out);
            out.push_str(&format!(".{}", random.of(ATTRIBUTES)));
        }
        6 => {
            out.push('[');
            for _ in 0..random.below(4) {
                inner(random, out);
                out.push_str(", ");
            }
            out.push(']');
        }
        7 => {
            out.push('{');
            for _ in 0..random.below(3) {
                inner(random, out);
                out.push_str(": ");
                inner(random, out);
                out.push_str(", ");
            }
            out.push('}');
        }
        8 => {
            out.push('(');
            inner(random, out);
            out.push_str(random.of(&[")", ",)", ") ", ")[1:]", ")[::-1]", ")['a']"]));
        }
        9 => {
            inner(random, out);
            out.push_str(" if ");
            inner(random, out);
            out.push_str(random.of(&[" else 1", " else none", ""]));
        }
        10 => {
            out.push_str(random.of(&["not ", "-", "+"]));
            inner(random, out);
        }
        11 => {
            out.push_str(random.of(&["'%s' % ", "'{}'.format(", "range(", "dict(", "m("]));
            inner(random, out);
            out.push_str(random.of(&[")", ""]));
        }
        12 => {
            inner(random, out);
            out.push_str(random.of(&[
                " is string",
                " is defined",
                " is divisibleby 2",
                " is match('a')",
                " is nosuch",
                " is in [1]",
            ]));
        }
        _ => out.push_str(random.of(&[
            "grains['os']",
            "pillar.get('a', {})",
            "salt['test.echo']('x')",
            "salt.pillar.get('x')",
            "grains.odd",
        ])),
    }
}

fn printed(random: &mut Random) -> String {
    let mut out = String::new();
    let depth = 1 + random.below(5);
    expression(random, depth, &mut out);
    out
}

fn say(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

/// Statements around text.
fn body(random: &mut Random, depth: usize, out: &mut String) {
    for _ in 0..=random.below(3) {
        let value = printed(random);
        let dash = random.of(&["", "", "-", "+"]);
        let open = match random.below(if depth == 0 { 4 } else { 12 }) {
            0 => {
                say(out, &format!("{{{{{} {value} }}}}", dash.replace('+', "")));
                continue;
            }
            1 => {
                say(
                    out,
                    &format!(
                        "{{%{dash} set {} = {value} %}}",
                        random.of(&["x", "a", "x, a", "m.a", "ns.x"])
                    ),
                );
                continue;
            }
            2 => {
                out.push_str(random.of(&["k: v\n", "- a\n", "  b: 1\n", "text\n", "{# c #}", "\n"]));
                continue;
            }
            3 => {
                say(out, &format!("{{% do {value} %}}"));
                continue;
            }
            4 | 5 => (
                "for",
                format!(
                    "{} in {value}{}",
                    random.of(&["i", "x", "k, v"]),
                    random.of(&["", "", " recursive", " if x"])
                ),
            ),
            6 | 7 => ("if", value),
            8 => ("macro", random.of(&["m(a, b=1)", "m()", "x(caller)"]).to_owned()),
            9 => ("call", random.of(&["m(1)", "(q) m()", "x(1)"]).to_owned()),
            10 => ("filter", random.of(FILTERS).to_owned()),
            _ => ("with", format!("a = {value}")),
        };
        say(out, &format!("{{%{dash} {} {} %}}", open.0, open.1));
        body(random, depth - 1, out);
        if random.once_in(5) {
            out.push_str(random.of(&["{% else %}", "{% break %}", "{% continue %}", "{% elif x %}"]));
        }
        if !random.once_in(30) {
            say(out, &format!("{{% end{} -%}}", open.0));
        }
    }
}

/// A file of states with templates in it.
pub(super) fn sls(random: &mut Random) -> String {
    let mut out = String::new();
    if random.once_in(6) {
        out.push_str(random.of(&[
            "#!jinja|yaml\n",
            "#!yaml\n",
            "#!json\n",
            "#!jinja|json\n",
            "#!text\n",
            "#!yamlex\n",
            "#!py\n",
            "#!nosuch\n",
            "include:\n  - b\n",
        ]));
    }
    if random.once_in(2) {
        out.push_str(random.of(&[
            "{% from 'lib.jinja' import m %}\n",
            "{% import 'b/map.jinja' as x with context %}\n",
            "{% include 'lib.jinja' ignore missing %}\n",
            "{% import_yaml 'f.yaml' as x %}\n",
        ]));
    }
    let depth = random.below(4);
    if random.once_in(2) {
        body(random, depth, &mut out);
    }
    for id in 0..random.below(4) {
        let value = printed(random);
        say(
            &mut out,
            &format!(
                "{}:",
                random.of(&["a", "b", "/tmp/x", "{{ x }}", "i"]).to_owned() + &id.to_string()
            ),
        );
        say(&mut out, &format!("  {}:", random.of(STATES)));
        for _ in 0..random.below(4) {
            let scalar = random.of(SCALARS).to_owned();
            let value = random
                .of(&[
                    scalar.as_str(),
                    &format!("{{{{ {value} }}}}"),
                    "\n      - test: a0",
                    "\n        a: b",
                ])
                .to_owned();
            say(&mut out, &format!("    - {}: {value}", random.of(ARGUMENTS)));
        }
    }
    out
}

/// A document.
pub(super) fn yaml(random: &mut Random) -> String {
    let mut out = String::new();
    out.push_str(random.of(&[
        "",
        "",
        "",
        "---\n",
        "%YAML 1.1\n---\n",
        "\u{feff}",
        "# comment\n",
        "#!yaml\n",
    ]));
    block(random, 0, &mut out);
    out.push_str(random.of(&["", "", "...\n", "---\n", "# end"]));
    if random.once_in(8) {
        out = out.replace('\n', random.of(&["\r\n", "\r", "\u{85}", "\u{2028}"]));
    }
    out
}

fn block(random: &mut Random, indent: usize, out: &mut String) {
    let list = random.once_in(3);
    for key in 0..=random.below(4) {
        out.push_str(&" ".repeat(indent));
        if random.once_in(25) {
            out.push_str(random.of(&[" ", "\t", "  "]));
        }
        if list {
            out.push_str("- ");
        } else {
            let key = format!("k{key}");
            out.push_str(&format!(
                "{}: ",
                random.of(&[
                    key.as_str(),
                    &key,
                    &key,
                    "<<",
                    "? a\n",
                    "1",
                    "true",
                    "'q'",
                    "&x k",
                    "*a",
                    "[a]"
                ])
            ));
        }
        if random.once_in(4) && indent < 12 {
            out.push_str(random.of(&["\n", "\n", "&a\n", "!!map\n", "# c\n"]));
            let deeper = indent + random.of(&[&2usize, &2, &4, &1, &0]);
            block(random, deeper, out);
        } else {
            out.push_str(random.of(SCALARS));
            out.push_str(random.of(&["\n", "\n", "\n", " # c\n", "\n\n", ""]));
        }
    }
}
