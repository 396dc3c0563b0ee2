//! A client for plain HTTP/1.1 that hides nothing: one request on a connection of its own, never repeated, never
//! redirected, and every way it can fail has a name. Made for measuring what a client of a service sees.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use thiserror::Error;

/// A longer body, or a longer head, is not taken in.
const MOST: u64 = 8 << 20;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` …
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// The body, sent as JSON; none where empty.
    pub body: String,
}

impl Request {
    /// Asks for a path.
    pub fn get(path: impl Into<String>) -> Self {
        Request {
            method: "GET",
            path: path.into(),
            body: String::new(),
        }
    }

    /// Sends JSON to a path.
    pub fn post(path: impl Into<String>, body: impl Into<String>) -> Self {
        Request {
            method: "POST",
            path: path.into(),
            body: body.into(),
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body; bytes that are not UTF-8 are replaced.
    pub body: String,
}

impl Response {
    /// The first header of this name, case ignored.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum HttpError {
    /// No connection.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The connection broke, or nothing came in time.
    #[error("{address} broke off: {source}")]
    Broken {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Not HTTP, or more of it than is taken in.
    #[error("{address} does not speak HTTP/1.1: {said}")]
    Gibberish {
        /// Where.
        address: SocketAddr,
        /// What was wrong.
        said: String,
    },
}

/// Asks once, on a new connection, and waits at most `limit` altogether.
///
/// # Errors
/// No answer, or none that is HTTP. A status is never an error here.
pub fn fetch(address: SocketAddr, request: &Request, limit: Duration) -> Result<Response, HttpError> {
    let end = Instant::now() + limit;
    let mut stream = TcpStream::connect_timeout(&address, limit)
        .map_err(|source| HttpError::Connect { address, source })?;
    let broken = |source| HttpError::Broken { address, source };
    // A request is one small write: it must not wait for company.
    stream.set_nodelay(true).map_err(broken)?;
    stream.set_write_timeout(Some(limit)).map_err(broken)?;
    stream
        .write_all(written(address, request).as_bytes())
        .map_err(broken)?;
    let mut reader = BufReader::new(Deadline { stream, end });
    read(&mut reader).map_err(|problem| match problem {
        Problem::Io(source) => broken(source),
        Problem::Said(said) => HttpError::Gibberish { address, said },
    })
}

fn written(address: SocketAddr, request: &Request) -> String {
    let Request { method, path, body } = request;
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    if !body.is_empty() {
        text.push_str(&format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        ));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text
}

/// A stream that is read until a moment and no longer, however slowly it drips.
struct Deadline {
    stream: TcpStream,
    end: Instant,
}

impl Read for Deadline {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        match self.stream.read(buffer) {
            // What the kernel calls "would block" is a limit that has passed.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                Err(std::io::ErrorKind::TimedOut.into())
            }
            other => other,
        }
    }
}

enum Problem {
    Io(std::io::Error),
    Said(String),
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Problem::Io(error)
    }
}

fn read(reader: &mut impl BufRead) -> Result<Response, Problem> {
    let mut reader = reader.take(MOST);
    let first = line(&mut reader)?;
    let mut words = first.splitn(3, ' ');
    let status = match (words.next(), words.next().map(str::parse)) {
        (Some(version), Some(Ok(status))) if version.starts_with("HTTP/1.") => status,
        _ => return Err(Problem::Said(format!("{first:?} instead of a status line"))),
    };
    let mut headers = Vec::new();
    loop {
        let text = line(&mut reader)?;
        if text.is_empty() {
            break;
        }
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| Problem::Said(format!("{text:?} instead of a header")))?;
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response {
        status,
        headers,
        body: String::new(),
    };
    let body = body(&mut reader, &response)?;
    response.body = String::from_utf8_lossy(&body).into_owned();
    Ok(response)
}

fn body(reader: &mut impl BufRead, head: &Response) -> Result<Vec<u8>, Problem> {
    let chunked = head
        .header("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    let mut body = Vec::new();
    if chunked {
        loop {
            let size = line(reader)?;
            let digits = size.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(digits, 16)
                .map_err(|_| Problem::Said(format!("{size:?} instead of a chunk's size")))?;
            exactly(reader, size, &mut body)?;
            // The line end behind the chunk; behind the last one that of the trailer nobody sends.
            line(reader)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match head.header("content-length") {
        Some(length) => {
            let length = length
                .parse()
                .map_err(|_| Problem::Said(format!("a content-length of {length:?}")))?;
            exactly(reader, length, &mut body)?;
        }
        None if head.status == 204 || head.status == 304 => {}
        None => {
            reader.read_to_end(&mut body)?;
        }
    }
    Ok(body)
}

/// A body that ends early is a broken answer, whatever its status said.
fn exactly(reader: &mut impl BufRead, size: u64, into: &mut Vec<u8>) -> Result<(), Problem> {
    let got = reader.take(size).read_to_end(into)?;
    if got as u64 == size {
        Ok(())
    } else {
        Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into())
    }
}

fn line(reader: &mut impl BufRead) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    reader.read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Response, String> {
        read(&mut text.as_bytes()).map_err(|problem| match problem {
            Problem::Io(error) => error.kind().to_string(),
            Problem::Said(said) => said,
        })
    }

    #[test]
    fn bodies_by_length_by_chunks_and_to_the_end() {
        let cases = [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-LB: haproxy\r\n\r\nabcd",
                "abc",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n",
                "abc",
            ),
            ("HTTP/1.0 200 OK\r\n\r\nabc", "abc"),
            ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        ];
        for (text, body) in cases {
            assert_eq!(
                parsed(text).map(|response| response.body),
                Ok(body.to_owned()),
                "{text}"
            );
        }
        let response = parsed(cases[0].0).unwrap();
        assert_eq!((response.status, response.header("x-lb")), (200, Some("haproxy")));
    }

    #[test]
    fn what_ends_early_or_is_no_http_is_said() {
        let cases = [
            ("", "unexpected end of file"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
                "unexpected end of file",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
                "unexpected end of file",
            ),
            (
                "SSH-2.0-OpenSSH_9.2\r\n",
                "\"SSH-2.0-OpenSSH_9.2\" instead of a status line",
            ),
            (
                "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
                "\"nonsense\" instead of a header",
            ),
        ];
        for (text, said) in cases {
            assert_eq!(parsed(text), Err(said.to_owned()), "{text}");
        }
    }
}
