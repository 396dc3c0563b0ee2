//! The agent: sent once, found afterwards, and what happens on hosts that get in the way.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use master::transport::{ConnectError, Endpoint, Pipe, Session, Ssh, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{Payload, Sshd};

async fn open(endpoint: &Endpoint) -> Session {
    Ssh::default().open(endpoint).await.unwrap()
}

/// Ends the conversation and returns all the agent said.
async fn finish(mut pipe: Box<dyn Pipe>) -> String {
    pipe.shutdown().await.unwrap();
    let mut said = String::new();
    pipe.read_to_string(&mut said).await.unwrap();
    said
}

async fn start_error(endpoint: &Endpoint, payload: &Payload) -> ConnectError {
    match open(endpoint).await.agent(&payload.agent(), None).await {
        Ok(_) => panic!("the agent started"),
        Err(error) => error,
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test(flavor = "multi_thread")]
async fn sent_once_then_found() {
    let sshd = Sshd::start();
    let (endpoint, payload) = (sshd.endpoint(), Payload::echo());
    let session = open(&endpoint).await;
    for round in ["first", "second"] {
        let mut pipe = session.agent(&payload.agent(), None).await.unwrap();
        pipe.write_all(format!("{round}\n").as_bytes()).await.unwrap();
        assert_eq!(
            finish(pipe).await,
            format!("{}{round}\n", payload.hello(&endpoint))
        );
    }
    let place = payload.place(&endpoint);
    let home = place.parent().unwrap();
    assert_eq!(
        fs::read_dir(home).unwrap().count(),
        1,
        "nothing is left beside the agent"
    );
    let modes = [
        mode(&endpoint.host_dir),
        mode(home.parent().unwrap()),
        mode(home),
        mode(&place),
    ];
    assert_eq!(modes, [0o700; 4]);
    let inode = fs::metadata(&place).unwrap().ino();
    finish(open(&endpoint).await.agent(&payload.agent(), None).await.unwrap()).await;
    assert_eq!(
        fs::metadata(&place).unwrap().ino(),
        inode,
        "it was not sent again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn early_bytes_reach_the_agent_exactly_once() {
    let sshd = Sshd::start();
    let (endpoint, payload) = (sshd.endpoint(), Payload::echo());
    let session = open(&endpoint).await;
    for known in [false, true] {
        assert_eq!(payload.place(&endpoint).exists(), known);
        let mut pipe = session.agent(&payload.agent(), Some(b"early ")).await.unwrap();
        pipe.write_all(b"late").await.unwrap();
        assert_eq!(
            finish(pipe).await,
            format!("{}early late", payload.hello(&endpoint))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn much_early_data_does_not_block() {
    let sshd = Sshd::start();
    let (endpoint, payload) = (
        sshd.endpoint(),
        Payload::of("#!/bin/sh\nhead -c 6000000 | wc -c\n"),
    );
    // More than the window of sshd and the pipe behind it take, with nobody there to read it at first.
    let early = vec![b'x'; 6_000_000];
    let session = open(&endpoint).await;
    for _ in 0..2 {
        let pipe = session.agent(&payload.agent(), Some(&early)).await.unwrap();
        assert_eq!(finish(pipe).await.trim(), "6000000");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_not_installed() {
    let sshd = Sshd::start();
    let (endpoint, mut payload) = (sshd.endpoint(), Payload::echo());
    payload.sha256 = "0".repeat(64);
    let error = start_error(&endpoint, &payload).await;
    assert!(
        matches!(&error, ConnectError::Bootstrap { text, .. } if text == "wrong digest"),
        "{error}"
    );
    let home = payload.place(&endpoint);
    assert_eq!(fs::read_dir(home.parent().unwrap()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_for_another_machine_is_not_sent() {
    let sshd = Sshd::start();
    let (endpoint, payload) = (sshd.endpoint(), Payload::echo());
    let mut agent = payload.agent();
    agent.arch = "pdp11";
    let Err(error) = open(&endpoint).await.agent(&agent, None).await else {
        panic!("it started")
    };
    assert!(
        matches!(&error, ConnectError::AgentArch { machine, .. } if machine == payload.agent().arch),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_that_is_a_link_is_refused() {
    let sshd = Sshd::start();
    let (endpoint, payload) = (sshd.endpoint(), Payload::echo());
    fs::create_dir(sshd.scratch.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(sshd.scratch.path("elsewhere"), &endpoint.host_dir).unwrap();
    let error = start_error(&endpoint, &payload).await;
    assert!(
        matches!(&error, ConnectError::Bootstrap { text, .. } if text.ends_with("is a symbolic link")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_state_directory_is_closed() {
    let sshd = Sshd::start();
    let (endpoint, payload) = (sshd.endpoint(), Payload::echo());
    fs::create_dir_all(endpoint.host_dir.join("agent")).unwrap();
    fs::set_permissions(&endpoint.host_dir, fs::Permissions::from_mode(0o755)).unwrap();
    finish(open(&endpoint).await.agent(&payload.agent(), None).await.unwrap()).await;
    assert_eq!(mode(&endpoint.host_dir), 0o700);
}

/// An sshd whose login shell is this script; the command is in `$SSH_ORIGINAL_COMMAND`.
fn shell(text: &'static str) -> Sshd {
    Sshd::with(|scratch| {
        format!(
            "ForceCommand {}",
            scratch.script("shell", &format!("#!/bin/sh\n{text}\n")).display()
        )
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chatty_login_shell() {
    let sshd = shell("echo Welcome; printf 'no newline'; seq 1000; exec sh -c \"$SSH_ORIGINAL_COMMAND\"");
    let (endpoint, payload) = (sshd.endpoint(), Payload::echo());
    let session = open(&endpoint).await;
    for early in [None, Some(&b""[..])] {
        let pipe = session.agent(&payload.agent(), early).await.unwrap();
        assert_eq!(finish(pipe).await, payload.hello(&endpoint));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_shell_that_never_stops_talking() {
    let sshd = shell("exec yes");
    let error = start_error(&sshd.endpoint(), &Payload::echo()).await;
    assert!(
        matches!(&error, ConnectError::NoShell { text, .. } if text.contains("64 KiB")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_a_shell() {
    let sshd = shell("echo 'This account is currently not available.'; exit 1");
    let error = start_error(&sshd.endpoint(), &Payload::echo()).await;
    let ConnectError::NoShell { text, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(text, "This account is currently not available.; exit status 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_login_shells_hand_the_script_on() {
    let shells = [
        "dash",
        "bash",
        "zsh",
        "fish",
        "csh",
        "tcsh",
        "ksh",
        "mksh",
        "busybox sh",
    ];
    let found = |shell: &&str| Path::new("/bin").join(shell.split(' ').next().unwrap()).exists();
    for shell in shells.into_iter().filter(found) {
        let sshd = Sshd::with(|scratch| {
            let text = format!("#!/bin/sh\nexec {shell} -c \"$SSH_ORIGINAL_COMMAND\"\n");
            format!("ForceCommand {}", scratch.script("shell", &text).display())
        });
        let (endpoint, payload) = (sshd.endpoint(), Payload::echo());
        let pipe = open(&endpoint).await.agent(&payload.agent(), None).await.unwrap();
        assert_eq!(finish(pipe).await, payload.hello(&endpoint), "{shell}");
    }
}

/// An sshd on whose PATH `sudo` is this script.
fn sudo(text: &'static str) -> Sshd {
    Sshd::with(|scratch| {
        let bin = scratch.path("bin");
        fs::create_dir(&bin).unwrap();
        scratch.script("bin/sudo", &format!("#!/bin/sh\n{text}\n"));
        format!("SetEnv PATH={}:/usr/bin:/bin", bin.display())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn sudo_that_wants_a_password() {
    let sshd = sudo("echo 'sudo: a password is required' >&2; exit 1");
    let mut endpoint = sshd.endpoint();
    endpoint.sudo = true;
    let error = start_error(&endpoint, &Payload::echo()).await;
    let ConnectError::NoSudo { text, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(text, "sudo: a password is required (exit status 1)");
}

#[tokio::test(flavor = "multi_thread")]
async fn sudo_that_lets_us() {
    let sshd = sudo("[ \"$1 $2\" = '-n --' ] || exit 1; shift 2; exec \"$@\"");
    let (mut endpoint, payload) = (sshd.endpoint(), Payload::echo());
    endpoint.sudo = true;
    let pipe = open(&endpoint)
        .await
        .agent(&payload.agent(), Some(b"x"))
        .await
        .unwrap();
    assert_eq!(finish(pipe).await, format!("{}x", payload.hello(&endpoint)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_dies_leaves_its_last_words() {
    let sshd = Sshd::start();
    let (endpoint, payload) = (
        sshd.endpoint(),
        Payload::of("#!/bin/sh\necho out of paper >&2\nexit 7\n"),
    );
    let mut pipe = open(&endpoint).await.agent(&payload.agent(), None).await.unwrap();
    assert_eq!(pipe.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(pipe.last_words(), "out of paper (exit status 7)");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_session_ends_the_agent() {
    let sshd = Sshd::start();
    let gone = sshd.scratch.path("gone");
    let payload = Payload::of(&format!(
        "#!/bin/sh\ncat\necho > {}.new && mv {0}.new {0}\n",
        gone.display()
    ));
    let session = open(&sshd.endpoint()).await;
    let pipe = session.agent(&payload.agent(), None).await.unwrap();
    drop((pipe, session));
    sshd.await_log("Connection closed by");
    let waited = tokio::time::timeout(std::time::Duration::from_secs(30), async {
        while !gone.exists() {
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("the agent saw the end of its stdin");
}
