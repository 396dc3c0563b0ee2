//! The table of matches, and what targets look at.

use serde_json::json;

use super::*;
use crate::compile::yaml;

struct Table(Json);

impl Table {
    fn load() -> Self {
        Self(yaml::load_plain(include_str!("cases.yaml")).unwrap())
    }

    fn rows(&self, part: &str) -> Vec<(String, String, Json)> {
        let row = |row: &Json| {
            (
                row[0].as_str().unwrap().to_owned(),
                row[1].as_str().unwrap().to_owned(),
                row[2].clone(),
            )
        };
        self.0[part].as_array().unwrap().iter().map(row).collect()
    }

    fn ask(&self, kind: &str, target: &str) -> Result<bool, TargetError> {
        let subject = &self.0["subject"];
        let nodegroups: Nodegroups = serde_json::from_value(subject["nodegroups"].clone()).unwrap();
        let subject = Subject {
            id: subject["id"].as_str().unwrap(),
            grains: subject["grains"].as_object().unwrap(),
            pillar: subject["pillar"].as_object().unwrap(),
            nodegroups: &nodegroups,
        };
        let matcher = Matcher::parse(Kind::named(kind)?, target)?;
        let needs = matcher.needs(&nodegroups);
        let found = matches(&matcher, &subject);
        assert_eq!(needs.is_err(), found.is_err(), "{kind} {target}");
        found
    }
}

#[test]
fn matches_as_the_table_says() {
    let table = Table::load();
    let mut wrong = Vec::new();
    for (kind, target, want) in table.rows("cases") {
        let found = table.ask(&kind, &target);
        if found.as_ref().ok() != want.as_bool().as_ref() {
            wrong.push(format!("{kind} `{target}`: {found:?}, wanted {want}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn refuses_as_the_table_says() {
    let table = Table::load();
    for (kind, target, want) in table.rows("errors") {
        let error = table.ask(&kind, &target).unwrap_err().to_string();
        assert!(
            error.contains(want.as_str().unwrap()),
            "{kind} `{target}`: {error}"
        );
    }
}

#[test]
fn says_what_a_target_looks_at() {
    let nodegroups = Nodegroups::from([(
        "g".to_owned(),
        vec!["G@os:x".to_owned(), "or".to_owned(), "I@a:b".to_owned()],
    )]);
    let needs = |target: &str| {
        Matcher::parse(Kind::Compound, target)
            .unwrap()
            .needs(&nodegroups)
            .unwrap()
    };
    let grains = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(needs("web* or L@a,b and E@x"), Needs::default());
    assert_eq!(
        needs("G@a:b:c and not P!@d!e or S@10.0.0.0/8"),
        Needs {
            grains: grains(&["a", "d", "ipv4"]),
            pillar: false
        }
    );
    assert_eq!(
        needs("not N@g"),
        Needs {
            grains: grains(&["os"]),
            pillar: true
        }
    );
    assert_eq!(needs("G@*:x").grains, grains(&["*"]));
}

#[test]
fn a_list_in_a_top_file() {
    let empty = Map::new();
    let groups = Nodegroups::new();
    let subject = |id| Subject {
        id,
        grains: &empty,
        pillar: &empty,
        nodegroups: &groups,
    };
    let matcher = Matcher::list(["web1", "web2"]);
    assert_eq!(matches(&matcher, &subject("web2")), Ok(true));
    assert_eq!(matches(&matcher, &subject("web3")), Ok(false));
}

#[test]
fn bears_any_target() {
    let grains = json!({"a": {"b": [[{"c": 1}], "x"]}});
    let groups = Nodegroups::new();
    let subject = Subject {
        id: "web1",
        grains: grains.as_object().unwrap(),
        pillar: grains.as_object().unwrap(),
        nodegroups: &groups,
    };
    let deep = format!("{} web1 {}", "( ".repeat(10_000), ") ".repeat(10_000));
    let nots = format!("{}web1", "not ".repeat(10_000));
    assert!(Matcher::parse(Kind::Compound, &deep).is_err() && Matcher::parse(Kind::Compound, &nots).is_err());
    for text in [
        "", "@", "G@", "G@:", "G@::", "*:*", "a:b:c:1", "[", "[!", "[!]", "[]", "a-", "ü*", ":", "*:*:*:*",
        "\u{0}",
    ] {
        for (_, kind) in Kind::NAMES {
            if let Ok(matcher) = Matcher::parse(kind, text) {
                let _answer = matches(&matcher, &subject);
            }
        }
    }
    // Many stars must not take for ever.
    assert!(!glob(&"*a".repeat(200), &"b".repeat(10_000)));
}
