//! Digests and encodings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::Table;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::Value;
use crate::compile::jinja::values::text::refuse;

/// The namespace of the `uuid` filter.
const NAMESPACE: [u8; 16] = [
    0x91, 0x63, 0x3e, 0xbf, 0x1c, 0x86, 0x5e, 0x33, 0x93, 0x5a, 0x28, 0x06, 0x1f, 0x4b, 0x48, 0x0e,
];

pub(super) static FILTERS: Table = &[
    ("base64_encode", |_, value, _| {
        Ok(Value::from(STANDARD.encode(bytes(&value)?)))
    }),
    ("base64_decode", |_, value, _| {
        // Python skips what is not of the alphabet.
        let kept: Vec<u8> = bytes(&value)?
            .into_iter()
            .filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
            .collect();
        let decoded = STANDARD
            .decode(kept)
            .map_err(|_| fault::other("Incorrect padding"))?;
        Ok(String::from_utf8(decoded)
            .map_or_else(|error| Value::Bytes(error.into_bytes().into()), Value::from))
    }),
    ("md5", |_, value, _| {
        Ok(Value::from(hex(&Md5::digest(bytes(&value)?))))
    }),
    ("sha1", |_, value, _| {
        Ok(Value::from(hex(&Sha1::digest(bytes(&value)?))))
    }),
    ("sha256", |_, value, _| {
        Ok(Value::from(hex(&Sha256::digest(bytes(&value)?))))
    }),
    ("sha512", |_, value, _| {
        Ok(Value::from(hex(&Sha512::digest(bytes(&value)?))))
    }),
    ("hmac", |_, value, args| {
        let bound = args.bind("hmac_signature", ["shared_secret", "challenge_hmac"], 2)?;
        let mac = sign(&bytes(&bound.value(0))?, &bytes(&value)?)?;
        Ok((STANDARD.encode(mac).into_bytes() == bytes(&bound.value(1))?).into())
    }),
    ("hmac_compute", |_, value, args| {
        let bound = args.bind("hmac_compute", ["shared_secret"], 1)?;
        Ok(Value::from(hex(&sign(
            &bytes(&bound.value(0))?,
            &bytes(&value)?,
        )?)))
    }),
    ("uuid", |_, value, _| {
        let mut digest = Sha1::new();
        digest.update(NAMESPACE);
        digest.update(bytes(&value)?);
        let mut id = [0u8; 16];
        id.copy_from_slice(&digest.finalize()[..16]);
        id[6] = (id[6] & 0x0f) | 0x50;
        id[8] = (id[8] & 0x3f) | 0x80;
        let text = hex(&id);
        Ok(Value::from(format!(
            "{}-{}-{}-{}-{}",
            &text[..8],
            &text[8..12],
            &text[12..16],
            &text[16..20],
            &text[20..]
        )))
    }),
    ("mac_str_to_bytes", |_, value, _| {
        let text = crate::compile::jinja::args::expect_text(&value)?;
        let chars: Vec<char> = text.chars().collect();
        let digits: String = match chars.len() {
            12 => text.clone(),
            17 => text.replace(chars[2], ""),
            _ => return Err(fault::other("Invalid MAC address")),
        };
        let invalid = || fault::other(format!("invalid literal for int() with base 16: '{digits}'"));
        if digits.len() != 12 || !digits.is_ascii() {
            return Err(invalid());
        }
        let mut out = Vec::new();
        for at in (0..12).step_by(2) {
            out.push(u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| invalid())?);
        }
        Ok(Value::Bytes(out.into()))
    }),
];

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a text or of bytes.
pub(super) fn bytes(value: &Value) -> Res<Vec<u8>> {
    match value {
        Value::Str(text) => Ok(text.as_bytes().to_vec()),
        Value::Bytes(bytes) => Ok(bytes.to_vec()),
        Value::Undefined(undefined) => Err(refuse(undefined)),
        other => Err(fault::other(format!(
            "expected str, bytes, or bytearray not <class '{}'>",
            other.type_name()
        ))),
    }
}

fn sign(key: &[u8], message: &[u8]) -> Res<Vec<u8>> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key).map_err(|_| fault::other("the key cannot be used for HMAC"))?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().to_vec())
}
