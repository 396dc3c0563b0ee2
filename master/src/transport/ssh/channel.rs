//! One SSH channel as a byte stream, with the tail of stderr and the exit status kept for messages.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Connection;
use crate::transport::Pipe;
use crate::transport::error::tame;

/// How much of stderr is kept.
const STDERR_MAX: usize = 8 * 1024;

type Wait = Pin<Box<dyn Future<Output = (ChannelReadHalf, Option<ChannelMsg>)> + Send>>;

enum Reading {
    /// Waiting for the next message.
    Wait(Wait),
    /// After the end.
    Ended,
}

/// A channel as a pipe. Dropping it closes the channel; the connection lives as long as any of its pipes.
pub(super) struct ChannelPipe {
    reading: Reading,
    left: Vec<u8>,
    taken: usize,
    stderr: Vec<u8>,
    exit: Option<String>,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    half: Option<ChannelWriteHalf<Msg>>,
    connection: Arc<Connection>,
}

impl ChannelPipe {
    pub(super) fn new(channel: Channel<Msg>, connection: Arc<Connection>) -> Self {
        let (reader, half) = channel.split();
        let writer = Box::pin(half.make_writer());
        Self {
            reading: Reading::Wait(wait(reader)),
            left: Vec::new(),
            taken: 0,
            stderr: Vec::new(),
            exit: None,
            writer,
            half: Some(half),
            connection,
        }
    }
}

fn wait(mut half: ChannelReadHalf) -> Wait {
    Box::pin(async move {
        let message = half.wait().await;
        (half, message)
    })
}

/// Keeps the end of what was written to stderr.
pub(crate) fn keep_tail(kept: &mut Vec<u8>, data: &[u8]) {
    kept.extend_from_slice(data);
    let over = kept.len().saturating_sub(STDERR_MAX);
    kept.drain(..over);
}

impl AsyncRead for ChannelPipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let left = self.left.get(self.taken..).unwrap_or_default();
            if !left.is_empty() {
                let n = left.len().min(buf.remaining());
                buf.put_slice(left.get(..n).unwrap_or_default());
                self.taken += n;
                return Poll::Ready(Ok(()));
            }
            let Reading::Wait(next) = &mut self.reading else {
                return Poll::Ready(Ok(()));
            };
            let (half, message) = ready!(next.as_mut().poll(cx));
            // The end of stdout is not the end of the channel: the exit status comes behind it, and is worth having
            // before the reader sees the end.
            self.reading = match message {
                None | Some(ChannelMsg::Close) => Reading::Ended,
                Some(message) => {
                    self.take(message);
                    Reading::Wait(wait(half))
                }
            };
        }
    }
}

impl ChannelPipe {
    fn take(&mut self, message: ChannelMsg) {
        match message {
            ChannelMsg::Data { data } => {
                self.left = data.to_vec();
                self.taken = 0;
            }
            ChannelMsg::ExtendedData { data, .. } => keep_tail(&mut self.stderr, &data),
            ChannelMsg::ExitStatus { exit_status: 0 } => {}
            ChannelMsg::ExitStatus { exit_status } => self.exit = Some(format!("exit status {exit_status}")),
            ChannelMsg::ExitSignal { signal_name, .. } => {
                self.exit = Some(tame(format!("killed by {signal_name:?}").as_bytes()));
            }
            _ => {}
        }
    }
}

impl AsyncWrite for ChannelPipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.writer.as_mut().poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_shutdown(cx)
    }
}

impl Pipe for ChannelPipe {
    fn last_words(&self) -> String {
        let said = tame(&self.stderr);
        match (&self.exit, said.is_empty()) {
            (None, _) => said,
            (Some(exit), true) => exit.clone(),
            (Some(exit), false) => format!("{said} ({exit})"),
        }
    }
}

impl Drop for ChannelPipe {
    fn drop(&mut self) {
        let (Some(half), Ok(runtime)) = (self.half.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let connection = Arc::clone(&self.connection);
        runtime.spawn(async move {
            // A connection that is gone has no channel left to close.
            let _ = half.close().await;
            drop(connection);
        });
    }
}
