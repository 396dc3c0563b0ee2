//! `hashutil.*`: digests and base64 of text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256, Sha512};

use super::{Args, Function, asked};
use crate::compile::oracle::Oracle;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("digest", digest),
    ("md5_digest", |_, args| of(args, "md5")),
    ("sha256_digest", |_, args| of(args, "sha256")),
    ("sha512_digest", |_, args| of(args, "sha512")),
    ("base64_b64encode", encode),
    ("base64_encodestring", |_, args| {
        Ok(lined(args.text("instr")?.as_bytes()).into())
    }),
    ("base64_encodefile", |oracle, args| {
        let path = args.text("fname")?;
        let text =
            asked::text(oracle, &path)?.ok_or_else(|| format!("No such file or directory: '{path}'"))?;
        Ok(lined(text.as_bytes()).into())
    }),
    ("digest_file", |oracle, args| {
        let path = args.text("infile")?;
        let kind = args.text_or("checksum", "md5");
        asked::call(oracle, "file.get_hash", &[path.into(), kind.into()])
    }),
    ("hmac_compute", |_, args| {
        let text = args.text("string")?;
        keyed::<Hmac<Sha256>>(&args.text("shared_secret")?, &text).map(|mac| hex(&mac).into())
    }),
    ("github_signature", |_, args| {
        let text = args.text("string")?;
        let secret = args.text("shared_secret")?;
        let challenge = args.text("challenge_hmac")?;
        let Some((kind, wanted)) = challenge.split_once('=') else {
            return Err("not enough values to unpack (expected 2, got 1)".to_owned());
        };
        let mac = match kind {
            "sha1" => keyed::<Hmac<sha1::Sha1>>(&secret, &text)?,
            "sha256" => keyed::<Hmac<Sha256>>(&secret, &text)?,
            "sha512" => keyed::<Hmac<Sha512>>(&secret, &text)?,
            other => return Err(format!("hash type {other} is not known")),
        };
        Ok((hex(&mac) == wanted).into())
    }),
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
    let kept: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = STANDARD
        .decode(kept)
        .map_err(|error| format!("this is not base64: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned().into())
}

/// Base64 in lines of 76, the last one ended too, as MIME writes it.
fn lined(bytes: &[u8]) -> String {
    let all = STANDARD.encode(bytes);
    let lines = all
        .as_bytes()
        .chunks(76)
        .map(|line| format!("{}\n", String::from_utf8_lossy(line)));
    lines.collect()
}

fn keyed<M: hmac::Mac + hmac::KeyInit>(secret: &str, text: &str) -> Result<Vec<u8>, String> {
    let mut mac =
        <M as hmac::KeyInit>::new_from_slice(secret.as_bytes()).map_err(|error| error.to_string())?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

fn signature(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let text = args.text("string")?;
    let secret = args.text("shared_secret")?;
    let challenge = args.text("challenge_hmac")?;
    Ok((STANDARD.encode(keyed::<Hmac<Sha256>>(&secret, &text)?) == challenge).into())
}
