//! Paths as texts: absolute, normalised, on a host that is not this machine. Nothing here looks at a file system.

use proto::Value;

use crate::{Host, Stop};

/// The path without `.`, `..`, doubled and trailing slashes; `None` when it is not absolute or holds a NUL.
/// `..` is taken back lexically, as Python's `os.path.normpath` does.
pub fn clean(path: &str) -> Option<String> {
    if !path.starts_with('/') || path.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

/// The directory that holds `path`; `/` for `/`.
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &path[..at],
    }
}

/// The last component.
pub fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// `name` below `dir`; an absolute `name` stays what it is.
pub fn join(dir: &str, name: &str) -> String {
    if name.starts_with('/') {
        name.to_owned()
    } else if dir.ends_with('/') {
        format!("{dir}{name}")
    } else {
        format!("{dir}/{name}")
    }
}

/// `path` relative to `dir` when it lies below it.
pub fn below<'a>(path: &'a str, dir: &str) -> Option<&'a str> {
    if dir == "/" {
        return path.strip_prefix('/').filter(|rest| !rest.is_empty());
    }
    path.strip_prefix(dir)?.strip_prefix('/')
}

/// All directories above `path`, nearest first, `/` last.
pub fn ancestors(path: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut at = path;
    while at != "/" {
        at = parent(at);
        all.push(at);
    }
    all
}

/// A leading `~` or `~user` replaced by the home directory, as Salt does with the `name` of file states.
///
/// # Errors
/// [`Stop::Ask`] while the account is not known.
pub fn expand(host: &Host<'_>, path: &str) -> Result<String, Stop> {
    let Some(rest) = path.strip_prefix('~') else {
        return Ok(path.to_owned());
    };
    let (user, rest) = rest.find('/').map_or((rest, ""), |at| (&rest[..at], &rest[at..]));
    let home = host
        .user(if user.is_empty() { "root" } else { user })?
        .map(|account| account.home.clone());
    Ok(home.map_or_else(|| path.to_owned(), |home| format!("{home}{rest}")))
}

/// Where a path leads once every link in it is followed; the path itself need not exist.
///
/// # Errors
/// [`Stop::Ask`] while a component is not known, [`Stop::Failed`] for a loop of links.
pub fn real(host: &Host<'_>, path: &str) -> Result<String, Stop> {
    let mut todo: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let mut done = String::new();
    let mut links = 0;
    while let Some(part) = todo.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                done.truncate(done.rfind('/').unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let next = format!("{done}/{part}");
        match host.path(&next)? {
            Value::Link { to, .. } => {
                links += 1;
                if links > 40 {
                    return Err(Stop::failed(format!("{path}: too many levels of symbolic links")));
                }
                if to.starts_with('/') {
                    done.clear();
                }
                todo.extend(to.split('/').rev().map(str::to_owned));
            }
            _ => done = next,
        }
    }
    Ok(if done.is_empty() { "/".to_owned() } else { done })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning() {
        for (dirty, tidy) in [
            ("/", "/"),
            ("/a//b/./c/", "/a/b/c"),
            ("/a/../b", "/b"),
            ("/../a", "/a"),
        ] {
            assert_eq!(clean(dirty).as_deref(), Some(tidy), "{dirty}");
        }
        assert_eq!(clean("a/b"), None);
        assert_eq!(clean("/a\0"), None);
    }

    #[test]
    fn above_and_below() {
        assert_eq!(ancestors("/a/b/c"), ["/a/b", "/a", "/"]);
        assert_eq!(below("/a/b", "/a"), Some("b"));
        assert_eq!(below("/a/b", "/"), Some("a/b"));
        assert_eq!(below("/ab", "/a"), None);
        assert_eq!(parent("/a"), "/");
        assert_eq!(base("/a/b"), "b");
    }
}
