//! The three values of an address, compared attribute by attribute: an attribute we did not change is not ours to put back,
//! one that somebody changed after us is a conflict (R6).

use proto::{Change, Gather, Unit, Value};
use serde_json::{Map, Value as Json};

/// What becomes of an address.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Merged {
    /// It is as it was before us already.
    Nothing,
    /// This is to be put there.
    Put(Value),
    /// Somebody changed what we had changed.
    Conflict,
}

/// Compares what we did with what is there.
pub(super) fn merge(ours: &Change, live: &Value) -> Merged {
    // What came and went again is nothing of ours, whatever is there now.
    if live.same(&ours.before) || ours.before.same(&ours.after) {
        return Merged::Nothing;
    }
    if live.same(&ours.after) {
        return put(whole(&ours.before, live), live);
    }
    match (&ours.before, &ours.after, live) {
        (Value::Unit(before), Value::Unit(after), Value::Unit(there)) => match unit(before, after, there) {
            Some(to) => put(Value::Unit(to), live),
            None => Merged::Conflict,
        },
        (before, after, live) => match attributes(before, after, live) {
            Some(to) => put(to, live),
            None => Merged::Conflict,
        },
    }
}

fn put(to: Value, live: &Value) -> Merged {
    if to.same(live) {
        Merged::Nothing
    } else {
        Merged::Put(to)
    }
}

/// The value from before us, as it can be assigned: a unit nobody knew is stopped and disabled; that it is unknown again
/// comes with its package or file.
pub(super) fn whole(before: &Value, live: &Value) -> Value {
    let there = match live {
        Value::Unit(there) => there,
        _ => return before.clone(),
    };
    match before {
        Value::Unit(before) if before.known || !there.known => Value::Unit(before.clone()),
        Value::Unit(_) | Value::Absent => Value::Unit(Unit {
            known: there.known,
            active: false,
            enablement: match there.enablement.as_str() {
                "enabled" => "disabled".to_owned(),
                other => other.to_owned(),
            },
        }),
        other => other.clone(),
    }
}

/// A unit may have fallen over since: its attributes are compared one by one, and up or down is never a conflict.
fn unit(before: &Unit, after: &Unit, live: &Unit) -> Option<Unit> {
    if !before.known {
        let Value::Unit(to) = whole(&Value::Unit(before.clone()), &Value::Unit(live.clone())) else {
            return None;
        };
        let edited = live.enablement != after.enablement && live.enablement != to.enablement && live.known;
        return (!edited).then_some(to);
    }
    let enablement = three(&before.enablement, &after.enablement, &live.enablement)?;
    Some(Unit {
        known: live.known,
        active: *three(&before.active, &after.active, &live.active)?,
        enablement: enablement.clone(),
    })
}

/// One attribute: untouched by us stays, ours goes back, back already stays; `None` is a conflict.
fn three<'a, T: PartialEq>(before: &'a T, after: &'a T, live: &'a T) -> Option<&'a T> {
    if before == after || live == before {
        Some(live)
    } else if live == after {
        Some(before)
    } else {
        None
    }
}

/// The same for any two values of one kind, over all their attributes; modification times go with the contents.
pub(super) fn attributes(before: &Value, after: &Value, live: &Value) -> Option<Value> {
    let (before_json, after_json, live_json) = (json(before)?, json(after)?, json(live)?);
    let kind = |value: &Json| value.as_object().and_then(|map| map.keys().next().cloned());
    if kind(&before_json)? != kind(&after_json)? || kind(&after_json)? != kind(&live_json)? {
        return None;
    }
    let merged = leaves(&before_json, &after_json, &live_json)?;
    let mut merged: Value = serde_json::from_slice(&serde_json::to_vec(&merged).ok()?).ok()?;
    if let (
        Value::File { content, meta, .. },
        Value::File {
            content: old,
            meta: was,
            ..
        },
    ) = (&mut merged, before)
        && content == old
    {
        meta.mtime = was.mtime;
    }
    Some(merged)
}

/// A value as JSON, by way of its text: the agent carries the code for that anyway, and for no other.
fn json(value: &Value) -> Option<Json> {
    serde_json::from_slice(&serde_json::to_vec(value).ok()?).ok()
}

fn leaves(before: &Json, after: &Json, live: &Json) -> Option<Json> {
    let (Json::Object(a), Json::Object(b), Json::Object(c)) = (before, after, live) else {
        return three(before, after, live).cloned();
    };
    let mut merged = Map::new();
    let absent = Json::Null;
    let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).chain(c.keys()).gather();
    for key in keys {
        let of = |map: &'_ Map<String, Json>| map.get(key).cloned().unwrap_or(Json::Null);
        let value = if key == "mtime" {
            of(c)
        } else {
            leaves(&of(a), &of(b), &of(c))?
        };
        if value != absent {
            merged.insert(key.clone(), value);
        }
    }
    Some(Json::Object(merged))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::file;
    use crate::probe::path;
    use proto::Meta;

    fn with(text: &str, mode: u32, mtime: i64) -> Value {
        let Value::File { content, size, .. } = file(text) else {
            panic!("a file");
        };
        let meta = Meta {
            mode,
            mtime: Some((mtime, 0)),
            ..Meta::default()
        };
        Value::File { content, size, meta }
    }

    fn ours(before: Value, after: Value) -> Change {
        Change {
            at: path("/a"),
            before,
            after,
        }
    }

    #[test]
    fn touched_attributes_conflict_and_others_stay() {
        let change = ours(with("old", 0o600, 1), with("new", 0o600, 2));
        for (live, want) in [
            (with("new", 0o600, 9), Merged::Put(with("old", 0o600, 1))),
            (with("old", 0o600, 9), Merged::Nothing),
            (with("hand", 0o600, 9), Merged::Conflict),
            (with("new", 0o640, 9), Merged::Put(with("old", 0o640, 1))),
            (with("old", 0o640, 9), Merged::Nothing),
            (Value::Absent, Merged::Conflict),
        ] {
            assert_eq!(merge(&change, &live), want, "{live:?}");
        }
        let made = ours(Value::Absent, with("new", 0o600, 2));
        assert_eq!(merge(&made, &with("new", 0o640, 2)), Merged::Conflict);
        assert_eq!(merge(&made, &with("new", 0o600, 5)), Merged::Put(Value::Absent));
        assert_eq!(merge(&made, &Value::Absent), Merged::Nothing);
    }

    #[test]
    fn a_unit_that_fell_over_is_no_conflict() {
        let unit = |known, active, enablement: &str| {
            Value::Unit(Unit {
                known,
                active,
                enablement: enablement.into(),
            })
        };
        let started = ours(unit(true, false, "disabled"), unit(true, true, "enabled"));
        assert_eq!(
            merge(&started, &unit(true, false, "enabled")),
            Merged::Put(unit(true, false, "disabled"))
        );
        assert_eq!(merge(&started, &unit(true, true, "masked")), Merged::Conflict);
        let new = ours(unit(false, false, ""), unit(true, true, "enabled"));
        assert_eq!(
            merge(&new, &unit(true, true, "enabled")),
            Merged::Put(unit(true, false, "disabled"))
        );
        assert_eq!(merge(&new, &unit(true, false, "disabled")), Merged::Nothing);
        assert_eq!(merge(&new, &unit(false, false, "")), Merged::Nothing);
        let stopped = ours(unit(true, true, "enabled"), unit(true, false, "enabled"));
        assert_eq!(
            merge(&stopped, &unit(true, false, "enabled")),
            Merged::Put(unit(true, true, "enabled"))
        );
    }
}
