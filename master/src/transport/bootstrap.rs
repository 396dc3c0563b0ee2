//! Starting the agent through a login shell: one exec channel, found by digest or sent (architecture, section 8).
//!
//! The dialogue is a few lines behind a random marker: `MARKER ok` right before the agent is executed, `MARKER need ARCH`
//! when the host lacks it, `MARKER fail TEXT`. Everything before the marker (a chatty login shell) is skipped up to
//! [`NOISE_MAX`]. `head` may read more than it is asked for, so nothing follows the upload until the agent has started.

mod script;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::endpoint::Endpoint;
use super::error::{ConnectError, Phase, tame};
use super::{BoxFuture, Pipe};
use script::Absent;

/// How much a login shell may print before the marker.
pub const NOISE_MAX: usize = 64 * 1024;

/// The longest line that may stand behind the marker.
const LINE_MAX: usize = 1024;

/// The slowest upload that is waited for, in bytes per second.
const UPLOAD_FLOOR: u64 = 8 * 1024;

/// The agent to start.
#[derive(Debug, Clone, Copy)]
pub struct Agent<'a> {
    /// SHA-256 of the unpacked binary, 64 lower-case hex digits. It names the agent on the host.
    pub sha256: &'a str,
    /// The binary, gzipped.
    pub gz: &'a [u8],
    /// Size of the unpacked binary in bytes.
    pub size: u64,
    /// The machine it is built for, as `uname -m` prints it.
    pub arch: &'a str,
}

/// Something that runs a command line on a host.
pub(crate) trait Exec: Send + Sync {
    /// Runs a command line; its stdin and stdout are the pipe. Returns without waiting for the host's consent.
    fn exec<'a>(&'a self, command: &'a str) -> BoxFuture<'a, Result<Box<dyn Pipe>, ConnectError>>;
}

/// The host's first word behind the marker.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    Ok,
    Need(String),
    Fail(String),
}

/// Starts the agent on a host; see [`super::Session::agent`].
pub(crate) async fn start(
    shell: &dyn Exec,
    endpoint: &Endpoint,
    agent: &Agent<'_>,
    early: Option<&[u8]>,
) -> Result<Box<dyn Pipe>, ConnectError> {
    let digest = agent.sha256;
    if digest.len() != 64 || !digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(fail(endpoint, "its digest is not 64 hex digits"));
    }
    let Some(early) = early else {
        return upload(shell, endpoint, agent).await;
    };
    let marker = marker();
    let pipe = run(shell, endpoint, agent, &marker, Absent::Leave).await?;
    let (word, pipe) = exchange(endpoint, pipe, early, &marker, Phase::Shell).await?;
    match word {
        Word::Ok => Ok(pipe),
        Word::Need(_) => {
            drop(pipe);
            let mut pipe = upload(shell, endpoint, agent).await?;
            let send = async {
                pipe.write_all(early).await?;
                pipe.flush().await
            };
            match timeout(endpoint.connect_timeout, send).await {
                Ok(Ok(())) => Ok(pipe),
                Ok(Err(error)) => Err(fail(endpoint, &ended(&*pipe, &error.to_string()))),
                Err(_) => Err(late(endpoint, Phase::Upload, endpoint.connect_timeout)),
            }
        }
        Word::Fail(text) => Err(fail(endpoint, &text)),
    }
}

/// Starts the agent, sending it first if the host lacks it.
async fn upload(
    shell: &dyn Exec,
    endpoint: &Endpoint,
    agent: &Agent<'_>,
) -> Result<Box<dyn Pipe>, ConnectError> {
    let marker = marker();
    let pipe = run(shell, endpoint, agent, &marker, Absent::Take(agent.gz.len())).await?;
    let (word, pipe) = exchange(endpoint, pipe, &[], &marker, Phase::Shell).await?;
    let (word, pipe) = match word {
        Word::Need(machine) if machine == agent.arch => {
            exchange(endpoint, pipe, agent.gz, &marker, Phase::Upload).await?
        }
        Word::Need(machine) => {
            let (host, have) = (endpoint.id.clone(), agent.arch.to_owned());
            return Err(ConnectError::AgentArch { host, machine, have });
        }
        word => (word, pipe),
    };
    match word {
        Word::Ok => Ok(pipe),
        Word::Need(_) => Err(fail(endpoint, "the host asked for it twice")),
        Word::Fail(text) => Err(fail(endpoint, &text)),
    }
}

async fn run(
    shell: &dyn Exec,
    endpoint: &Endpoint,
    agent: &Agent<'_>,
    marker: &str,
    absent: Absent,
) -> Result<Box<dyn Pipe>, ConnectError> {
    let command = script::command(&endpoint.host_dir, agent.sha256, marker, absent, endpoint.sudo);
    shell.exec(&command).await
}

/// Sends bytes while waiting for the word behind the marker, so that neither side can block the other.
async fn exchange(
    endpoint: &Endpoint,
    pipe: Box<dyn Pipe>,
    bytes: &[u8],
    marker: &str,
    phase: Phase,
) -> Result<(Word, Box<dyn Pipe>), ConnectError> {
    let upload = Duration::from_secs(bytes.len() as u64 / UPLOAD_FLOOR);
    let limit = endpoint.connect_timeout.saturating_add(upload);
    let (mut reader, mut writer) = tokio::io::split(pipe);
    let (heard, sent) = {
        let send = async {
            if !bytes.is_empty() {
                writer.write_all(bytes).await?;
            }
            writer.flush().await
        };
        let hear = timeout(limit, word(&mut reader, marker));
        tokio::pin!(send, hear);
        let mut sent = None;
        let heard = loop {
            tokio::select! {
                biased;
                result = &mut send, if sent.is_none() => sent = Some(result),
                result = &mut hear => break result,
            }
        };
        // An agent that runs still has to get the rest; with any other word the rest is of no use.
        if sent.is_none() && matches!(heard, Ok(Ok((Word::Ok, _)))) {
            sent = Some(
                timeout(limit, send)
                    .await
                    .unwrap_or(Err(io::ErrorKind::TimedOut.into())),
            );
        }
        (heard, sent)
    };
    let pipe = reader.unsplit(writer);
    match heard {
        Err(_) => Err(late(endpoint, phase, limit)),
        Ok(Err(noise)) => Err(silent(endpoint, &*pipe, &noise)),
        Ok(Ok((Word::Ok, rest))) => match sent {
            Some(Ok(())) => Ok((Word::Ok, Box::new(Rest { rest, pipe }))),
            Some(Err(error)) => Err(fail(endpoint, &ended(&*pipe, &error.to_string()))),
            None => Err(late(endpoint, phase, limit)),
        },
        Ok(Ok((word, rest))) => Ok((word, Box::new(Rest { rest, pipe }))),
    }
}

/// Reads up to the word behind the marker. `Err` is what came instead, until the end or the limit.
async fn word(reader: &mut (impl AsyncRead + Unpin), marker: &str) -> Result<(Word, Vec<u8>), Vec<u8>> {
    let mut seen = Vec::new();
    let mut chunk = vec![0; 4096];
    loop {
        match reader.read(&mut chunk).await {
            Ok(0) | Err(_) => return Err(seen),
            Ok(n) => seen.extend_from_slice(chunk.get(..n).unwrap_or_default()),
        }
        // Only the part where a line of ours may still be growing is looked at again.
        let from = seen.len().saturating_sub(chunk.len() + LINE_MAX + marker.len());
        match find(seen.get(from..).unwrap_or_default(), marker.as_bytes()) {
            Some((word, end)) => {
                let rest = seen.split_off(from + end);
                return Ok((word, rest));
            }
            None if seen.len() > NOISE_MAX + LINE_MAX => return Err(seen),
            None => {}
        }
    }
}

/// The first whole line of ours in `seen`, and where it ends. The marker alone does not count: a shell that prints the
/// command it was given prints the marker too.
fn find(seen: &[u8], marker: &[u8]) -> Option<(Word, usize)> {
    let mut from = 0;
    while let Some(at) = seen
        .get(from..)?
        .windows(marker.len())
        .position(|window| window == marker)
    {
        let start = from + at + marker.len();
        let tail = seen.get(start..)?;
        if let Some(length) = tail.iter().take(LINE_MAX).position(|b| *b == b'\n')
            && let Some(word) = parse(tail.get(..length)?)
        {
            return Some((word, start + length + 1));
        }
        from = start;
    }
    None
}

fn parse(line: &[u8]) -> Option<Word> {
    let line = tame(line);
    let (verb, text) = line.split_once(' ').unwrap_or((line.as_str(), ""));
    match verb {
        "ok" => Some(Word::Ok),
        "need" => Some(Word::Need(text.to_owned())),
        "fail" => Some(Word::Fail(text.to_owned())),
        _ => None,
    }
}

/// Why there was no word from our script.
fn silent(endpoint: &Endpoint, pipe: &dyn Pipe, noise: &[u8]) -> ConnectError {
    let host = endpoint.id.clone();
    if noise.len() > NOISE_MAX {
        let text = format!(
            "it printed more than {} KiB before our script ran",
            NOISE_MAX / 1024
        );
        return ConnectError::NoShell { host, text };
    }
    let words = pipe.last_words();
    if endpoint.sudo && words.contains("sudo") {
        return ConnectError::NoSudo { host, text: words };
    }
    let tail = noise.get(noise.len().saturating_sub(400)..).unwrap_or_default();
    let text = [tame(tail), words]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("; ");
    let text = if text.is_empty() {
        "it ended without a word".to_owned()
    } else {
        text
    };
    ConnectError::NoShell { host, text }
}

fn ended(pipe: &dyn Pipe, text: &str) -> String {
    let words = pipe.last_words();
    if words.is_empty() {
        text.to_owned()
    } else {
        format!("{text}: {words}")
    }
}

fn fail(endpoint: &Endpoint, text: &str) -> ConnectError {
    ConnectError::Bootstrap {
        host: endpoint.id.clone(),
        text: text.to_owned(),
    }
}

fn late(endpoint: &Endpoint, phase: Phase, after: Duration) -> ConnectError {
    ConnectError::Timeout {
        host: endpoint.id.clone(),
        phase,
        after,
    }
}

/// 128 random bits in hex: nothing the login shell prints by itself, and a name nobody can guess.
fn marker() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A pipe with the bytes that came together with the marker line put back in front.
struct Rest {
    rest: Vec<u8>,
    pipe: Box<dyn Pipe>,
}

impl AsyncRead for Rest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            return Pin::new(&mut self.pipe).poll_read(cx, buf);
        }
        let n = buf.remaining().min(self.rest.len());
        buf.put_slice(self.rest.drain(..n).as_slice());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

impl Pipe for Rest {
    fn last_words(&self) -> String {
        self.pipe.last_words()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_found_wherever_the_noise_ends() {
        let cases = [
            ("MARK ok\n", Some((Word::Ok, 8))),
            ("MARK ok\nframes", Some((Word::Ok, 8))),
            (
                "welcome!MARK need x86_64\n",
                Some((Word::Need("x86_64".into()), 25)),
            ),
            ("M=MARK;H=ff\nMARK ok\n", Some((Word::Ok, 20))),
            (
                "MARKMARK fail no room\n",
                Some((Word::Fail("no room".into()), 22)),
            ),
            ("MARK ok", None),
            ("MARK", None),
            ("", None),
        ];
        for (seen, want) in cases {
            assert_eq!(find(seen.as_bytes(), b"MARK"), want, "{seen}");
        }
    }

    #[tokio::test]
    async fn noise_has_a_limit_and_bytes_behind_the_word_are_kept() {
        let mut noise: &[u8] = &[b'x'; NOISE_MAX + 3 * 4096];
        assert!(word(&mut noise, "MARK").await.is_err());
        let mut much = vec![b'x'; NOISE_MAX - 100];
        much.extend_from_slice(b"MARK ok\nrest");
        let mut much: &[u8] = &much;
        assert_eq!(word(&mut much, "MARK").await, Ok((Word::Ok, b"rest".to_vec())));
    }
}
