//! Bytes to frames and back: `u32` length (big endian), `u8` kind, body. No I/O, every length checked first (T4).
//!
//! Kinds: 0 the end of a JSON message, 3 a part of one that goes on, 2 a part of a blob (digest, `u8` last, bytes).

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Digest;

/// No frame is longer than this, header included.
pub const MAX_FRAME: usize = 1 << 20;
/// Bytes of a blob in one frame at most.
pub const BLOB_PART: usize = 256 << 10;
const HEADER: usize = 5;
const JSON: u8 = 0;
const BLOB: u8 = 2;
const JSON_PART: u8 = 3;

/// A decoded frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of a control message.
    Control(Vec<u8>),
    /// A whole blob, put together from its parts and checked.
    Blob(Digest, Vec<u8>),
}

/// The peer broke the protocol; the session is over.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// A frame announces more than [`MAX_FRAME`].
    #[error("a frame of {0} bytes is longer than the limit of {MAX_FRAME}")]
    TooLong(usize),
    /// An unknown kind.
    #[error("unknown frame kind {0}")]
    Kind(u8),
    /// Parts add up to more than the session allows.
    #[error("more than {0} bytes in one message")]
    Total(usize),
    /// A blob's bytes do not have its digest.
    #[error("blob {0} arrived damaged")]
    Damaged(Digest),
    /// Too short for what it says it is.
    #[error("a frame is cut short")]
    Short,
    /// Not the JSON of a known message.
    #[error("not a message of this protocol: {0}")]
    Json(#[from] serde_json::Error),
}

/// A control message as frames: one, or several parts when it is long.
///
/// # Errors
/// [`CodecError::Json`] when the value cannot be written as JSON.
pub fn control<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    Ok(message_of(&serde_json::to_vec(message)?))
}

/// The bytes of a control message as frames, to pass on what was read.
pub fn message_of(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + HEADER);
    let mut parts = body.chunks(BLOB_PART).peekable();
    while let Some(part) = parts.next() {
        let kind = if parts.peek().is_some() { JSON_PART } else { JSON };
        push(&mut bytes, kind, &[part]);
    }
    bytes
}

/// A blob as frames of at most [`BLOB_PART`] bytes each.
pub fn blob(digest: &Digest, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 64);
    if bytes.is_empty() {
        push(&mut out, BLOB, &[digest.bytes(), &[1]]);
    }
    let mut parts = bytes.chunks(BLOB_PART).peekable();
    while let Some(part) = parts.next() {
        let last = u8::from(parts.peek().is_none());
        push(&mut out, BLOB, &[digest.bytes(), &[last], part]);
    }
    out
}

fn push(out: &mut Vec<u8>, kind: u8, pieces: &[&[u8]]) {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    out.extend_from_slice(&((length + 1) as u32).to_be_bytes());
    out.push(kind);
    for piece in pieces {
        out.extend_from_slice(piece);
    }
}

/// Reads a control message's bytes.
///
/// # Errors
/// [`CodecError::Json`] when it is none of `T`; nesting is limited to 128 by the parser.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, CodecError> {
    Ok(serde_json::from_slice(body)?)
}

/// Puts bytes that arrive in any pieces together to frames.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
    message: Vec<u8>,
    blob: Option<(Digest, Vec<u8>)>,
    limit: usize,
}

impl Decoder {
    /// A decoder that takes messages and blobs of at most `limit` bytes each.
    pub const fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            message: Vec::new(),
            blob: None,
            limit,
        }
    }

    /// Takes what arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The session must end on any: the stream cannot be trusted after it.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, CodecError> {
        loop {
            let pending = &self.buffer[self.start..];
            let Some(header) = pending.get(..HEADER) else {
                return Ok(None);
            };
            let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
            if length == 0 {
                return Err(CodecError::Short);
            }
            if length > MAX_FRAME {
                return Err(CodecError::TooLong(length));
            }
            let kind = header[4];
            let Some(body) = pending.get(HEADER..HEADER + length - 1) else {
                return Ok(None);
            };
            let body = body.to_vec();
            self.start += HEADER + length - 1;
            if let Some(frame) = self.take(kind, &body)? {
                return Ok(Some(frame));
            }
        }
    }

    fn take(&mut self, kind: u8, body: &[u8]) -> Result<Option<Frame>, CodecError> {
        match kind {
            JSON | JSON_PART => {
                if self.message.len() + body.len() > self.limit {
                    return Err(CodecError::Total(self.limit));
                }
                self.message.extend_from_slice(body);
                Ok((kind == JSON).then(|| Frame::Control(std::mem::take(&mut self.message))))
            }
            BLOB => {
                let (digest, rest) = body.split_at_checked(32).ok_or(CodecError::Short)?;
                let (last, part) = rest.split_first().ok_or(CodecError::Short)?;
                let digest = Digest::from_bytes(digest.try_into().map_err(|_| CodecError::Short)?);
                let (name, mut bytes) = self.blob.take().unwrap_or_else(|| (digest, Vec::new()));
                if name != digest {
                    return Err(CodecError::Damaged(name));
                }
                if bytes.len() + part.len() > self.limit {
                    return Err(CodecError::Total(self.limit));
                }
                bytes.extend_from_slice(part);
                if *last == 0 {
                    self.blob = Some((digest, bytes));
                    return Ok(None);
                }
                if Digest::of(&bytes) == digest {
                    Ok(Some(Frame::Blob(digest, bytes)))
                } else {
                    Err(CodecError::Damaged(digest))
                }
            }
            other => Err(CodecError::Kind(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_of_the_stream_gives_the_same_frames() {
        let big = vec![7u8; BLOB_PART * 2 + 3];
        let digest = Digest::of(&big);
        let mut stream = control(&"x".repeat(BLOB_PART + 10)).expect("a text");
        stream.extend(blob(&digest, &big));
        stream.extend(blob(&Digest::of(""), b""));
        stream.extend(control(&serde_json::json!({"a": 1})).expect("a value"));
        for step in [1, 7, 4096, stream.len()] {
            let mut decoder = Decoder::new(MAX_FRAME);
            let mut frames = Vec::new();
            for piece in stream.chunks(step) {
                decoder.feed(piece);
                while let Some(frame) = decoder.next_frame().expect("well-formed") {
                    frames.push(frame);
                }
            }
            assert_eq!(frames.len(), 4, "step {step}");
            assert_eq!(frames[1], Frame::Blob(digest, big.clone()));
        }
    }

    #[test]
    fn hostile_lengths_are_refused_before_anything_is_kept() {
        let mut decoder = Decoder::new(1000);
        decoder.feed(&u32::MAX.to_be_bytes());
        decoder.feed(&[0]);
        assert!(matches!(decoder.next_frame(), Err(CodecError::TooLong(_))));
        let mut decoder = Decoder::new(10);
        decoder.feed(&control(&"x".repeat(100)).expect("a text"));
        assert!(matches!(decoder.next_frame(), Err(CodecError::Total(10))));
        let mut decoder = Decoder::new(1000);
        decoder.feed(&blob(&Digest::of("a"), b"b"));
        assert!(matches!(decoder.next_frame(), Err(CodecError::Damaged(_))));
        let mut decoder = Decoder::new(1000);
        decoder.feed(&[0, 0, 0, 1, 9]);
        assert!(matches!(decoder.next_frame(), Err(CodecError::Kind(9))));
    }
}
