//! An sshd of our own with keys, known_hosts and an agent to send, below a scratch directory.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use master::transport::{Agent, Endpoint};
use sha2::{Digest, Sha256};

/// How long anything here is waited for before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A scratch directory, removed at the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("salt-rs-transport-{}-{count}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// An executable script.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A script on the "host" may still be making directories. A leftover is no reason to fail a test.
        let gone = |_: &i32| fs::remove_dir_all(&self.0).is_ok() || !self.0.exists();
        let _ = (0..1000).find(gone);
    }
}

/// Runs a program to its end.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = output.unwrap_or_else(|error| {
        panic!("these tests need {program} (Debian: openssh-server, openssh-client): {error}")
    });
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Makes a key pair and returns the path of the private one.
pub(crate) fn keygen(scratch: &Scratch, name: &str, options: &[&str]) -> PathBuf {
    let path = scratch.path(name);
    let mut arguments = vec!["-q", "-C", name, "-f", path.to_str().unwrap()];
    if !options.contains(&"-N") {
        arguments.extend(["-N", ""]);
    }
    arguments.extend(options);
    run("ssh-keygen", &arguments);
    path
}

/// The public half of a key.
pub(crate) fn public(key: &Path) -> String {
    fs::read_to_string(key.with_extension("pub"))
        .unwrap()
        .trim_end()
        .to_owned()
}

/// A running sshd. Ends with its value.
pub(crate) struct Sshd {
    pub(crate) scratch: Scratch,
    pub(crate) port: u16,
    /// The host key.
    pub(crate) host_key: PathBuf,
    /// A key that may log in.
    pub(crate) user_key: PathBuf,
    child: Child,
    log: Arc<(Mutex<String>, Condvar)>,
}

impl Sshd {
    pub(crate) fn start() -> Self {
        Self::with(|_| String::new())
    }

    /// Starts an sshd with more configuration, which comes first and so wins.
    pub(crate) fn with(more: impl FnOnce(&Scratch) -> String) -> Self {
        let scratch = Scratch::new();
        let host_key = keygen(&scratch, "host_key", &["-t", "ed25519"]);
        let user_key = keygen(&scratch, "user_key", &["-t", "ed25519"]);
        let authorized = scratch.write("authorized_keys", &format!("{}\n", public(&user_key)));
        let more = more(&scratch);
        let port = free_port();
        let config = format!(
            "{more}\nHostKey {}\nAuthorizedKeysFile {}\nPort {port}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\n\
             StrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             LogLevel VERBOSE\nMaxStartups 100\nMaxSessions 50\nUseDNS no\nPermitUserRC no\nPrintMotd no\n",
            host_key.display(),
            authorized.display(),
        );
        let config = scratch.write("sshd_config", &config);
        let (child, log) = launch(&config);
        let own = Self {
            scratch,
            port,
            host_key,
            user_key,
            child,
            log,
        };
        own.await_log("Server listening on 127.0.0.1");
        own
    }

    /// An endpoint that trusts this sshd and may log in.
    pub(crate) fn endpoint(&self) -> Endpoint {
        let known = format!("[127.0.0.1]:{} {}\n", self.port, public(&self.host_key));
        let mut endpoint = self.stranger();
        endpoint.known_hosts = vec![self.scratch.write("known_hosts", &known)];
        endpoint
    }

    /// An endpoint that may log in but knows no host keys.
    pub(crate) fn stranger(&self) -> Endpoint {
        let mut endpoint = Endpoint::new("web1", "127.0.0.1");
        endpoint.port = self.port;
        endpoint.user = user();
        endpoint.key_files = vec![self.user_key.clone()];
        endpoint.agent_socket = None;
        endpoint.connect_timeout = PATIENCE;
        endpoint.host_dir = self.scratch.path("state");
        endpoint
    }

    /// Adds a line to authorized_keys.
    pub(crate) fn authorize(&self, line: &str) {
        let path = self.scratch.path("authorized_keys");
        let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
        writeln!(file, "{line}").unwrap();
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        self.log.0.lock().unwrap().clone()
    }

    /// Waits until the log holds a text.
    pub(crate) fn await_log(&self, text: &str) {
        let log = self.log.0.lock().unwrap();
        let missing = |log: &mut String| !log.contains(text);
        let (log, _) = self.log.1.wait_timeout_while(log, PATIENCE, missing).unwrap();
        assert!(log.contains(text), "no {text:?} in the log of sshd:\n{log}");
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // It is ours and it is running; if it is not, the test has failed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type Log = Arc<(Mutex<String>, Condvar)>;

fn launch(config: &Path) -> (Child, Log) {
    // sshd wants to be started by an absolute path, and as root this directory.
    if user() == "root" {
        fs::create_dir_all("/run/sshd").unwrap();
    }
    let sshd = ["/usr/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd"]
        .into_iter()
        .find(|path| Path::new(path).exists());
    let sshd = sshd.expect("these tests need sshd (Debian: apt-get install openssh-server)");
    let mut child = Command::new(sshd)
        .args(["-D", "-e", "-f"])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log: Log = Arc::default();
    let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
    std::thread::spawn(move || {
        for line in lines.split(b'\n').map_while(Result::ok) {
            let mut log = kept.0.lock().unwrap();
            log.push_str(&String::from_utf8_lossy(&line));
            log.push('\n');
            kept.1.notify_all();
        }
    });
    (child, log)
}

/// A port nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The user the tests run as: the one an sshd without rights can log in.
pub(crate) fn user() -> String {
    run("id", &["-un"]).trim().to_owned()
}

/// An agent to send.
pub(crate) struct Payload {
    pub(crate) sha256: String,
    gz: Vec<u8>,
    size: u64,
    arch: String,
}

impl Payload {
    /// A shell script that says hello with its arguments and then echoes.
    pub(crate) fn echo() -> Self {
        Self::of("#!/bin/sh\necho \"hello $*\"\nexec cat\n")
    }

    pub(crate) fn of(program: &str) -> Self {
        let sha256 = Sha256::digest(program)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut gz = GzEncoder::new(Vec::new(), Compression::default());
        gz.write_all(program.as_bytes()).unwrap();
        let arch = run("uname", &["-m"]).trim().to_owned();
        Self {
            sha256,
            gz: gz.finish().unwrap(),
            size: program.len() as u64,
            arch,
        }
    }

    pub(crate) fn agent(&self) -> Agent<'_> {
        Agent {
            sha256: &self.sha256,
            gz: &self.gz,
            size: self.size,
            arch: &self.arch,
        }
    }

    /// Where it lies on the host.
    pub(crate) fn place(&self, endpoint: &Endpoint) -> PathBuf {
        endpoint
            .host_dir
            .join("agent")
            .join(&self.sha256)
            .join("salt-rs-minion")
    }

    /// Its greeting.
    pub(crate) fn hello(&self, endpoint: &Endpoint) -> String {
        format!("hello serve --dir {}\n", endpoint.host_dir.display())
    }
}
