//! Downloads and local files brought into the object store, by the first of curl, wget or python3 the host has.
//!
//! A file whose SHA-256 is given and that is in the store already is not fetched at all, so a host that is as declared needs no
//! network.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use proto::{Answer, Digest, Problem};
use sha2::Digest as _;

use super::{Live, command, failed, path, refused};

/// Seconds a download may take.
const PATIENCE: u64 = 3600;

/// An expected digest.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expected {
    algorithm: &'static str,
    hex: String,
}

/// Algorithms by the number of hex digits.
static ALGORITHMS: &[(&str, usize)] = &[
    ("md5", 32),
    ("sha1", 40),
    ("sha224", 56),
    ("sha256", 64),
    ("sha384", 96),
    ("sha512", 128),
];

impl Live {
    /// Brings what `url` names into the object store.
    pub(crate) fn fetch(&mut self, url: &str, hash: Option<&str>) -> Result<Answer, Problem> {
        let expected = hash.map(Expected::parse).transpose()?;
        let key = (url.to_owned(), hash.map(str::to_owned));
        if let Some(known) = self.downloads.get(&key) {
            return Ok(known.clone());
        }
        if let Some(known) = self.in_store(expected.as_ref()) {
            return Ok(known);
        }
        let local = url
            .strip_prefix("file://")
            .or_else(|| url.starts_with('/').then_some(url));
        let answer = match local {
            Some(local) => {
                let real = self.real(local);
                let broken = |error: std::io::Error| failed(format!("cannot read {local}: {error}"));
                let file = File::open(&real).map_err(broken)?;
                if !file.metadata().map_err(broken)?.is_file() {
                    return Err(failed(format!("{local} is not a file")));
                }
                self.take_in(url, file, expected.as_ref())?
            }
            None => self.download(url, expected.as_ref())?,
        };
        self.downloads.insert(key, answer.clone());
        Ok(answer)
    }

    /// The answer without fetching, where the object is there already.
    fn in_store(&self, expected: Option<&Expected>) -> Option<Answer> {
        let expected = expected.filter(|expected| expected.algorithm == "sha256")?;
        let digest: Digest = expected.hex.parse().ok()?;
        let size = std::fs::metadata(self.objects.path(&digest)).ok()?.len();
        Some(Answer::Blob { digest, size })
    }

    fn download(&mut self, url: &str, expected: Option<&Expected>) -> Result<Answer, Problem> {
        if !["http://", "https://", "ftp://"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            return Err(refused(format!(
                "cannot fetch {url}: only http, https, ftp and local files can be fetched"
            )));
        }
        let folder = self
            .staging("fetch")
            .map_err(|error| failed(format!("cannot fetch {url}: {error}")))?;
        let target = folder.join("file");
        let fetched = self.download_to(url, &target).and_then(|()| {
            let file = File::open(&target)
                .map_err(|error| failed(format!("cannot read what was fetched of {url}: {error}")))?;
            self.take_in(url, file, expected)
        });
        self.unstage("fetch");
        fetched
    }

    fn download_to(&self, url: &str, target: &Path) -> Result<(), Problem> {
        let target = target.to_string_lossy();
        let python = "import shutil,sys,urllib.request as u; shutil.copyfileobj(u.urlopen(sys.argv[1],timeout=60),open(sys.argv[2],'wb'))";
        let ways: [(&str, Vec<&str>); 3] = [
            (
                "curl",
                vec![
                    "curl",
                    "-q",
                    "-fsSL",
                    "--proto",
                    "=http,https,ftp",
                    "--proto-redir",
                    "=http,https,ftp",
                    "--connect-timeout",
                    "30",
                    "--retry",
                    "2",
                    "-o",
                    &target,
                    "--",
                    url,
                ],
            ),
            (
                "wget",
                vec![
                    "wget",
                    "-q",
                    "--no-config",
                    "--timeout=60",
                    "--tries=3",
                    "-O",
                    &target,
                    "--",
                    url,
                ],
            ),
            ("python3", vec!["python3", "-I", "-c", python, url, &target]),
        ];
        let Some((_, argv)) = ways.iter().find(|(program, _)| self.program(program).is_some()) else {
            return Err(failed(format!(
                "cannot fetch {url}: this host has neither curl, wget nor python3"
            )));
        };
        let command = proto::Command {
            timeout: Some(PATIENCE),
            env: proxies(),
            ..proto::Command::program(argv)
        };
        let output = self.run_here(&command)?;
        if output.success(&command) {
            Ok(())
        } else {
            Err(failed(format!(
                "cannot fetch {url}: {} ended with {}",
                argv[0],
                command::ending(&output)
            )))
        }
    }

    fn take_in(&mut self, url: &str, mut file: File, expected: Option<&Expected>) -> Result<Answer, Problem> {
        let broken = |error: std::io::Error| failed(format!("cannot keep {url}: {error}"));
        let size = file.metadata().map_err(broken)?.len();
        path::room_for(&self.objects, size)?;
        let (digest, size) = self.objects.put_from(&mut file).map_err(broken)?;
        if let Some(expected) = expected {
            let got = self.hash(expected.algorithm, &self.objects.path(&digest))?;
            if got != expected.hex {
                return Err(failed(format!(
                    "Specified {} checksum for {url} ({}) does not match actual checksum ({got}).",
                    expected.algorithm, expected.hex
                )));
            }
        }
        Ok(Answer::Blob { digest, size })
    }

    /// The digest of a file of this process' own by a named algorithm, in hex.
    pub(crate) fn hash(&self, algorithm: &str, file: &Path) -> Result<String, Problem> {
        let broken = |error: std::io::Error| failed(format!("cannot read {}: {error}", file.display()));
        let mut source = File::open(file).map_err(broken)?;
        match algorithm {
            "sha224" => feed(sha2::Sha224::new(), &mut source).map_err(broken),
            "sha256" => feed(sha2::Sha256::new(), &mut source).map_err(broken),
            "sha384" => feed(sha2::Sha384::new(), &mut source).map_err(broken),
            "sha512" => feed(sha2::Sha512::new(), &mut source).map_err(broken),
            // Too weak to carry code for; the host's own tools know them.
            "md5" | "sha1" => {
                let program = format!("{algorithm}sum");
                let command = proto::Command::program(&[&program, "--", &file.to_string_lossy()]);
                let output = self.run_here(&command)?;
                match output.stdout.split_whitespace().next() {
                    Some(hex) if output.code == 0 => Ok(hex.trim_start_matches('\\').to_owned()),
                    _ => Err(failed(format!(
                        "{program} ended with {}",
                        command::ending(&output)
                    ))),
                }
            }
            other => Err(refused(format!("unknown hash algorithm {other}"))),
        }
    }
}

fn feed<H: sha2::Digest>(mut hasher: H, source: &mut dyn Read) -> std::io::Result<String> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = source.read(&mut buffer)?;
        if count == 0 {
            return Ok(proto::digest::to_hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..count]);
    }
}

impl Expected {
    /// Reads `algorithm=hex`, `algorithm:hex`, or hex alone, whose length tells the algorithm.
    fn parse(text: &str) -> Result<Self, Problem> {
        let bad = || {
            refused(format!(
                "{text:?} is no checksum: write ALGORITHM=HEX with one of md5, sha1, sha224, sha256, sha384, sha512"
            ))
        };
        let (name, hex) = text
            .split_once(['=', ':'])
            .map_or((None, text), |(name, hex)| (Some(name), hex));
        let hex = hex.trim().to_ascii_lowercase();
        let (algorithm, _) = ALGORITHMS
            .iter()
            .find(|(_, digits)| *digits == hex.len() && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .ok_or_else(bad)?;
        if name.is_some_and(|name| !name.trim().eq_ignore_ascii_case(algorithm)) {
            return Err(bad());
        }
        Ok(Self { algorithm, hex })
    }
}

/// The proxies of the agent's own environment; a download is the one thing that may need them.
fn proxies() -> std::collections::BTreeMap<String, String> {
    [
        "http_proxy",
        "https_proxy",
        "ftp_proxy",
        "no_proxy",
        "HTTPS_PROXY",
        "NO_PROXY",
    ]
    .into_iter()
    .filter_map(|key| Some((key.to_owned(), std::env::var(key).ok()?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn local_files_are_taken_in_and_checked() {
        let mut host = testing::here();
        host.write("/f", "abc");
        let path = host.path("/f").display().to_string();
        let digest = Digest::of("abc");
        let blob = Answer::Blob { digest, size: 3 };
        let good = [
            None,
            Some(format!("sha256={digest}")),
            Some("md5=900150983cd24fb0d6963f7d28e17f72".to_owned()),
            Some("A9993E364706816ABA3E25717850C26C9CD0D89D".to_owned()),
        ];
        for hash in good {
            assert_eq!(
                host.live.fetch(&path, hash.as_deref()),
                Ok(blob.clone()),
                "{hash:?}"
            );
        }
        let why = host
            .live
            .fetch(&path, Some(&format!("sha256={}", Digest::of("x"))))
            .expect_err("another file");
        assert!(why.text.contains("does not match actual checksum"), "{why}");
        assert!(host.live.fetch(&path, Some("sha256=12")).is_err());
        assert!(host.live.fetch("gopher://x/y", None).is_err());
        assert!(host.live.fetch("/no/such/file", None).is_err());
    }

    #[test]
    fn a_download_comes_from_a_server() {
        let mut host = testing::here();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let url = format!("http://{}/x", listener.local_addr().expect("bound"));
        let server = std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            let mut lines = std::io::BufRead::lines(std::io::BufReader::new(&stream));
            while lines
                .next()
                .is_some_and(|line| !line.expect("a request").is_empty())
            {}
            std::io::Write::write_all(&mut &stream, b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
                .expect("sent");
        });
        let blob = Answer::Blob {
            digest: Digest::of("hello"),
            size: 5,
        };
        assert_eq!(host.live.fetch(&url, None), Ok(blob.clone()));
        server.join().expect("served once");
        // Remembered: nobody answers any more.
        assert_eq!(host.live.fetch(&url, None), Ok(blob.clone()));
        assert_eq!(
            host.live
                .fetch(&url, Some(&format!("sha256={}", Digest::of("hello")))),
            Ok(blob)
        );
    }
}
