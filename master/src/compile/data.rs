//! Walking and merging plain data, as Salt's `traverse_dict_and_list` and `dictupdate` do.

use serde_json::{Map, Value as Json};

use super::python;
use super::yaml::plain_scalar;

/// The value at a path of keys and list indices; over a list of mappings, the first that has the key.
pub(crate) fn traverse(data: &Json, path: &str, delimiter: &str) -> Option<Json> {
    let keys = if delimiter.is_empty() {
        vec![path]
    } else {
        path.split(delimiter).collect()
    };
    let mut at = data;
    for key in keys {
        at = match at {
            Json::Object(map) => match map.get(key) {
                Some(value) => value,
                None => map.get(&plain_scalar(key).key_text())?,
            },
            Json::Array(items) => {
                let embedded = items.iter().find_map(|item| item.as_object()?.get(key));
                match (embedded, key.parse::<i64>()) {
                    (Some(value), _) => value,
                    (None, Ok(index)) => {
                        let length = i64::try_from(items.len()).ok()?;
                        let index = if index < 0 { length + index } else { index };
                        items.get(usize::try_from(index).ok()?)?
                    }
                    (None, Err(_)) => return None,
                }
            }
            _ => return None,
        };
    }
    Some(at.clone())
}

/// What happens to lists that both sides have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lists {
    /// The later one replaces.
    Replace,
    /// The later one's new members are added.
    Join,
}

/// Lays `upper` over `lower`, key by key.
pub(crate) fn update(lower: &mut Map<String, Json>, upper: &Map<String, Json>, lists: Lists) {
    for (key, value) in upper {
        match (lower.get_mut(key), value) {
            (Some(Json::Object(below)), Json::Object(above)) => update(below, above, lists),
            (Some(Json::Array(below)), Json::Array(above)) if lists == Lists::Join => {
                let more: Vec<Json> = above
                    .iter()
                    .filter(|item| !below.contains(item))
                    .cloned()
                    .collect();
                below.extend(more);
            }
            _ => {
                lower.insert(key.clone(), value.clone());
            }
        }
    }
}

/// `update` for values that must both be mappings.
pub(crate) fn updated(lower: &Json, upper: &Json, lists: Lists) -> Result<Json, String> {
    match (lower, upper) {
        (Json::Object(lower), Json::Object(upper)) => {
            let mut out = lower.clone();
            update(&mut out, upper, lists);
            Ok(Json::Object(out))
        }
        _ => Err("Cannot update using non-dict types in dictupdate.update()".to_owned()),
    }
}

/// `filter_by` of grains, match and pillar: the branch whose key, a pattern, fits one of the values.
pub(crate) fn filter_by(
    table: &Map<String, Json>,
    value: Option<Json>,
    merge: Option<&Json>,
    default: &str,
    base: Option<&str>,
) -> Result<Json, String> {
    let values = match value {
        None => Vec::new(),
        Some(Json::Array(items)) => items,
        Some(one) => vec![one],
    };
    let mut found: Option<Json> = None;
    for value in &values {
        let text = python::text(value);
        found = table
            .iter()
            .find(|(key, _)| python::fnmatch(&text, key))
            .map(|(_, branch)| branch.clone());
        if found.as_ref().is_some_and(|branch| !branch.is_null()) {
            break;
        }
    }
    let mut found = found
        .filter(|branch| !branch.is_null())
        .or_else(|| table.get(default).cloned());
    if let Some(below) = base.and_then(|base| table.get(base)) {
        found = match found.filter(|branch| !branch.is_null()) {
            None => Some(below.clone()),
            Some(branch) if below.is_object() => {
                if !branch.is_object() {
                    return Err("filter_by default and look-up values must both be dictionaries.".to_owned());
                }
                Some(updated(below, &branch, Lists::Replace)?)
            }
            other => other,
        };
    }
    if let Some(merge) = merge.filter(|merge| python::truth(merge)) {
        if !merge.is_object() {
            return Err("filter_by merge argument must be a dictionary.".to_owned());
        }
        found = match found.filter(|branch| !branch.is_null()) {
            None => Some(merge.clone()),
            Some(branch) => Some(updated(&branch, merge, Lists::Replace)?),
        };
    }
    Ok(found.unwrap_or(Json::Null))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn walks_mappings_and_lists() {
        let data = json!({"a": {"l": [10, {"k": 1}, {"k": 2}], "7": "seven", "n": null}});
        let cases = [
            ("a:l:0", Some(json!(10))),
            ("a:l:k", Some(json!(1))),
            ("a:l:9", None),
            ("a:7", Some(json!("seven"))),
            ("a:n", Some(Json::Null)),
            ("a:l:0:x", None),
        ];
        for (path, want) in cases {
            assert_eq!(traverse(&data, path, ":"), want, "{path}");
        }
    }

    #[test]
    fn merges_as_salt() {
        let lower = json!({"a": {"x": 1, "l": [1, 2]}, "b": 1});
        let upper = json!({"a": {"y": 2, "l": [2, 3]}, "b": {"c": 1}});
        let replaced = json!({"a": {"x": 1, "l": [2, 3], "y": 2}, "b": {"c": 1}});
        let joined = json!({"a": {"x": 1, "l": [1, 2, 3], "y": 2}, "b": {"c": 1}});
        assert_eq!(updated(&lower, &upper, Lists::Replace), Ok(replaced));
        assert_eq!(updated(&lower, &upper, Lists::Join), Ok(joined));
    }
}
