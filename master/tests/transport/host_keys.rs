//! Host keys against a real sshd: what is refused is refused before authentication.

use std::fs;
use std::path::Path;

use master::transport::ssh::{Names, fingerprint, learn};
use master::transport::{ConnectError, Endpoint, Ssh, Transport};

use crate::lab::{Sshd, keygen, public, run};

/// Opens, expecting a refusal, and checks that the host was told nothing about us.
async fn refused(sshd: &Sshd, endpoint: &Endpoint) -> ConnectError {
    let error = Ssh::default().open(endpoint).await.unwrap_err();
    // Had we named a user, it would say "by authenticating user".
    sshd.await_log("Connection closed by 127.0.0.1");
    assert_eq!(error.exit_code(), 5);
    error
}

fn print_of(key: &Path) -> String {
    let line = run(
        "ssh-keygen",
        &["-l", "-f", key.with_extension("pub").to_str().unwrap()],
    );
    line.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_refused_with_its_fingerprint() {
    let sshd = Sshd::start();
    let error = refused(&sshd, &sshd.stranger()).await;
    let ConnectError::UnknownHostKey {
        name,
        fingerprint,
        algorithm,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(*name, format!("[127.0.0.1]:{}", sshd.port));
    assert_eq!(
        (fingerprint, algorithm.as_str()),
        (&print_of(&sshd.host_key), "ssh-ed25519")
    );
    assert!(error.hint().contains("salt-rs hosts scan web1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key_is_refused_with_both_fingerprints_and_the_line() {
    let sshd = Sshd::start();
    let other = keygen(&sshd.scratch, "other", &["-t", "ed25519"]);
    let mut endpoint = sshd.stranger();
    let text = format!("# first\n[127.0.0.1]:{} {}\n", sshd.port, public(&other));
    let path = sshd.scratch.write("known_hosts", &text);
    endpoint.known_hosts = vec![sshd.scratch.path("absent"), path.clone()];
    let error = refused(&sshd, &endpoint).await;
    let ConnectError::ChangedHostKey {
        expected, got, place, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((expected, got), (&print_of(&other), &print_of(&sshd.host_key)));
    assert_eq!(*place, format!("{}:2", path.display()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_though_it_is_pinned() {
    let sshd = Sshd::start();
    let endpoint = sshd.endpoint();
    let pinned = fs::read_to_string(&endpoint.known_hosts[0]).unwrap();
    let text = format!("{pinned}@revoked * {}\n", public(&sshd.host_key));
    fs::write(&endpoint.known_hosts[0], text).unwrap();
    let error = refused(&sshd, &endpoint).await;
    assert!(
        matches!(&error, ConnectError::RevokedHostKey { place, .. } if place.ends_with("known_hosts:2")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_hashed_by_ssh_keygen() {
    let sshd = Sshd::start();
    let endpoint = sshd.endpoint();
    run(
        "ssh-keygen",
        &["-q", "-H", "-f", endpoint.known_hosts[0].to_str().unwrap()],
    );
    assert!(
        fs::read_to_string(&endpoint.known_hosts[0])
            .unwrap()
            .starts_with("|1|")
    );
    Ssh::default().open(&endpoint).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_keys_the_host_shows_the_one_we_hold() {
    for kind in [["-t", "rsa"], ["-t", "ecdsa"]] {
        let sshd = Sshd::with(|scratch| format!("HostKey {}", keygen(scratch, "second", &kind).display()));
        let mut endpoint = sshd.endpoint();
        let text = format!(
            "[127.0.0.1]:{} {}\n",
            sshd.port,
            public(&sshd.scratch.path("second"))
        );
        fs::write(&endpoint.known_hosts[0], text).unwrap();
        endpoint.id = kind[1].into();
        Ssh::default().open(&endpoint).await.unwrap();
    }
}

/// An sshd whose host key is signed by `ca` for the given principal.
fn certified(principal: &str) -> Sshd {
    Sshd::with(|scratch| {
        let ca = keygen(scratch, "ca", &["-t", "ed25519"]);
        let own = keygen(scratch, "certified", &["-t", "ecdsa"]);
        let own_pub = own.with_extension("pub");
        let (ca, own_pub) = (ca.to_str().unwrap(), own_pub.to_str().unwrap());
        run(
            "ssh-keygen",
            &["-q", "-s", ca, "-h", "-I", "host", "-n", principal, own_pub],
        );
        format!(
            "HostKey {}\nHostCertificate {}-cert.pub",
            own.display(),
            own.display()
        )
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_certificate_of_a_known_authority() {
    let sshd = certified("127.0.0.1");
    let mut endpoint = sshd.stranger();
    let ca = public(&sshd.scratch.path("ca"));
    endpoint.known_hosts = vec![
        sshd.scratch
            .write("known_hosts", &format!("@cert-authority 127.0.0.* {ca}\n")),
    ];
    Ssh::default().open(&endpoint).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_certificate_for_another_host_is_refused() {
    let sshd = certified("web2");
    let mut endpoint = sshd.stranger();
    let ca = public(&sshd.scratch.path("ca"));
    endpoint.known_hosts = vec![
        sshd.scratch
            .write("known_hosts", &format!("@cert-authority * {ca}\n")),
    ];
    let error = refused(&sshd, &endpoint).await;
    assert!(
        matches!(&error, ConnectError::HostCertificate { reason, .. } if reason.contains("does not name")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_then_learn_then_open() {
    let sshd = Sshd::with(|scratch| {
        let keys = [["-t", "rsa"], ["-t", "ecdsa"]].map(|kind| keygen(scratch, kind[1], &kind));
        format!("HostKey {}\nHostKey {}", keys[0].display(), keys[1].display())
    });
    let mut endpoint = sshd.stranger();
    let keys = Ssh::default().scan(&endpoint).await.unwrap();
    let prints: Vec<_> = keys.iter().map(fingerprint).collect();
    let path = |name| print_of(&sshd.scratch.path(name));
    assert_eq!(prints, [path("host_key"), path("ecdsa"), path("rsa")]);
    let file = sshd.scratch.path("dot_ssh/known_hosts");
    assert_eq!(
        learn(&file, &endpoint.host, endpoint.port, &keys, Names::Hashed).unwrap(),
        3
    );
    endpoint.known_hosts = vec![file];
    Ssh::default().open(&endpoint).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_of_a_host_with_one_kind_of_key() {
    let sshd = Sshd::start();
    let keys = Ssh::default().scan(&sshd.stranger()).await.unwrap();
    assert_eq!(
        keys.iter().map(fingerprint).collect::<Vec<_>>(),
        [print_of(&sshd.host_key)]
    );
}
