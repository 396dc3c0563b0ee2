//! Text to bytes and back, by the encodings templates name.

use super::native;
use crate::compile::jinja::args::{Bound, CallArgs};
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::Value;
use crate::compile::jinja::values::text::{ascii, quote};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Ascii,
    Latin1,
}

impl Encoding {
    /// The first code that it cannot write.
    fn limit(self) -> u32 {
        match self {
            Self::Utf8 => u32::MAX,
            Self::Ascii => 0x80,
            Self::Latin1 => 0x100,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Ascii => "ascii",
            Self::Latin1 => "latin-1",
        }
    }
}

fn arguments(name: &str, args: CallArgs) -> Res<(Encoding, String)> {
    let bound: Bound<2> = args.bind(name, ["encoding", "errors"], 0)?;
    let text = |index: usize, which: &str, default: &str| match bound.get(index) {
        None => Ok(default.to_owned()),
        Some(value) => native::text(value, |kind| {
            format!("{name}() argument '{which}' must be str, not {kind}")
        }),
    };
    let encoding = text(0, "encoding", "utf-8")?;
    let errors = text(1, "errors", "strict")?;
    let encoding = match encoding.to_lowercase().replace(['_', ' '], "-").as_str() {
        "utf-8" | "utf8" | "u8" | "utf" => Encoding::Utf8,
        "ascii" | "us-ascii" | "646" => Encoding::Ascii,
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "8859" | "l1" | "cp819" => Encoding::Latin1,
        _ => return Err(fault::other(format!("unknown encoding: {encoding}"))),
    };
    Ok((encoding, errors))
}

/// `str.encode`.
pub(super) fn encode(text: &str, args: CallArgs) -> Res<Value> {
    let (encoding, errors) = arguments("encode", args)?;
    let mut out = Vec::with_capacity(text.len());
    for (index, c) in text.chars().enumerate() {
        let code = u32::from(c);
        if encoding == Encoding::Utf8 {
            out.extend(c.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        match (u8::try_from(code), errors.as_str()) {
            (Ok(byte), _) if code < encoding.limit() => out.push(byte),
            (_, "ignore") => {}
            (_, "replace") => out.push(b'?'),
            (_, "xmlcharrefreplace") => out.extend(format!("&#{code};").bytes()),
            (_, "backslashreplace") => {
                let quoted = ascii(&quote(&c.to_string()));
                out.extend(quoted.trim_matches('\'').bytes());
            }
            (_, "strict") => {
                return Err(fault::other(format!(
                    "'{}' codec can't encode character {} in position {index}: ordinal not in range({})",
                    encoding.name(),
                    ascii(&quote(&c.to_string())),
                    encoding.limit(),
                )));
            }
            _ => return Err(fault::other(format!("unknown error handler name '{errors}'"))),
        }
    }
    Ok(Value::Bytes(out.into()))
}

/// `bytes.decode`.
pub(super) fn decode(bytes: &[u8], args: CallArgs) -> Res<Value> {
    let (encoding, errors) = arguments("decode", args)?;
    if encoding == Encoding::Latin1 {
        return Ok(Value::from(
            bytes.iter().map(|byte| char::from(*byte)).collect::<String>(),
        ));
    }
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let good = match encoding {
            Encoding::Utf8 => std::str::from_utf8(rest).map_or_else(|error| error.valid_up_to(), str::len),
            _ => rest
                .iter()
                .position(|byte| !byte.is_ascii())
                .unwrap_or(rest.len()),
        };
        out.push_str(&String::from_utf8_lossy(&rest[..good]));
        let Some(bad) = rest.get(good) else {
            return Ok(Value::from(out));
        };
        match errors.as_str() {
            "ignore" => {}
            "replace" => out.push('\u{fffd}'),
            "backslashreplace" => out.push_str(&format!("\\x{bad:02x}")),
            "strict" => {
                let position = bytes.len() - rest.len() + good;
                let why = match encoding {
                    Encoding::Utf8 if (0x80..0xc2).contains(bad) || *bad > 0xf4 => "invalid start byte",
                    Encoding::Utf8 if good + 1 == rest.len() => "unexpected end of data",
                    Encoding::Utf8 => "invalid continuation byte",
                    _ => "ordinal not in range(128)",
                };
                return Err(fault::other(format!(
                    "'{}' codec can't decode byte 0x{bad:02x} in position {position}: {why}",
                    encoding.name()
                )));
            }
            _ => return Err(fault::other(format!("unknown error handler name '{errors}'"))),
        }
        rest = &rest[good + 1..];
    }
}
