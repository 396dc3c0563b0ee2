//! How much of an answer is right: the corpus' own comparison.

use serde_json::{Map, Value as Json};

use super::{Score, Verdict};

/// Chunk keys that are not compared.
const IGNORED: [&str; 6] = [
    "__sls_included_from__",
    "__prereq__",
    "__prerequiring__",
    "name_order",
    "__agg__",
    // Shown by one case; where Salt's own cache lies is its affair.
    "tplpath",
];

fn fail(why: impl Into<String>) -> Verdict {
    Verdict::new(Score::Fail, why)
}

fn full() -> Verdict {
    Verdict::new(Score::Full, "")
}

/// Compares one step's answer with the oracle's; `loose` names fields of results that are not compared.
pub fn compare(want: &Json, got: &Json, loose: &[String]) -> Verdict {
    match (want.get("files"), got.get("files")) {
        (None, Some(_)) => return fail("touched files"),
        (Some(want), got) if got.is_none_or(|got| !same(want, got)) => {
            return fail(format!(
                "files: {}",
                different(want, got.unwrap_or(&Json::Null)).join(", ")
            ));
        }
        _ => {}
    }
    let refused = |answer: &Json| answer.get("errors").is_some() || answer.get("failed").is_some();
    if refused(want) {
        return refusal(want, got);
    }
    if refused(got) {
        let why = got.get("errors").or_else(|| got.get("failed"));
        return fail(format!("refused: {}", why.unwrap_or(&Json::Null)));
    }
    if let Some(want) = want.get("chunks") {
        return low(want, got.get("chunks").unwrap_or(&Json::Null));
    }
    if let Some(want) = want.get("results") {
        return results(want, got.get("results").unwrap_or(&Json::Null), loose);
    }
    match want.get("return") {
        Some(want) => {
            let got = got.get("return").unwrap_or(&Json::Null);
            if same(want, got) {
                full()
            } else {
                fail(format!("{got} want {want}"))
            }
        }
        None => full(),
    }
}

fn refusal(want: &Json, got: &Json) -> Verdict {
    let words = |answer: &Json| -> Vec<String> {
        let list = answer.get("error_classes").and_then(Json::as_array);
        let list = list.into_iter().flatten().filter_map(Json::as_str);
        list.map(str::to_owned).collect()
    };
    let (wanted, given) = (words(want), words(got));
    let both_gave_up = got.get("failed").is_some() && want.get("failed").is_some();
    if got.get("errors").is_none() && !both_gave_up {
        let instead = got
            .get("failed")
            .map_or("it compiled".to_owned(), Json::to_string);
        return fail(format!("not refused in due form (want {wanted:?}): {instead}"));
    }
    if wanted.iter().all(|class| given.contains(class)) {
        full()
    } else {
        let said = got.get("errors").unwrap_or(&Json::Null);
        Verdict::new(Score::Core, format!("class {given:?}, want {wanted:?}: {said}"))
    }
}

/// Chunks without the keys that are not compared.
pub fn chunks(list: &Json) -> Vec<Map<String, Json>> {
    let list = list.as_array().into_iter().flatten().filter_map(Json::as_object);
    list.map(|chunk| {
        let kept = chunk.iter().filter(|(key, _)| !IGNORED.contains(&key.as_str()));
        kept.map(|(key, value)| (key.clone(), value.clone())).collect()
    })
    .collect()
}

fn low(want: &Json, got: &Json) -> Verdict {
    let (want, got) = (chunks(want), chunks(got));
    let ids = |chunks: &[Map<String, Json>]| -> Vec<String> {
        let name = |chunk: &Map<String, Json>, key| chunk.get(key).cloned().unwrap_or_default();
        let one = |chunk: &Map<String, Json>| format!("{}|{}", name(chunk, "__id__"), name(chunk, "name"));
        chunks.iter().map(one).collect()
    };
    if ids(&want) != ids(&got) {
        return fail(format!("order: {:?} want {:?}", ids(&got), ids(&want)));
    }
    for (want, got) in want.into_iter().zip(got) {
        let (want, got) = (Json::Object(want), Json::Object(got));
        if !same(&want, &got) {
            let id = &want["__id__"];
            let keys: Vec<String> = different(&want, &got)
                .into_iter()
                .map(|key| format!("{key}={} want {}", got[&key], want[&key]))
                .collect();
            return fail(format!("chunk {id}: {}", keys.join(", ")));
        }
    }
    full()
}

fn results(want: &Json, got: &Json, loose: &[String]) -> Verdict {
    let list = |list: &Json| -> Vec<Json> {
        let mut list = list.as_array().cloned().unwrap_or_default();
        if loose.iter().any(|field| field == "order") {
            list.sort_by_key(|result| text(result, "tag").to_owned());
        }
        list
    };
    let (want, got) = (list(want), list(got));
    let tags =
        |list: &[Json]| -> Vec<String> { list.iter().map(|result| text(result, "tag").to_owned()).collect() };
    if tags(&want) != tags(&got) {
        return fail(format!("ran: {:?} want {:?}", tags(&got), tags(&want)));
    }
    let mut verdict = full();
    for (want, got) in want.iter().zip(&got) {
        let id = text(want, "tag").split("_|-").nth(1).unwrap_or_default();
        let (result, wanted) = (got.get("result"), want.get("result"));
        let changed = |result: &Json| match result.get("changes") {
            Some(Json::Object(changes)) => !changes.is_empty(),
            Some(Json::Null) | None => false,
            Some(_) => true,
        };
        if result != wanted || changed(got) != changed(want) {
            return fail(format!(
                "{id}: result {} changes {}, want {} {}: {}",
                result.unwrap_or(&Json::Null),
                changed(got),
                wanted.unwrap_or(&Json::Null),
                changed(want),
                text(got, "comment"),
            ));
        }
        for key in ["comment", "changes"] {
            let (got, want) = (got.get(key), want.get(key));
            let equal = match (got, want) {
                (Some(got), Some(want)) => same(got, want),
                (got, want) => got == want,
            };
            if !equal && !loose.iter().any(|field| field == key) && verdict.score == Score::Full {
                let shown = |value: Option<&Json>| value.unwrap_or(&Json::Null).to_string();
                let why = format!("{id} {key}: {} want {}", shown(got), shown(want));
                verdict = Verdict::new(Score::Core, why);
            }
        }
    }
    verdict
}

fn text<'a>(map: &'a Json, key: &str) -> &'a str {
    map.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// Keys whose values differ.
pub(super) fn different(want: &Json, got: &Json) -> Vec<String> {
    let none = Map::new();
    let (want, got) = (
        want.as_object().unwrap_or(&none),
        got.as_object().unwrap_or(&none),
    );
    let mut keys: Vec<&String> = want
        .keys()
        .chain(got.keys().filter(|key| !want.contains_key(*key)))
        .collect();
    keys.retain(|key| match (want.get(*key), got.get(*key)) {
        (Some(want), Some(got)) => !same(want, got),
        _ => true,
    });
    keys.into_iter().cloned().collect()
}

/// Equal as Python compares: `1` and `1.0` are the same.
pub fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn score(want: Json, got: Json) -> Score {
        compare(&want, &got, &[]).score
    }

    #[test]
    fn order_and_arguments_of_chunks_matter() {
        let chunk =
            |id: &str, order: f64| json!({"__id__": id, "name": id, "order": order, "__prereq__": true});
        let want = json!({"chunks": [chunk("a", 1.0), chunk("b", 2.0)]});
        assert_eq!(score(want.clone(), want.clone()), Score::Full);
        let whole = json!({"chunks": [{"__id__": "a", "name": "a", "order": 1}, {"__id__": "b", "name": "b", "order": 2}]});
        assert_eq!(score(want.clone(), whole), Score::Full);
        assert_eq!(
            score(
                want.clone(),
                json!({"chunks": [chunk("b", 2.0), chunk("a", 1.0)]})
            ),
            Score::Fail
        );
        assert_eq!(
            score(want, json!({"chunks": [chunk("a", 1.0), chunk("b", 3.0)]})),
            Score::Fail
        );
    }

    #[test]
    fn words_are_worth_less_than_results() {
        let result = |result: Json, comment: &str| json!({"results": [{"tag": "t_|-a_|-a_|-f", "result": result, "changes": {}, "comment": comment}]});
        assert_eq!(
            score(result(json!(true), "x"), result(json!(true), "x")),
            Score::Full
        );
        assert_eq!(
            score(result(json!(true), "x"), result(json!(true), "y")),
            Score::Core
        );
        assert_eq!(
            score(result(json!(true), "x"), result(json!(null), "x")),
            Score::Fail
        );
        assert_eq!(
            score(result(json!(true), "x"), json!({"results": []})),
            Score::Fail
        );
    }

    #[test]
    fn refusals_and_files_matter() {
        let want = json!({"errors": ["x"], "error_classes": ["a"]});
        assert_eq!(score(want.clone(), json!({"chunks": []})), Score::Fail);
        assert_eq!(
            score(want.clone(), json!({"errors": ["y"], "error_classes": ["b"]})),
            Score::Core
        );
        assert_eq!(
            score(want, json!({"errors": ["y"], "error_classes": ["b", "a"]})),
            Score::Full
        );
        let files = json!({"return": 1, "files": {"f": {"text": "x"}}});
        assert_eq!(score(files.clone(), files.clone()), Score::Full);
        assert_eq!(score(files.clone(), json!({"return": 1})), Score::Fail);
        assert_eq!(score(json!({"return": 1}), files), Score::Fail);
    }
}
