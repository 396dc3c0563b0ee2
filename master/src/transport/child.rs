//! A child process as a pipe: its stdin and stdout, with the tail of its stderr for messages.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;
use tokio::time::{Timeout, timeout};

use super::error::tame;
use super::ssh::keep_tail;
use super::{Pipe, Traffic};

/// How long the end of stderr is waited for once stdout has ended. Something started by the child may hold it open.
const GRACE: Duration = Duration::from_secs(1);

/// What went through the pipes of one session.
#[derive(Debug, Default)]
pub(super) struct Moved {
    up: AtomicU64,
    down: AtomicU64,
}

impl Moved {
    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            bytes_up: self.up.load(Relaxed),
            bytes_down: self.down.load(Relaxed),
            round_trips: 0,
        }
    }
}

/// The last words, while they come in and after.
enum Stderr {
    Open(Option<JoinHandle<()>>),
    Ending(Pin<Box<Timeout<JoinHandle<()>>>>),
    Ended,
}

/// A child's stdin and stdout.
pub(super) struct ChildPipe {
    // Whether dropping it ends the program was said when it was started.
    _child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    stderr: Stderr,
    kept: Arc<Mutex<Vec<u8>>>,
    moved: Arc<Moved>,
}

impl ChildPipe {
    /// Takes the three pipes of a child.
    pub(super) fn new(mut child: Child, moved: Arc<Moved>) -> io::Result<Self> {
        let missing = || io::Error::other("the child has no pipe");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let kept = Arc::new(Mutex::new(Vec::new()));
        let reading = tokio::spawn(collect(stderr, Arc::clone(&kept)));
        Ok(Self {
            _child: child,
            stdin: Some(stdin),
            stdout,
            stderr: Stderr::Open(Some(reading)),
            kept,
            moved,
        })
    }

    /// What comes in on stderr, as it is.
    pub(super) fn stderr(&self) -> Arc<Mutex<Vec<u8>>> {
        Arc::clone(&self.kept)
    }

    fn stderr_ended(&mut self, cx: &mut Context<'_>) -> bool {
        if let Stderr::Open(reading) = &mut self.stderr {
            self.stderr = match reading.take() {
                Some(reading) => Stderr::Ending(Box::pin(timeout(GRACE, reading))),
                None => Stderr::Ended,
            };
        }
        if let Stderr::Ending(ending) = &mut self.stderr {
            if ending.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.stderr = Stderr::Ended;
        }
        true
    }
}

async fn collect(mut stderr: ChildStderr, kept: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = [0; 1024];
    while let Ok(n @ 1..) = stderr.read(&mut chunk).await {
        let data = chunk.get(..n).unwrap_or_default();
        keep_tail(&mut kept.lock().unwrap_or_else(PoisonError::into_inner), data);
    }
}

impl AsyncRead for ChildPipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stdout).poll_read(cx, buf);
        let got = buf.filled().len() - before;
        self.moved.down.fetch_add(got as u64, Relaxed);
        // At the end wait for stderr too: it says why.
        let ended = matches!(polled, Poll::Ready(Ok(()))) && got == 0 && buf.remaining() > 0;
        if ended && !self.stderr_ended(cx) {
            return Poll::Pending;
        }
        polled
    }
}

impl AsyncWrite for ChildPipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Some(stdin) = &mut self.stdin else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let polled = Pin::new(stdin).poll_write(cx, buf);
        if let Poll::Ready(Ok(sent)) = &polled {
            self.moved.up.fetch_add(*sent as u64, Relaxed);
        }
        polled
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A pipe ends by being closed.
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}

impl Pipe for ChildPipe {
    fn last_words(&self) -> String {
        tame(&self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
