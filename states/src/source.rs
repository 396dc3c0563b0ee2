//! Where the bytes of `source:` come from: the tree (through the chunk), a path of the host, or a download.

use proto::{Answer, Digest, Question, Sourced, Value};
use serde_json::Value as Json;

use crate::args::plain;
use crate::{ArgsExt, Call, Host, Stop};

/// Bytes that exist, by digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Their digest.
    pub(crate) content: Digest,
    /// Their length.
    pub(crate) size: u64,
    /// The mode of the source, for `mode: keep`.
    pub(crate) mode: Option<u32>,
    /// The source as written.
    pub(crate) text: String,
    /// A path of the host whose bytes are not in the object store yet; [`store`] puts them there.
    local: bool,
}

impl Found {
    /// A file of the tree, whose bytes the master sent.
    pub(crate) fn of_tree(content: Digest, size: u64, text: &str) -> Self {
        Self {
            content,
            size,
            mode: None,
            text: format!("salt:/{text}"),
            local: false,
        }
    }
}

/// One candidate of `source:` and the hash that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    text: String,
    hash: Option<String>,
}

/// Why there are no bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A host read is missing, or the agent failed.
    Stop(Stop),
    /// Salt's text without the `Unable to manage file: ` that a real run puts before it.
    Said(String),
    /// None of several sources exists.
    None,
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// Asks for all local and remote candidates of `source` at once, so that [`find`] needs one round.
pub(crate) fn expect(call: &Call<'_>, host: &Host<'_>) {
    let locals = candidates(call)
        .into_iter()
        .filter(|one| !call.chunk.sources.contains_key(&one.text))
        .filter_map(|one| local(&one.text).map(|path| Question::Follow(path.to_owned())));
    host.expect(locals.collect::<Vec<_>>());
}

/// The bytes of `source`; of a list the first that exists. `live` is the digest of what is there, which spares a
/// download whose SHA-256 is already known to be the same.
pub(crate) fn find(call: &Call<'_>, host: &Host<'_>, live: Option<(Digest, u64)>) -> Result<Found, Trouble> {
    let candidates = candidates(call);
    if let ([only], false) = (candidates.as_slice(), is_list(call)) {
        return one(call, host, only, live)?.ok_or_else(|| Trouble::Said(absent(&only.text)));
    }
    for candidate in &candidates {
        if let Some(found) = one(call, host, candidate, live)? {
            return Ok(found);
        }
    }
    Err(Trouble::None)
}

/// The bytes of a source that another argument than `source` names.
fn named(call: &Call<'_>, host: &Host<'_>, text: &str) -> Result<Found, Trouble> {
    let hash = call.args().text("source_hash").filter(|hash| !hash.is_empty());
    let text = text.to_owned();
    let candidate = Candidate { text, hash };
    one(call, host, &candidate, None)?.ok_or_else(|| Trouble::Said(absent(&candidate.text)))
}

/// The bytes of a file that another argument than `source` names, in the host's object store. A download needs no hash.
pub(crate) fn of(call: &Call<'_>, host: &Host<'_>, given: &str) -> Result<Found, Trouble> {
    let text = given.to_owned();
    let found =
        if call.chunk.sources.contains_key(given) || local(given).is_some() || given.starts_with("salt://") {
            named(call, host, given)?
        } else {
            match host.ask(Question::Fetch {
                url: text.clone(),
                hash: None,
            })? {
                Answer::Blob { digest, size } => Found {
                    content: *digest,
                    size: *size,
                    mode: None,
                    text,
                    local: false,
                },
                _ => return Err(Trouble::None),
            }
        };
    fetched(host, &found)?;
    Ok(found)
}

/// The text of a source that another argument than `source` names.
pub(crate) fn text(call: &Call<'_>, host: &Host<'_>, given: &str) -> Result<String, Trouble> {
    let found = named(call, host, given)?;
    fetched(host, &found)?;
    let bytes = host.object(&found.content)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// Makes sure the bytes are in the host's object store before an act names them. In a plan they need not be: the file may
/// be one that an earlier state of it makes.
///
/// # Errors
/// As [`fetched`].
pub(crate) fn store(call: &Call<'_>, host: &Host<'_>, found: &Found) -> Result<(), Stop> {
    if call.test { Ok(()) } else { fetched(host, found) }
}

/// Makes sure the bytes are in the host's object store.
///
/// # Errors
/// [`Stop::Ask`] while they are not; [`Stop::Failed`] when they changed under our hands.
pub(crate) fn fetched(host: &Host<'_>, found: &Found) -> Result<(), Stop> {
    if !found.local {
        return Ok(());
    }
    let path = local(&found.text).unwrap_or(&found.text).to_owned();
    match host.ask(Question::Fetch {
        url: path.clone(),
        hash: None,
    })? {
        Answer::Blob { digest, .. } if *digest == found.content => Ok(()),
        _ => Err(Stop::failed(format!("{path} changed while it was read"))),
    }
}

fn one(
    call: &Call<'_>,
    host: &Host<'_>,
    candidate: &Candidate,
    live: Option<(Digest, u64)>,
) -> Result<Option<Found>, Trouble> {
    let text = candidate.text.clone();
    match call.chunk.sources.get(&text) {
        Some(Sourced::File { content, size, mode }) => {
            return Ok(Some(Found {
                content: *content,
                size: *size,
                mode: Some(*mode),
                text,
                local: false,
            }));
        }
        Some(Sourced::Broken(why)) => return Err(Trouble::Said(why.clone())),
        Some(Sourced::Dir(_) | Sourced::Missing) => return Ok(None),
        None if text.starts_with("salt://") => return Ok(None),
        None => {}
    }
    if let Some(path) = local(&text) {
        let Value::File { content, size, meta } = host.follow(path)? else {
            return Ok(None);
        };
        verify(call, host, candidate, path, content)?;
        return Ok(Some(Found {
            content: *content,
            size: *size,
            mode: Some(meta.mode),
            text,
            local: true,
        }));
    }
    if !is_url(&text) {
        return Ok(None);
    }
    remote(call, host, candidate, live).map(Some)
}

/// A file of the host must have the hash that goes with it.
fn verify(
    call: &Call<'_>,
    host: &Host<'_>,
    candidate: &Candidate,
    path: &str,
    content: &Digest,
) -> Result<(), Trouble> {
    let Some(given) = candidate
        .hash
        .as_ref()
        .filter(|_| !call.args().flag("skip_verify", false))
    else {
        return Ok(());
    };
    let wanted = wanted_hash(call, host, given, &candidate.text)?;
    let (algorithm, hex) = wanted.split_once('=').unwrap_or_default();
    // A plan does not read the file for another algorithm than the one it knows the answer of.
    let actual = match algorithm {
        "sha256" => content.hex(),
        _ if call.test => return Ok(()),
        _ => {
            let question = Question::Fetch {
                url: path.to_owned(),
                hash: Some(wanted.clone()),
            };
            host.ask(question)?;
            return Ok(());
        }
    };
    if actual == hex || call.test {
        return Ok(());
    }
    let name = call.name();
    Err(Trouble::Stop(Stop::Failed(format!(
        "Specified {algorithm} checksum for {name} ({hex}) does not match actual checksum ({actual})"
    ))))
}

fn is_url(text: &str) -> bool {
    ["http://", "https://", "ftp://", "s3://", "swift://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
}

/// A download. Without a hash it must be allowed by `skip_verify`, as in Salt.
fn remote(
    call: &Call<'_>,
    host: &Host<'_>,
    candidate: &Candidate,
    live: Option<(Digest, u64)>,
) -> Result<Found, Trouble> {
    let skip = call.args().flag("skip_verify", false);
    let hash = match (&candidate.hash, skip) {
        (_, true) => None,
        (Some(hash), false) => Some(wanted_hash(call, host, hash, &candidate.text)?),
        (None, false) => {
            return Err(Trouble::Said(format!(
                "Unable to verify upstream hash of source file {}, please set source_hash or set skip_verify to True",
                candidate.text
            )));
        }
    };
    let same = live.filter(|(live, _)| hash.as_deref() == Some(format!("sha256={}", live.hex()).as_str()));
    if let Some((content, size)) = same {
        return Ok(Found {
            content,
            size,
            mode: None,
            text: candidate.text.clone(),
            local: false,
        });
    }
    match host.ask(Question::Fetch {
        url: candidate.text.clone(),
        hash,
    })? {
        Answer::Blob { digest, size } => Ok(Found {
            content: *digest,
            size: *size,
            mode: None,
            text: candidate.text.clone(),
            local: false,
        }),
        _ => Err(Trouble::Said(format!(
            "Source file '{}' not found",
            candidate.text
        ))),
    }
}

/// `algorithm=hex` from what `source_hash` holds: that form, bare hex, or the name of a file with hashes in it.
fn wanted_hash(call: &Call<'_>, host: &Host<'_>, given: &str, source: &str) -> Result<String, Trouble> {
    if let Some(hash) = as_hash(given) {
        return Ok(hash);
    }
    let text = match call.chunk.sources.get(given) {
        Some(Sourced::File { content, .. }) => host.object(content)?.map(<[u8]>::to_vec),
        Some(_) => None,
        None => match local(given) {
            Some(path) => host.bytes(path)?.map(<[u8]>::to_vec),
            None if !is_url(given) => {
                return Err(Trouble::Said(format!(
                    "Source hash {given} format is invalid: give HEX, ALGORITHM=HEX, or a file of hashes"
                )));
            }
            None => match host.ask(Question::Fetch {
                url: given.to_owned(),
                hash: None,
            })? {
                Answer::Blob { digest, .. } => host.object(digest)?.map(<[u8]>::to_vec),
                _ => None,
            },
        },
    };
    let text = text.ok_or_else(|| Trouble::Said(format!("Source hash file {given} not found")))?;
    let text = String::from_utf8_lossy(&text);
    let names = [
        call.args().text("source_hash_name"),
        Some(crate::paths::base(source).to_owned()),
        Some(crate::paths::base(call.name()).to_owned()),
    ];
    find_hash(&text, &names).ok_or_else(|| {
        Trouble::Said(format!(
            "source_hash file {given} does not contain a hash for {source}"
        ))
    })
}

/// The hash for the first of `names` that a file of `HASH  NAME` lines mentions, else a single hash in it.
fn find_hash(text: &str, names: &[Option<String>]) -> Option<String> {
    let lines: Vec<(Option<String>, &str)> = text
        .lines()
        .map(|line| {
            (
                line.split([' ', '\t', '=', '*', '(', ')']).find_map(as_hash),
                line,
            )
        })
        .collect();
    for name in names.iter().flatten() {
        let of_name = |line: &str| {
            line.split([' ', '\t', '*', '(', ')'])
                .any(|word| word == name || word.ends_with(&format!("/{name}")))
        };
        if let Some((Some(hash), _)) = lines.iter().find(|(hash, line)| hash.is_some() && of_name(line)) {
            return Some(hash.clone());
        }
    }
    let mut hashes = lines.into_iter().filter_map(|(hash, _)| hash);
    hashes.next().filter(|_| hashes.next().is_none())
}

/// `algorithm=hex` of `md5=…`, `sha256:…` or bare hex whose length tells the algorithm.
fn as_hash(text: &str) -> Option<String> {
    let (named, hex) = match text.split_once(['=', ':']) {
        Some((name, hex)) => (Some(name.to_ascii_lowercase()), hex),
        None => (None, text),
    };
    let hex = hex.trim().to_ascii_lowercase();
    let algorithm = match hex.len() {
        32 => "md5",
        40 => "sha1",
        56 => "sha224",
        64 => "sha256",
        96 => "sha384",
        128 => "sha512",
        _ => return None,
    };
    (hex.bytes().all(|c| c.is_ascii_hexdigit()) && named.is_none_or(|name| name == algorithm))
        .then(|| format!("{algorithm}={hex}"))
}

/// The path of a source on the host itself.
pub(crate) fn local(text: &str) -> Option<&str> {
    let path = text.strip_prefix("file://").unwrap_or(text);
    path.starts_with('/').then_some(path)
}

fn absent(text: &str) -> String {
    if let Some(path) = local(text) {
        return format!("Local file source {path} does not exist");
    }
    if !text.starts_with("salt://") {
        return format!("Local file source {text} does not exist");
    }
    format!("Source file {text} not found in saltenv 'base'")
}

fn is_list(call: &Call<'_>) -> bool {
    matches!(call.args().any("source"), Some(Json::Array(_)))
}

/// `source` with `source_hash`: one text, a list of texts, or a list of `{text: hash}`.
fn candidates(call: &Call<'_>) -> Vec<Candidate> {
    let args = call.args();
    let hash = args.text("source_hash").filter(|hash| !hash.is_empty());
    let bare = |text: String| Candidate {
        text,
        hash: hash.clone(),
    };
    match args.any("source") {
        Some(Json::Array(items)) => items
            .iter()
            .flat_map(|item| match item {
                Json::Object(map) => map
                    .iter()
                    .map(|(text, hash)| Candidate {
                        text: text.clone(),
                        hash: Some(plain(hash)),
                    })
                    .collect(),
                other => vec![bare(plain(other))],
            })
            .collect(),
        Some(one) if crate::args::truth(one) => vec![bare(plain(one))],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_in_every_form() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let want = Some(format!("sha256={hex}"));
        assert_eq!(as_hash(hex), want);
        assert_eq!(as_hash(&format!("sha256={hex}")), want);
        assert_eq!(as_hash(&format!("sha256:{}", hex.to_uppercase())), want);
        assert_eq!(as_hash(&format!("md5={hex}")), None);
        assert_eq!(as_hash("https://example.org/SHA256SUMS"), None);
    }

    #[test]
    fn a_sums_file_names_the_source() {
        let a = "a".repeat(64);
        let b = "b".repeat(64);
        let text = format!("{a}  one.tar.gz\n{b} *two.tar.gz\n");
        assert_eq!(
            find_hash(&text, &[None, Some("two.tar.gz".to_owned())]),
            Some(format!("sha256={b}"))
        );
        assert_eq!(find_hash(&text, &[Some("three".to_owned())]), None);
        assert_eq!(
            find_hash(&format!("{a}\n"), &[Some("x".to_owned())]),
            Some(format!("sha256={a}"))
        );
        let bsd = format!("SHA256 (one.tar.gz) = {a}\nSHA256 (two.tar.gz) = {b}\n");
        assert_eq!(
            find_hash(&bsd, &[Some("two.tar.gz".to_owned())]),
            Some(format!("sha256={b}"))
        );
    }
}
