//! Going back.

use proto::Address;

/// The directory a path lies in; `None` for `/`.
pub(crate) fn parent(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    if name.is_empty() {
        return None;
    }
    Some(if folder.is_empty() { "/" } else { folder })
}

/// Whether `at` is a path inside the directory `top`.
pub(crate) fn below(at: &Address, top: &Address) -> bool {
    let (Address::Path(at), Address::Path(top)) = (at, top) else {
        return false;
    };
    let rest = match top.as_str() {
        "/" => at.strip_prefix('/'),
        top => at.strip_prefix(top).and_then(|rest| rest.strip_prefix('/')),
    };
    rest.is_some_and(|rest| !rest.is_empty())
}
