//! `contents` of `file.managed`: text or lines, as bytes.

use serde_json::Value as Json;

use crate::args::plain;
use crate::{ArgsExt, Call, Host, Stop, text};

pub(super) fn check_combination(call: &Call<'_>) -> Result<(), Stop> {
    let args = call.args();
    let given = ["contents", "contents_pillar", "contents_grains"]
        .iter()
        .filter(|key| args.any(key).is_some())
        .count();
    if args.any("source").is_some_and(crate::args::truth) && given > 0 {
        return Err(Stop::failed(
            "'source' cannot be used in combination with 'contents', 'contents_pillar', or 'contents_grains'",
        ));
    }
    if given > 1 {
        return Err(Stop::failed(
            "Only one of 'contents', 'contents_pillar', and 'contents_grains' is permitted",
        ));
    }
    Ok(())
}

/// The bytes of `contents` (into which the master has put a pillar's), every line ended by a newline.
pub(super) fn contents(call: &Call<'_>, host: &Host<'_>) -> Result<Option<Vec<u8>>, Stop> {
    let args = call.args();
    // The compiler replaces the key by its value; what is left is a key that the pillar does not have.
    for (key, kind) in [("contents_pillar", "Pillar"), ("contents_grains", "Grain")] {
        let Some(missing) = args.texts(key).into_iter().next() else {
            continue;
        };
        if key == "contents_grains"
            && let Some(value) = host.grain(&missing)?
        {
            return Ok(Some(lines(call, value)?));
        }
        return Err(Stop::Failed(format!("{kind} {missing} does not exist")));
    }
    args.any("contents").map(|value| lines(call, value)).transpose()
}

fn lines(call: &Call<'_>, value: &Json) -> Result<Vec<u8>, Stop> {
    let args = call.args();
    if !args.flag("allow_empty", true) && !crate::args::truth(value) {
        // The key the master took the value from.
        let from = args.text("__contents_from__");
        return Err(Stop::Failed(format!(
            "{} value would result in empty contents. Set allow_empty to True to allow the managed file to be empty.",
            from.unwrap_or_else(|| "'contents'".to_owned())
        )));
    }
    let parts = match value {
        Json::Array(items) if !items.is_empty() => items.iter().map(plain).collect(),
        Json::Object(_) | Json::Array(_) => {
            return Err(Stop::failed(
                "Contents specified by contents/contents_pillar/contents_grains is not a string or list of strings, and is not binary data. SLS is likely malformed.",
            ));
        }
        other => vec![plain(other)],
    };
    let mut out = String::new();
    for line in parts.iter().flat_map(|part| text::splitlines(part)) {
        out.push_str(line);
        out.push('\n');
    }
    if !args.flag("contents_newline", true) {
        out.truncate(out.trim_end_matches('\n').trim_end_matches('\r').len());
    }
    encode(&out, args.text("encoding").as_deref())
}

fn encode(text: &str, encoding: Option<&str>) -> Result<Vec<u8>, Stop> {
    let name = encoding.unwrap_or("utf-8").to_ascii_lowercase().replace('_', "-");
    let limit = match name.as_str() {
        "utf-8" | "utf8" => return Ok(text.as_bytes().to_vec()),
        "ascii" | "us-ascii" => 0x7f,
        "latin-1" | "latin1" | "iso-8859-1" => 0xff,
        _ => {
            return Err(Stop::Failed(format!(
                "Unable to manage file: unknown encoding: {name}"
            )));
        }
    };
    text.chars()
        .map(|c| {
            u8::try_from(u32::from(c))
                .ok()
                .filter(|byte| u32::from(*byte) <= limit)
        })
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(|| {
            Stop::Failed(format!(
                "Unable to manage file: the contents cannot be encoded as {name}"
            ))
        })
}
