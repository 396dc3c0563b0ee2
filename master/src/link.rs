//! Frames over a pipe. What the frames mean is [`crate::session`]'s affair.

use std::time::Duration;

use proto::codec::{self, Frame};
use proto::{CodecError, Decoder, FromMinion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::transport::Pipe;

/// The longest message or blob a host may send (T4).
const HOST_LIMIT: usize = 64 << 20;

/// The line to one host's agent.
pub struct Link {
    pipe: Box<dyn Pipe>,
    decoder: Decoder,
    buffer: Vec<u8>,
}

/// The line broke, or the host does not keep to the protocol.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Reading or writing failed.
    #[error("the line broke: {0}")]
    Io(#[from] std::io::Error),
    /// The agent ended without a last frame.
    #[error("the agent ended without an answer{0}")]
    Ended(String),
    /// The host's bytes are no frames of ours.
    #[error("the host broke the protocol: {0}")]
    Codec(#[from] CodecError),
    /// Nothing came for too long.
    #[error("nothing heard for {0} s")]
    Silent(u64),
}

impl Link {
    /// A line over an agent's stdin and stdout.
    pub fn new(pipe: Box<dyn Pipe>) -> Self {
        Self {
            pipe,
            decoder: Decoder::new(HOST_LIMIT),
            buffer: vec![0; 64 << 10],
        }
    }

    /// Sends bytes made by [`codec::control`] and [`codec::blob`].
    ///
    /// # Errors
    /// [`LinkError::Io`].
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.pipe.write_all(bytes).await?;
        self.pipe.flush().await?;
        Ok(())
    }

    /// The next message. The agent sends a sign of life at least every few seconds while it works, so `patience`
    /// bounds silence, not work.
    ///
    /// # Errors
    /// Any [`LinkError`]; the line is of no use after it.
    pub async fn next(&mut self, patience: Duration) -> Result<FromMinion, LinkError> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                match frame {
                    Frame::Control(body) => return Ok(codec::parse(&body)?),
                    // No message of ours makes a host send a blob.
                    Frame::Blob(digest, _) => return Err(CodecError::Damaged(digest).into()),
                }
            }
            let read = timeout(patience, self.pipe.read(&mut self.buffer));
            let count = read.await.map_err(|_| LinkError::Silent(patience.as_secs()))??;
            if count == 0 {
                let words = self.pipe.last_words();
                let words = if words.is_empty() {
                    words
                } else {
                    format!(": {words}")
                };
                return Err(LinkError::Ended(words));
            }
            self.decoder.feed(&self.buffer[..count]);
        }
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}
