//! How many round trips and how many handshakes at once.

use std::sync::Arc;

use master::transport::{Endpoint, Ssh, Transport};
use tokio::io::AsyncReadExt;

use crate::lab::{Payload, Sshd, public};
use crate::proxy;

/// The endpoint of this sshd behind a proxy, and what the proxy sees.
async fn behind_proxy(sshd: &Sshd) -> (Endpoint, Arc<proxy::Seen>) {
    let (port, seen) = proxy::start(sshd.port).await;
    let mut endpoint = sshd.endpoint();
    endpoint.port = port;
    let known = format!("[127.0.0.1]:{port} {}\n", public(&sshd.host_key));
    endpoint.known_hosts = vec![sshd.scratch.write("known_hosts", &known)];
    (endpoint, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_up_after_eight_round_trips_and_answers_after_nine() {
    let sshd = Sshd::start();
    let payload = Payload::echo();
    // Installed beforehand, without the proxy.
    Ssh::default()
        .open(&sshd.endpoint())
        .await
        .unwrap()
        .agent(&payload.agent(), None)
        .await
        .unwrap();

    let (endpoint, seen) = behind_proxy(&sshd).await;
    let session = Ssh::default().open(&endpoint).await.unwrap();
    let _up = session.agent(&payload.agent(), None).await.unwrap();
    assert_eq!(seen.round_trips(), 8);

    let (endpoint, seen) = behind_proxy(&sshd).await;
    let session = Ssh::default().open(&endpoint).await.unwrap();
    let mut pipe = session.agent(&payload.agent(), Some(b"frame")).await.unwrap();
    let mut said = vec![0; payload.hello(&endpoint).len() + 5];
    pipe.read_exact(&mut said).await.unwrap();
    assert_eq!(seen.round_trips(), 9);
    let traffic = session.traffic();
    assert!((8..=10).contains(&traffic.round_trips), "{traffic:?}");
    assert!(
        traffic.bytes_up < 16 * 1024 && traffic.bytes_down < 16 * 1024,
        "{traffic:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ssh_program_needs_at_least_as_many() {
    let sshd = Sshd::start();
    let (endpoint, seen) = behind_proxy(&sshd).await;
    let status = tokio::process::Command::new("ssh")
        .args([
            "-F",
            "none",
            "-T",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
        ])
        .args(["-p", &endpoint.port.to_string(), "-o"])
        .arg(format!(
            "UserKnownHostsFile={}",
            endpoint.known_hosts[0].display()
        ))
        .arg("-i")
        .arg(&sshd.user_key)
        .args([&format!("{}@127.0.0.1", endpoint.user), "true"])
        .status()
        .await
        .unwrap();
    assert!(status.success());
    assert!(seen.round_trips() >= 9, "{}", seen.round_trips());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_gets_in_past_max_startups() {
    let sshd = Sshd::with(|_| "MaxStartups 8".into());
    let endpoint: Endpoint = sshd.endpoint();
    let ssh = Arc::new(Ssh::default());
    let crowd: Vec<_> = (0..24)
        .map(|_| {
            let (ssh, endpoint) = (Arc::clone(&ssh), endpoint.clone());
            tokio::spawn(async move { ssh.open(&endpoint).await.map(drop) })
        })
        .collect();
    for one in crowd {
        one.await.unwrap().unwrap();
    }
}
