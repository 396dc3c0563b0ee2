//! `hashutil.*`: digests and base64 of text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256, Sha512};

use super::{Args, Function};
use crate::compile::oracle::Oracle;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("digest", digest),
    ("md5_digest", |_, args| of(args, "md5")),
    ("sha1_digest", |_, args| of(args, "sha1")),
    ("sha256_digest", |_, args| of(args, "sha256")),
    ("sha512_digest", |_, args| of(args, "sha512")),
    ("base64_b64encode", encode),
    ("base64_encodestring", encode),
    ("base64_b64decode", decode),
    ("base64_decodestring", decode),
    ("hmac_signature", signature),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of bytes in hex.
pub(crate) fn hash(bytes: &[u8], kind: &str) -> Result<String, String> {
    Ok(match kind {
        "md5" => hex(&md5::Md5::digest(bytes)),
        "sha1" => hex(&sha1::Sha1::digest(bytes)),
        "sha224" => hex(&sha2::Sha224::digest(bytes)),
        "sha256" => hex(&Sha256::digest(bytes)),
        "sha384" => hex(&sha2::Sha384::digest(bytes)),
        "sha512" => hex(&Sha512::digest(bytes)),
        _ => return Err(format!("hash type {kind} is not known")),
    })
}

fn of(args: &mut Args, kind: &str) -> Result<Json, String> {
    hash(args.text("instr")?.as_bytes(), kind).map(Json::String)
}

fn digest(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let text = args.text("instr")?;
    let kind = args.text_or("checksum", "md5");
    hash(text.as_bytes(), &kind).map(Json::String)
}

fn encode(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    Ok(STANDARD.encode(args.text("instr")?).into())
}

fn decode(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let text = args.text("instr")?;
    let bytes = STANDARD
        .decode(text.trim())
        .map_err(|error| format!("this is not base64: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned().into())
}

fn signature(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let text = args.text("string")?;
    let secret = args.text("shared_secret")?;
    let challenge = args.text("challenge_hmac")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|error| error.to_string())?;
    mac.update(text.as_bytes());
    Ok((STANDARD.encode(mac.finalize().into_bytes()) == challenge).into())
}
