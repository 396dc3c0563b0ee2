//! What every engine behind `Store` must do; each engine's tests run the whole suite on it.

use super::{Expect, Key, Store, StoreError};

/// Runs the suite; `make` gives an empty store each time.
pub(super) fn suite(make: &dyn Fn() -> Box<dyn Store>) {
    for case in [
        gets_what_was_put,
        expectations_hold_or_conflict,
        a_conflict_changes_nothing,
        versions_never_come_back,
        scans_in_order_within_a_prefix,
        bears_any_value,
    ] {
        case(&*make());
    }
}

fn key(name: &str) -> Key {
    Key::new(&name.split('/').collect::<Vec<_>>())
}

fn conflicts<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Conflict { .. })), "{result:?}");
}

fn gets_what_was_put(store: &dyn Store) {
    assert_eq!(store.get(&key("a")).unwrap(), None);
    let version = store.put(&key("a"), b"1", Expect::Anything).unwrap();
    let stored = store.get(&key("a")).unwrap().unwrap();
    assert_eq!(
        (stored.key, stored.value, stored.version),
        (key("a"), b"1".to_vec(), version)
    );
    store.remove(&key("a"), Expect::Anything).unwrap();
    assert_eq!(store.get(&key("a")).unwrap(), None);
    store.remove(&key("a"), Expect::Anything).unwrap();
}

fn expectations_hold_or_conflict(store: &dyn Store) {
    let first = store.put(&key("a"), b"1", Expect::Absent).unwrap();
    conflicts(store.put(&key("a"), b"2", Expect::Absent));
    let second = store.put(&key("a"), b"2", Expect::Version(first)).unwrap();
    assert!(second > first);
    conflicts(store.put(&key("a"), b"3", Expect::Version(first)));
    conflicts(store.put(&key("b"), b"3", Expect::Version(first)));
    conflicts(store.remove(&key("a"), Expect::Version(first)));
    conflicts(store.remove(&key("a"), Expect::Absent));
    store.remove(&key("b"), Expect::Absent).unwrap();
    store.remove(&key("a"), Expect::Version(second)).unwrap();
    store.put(&key("a"), b"4", Expect::Absent).unwrap();
}

fn a_conflict_changes_nothing(store: &dyn Store) {
    store.put(&key("a"), b"1", Expect::Anything).unwrap();
    let before = store.get(&key("a")).unwrap();
    let error = store.put(&key("a"), b"2", Expect::Absent).unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(store.get(&key("a")).unwrap(), before);
}

/// A version that was read once never stands for another value, even after a remove.
fn versions_never_come_back(store: &dyn Store) {
    let first = store.put(&key("a"), b"1", Expect::Anything).unwrap();
    store.remove(&key("a"), Expect::Anything).unwrap();
    let again = store.put(&key("a"), b"1", Expect::Absent).unwrap();
    assert!(again > first);
    conflicts(store.put(&key("a"), b"2", Expect::Version(first)));
}

fn scans_in_order_within_a_prefix(store: &dyn Store) {
    for name in ["h/b", "h/a", "h/c/x", "hh/a", "h", "g/z"] {
        store.put(&key(name), name.as_bytes(), Expect::Anything).unwrap();
    }
    let scan = |after: Option<&Key>, limit| {
        let found = store.scan(&key("h"), after, limit).unwrap();
        found
            .iter()
            .map(|stored| stored.key.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(scan(None, 10), ["h/a", "h/b", "h/c/x"]);
    assert_eq!(scan(None, 2), ["h/a", "h/b"]);
    assert_eq!(scan(Some(&key("h/b")), 10), ["h/c/x"]);
    assert_eq!(scan(Some(&key("h/aa")), 10), ["h/b", "h/c/x"]);
    assert_eq!(scan(Some(&key("h/z")), 10), Vec::<String>::new());
    assert_eq!(scan(None, 0), Vec::<String>::new());
}

fn bears_any_value(store: &dyn Store) {
    for value in [vec![], vec![0; 1], vec![255; 300_000], b"\0\n\xff".to_vec()] {
        store.put(&key("a"), &value, Expect::Anything).unwrap();
        assert_eq!(store.get(&key("a")).unwrap().unwrap().value, value);
    }
}
