//! Spoils a text: cuts, doubles, splices, and puts in what breaks parsers.

use super::random::Random;

/// Things that mean something to a template or a document.
const WORDS: &[&str] = &[
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    "{%-",
    "-%}",
    "{%+",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "|",
    "||",
    ",",
    ":",
    ": ",
    "- ",
    "? ",
    "&a ",
    "*a",
    "<<: *a",
    "!!int ",
    "!!binary ",
    "!!set ",
    "!!omap ",
    "!!python/name:os.system ",
    "%YAML 1.1",
    "---",
    "...",
    "|-\n",
    ">+2\n",
    "\t",
    "\r\n",
    "\r",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{0}",
    "\u{1b}",
    "é",
    "\u{10ffff}",
    "#!",
    "#!yaml\n",
    "#!jinja|json\n",
    "#!py\n",
    "#jinja2: {\"line_statement_prefix\": \"-\"}\n",
    " if ",
    " else ",
    " for ",
    " in ",
    " is ",
    " not ",
    " and ",
    "~",
    "**",
    "//",
    "%",
    "==",
    "loop",
    "caller()",
    "super()",
    "self",
    "varargs",
    "namespace()",
    "range(99999)",
    "include:\n  - b\n",
    "{% include 'lib.jinja' %}",
    "{% from 'b/map.jinja' import x with context %}",
    "{% import_yaml 'f.yaml' as x %}",
    "{% extends 'lib.jinja' %}",
    "{% for i in range(1000) %}",
    "{% endfor %}",
    "{% if x %}",
    "{% endif %}",
    "{% macro m(a, b=1) %}",
    "{% endmacro %}",
    "{{ m(m) }}",
    "{% set x = x + x %}",
    "{% raw %}",
    "{% endraw %}",
    "grains",
    "pillar",
    "salt['cmd.run']('x')",
    "| json",
    "| yaml(false)",
    "| regex_match('(a+)+$')",
    "| center(1000000000)",
    "* 1000000000",
    "'%1000000000d' % 1",
    "'{:>1000000000}'.format(1)",
    "99999999999999999999999999999999999999999",
    "0x",
    "1e999",
    "-1",
    "0",
    ".5",
    "yes",
    "null",
    "~",
    "2001-01-01",
    "1:30",
    "0644",
    "0o7",
    ".inf",
    "=",
    "<<",
    "require:\n      - test: a\n",
    "extend:\n  a:\n",
    "exclude:\n  - sls: b\n",
    "- names:\n      - x\n",
    "- order: -1\n",
    "test.nop",
    "file.managed:\n    - source: salt://lib.jinja\n    - template: jinja\n",
];

/// Openings that may be repeated many times.
const NESTS: &[&str] = &[
    "(",
    "[",
    "{",
    "{{",
    "{% if 1 %}",
    "{% for i in [1] %}",
    "not ",
    "-",
    "[[",
    "- ",
    "? ",
    "a: {",
    "{a: ",
    "'a'~",
    "x.",
    "x[",
    "1 if 1 else ",
    "a|",
    "{% call m() %}",
    "{% macro m() %}",
    " ",
    "\n",
    "\u{feff}",
    "&a [*a, ",
    "{#",
    "1+",
    "(lambda",
    "!",
    "|\n ",
    "#",
    "*a ",
    "{% filter upper %}",
    "{% set x %}",
    "<<: {",
];

pub(super) fn spoil(random: &mut Random, mut text: Vec<u8>, corpus: &[String]) -> Vec<u8> {
    for _ in 0..=random.below(6) {
        once(random, &mut text, corpus);
        text.truncate(1 << 18);
    }
    text
}

fn once(random: &mut Random, text: &mut Vec<u8>, corpus: &[String]) {
    let at = place(random, text);
    let longest = if random.once_in(3) { 200 } else { 8 };
    let end = (at + 1 + random.below(longest)).min(text.len());
    match random.below(12) {
        0 | 1 => {
            text.drain(at..end);
        }
        2 => {
            let copy = text[at..end].to_vec();
            insert(text, end, &copy);
        }
        3..=6 => insert(text, at, random.of(WORDS).as_bytes()),
        7 => {
            let other = corpus[random.below(corpus.len())].as_bytes();
            let from = random.below(other.len());
            let until = (from + 1 + random.below(120)).min(other.len());
            insert(text, at, other.get(from..until).unwrap_or_default());
        }
        8 => {
            let times = random.of(&[&2usize, &30, &70, &300, &3000]);
            insert(text, at, random.of(NESTS).repeat(*times).as_bytes());
        }
        9 => {
            let byte = u8::try_from(random.below(256)).unwrap_or_default();
            if let Some(one) = text.get_mut(at) {
                *one = byte;
            }
        }
        10 => {
            // A number becomes another.
            if let Some(digit) = text.iter().skip(at).position(u8::is_ascii_digit) {
                let number = random.of(&["0", "-1", "9223372036854775808", "1000000000", "1e308", "255"]);
                text.remove(at + digit);
                insert(text, at + digit, number.as_bytes());
            }
        }
        _ => text.truncate(at),
    }
}

fn insert(text: &mut Vec<u8>, at: usize, what: &[u8]) {
    text.splice(at..at, what.iter().copied());
}

/// Somewhere, most often where a word begins or ends.
fn place(random: &mut Random, text: &[u8]) -> usize {
    let at = random.below(text.len() + 1);
    if random.once_in(3) {
        return at;
    }
    let edge = |pair: &[u8]| pair[0].is_ascii_alphanumeric() != pair[1].is_ascii_alphanumeric();
    text.windows(2)
        .skip(at)
        .position(edge)
        .map_or(at, |further| at + further + 1)
}
