//! Sources: what `salt://` names at this commit, rendered where a state asks for it.

/// A file of the tree as states name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SaltUri {
    /// Environment.
    pub(crate) env: String,
    /// Path below the file roots.
    pub(crate) path: String,
}

/// Reads `salt://path?saltenv=env`; `None` when it is no such address.
pub(crate) fn parse(text: &str, env: &str) -> Option<SaltUri> {
    let rest = text.strip_prefix("salt://")?;
    let rest = rest.strip_prefix('|').unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("saltenv="));
    Some(SaltUri {
        env: asked.unwrap_or(env).to_owned(),
        path: path.trim_start_matches('/').to_owned(),
    })
}
