//! Servers that sshd without rights cannot be: passwords, and a host that wants something of us.

use std::borrow::Cow;
use std::sync::Arc;

use master::roster::Password;
use master::transport::ssh::{Names, learn};
use master::transport::{ConnectError, Endpoint, Ssh, Transport};
use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, PrivateKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Response, Session, run_stream};
use russh::{Channel, MethodKind, MethodSet};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::lab::{Payload, Scratch};

/// A server that takes the password `sesame`, and tries to open channels to its client.
struct Odd {
    refused: mpsc::UnboundedSender<[bool; 3]>,
}

impl Handler for Odd {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(if password == "sesame" {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(mut response) = response else {
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: Cow::Borrowed(&[(Cow::Borrowed("Password: "), false)]),
            });
        };
        Ok(if response.next().is_some_and(|word| &*word == b"sesame") {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let (handle, refused) = (session.handle(), self.refused.clone());
        tokio::spawn(async move {
            let forward = handle.channel_open_forwarded_tcpip("a", 1, "b", 2).await.is_err();
            let x11 = handle.channel_open_x11("a", 1).await.is_err();
            let agent = handle.channel_open_agent().await.is_err();
            refused.send([forward, x11, agent]).unwrap();
        });
        reply.accept().await;
        Ok(())
    }
}

/// Starts the server with these methods and returns an endpoint that trusts it.
async fn start(scratch: &Scratch, methods: &[MethodKind]) -> (Endpoint, mpsc::UnboundedReceiver<[bool; 3]>) {
    let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut endpoint = Endpoint::new("odd", "127.0.0.1");
    endpoint.port = listener.local_addr().unwrap().port();
    endpoint.agent_socket = None;
    let known = scratch.path("known_hosts");
    learn(
        &known,
        &endpoint.host,
        endpoint.port,
        &[key.public_key().clone()],
        Names::Plain,
    )
    .unwrap();
    endpoint.known_hosts = vec![known];
    let mut config = Config {
        keys: vec![key],
        ..Config::default()
    };
    config.methods = MethodSet::empty();
    methods.iter().for_each(|method| config.methods.push(*method));
    config.auth_rejection_time = std::time::Duration::ZERO;
    let (sender, receiver) = mpsc::unbounded_channel();
    let config = Arc::new(config);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let odd = Odd {
                refused: sender.clone(),
            };
            let running = run_stream(Arc::clone(&config), socket, odd);
            tokio::spawn(async move {
                // How a session ends is the client's affair here.
                let _ = running.await.unwrap().await;
            });
        }
    });
    (endpoint, receiver)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_by_either_method() {
    for method in [MethodKind::Password, MethodKind::KeyboardInteractive] {
        let scratch = Scratch::new();
        let (mut endpoint, _refused) = start(&scratch, &[method]).await;
        endpoint.password = Some(Password::new("sesame".into()));
        Ssh::default().open(&endpoint).await.unwrap();
        endpoint.password = Some(Password::new("hunter2".into()));
        let error = Ssh::default().open(&endpoint).await.unwrap_err();
        let ConnectError::AuthFailed { tried, .. } = &error else {
            panic!("{error}")
        };
        assert!(tried.iter().any(|what| what.starts_with("password")), "{tried:?}");
        assert!(!format!("{error} {error:?} {endpoint:?}").contains("hunter2"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_credential_the_message_says_so() {
    let scratch = Scratch::new();
    let (endpoint, _refused) = start(&scratch, &[MethodKind::Password]).await;
    let error = Ssh::default().open(&endpoint).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("tried nothing (no key, agent or password)"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_cannot_open_channels_to_us() {
    let scratch = Scratch::new();
    let (mut endpoint, mut refused) = start(&scratch, &[MethodKind::Password]).await;
    endpoint.password = Some(Password::new("sesame".into()));
    let session = Ssh::default().open(&endpoint).await.unwrap();
    let payload = Payload::echo();
    let agent = payload.agent();
    let (asked, started) = tokio::join!(refused.recv(), async {
        tokio::time::timeout(std::time::Duration::from_millis(500), session.agent(&agent, None)).await
    });
    assert_eq!(asked, Some([true; 3]));
    assert!(started.is_err(), "this server runs nothing");
}
