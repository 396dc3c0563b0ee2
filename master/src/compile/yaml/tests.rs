//! What the constructor makes of text, case by case.

use serde_json::{Value as Json, json};

use super::*;

fn plain(text: &str) -> String {
    match load(text) {
        Ok(node) => node.into_json().to_string(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn scalars_are_salts() {
    let cases = [
        (
            "[yes, Yes, ON, off, y, n, yES]",
            r#"[true,true,true,false,"y","n","yES"]"#,
        ),
        ("[~, null, NULL, '', none]", r#"[null,null,null,"","none"]"#),
        ("[0, -5, +7, 1_000, 0x1F, 0b101]", "[0,-5,7,1000,31,5]"),
        (
            "[0644, 00, 010, -010, 0o644, 0899, '0644']",
            r#"[644,0,10,-8,"0o644","0899","0644"]"#,
        ),
        ("[1:30, 190:20:30, 1:99]", r#"[90,685230,"1:99"]"#),
        (
            "[1.5, 1., .5, 1e3, 1.0e+3, 1:30.5, .inf, 1.2.3]",
            r#"[1.5,1.0,0.5,"1e3",1000.0,90.5,"inf","1.2.3"]"#,
        ),
        (
            "[2020-01-02, 2020-01-02 10:00:00]",
            r#"["2020-01-02","2020-01-02 10:00:00"]"#,
        ),
        ("[!!str 5, !!int '5', !!binary aGk=, ! '5']", r#"["5",5,"hi",5]"#),
        (
            "{true: a, 5: b, null: c, = : d}",
            r#"{"true":"a","5":"b","null":"c","=":"d"}"#,
        ),
    ];
    for (text, want) in cases {
        assert_eq!(plain(text), want, "{text}");
    }
}

#[test]
fn merges_keep_salts_order() {
    assert_eq!(
        plain("a: &b {a: 1, b: 2}\nc: {b: first, <<: *b, z: 1}"),
        r#"{"a":{"a":1,"b":2},"c":{"a":1,"b":"first","z":1}}"#
    );
    assert_eq!(
        plain("b: &b {a: 1}\no: &o {c: 3}\nm: {<<: [*b, *o]}"),
        r#"{"b":{"a":1},"o":{"c":3},"m":{"c":3,"a":1}}"#
    );
}

#[test]
fn refuses_what_salt_refuses() {
    let cases = [
        ("a: 1\nb: 2\na: 3", "found conflicting ID 'a'; line 3, column 1"),
        ("{1: a, true: b}", "found conflicting ID 'True'; line 1, column 8"),
        (
            "a: &a {x: 1}\nb: &b {x: 2}\nc: {<<: [*a, *b]}",
            "found conflicting ID 'x'",
        ),
        ("--- a\n--- b\n", "expected a single document"),
        ("a: !!python/object:x {}", "could not determine a constructor"),
        ("a: !foo bar", "could not determine a constructor"),
        ("{[a]: b}", "found unacceptable key"),
        ("a: b: c", "mapping values are not allowed"),
        ("a: *nosuch", "undefined alias"),
        ("a: &a [*a]", "contains itself"),
        ("[=]", "could not determine a constructor"),
    ];
    for (text, want) in cases {
        let error = load(text).expect_err(text).to_string();
        assert!(error.contains(want), "{text}: {error}");
    }
}

#[test]
fn block_scalars_end_as_written() {
    assert_eq!(plain("a: |\n  x"), r#"{"a":"x"}"#);
    assert_eq!(plain("a: |\n  x\n"), r#"{"a":"x\n"}"#);
    assert_eq!(plain("a: |\n  x\n# end"), r#"{"a":"x\n"}"#);
    assert_eq!(plain("a: |-\n  x"), r#"{"a":"x"}"#);
    assert_eq!(plain("a: >+\n  x"), r#"{"a":"x"}"#);
    assert_eq!(plain("a: |\n  x\n\n  y"), r#"{"a":"x\n\ny"}"#);
}

#[test]
fn limits_hold() {
    let deep = "[".repeat(100) + &"]".repeat(100);
    assert!(
        load(&deep)
            .expect_err("deep")
            .to_string()
            .contains("nested deeper")
    );
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let before = format!("*a{}", level - 1);
        laughs += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", "));
    }
    assert!(
        load(&laughs)
            .expect_err("laughs")
            .to_string()
            .contains("aliases would copy")
    );
}

#[test]
fn empty_text_is_null() {
    for text in ["", "\n\n", "# only a comment", "---\n"] {
        assert_eq!(plain(text), "null", "{text:?}");
    }
}

#[test]
fn nodes_know_their_place() {
    let node = load("a:\n  - b: 1\n").expect("valid");
    let list = node.value.get("a").expect("a");
    let Value::List(items) = &list.value else {
        panic!("a list")
    };
    assert_eq!(items[0].at, Mark { line: 2, column: 5 });
}

#[test]
fn odd_text_never_panics() {
    for text in [
        "|",
        ">\n",
        "a: |\n ",
        "- |+\n  \n",
        "\u{feff}a: 1",
        "'",
        "\"\\",
        "? ",
        "&",
        "*",
        "!",
        "%",
        "@",
        "`",
        "{",
        "a: >2",
    ] {
        let _ = load(text).is_ok(); // only that it returns
    }
}

/// A value as the records of `tests/documents.py` write it.
fn canonical(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!({"b": value}),
        Value::Int(value) => json!({"i": value.to_string()}),
        Value::Float(value) => json!({"f": float_text(*value)}),
        Value::Text(text) => json!({"s": text}),
        Value::Bytes(bytes) => json!({"y": String::from_utf8_lossy(bytes)}),
        Value::List(items) => {
            json!({"l": items.iter().map(|item| canonical(&item.value)).collect::<Vec<_>>()})
        }
        Value::Map(entries) => {
            let entries = entries.iter();
            json!({"m": entries.map(|(key, value)| [canonical(&key.value), canonical(&value.value)]).collect::<Vec<_>>()})
        }
    }
}

/// Documents with what Salt's own loader makes of them; an error has the line Salt names.
#[test]
fn documents_load_as_salt_loads_them() {
    let path = std::env::var_os("YAML_FIXTURES").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/compile/yaml/documents.jsonl"),
        Into::into,
    );
    let text = std::fs::read_to_string(path).unwrap();
    let mut wrong = Vec::new();
    for line in text.lines() {
        let record: Json = serde_json::from_str(line).unwrap();
        let document = record["text"].as_str().unwrap();
        let (want, have) = match (record.get("value"), load(document)) {
            (Some(value), Ok(node)) => (value.clone(), canonical(&node.value)),
            (None, Err(error)) => match record.get("line") {
                Some(line) => (line.clone(), json!(error.at.line)),
                None => continue,
            },
            (Some(value), Err(error)) => (value.clone(), json!({"error": error.to_string()})),
            (None, Ok(node)) => (record.clone(), canonical(&node.value)),
        };
        if want != have {
            wrong.push(format!(
                "{document:?}\n  want {want}\n  have {have}\n  {}",
                record["error"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// Lines of the kinds that are read at once, and of kinds that are not, put together by chance.
#[test]
fn what_is_read_at_once_means_the_same() {
    const PARTS: [&str; 64] = [
        "a:",
        "b:",
        "key one:",
        "'q':",
        "\"d\":",
        "5:",
        "yes:",
        "x.y:",
        "- ",
        "-",
        "- - ",
        "a: 1",
        "b: text",
        "c: 'it''s'",
        "d: \"a\\n\\\"b\"",
        "e: [1, two, 'three', \"4\"]",
        "f: {a: 1, b: [x, y], \"c\": {}}",
        "g: # none",
        "h: a # b",
        "i: a#b",
        "# comment",
        "",
        "   ",
        "j: |",
        "k: |-",
        "l: >",
        "m: &x 1",
        "n: *x",
        "o: !!str 5",
        "p: a: b",
        "q: - a",
        "r: -1",
        "s: 0644",
        "t: http://x:80/y",
        "u: [a b, c:d, -5, ~, 1:30]",
        "v: {a: }",
        "w: [a,]",
        "text",
        "more text here",
        "- item",
        "- k: v",
        "- k:",
        "- [a, b]",
        "- {a: b}",
        "- 'x'",
        "- \"x\": y",
        "- |",
        "? a",
        "---",
        "...",
        "%x",
        "<<: {a: 1}",
        "=: 1",
        "[a, b]",
        "{a: b}",
        "a : b",
        "'q' : b",
        "aa: 'x' y",
        "z: \"a\\x41\"",
        "z: ~",
        "z: {a: 1, a: 2}",
        "z: [a: b]",
        "z: [{}, []]",
        "z: %y",
    ];
    let mut dice = 88_172_645_463_325_252_u64;
    let mut roll = |sides: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        usize::try_from(dice % 1_000_003).unwrap_or_default() % sides
    };
    let mut read = 0;
    for _ in 0..60_000 {
        let mut text = String::new();
        let mut indent = 0_usize;
        for _ in 0..=roll(7) {
            // Mostly beside or below the line before, so that much of it is in order.
            indent = match roll(8) {
                0..=3 => indent,
                4 | 5 => indent + 2,
                6 => indent.saturating_sub(2),
                _ => roll(5),
            };
            text.push_str(&" ".repeat(indent));
            text.push_str(PARTS[roll(PARTS.len())]);
            text.push_str(["\n", "\n", "\n", "\n", " \n", "\n\n"][roll(6)]);
        }
        if roll(4) == 0 {
            text.pop();
        }
        if let Some(node) = quick::load(&text) {
            read += 1;
            assert_eq!(whole(&text).as_ref(), Ok(&node), "{text}");
        }
    }
    assert!(read > 3_000, "only {read} were read");
}
