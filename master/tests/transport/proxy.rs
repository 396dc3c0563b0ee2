//! A TCP proxy that delays both directions and measures how many round trips a client needs.
//!
//! Timing says little on a busy machine, so the proxy counts causes instead: every chunk is one half trip later than the
//! latest chunk that had been delivered to its sender. The delay is there so that chunks which cross do cross.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

const DELAY: Duration = Duration::from_millis(25);

/// What was seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// The deepest chunk delivered to the client, to the server.
    to_client: AtomicU64,
    to_server: AtomicU64,
    connections: AtomicU64,
}

impl Seen {
    /// Round trips so far, with one per connection for the handshake of TCP.
    pub(crate) fn round_trips(&self) -> u64 {
        self.connections.load(SeqCst) + self.to_client.load(SeqCst).div_ceil(2)
    }
}

/// Starts a proxy to a local port.
pub(crate) async fn start(port: u16) -> (u16, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let seen = Arc::new(Seen::default());
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            shared.connections.fetch_add(1, SeqCst);
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            client.set_nodelay(true).unwrap();
            server.set_nodelay(true).unwrap();
            let (client_in, client_out) = client.into_split();
            let (server_in, server_out) = server.into_split();
            let (up, down) = (Arc::clone(&shared), Arc::clone(&shared));
            relay(
                client_in,
                server_out,
                move |seen| &seen.to_client,
                |seen| &seen.to_server,
                up,
            );
            relay(
                server_in,
                client_out,
                move |seen| &seen.to_server,
                |seen| &seen.to_client,
                down,
            );
        }
    });
    (own, seen)
}

fn relay(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    heard: fn(&Seen) -> &AtomicU64,
    told: fn(&Seen) -> &AtomicU64,
    seen: Arc<Seen>,
) {
    let (sender, mut waiting) = mpsc::unbounded_channel();
    let reading = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut chunk).await {
            let depth = heard(&reading).load(SeqCst) + 1;
            sender
                .send((Instant::now() + DELAY, depth, chunk[..n].to_vec()))
                .unwrap();
        }
    });
    tokio::spawn(async move {
        while let Some((due, depth, bytes)) = waiting.recv().await {
            sleep_until(due).await;
            told(&seen).fetch_max(depth, SeqCst);
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
}
