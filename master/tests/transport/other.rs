//! The other ways to a host, and hosts that are not there.

use std::time::Duration;

use master::transport::{ConnectError, Endpoint, Local, Ssh, Transport, Transports, Via};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::lab::{Payload, Scratch, Sshd, keygen, public};

async fn talk(endpoint: &Endpoint, payload: &Payload) {
    let session = Transports::default().open(endpoint).await.unwrap();
    for early in [None, Some(&b"early "[..])] {
        let mut pipe = session.agent(&payload.agent(), early).await.unwrap();
        pipe.write_all(b"late").await.unwrap();
        pipe.shutdown().await.unwrap();
        let mut said = String::new();
        pipe.read_to_string(&mut said).await.unwrap();
        let early = early.map_or("", |_| "early ");
        assert_eq!(said, format!("{}{early}late", payload.hello(endpoint)));
    }
    let traffic = session.traffic();
    assert!(traffic.bytes_up > 0 && traffic.bytes_down > 0, "{traffic:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn through_the_ssh_program() {
    let sshd = Sshd::start();
    let mut endpoint = sshd.endpoint();
    endpoint.via = Via::OpenSsh;
    talk(&endpoint, &Payload::echo()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ssh_program_refuses_what_we_refuse() {
    let sshd = Sshd::start();
    let payload = Payload::echo();
    let error = |mut endpoint: Endpoint| {
        let agent = payload.agent();
        async move {
            endpoint.via = Via::OpenSsh;
            let session = Transports::default().open(&endpoint).await.unwrap();
            session.agent(&agent, None).await.err().unwrap()
        }
    };
    let mut endpoint = sshd.stranger();
    endpoint.known_hosts = vec![sshd.scratch.write("empty", "")];
    let unknown = error(endpoint.clone()).await;
    assert!(
        matches!(&unknown, ConnectError::UnknownHostKey { .. }),
        "{unknown}"
    );
    let other = keygen(&sshd.scratch, "other", &["-t", "ed25519"]);
    let line = format!("[127.0.0.1]:{} {}\n", sshd.port, public(&other));
    endpoint.known_hosts = vec![sshd.scratch.write("changed", &line)];
    let changed = error(endpoint).await;
    assert!(
        matches!(&changed, ConnectError::ChangedHostKey { place, .. } if place.ends_with("changed:1")),
        "{changed}"
    );
    let mut endpoint = sshd.endpoint();
    endpoint.key_files = vec![other];
    let denied = error(endpoint).await;
    assert!(
        matches!(&denied, ConnectError::AuthFailed { accepted, .. } if accepted == "publickey"),
        "{denied}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn on_this_machine() {
    let scratch = Scratch::new();
    let mut endpoint = Endpoint::new("here", "here");
    endpoint.via = Via::Local;
    endpoint.host_dir = scratch.path("state");
    let payload = Payload::echo();
    talk(&endpoint, &payload).await;
    // A damaged agent is replaced, not run.
    std::fs::write(payload.place(&endpoint), "#!/bin/sh\necho evil\n").unwrap();
    talk(&endpoint, &payload).await;
    let mut wrong = Payload::echo();
    wrong.sha256 = "0".repeat(64);
    let session = Local.open(&endpoint).await.unwrap();
    let error = session.agent(&wrong.agent(), None).await.err().unwrap();
    assert!(
        matches!(&error, ConnectError::Bootstrap { text, .. } if text.contains("wrong digest")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut endpoint = Endpoint::new("web1", "127.0.0.1");
    endpoint.port = port;
    let error = Ssh::default().open(&endpoint).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Unreachable { .. }), "{error}");
    assert_eq!(error.exit_code(), 3);
    assert!(
        error.to_string().contains(&format!("127.0.0.1:{port}")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_says_nothing_is_left_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut endpoint = Endpoint::new("web1", "127.0.0.1");
    endpoint.port = listener.local_addr().unwrap().port();
    endpoint.connect_timeout = Duration::from_millis(200);
    for greeting in [&b""[..], b"SSH-2.0-tarpit\r\n"] {
        let host = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(greeting).await.unwrap();
            let mut heard = Vec::new();
            // Ends only when the client lets go of the connection.
            socket.read_to_end(&mut heard).await.unwrap();
        };
        let ssh = Ssh::default();
        let (error, ()) = tokio::join!(ssh.open(&endpoint), host);
        let error = error.unwrap_err();
        assert!(matches!(&error, ConnectError::Timeout { .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_options_go_nowhere() {
    for (host, user) in [("-oProxyCommand=x", "root"), ("web1", "-l"), ("a b", "root")] {
        for via in [Via::Ssh, Via::OpenSsh] {
            let mut endpoint = Endpoint::new("web1", host);
            endpoint.user = user.into();
            endpoint.via = via;
            let error = Transports::default().open(&endpoint).await.unwrap_err();
            assert!(matches!(&error, ConnectError::BadName { .. }), "{error}");
            assert_eq!(error.exit_code(), 5);
        }
    }
}
