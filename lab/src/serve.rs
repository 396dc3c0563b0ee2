//! The lab's file server: what hosts without a way out would fetch from elsewhere, over HTTP, and over HTTPS for those who
//! ask for a foreign name.
//!
//! It reads and never writes, knows `GET` and `HEAD`, and answers one request per connection. What it offers are
//! directories, each under a prefix of the path, and under a host name where one is given.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::npm;
use crate::os;

/// The port of the lab's file server on the cable's address.
pub const PORT: u16 = 8099;
/// The longest head of a request.
const HEAD: u64 = 16 << 10;
/// How long a client may take to say what it wants, or to take what it gets.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests answered at once; more wait.
const WORKERS: usize = 16;

/// A directory on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The host name it is asked under; empty is any.
    pub host: String,
    /// The path it is asked under: `/files`, or empty for all of a host's.
    pub prefix: String,
    /// Where it lies.
    pub dir: PathBuf,
    /// What kind of directory it is.
    pub shape: Shape,
}

/// How a directory is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Files as they are.
    Files,
    /// A registry of npm's, as [`npm::packages`] makes it.
    Npm,
}

impl Offer {
    /// Files under a prefix, whoever's name they are asked under.
    pub fn files(prefix: &str, dir: impl Into<PathBuf>) -> Self {
        Offer {
            host: String::new(),
            prefix: prefix.to_owned(),
            dir: dir.into(),
            shape: Shape::Files,
        }
    }

    /// npm packages under `/npm`.
    pub fn npm(dir: impl Into<PathBuf>) -> Self {
        Offer {
            shape: Shape::Npm,
            ..Offer::files("/npm", dir)
        }
    }

    /// The same, for requests to one host name only.
    #[must_use]
    pub fn at(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }
}

/// A running file server. Dropped, it stops.
#[derive(Debug)]
pub struct FileServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<()>>,
}

impl FileServer {
    /// Serves over HTTP from now on.
    ///
    /// # Errors
    /// The address cannot be listened on: it is not there, or somebody else does.
    pub fn http(address: SocketAddr, offers: Vec<Offer>) -> io::Result<Self> {
        Self::with(address, "http", offers, Ok)
    }

    /// Serves over whatever `wrap` makes of a connection; in addresses it is called `scheme`.
    ///
    /// # Errors
    /// As `http`.
    pub fn with<S: Read + Write>(
        address: SocketAddr,
        scheme: &'static str,
        offers: Vec<Offer>,
        wrap: impl Fn(TcpStream) -> io::Result<S> + Send + Sync + Clone + 'static,
    ) -> io::Result<Self> {
        let offers = Arc::new(offers);
        Self::start(address, move |stream| {
            answer(&mut BufReader::new(wrap(stream)?), scheme, &offers)
        })
    }

    /// The address it listens on; with the port it got, where port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    fn start(
        address: SocketAddr,
        serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + Clone + 'static,
    ) -> io::Result<Self> {
        let listener = Arc::new(TcpListener::bind(address)?);
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let workers = (0..WORKERS)
            .map(|_| {
                let (listener, stop, serve) = (listener.clone(), stop.clone(), serve.clone());
                thread::spawn(move || {
                    while !stop.load(Ordering::Acquire) {
                        let Ok((stream, _)) = listener.accept() else {
                            continue;
                        };
                        if stop.load(Ordering::Acquire) {
                            break;
                        }
                        let timed = stream
                            .set_read_timeout(Some(PATIENCE))
                            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
                        // A client that goes away before it has all is its own affair.
                        _ = timed.and_then(|()| serve(stream));
                    }
                })
            })
            .collect();
        Ok(FileServer {
            address,
            stop,
            workers,
        })
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for _ in &self.workers {
            // Wakes a worker that waits for a client.
            _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        }
        for worker in self.workers.drain(..) {
            // A worker that panicked has said so.
            _ = worker.join();
        }
    }
}

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    head_only: bool,
    host: String,
    /// The path, decoded, without what follows `?`.
    path: String,
}

/// What a client gets: status, kind, bytes.
enum Reply {
    File(File, u64),
    Text(&'static str, &'static str, String),
}

/// Reads one request from a connection and answers it.
fn answer<S: Read + Write>(stream: &mut BufReader<S>, scheme: &str, offers: &[Offer]) -> io::Result<()> {
    let mut head = String::new();
    let mut limited = stream.take(HEAD);
    while limited.read_line(&mut head)? > 2 {}
    let request = parse(&head);
    let reply = match &request {
        Some(request) => find(request, scheme, offers),
        None => Reply::Text(
            "400 Bad Request",
            "text/plain",
            "only GET and HEAD are answered here\n".to_owned(),
        ),
    };
    let out = stream.get_mut();
    let (status, kind, size) = match &reply {
        Reply::File(_, size) => ("200 OK", "application/octet-stream", *size),
        Reply::Text(status, kind, text) => (*status, *kind, text.len() as u64),
    };
    write!(
        out,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    )?;
    if !request.is_some_and(|request| request.head_only) {
        match reply {
            Reply::File(mut file, _) => drop(io::copy(&mut file, out)?),
            Reply::Text(_, _, text) => out.write_all(text.as_bytes())?,
        }
    }
    out.flush()
}

fn parse(head: &str) -> Option<Request> {
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let method = words.next()?;
    let target = words.next()?;
    if !matches!(method, "GET" | "HEAD") {
        return None;
    }
    let host = lines.find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case("host").then(|| value.trim().to_owned())
    });
    let path = decoded(target.split(['?', '#']).next()?)?;
    let plain = path.starts_with('/') && !path.contains('\0') && !path.split('/').any(|part| part == "..");
    plain.then(|| Request {
        head_only: method == "HEAD",
        host: host.unwrap_or_default(),
        path,
    })
}

/// Without `%` codes.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let code = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&code).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// The first offer that has it.
fn find(request: &Request, scheme: &str, offers: &[Offer]) -> Reply {
    let name = request.host.split(':').next().unwrap_or_default();
    for offer in offers
        .iter()
        .filter(|offer| offer.host.is_empty() || offer.host == name)
    {
        let rest = request
            .path
            .strip_prefix(&offer.prefix)
            .filter(|rest| rest.starts_with('/'));
        let reply = match offer.shape {
            Shape::Files => rest.and_then(|rest| file(&offer.dir, rest)),
            // Some versions of npm leave out the registry's own path when they ask for a tarball.
            Shape::Npm => from_registry(offer, rest.unwrap_or(&request.path), scheme, &request.host),
        };
        if let Some(reply) = reply {
            return reply;
        }
    }
    Reply::Text(
        "404 Not Found",
        "text/plain",
        format!("{} is not on offer here\n", request.path),
    )
}

fn file(dir: &Path, path: &str) -> Option<Reply> {
    let path = dir.join(path.trim_matches('/'));
    let file = File::open(path).ok()?;
    let meta = file.metadata().ok()?;
    meta.is_file().then(|| Reply::File(file, meta.len()))
}

/// A tarball, or what there is to say of a package.
fn from_registry(offer: &Offer, path: &str, scheme: &str, host: &str) -> Option<Reply> {
    if path.contains("/-/") {
        return file(&offer.dir, path);
    }
    let text = os::read_text(&offer.dir.join(path.trim_matches('/')).join("package")).ok()?;
    let text = text.replace(npm::BASE, &format!("{scheme}://{host}{}", offer.prefix));
    Some(Reply::Text("200 OK", "application/json", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(server: &FileServer, request: &str) -> String {
        let mut stream = TcpStream::connect(server.address()).expect("a server");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text
    }

    #[test]
    fn files_and_packages_are_found_and_nothing_else() {
        let dir = std::env::temp_dir().join(format!("salt-rs-serve-{}", std::process::id()));
        for (path, text) in [
            ("files/a b.txt", "hello"),
            ("npm/@s/b/-/b-1.tgz", "tarball"),
            (
                "npm/@s/b/package",
                "{\"tarball\":\"http://registry.lab.invalid/@s/b/-/b-1.tgz\"}",
            ),
            ("secret", "no"),
        ] {
            os::write(&dir.join(path), text).expect("written");
        }
        let any = "127.0.0.1:0".parse().expect("an address");
        let offers = vec![
            Offer::files("/files", dir.join("files")),
            Offer::files("", dir.join("files")).at("example.org"),
            Offer::npm(dir.join("npm")),
        ];
        let server = FileServer::http(any, offers).expect("a server");
        let get = |path: &str| ask(&server, &format!("GET {path} HTTP/1.1\r\nHost: h:1\r\n\r\n"));
        assert!(get("/files/a%20b.txt?x").ends_with("\r\n\r\nhello"));
        assert!(
            get("/npm/@s/b/-/b-1.tgz").ends_with("tarball") && get("/@s/b/-/b-1.tgz").ends_with("tarball")
        );
        assert!(get("/npm/@s%2fb").contains("\"http://h:1/npm/@s/b/-/b-1.tgz\""));
        for wrong in [
            "/files/../secret",
            "/files/%2e%2e/secret",
            "/secret",
            "/files",
            "/a b.txt",
        ] {
            assert!(!get(wrong).contains("200 OK"), "{wrong}");
        }
        assert!(ask(&server, "GET /a%20b.txt HTTP/1.0\r\nhost: example.org\r\n\r\n").ends_with("hello"));
        let head = ask(&server, "HEAD /files/a%20b.txt HTTP/1.1\r\n\r\n");
        assert!(head.contains("Content-Length: 5") && head.ends_with("\r\n\r\n"));
        assert!(ask(&server, "POST /files/a HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400"));
        drop(server);
        os::remove_tree(&dir).expect("removed");
    }
}
