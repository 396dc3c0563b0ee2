//! A TCP stream that acknowledges at once what it has read.
//!
//! sshd leaves Nagle's algorithm on for channels without a terminal: its next small packet waits until the last one is
//! acknowledged. A client that has nothing to say puts that off (RFC 1122, 4.2.3.2), on Linux by 40 ms, and with it the
//! start of every agent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The stream. Whenever there is nothing more to read, what was read is acknowledged.
#[derive(Debug)]
pub(super) struct Prompt(pub(super) TcpStream);

impl AsyncRead for Prompt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.0).poll_read(cx, buf);
        #[cfg(target_os = "linux")]
        if polled.is_pending() {
            // Asked for anew each time: the kernel forgets it. Without it we are only slower.
            self.0.set_quickack(true).ok();
        }
        polled
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server with Nagle's algorithm that speaks in pieces, a client that only listens.
    #[tokio::test]
    async fn small_packets_do_not_wait_for_each_other() {
        const PIECES: u32 = 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for _ in 0..PIECES {
                // An answer: from here on the kernel takes the client for a talkative one.
                stream.read_u8().await.unwrap();
                stream.write_all(b"one").await.unwrap();
                stream.write_all(b"two").await.unwrap();
            }
        });
        let mut client = Prompt(TcpStream::connect(address).await.unwrap());
        client.0.set_nodelay(true).unwrap();
        let start = Instant::now();
        for _ in 0..PIECES {
            client.write_u8(0).await.unwrap();
            client.read_exact(&mut [0; 6]).await.unwrap();
        }
        server.await.unwrap();
        // 40 ms each, were they put off.
        assert!(
            start.elapsed() < Duration::from_millis(20) * PIECES,
            "{:?}",
            start.elapsed()
        );
    }
}
