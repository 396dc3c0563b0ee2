//! `file.*` as far as it is about the text of a path; everything that looks at a host is asked of the host.

use serde_json::Value as Json;

use super::{Args, Function};
use crate::compile::oracle::Oracle;

pub(super) const FUNCTIONS: &[(&str, Function)] =
    &[("dirname", dirname), ("basename", basename), ("join", join)];

fn dirname(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let head = path.rfind('/').map_or("", |place| &path[..=place]);
    let bare = head.trim_end_matches('/');
    Ok(if bare.is_empty() { head } else { bare }.into())
}

fn basename(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    Ok(path.rsplit('/').next().unwrap_or_default().into())
}

fn join(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let mut out = String::new();
    for part in args.rest() {
        let part = crate::compile::python::text(&part);
        if part.starts_with('/') {
            out = part;
        } else {
            if !out.is_empty() && !out.ends_with('/') {
                out.push('/');
            }
            out.push_str(&part);
        }
    }
    Ok(out.into())
}
