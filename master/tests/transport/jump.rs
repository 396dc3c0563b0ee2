//! Hosts behind a jump host.

use std::sync::Arc;
use std::time::Duration;

use master::transport::{ConnectError, Endpoint, Ssh, Transport};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::lab::{Payload, Sshd, free_port};

fn behind(target: &Sshd, bastion: &Sshd) -> Endpoint {
    let mut jump = bastion.endpoint();
    jump.id = "bastion".into();
    let mut endpoint = target.endpoint();
    endpoint.jump = Some(Box::new(jump));
    endpoint
}

#[tokio::test(flavor = "multi_thread")]
async fn many_hosts_share_one_connection_to_their_jump_host() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let (endpoint, payload) = (behind(&target, &bastion), Payload::echo());
    let ssh = Ssh::default();
    let (a, b, c) = tokio::join!(ssh.open(&endpoint), ssh.open(&endpoint), ssh.open(&endpoint));
    let sessions = [a.unwrap(), b.unwrap(), c.unwrap()];
    for session in &sessions {
        let mut pipe = session.agent(&payload.agent(), Some(b"")).await.unwrap();
        let mut said = vec![0; payload.hello(&endpoint).len()];
        pipe.read_exact(&mut said).await.unwrap();
        assert_eq!(String::from_utf8(said).unwrap(), payload.hello(&endpoint));
    }
    let accepted = |sshd: &Sshd| sshd.log().matches("Accepted publickey").count();
    assert_eq!((accepted(&bastion), accepted(&target)), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_jump_hosts_in_a_row() {
    let (outer, inner, target) = (Sshd::start(), Sshd::start(), Sshd::start());
    let mut endpoint = behind(&target, &inner);
    endpoint.jump.as_mut().unwrap().jump = Some(Box::new(outer.endpoint()));
    Ssh::default().open(&endpoint).await.unwrap();
    for sshd in [outer, inner] {
        sshd.await_log("Accepted publickey");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_jump_host_is_named_with_its_reason() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let mut endpoint = behind(&target, &bastion);
    endpoint.jump.as_mut().unwrap().known_hosts.clear();
    let error = Ssh::default().open(&endpoint).await.unwrap_err();
    let ConnectError::JumpFailed { host, source } = &error else {
        panic!("{error}")
    };
    assert_eq!(host, "web1");
    assert!(
        matches!(&**source, ConnectError::UnknownHostKey { host, .. } if host == "bastion"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_the_jump_host_cannot_reach() {
    let (bastion, target) = (Sshd::start(), Sshd::start());
    let mut endpoint = behind(&target, &bastion);
    endpoint.port = free_port();
    let error = Ssh::default().open(&endpoint).await.unwrap_err();
    let ConnectError::Unreachable {
        host,
        address,
        source,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((host.as_str(), address), ("web1", &endpoint.address()));
    assert!(
        source
            .to_string()
            .contains("its jump host bastion cannot connect"),
        "{source}"
    );
    assert_eq!(error.exit_code(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_jump_host_is_waited_for_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut jump = Endpoint::new("bastion", "127.0.0.1");
    jump.port = listener.local_addr().unwrap().port();
    jump.connect_timeout = Duration::from_secs(1);
    let mut endpoint = Endpoint::new("web1", "127.0.0.1");
    endpoint.jump = Some(Box::new(jump));
    let ssh = Arc::new(Ssh::default());
    let crowd: Vec<_> = (0..8)
        .map(|_| {
            let (ssh, endpoint) = (Arc::clone(&ssh), endpoint.clone());
            tokio::spawn(async move { ssh.open(&endpoint).await.map(drop) })
        })
        .collect();
    let mut taken = Vec::new();
    let visits = async {
        while let Ok((socket, _)) = listener.accept().await {
            taken.push(socket);
        }
    };
    let all = async {
        for one in crowd {
            let error = one.await.unwrap().unwrap_err();
            assert!(matches!(&error, ConnectError::JumpFailed { .. }), "{error}");
        }
    };
    tokio::select! { () = visits => {}, () = all => {} }
    assert_eq!(taken.len(), 1);
}
