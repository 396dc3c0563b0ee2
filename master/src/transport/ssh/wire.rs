//! The byte stream below SSH: counted, and cut off when nobody is left who wants it.
//!
//! The client library runs a connection in a task of its own. A host that stalls during the key exchange would keep that
//! task, and the socket, for as long as it likes (T4, T6). So the stream ends itself: at once when its [`Leash`] is
//! dropped, and when a write makes no progress for [`STALL`].

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::transport::Traffic;

/// How long a write may stand still. Longer than three missed keepalives, so a silent host is noticed by those first.
const STALL: Duration = Duration::from_secs(60);

/// What a wire and its leash share.
#[derive(Debug, Default)]
pub(super) struct Meter {
    up: AtomicU64,
    down: AtomicU64,
    turns: AtomicU64,
    sent_last: AtomicBool,
    cut: AtomicBool,
    waiting: Mutex<[Option<Waker>; 2]>,
}

impl Meter {
    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            bytes_up: self.up.load(Relaxed),
            bytes_down: self.down.load(Relaxed),
            round_trips: self.turns.load(Relaxed),
        }
    }

    /// Remembers whom to wake when the leash goes; an error when it is gone.
    fn held(&self, side: usize, cx: &Context<'_>) -> io::Result<()> {
        if let Some(slot) = self
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(side)
        {
            *slot = Some(cx.waker().clone());
        }
        // Read after the waker is stored: a cut in between wakes us.
        if self.cut.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "no longer wanted",
            ));
        }
        Ok(())
    }
}

/// Holds a wire open. Dropping it ends the connection.
#[derive(Debug)]
pub(super) struct Leash(pub(super) Arc<Meter>);

impl Drop for Leash {
    fn drop(&mut self) {
        self.0.cut.store(true, std::sync::atomic::Ordering::SeqCst);
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for waker in waiting.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
    }
}

/// A counted stream on a leash.
pub(super) struct Wire<S> {
    stream: S,
    meter: Arc<Meter>,
    stall: Pin<Box<Sleep>>,
    stalled: bool,
    patience: Duration,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S) -> (Self, Leash) {
        Self::with_patience(stream, STALL)
    }

    fn with_patience(stream: S, patience: Duration) -> (Self, Leash) {
        let meter = Arc::new(Meter::default());
        let stall = Box::pin(sleep(patience));
        let wire = Self {
            stream,
            meter: Arc::clone(&meter),
            stall,
            stalled: false,
            patience,
        };
        (wire, Leash(meter))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.meter.held(0, cx)?;
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let got = buf.filled().len() - before;
        if got > 0 {
            self.meter.down.fetch_add(got as u64, Relaxed);
            if self.meter.sent_last.swap(false, Relaxed) {
                self.meter.turns.fetch_add(1, Relaxed);
            }
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.meter.held(1, cx)?;
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        match &polled {
            Poll::Ready(result) => {
                self.stalled = false;
                if let Ok(sent) = result {
                    self.meter.up.fetch_add(*sent as u64, Relaxed);
                    self.meter.sent_last.store(true, Relaxed);
                }
            }
            Poll::Pending => {
                if !self.stalled {
                    self.stalled = true;
                    let until = Instant::now() + self.patience;
                    self.stall.as_mut().reset(until);
                }
                if self.stall.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        polled
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn counts_bytes_and_turns() {
        let (near, mut far) = duplex(1024);
        let (mut wire, leash) = Wire::new(near);
        wire.write_all(b"one").await.unwrap();
        wire.write_all(b"two").await.unwrap();
        far.write_all(b"answer").await.unwrap();
        let mut got = [0; 6];
        wire.read_exact(&mut got[..2]).await.unwrap();
        wire.read_exact(&mut got[2..]).await.unwrap();
        assert_eq!(
            leash.0.traffic(),
            Traffic {
                bytes_up: 6,
                bytes_down: 6,
                round_trips: 1
            }
        );
    }

    #[tokio::test]
    async fn a_dropped_leash_wakes_a_waiting_reader() {
        let (near, _far) = duplex(1024);
        let (mut wire, leash) = Wire::new(near);
        let reading = tokio::spawn(async move { wire.read_u8().await });
        tokio::task::yield_now().await;
        drop(leash);
        let error = reading.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn a_write_that_stands_still_fails() {
        let (near, _far) = duplex(4);
        let (mut wire, _leash) = Wire::with_patience(near, Duration::from_millis(1));
        let error = wire.write_all(b"too much").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
