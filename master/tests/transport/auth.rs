//! Logging in: every kind of key, the agent, certificates, a password, and what a refusal says.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use master::roster::Password;
use master::transport::{ConnectError, Endpoint, Ssh, Transport};

use crate::lab::{Sshd, keygen, public, run, user};

async fn logs_in(endpoint: &Endpoint) {
    Ssh::default().open(endpoint).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key() {
    let sshd = Sshd::start();
    let kinds: [(&str, &[&str]); 6] = [
        ("ed25519", &["-t", "ed25519"]),
        ("ecdsa256", &["-t", "ecdsa", "-b", "256"]),
        ("ecdsa521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("rsa_pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("ecdsa_pkcs8", &["-t", "ecdsa", "-b", "256", "-m", "PKCS8"]),
    ];
    for (name, options) in kinds {
        let key = keygen(&sshd.scratch, name, options);
        sshd.authorize(&public(&key));
        let mut endpoint = sshd.endpoint();
        endpoint.key_files = vec![key];
        logs_in(&endpoint).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_key_needs_its_passphrase() {
    let sshd = Sshd::start();
    let key = keygen(&sshd.scratch, "locked", &["-t", "ed25519", "-N", "open sesame"]);
    sshd.authorize(&public(&key));
    let mut endpoint = sshd.endpoint();
    endpoint.key_files = vec![key.clone()];
    let ssh = Ssh::default();
    let error = ssh.open(&endpoint).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::NeedsPassphrase { path, .. } if *path == key),
        "{error}"
    );
    assert_eq!(error.exit_code(), 5);
    endpoint.passphrase = Some(Password::new("wrong".into()));
    let error = ssh.open(&endpoint).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::KeyUnreadable { text, .. } if text == "wrong passphrase"),
        "{error}"
    );
    endpoint.passphrase = Some(Password::new("open sesame".into()));
    ssh.open(&endpoint).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_by_the_host_and_named() {
    let sshd = Sshd::start();
    let mut endpoint = sshd.endpoint();
    endpoint.key_files = vec![keygen(&sshd.scratch, "stranger", &["-t", "ed25519"])];
    let error = Ssh::default().open(&endpoint).await.unwrap_err();
    let ConnectError::AuthFailed {
        tried,
        accepted,
        user: who,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert!(
        tried.len() == 1 && tried[0].contains("stranger (SHA256:"),
        "{tried:?}"
    );
    assert_eq!((accepted.as_str(), who), ("publickey", &user()));
    assert_eq!(error.exit_code(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_key_file_is_tried_too() {
    let sshd = Sshd::start();
    let mut endpoint = sshd.endpoint();
    endpoint
        .key_files
        .insert(0, keygen(&sshd.scratch, "stranger", &["-t", "rsa", "-b", "2048"]));
    endpoint.key_files.insert(0, sshd.scratch.path("absent"));
    logs_in(&endpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_others_can_read_or_that_is_absent_is_refused() {
    let sshd = Sshd::start();
    let mut endpoint = sshd.endpoint();
    fs::set_permissions(&sshd.user_key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = Ssh::default().open(&endpoint).await.unwrap_err();
    assert!(
        matches!(&error, ConnectError::KeyUnreadable { text, .. } if text.contains("0644")),
        "{error}"
    );
    endpoint.key_files = vec![sshd.scratch.path("absent")];
    let error = Ssh::default().open(&endpoint).await.unwrap_err();
    assert!(matches!(&error, ConnectError::KeyUnreadable { .. }), "{error}");
    assert!(!sshd.log().contains("Connection from"));
}

/// A running ssh-agent.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn with(sshd: &Sshd, keys: &[&Path]) -> Self {
        let socket = sshd.scratch.path("agent");
        let mut child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need ssh-agent (Debian: openssh-client)");
        // It speaks when it listens.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        for key in keys {
            let added = Command::new("ssh-add")
                .arg("-q")
                .arg(key)
                .env("SSH_AUTH_SOCK", &socket)
                .status()
                .unwrap();
            assert!(added.success());
        }
        Self { child, socket }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It is ours; if it is gone there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ssh_agent_signs() {
    let sshd = Sshd::start();
    for options in [["-t", "ed25519"], ["-t", "rsa"]] {
        let key = keygen(&sshd.scratch, options[1], &options);
        sshd.authorize(&public(&key));
        let agent = Agent::with(&sshd, &[&key]);
        let mut endpoint = sshd.endpoint();
        endpoint.key_files.clear();
        endpoint.agent_socket = Some(agent.socket.clone());
        logs_in(&endpoint).await;
        drop(agent);
        fs::remove_file(endpoint.agent_socket.as_ref().unwrap()).unwrap_or_default();
        let error = Ssh::default().open(&endpoint).await.unwrap_err();
        assert!(
            matches!(&error, ConnectError::AuthFailed { tried, .. } if tried[0].starts_with("ssh-agent")),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_key_that_lies_open_in_the_agent() {
    let sshd = Sshd::start();
    let key = keygen(&sshd.scratch, "locked", &["-t", "ed25519"]);
    sshd.authorize(&public(&key));
    let agent = Agent::with(&sshd, &[&key]);
    let key_text = key.to_str().unwrap();
    run(
        "ssh-keygen",
        &["-q", "-p", "-P", "", "-N", "open sesame", "-f", key_text],
    );
    let mut endpoint = sshd.endpoint();
    endpoint.key_files = vec![key];
    endpoint.agent_socket = Some(agent.socket.clone());
    logs_in(&endpoint).await;
    drop(agent);
    let error = Ssh::default().open(&endpoint).await.unwrap_err();
    assert!(matches!(&error, ConnectError::NeedsPassphrase { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_agent_does_not_use_up_the_tries() {
    let sshd = Sshd::start();
    let strangers: Vec<_> = (0..8)
        .map(|n| keygen(&sshd.scratch, &format!("s{n}"), &["-t", "ed25519"]))
        .collect();
    let mut keys: Vec<&Path> = strangers.iter().map(PathBuf::as_path).collect();
    keys.push(&sshd.user_key);
    let agent = Agent::with(&sshd, &keys);
    let mut endpoint = sshd.endpoint();
    endpoint.use_agent = true;
    endpoint.agent_socket = Some(agent.socket.clone());
    // The private half is in the agent only.
    fs::write(&sshd.user_key, "").unwrap();
    logs_in(&endpoint).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_certificate() {
    let sshd = Sshd::with(|scratch| {
        let ca = keygen(scratch, "ca", &["-t", "ed25519"]);
        format!("TrustedUserCAKeys {}", ca.with_extension("pub").display())
    });
    let ca = sshd.scratch.path("ca");
    for options in [["-t", "ed25519"], ["-t", "rsa"], ["-t", "ecdsa"]] {
        let key = keygen(&sshd.scratch, &format!("user_{}", options[1]), &options);
        let (ca, key_pub) = (ca.to_str().unwrap(), key.with_extension("pub"));
        run(
            "ssh-keygen",
            &[
                "-q",
                "-s",
                ca,
                "-I",
                "me",
                "-n",
                &user(),
                key_pub.to_str().unwrap(),
            ],
        );
        let mut endpoint = sshd.endpoint();
        endpoint.key_files = vec![key.clone()];
        logs_in(&endpoint).await;
        // The same, named in the roster instead of lying beside the key.
        let beside = PathBuf::from(format!("{}-cert.pub", key.display()));
        let elsewhere = sshd.scratch.path("elsewhere.pub");
        fs::rename(&beside, &elsewhere).unwrap();
        assert!(matches!(
            Ssh::default().open(&endpoint).await,
            Err(ConnectError::AuthFailed { .. })
        ));
        endpoint.certificate = Some(elsewhere);
        logs_in(&endpoint).await;
    }
}
