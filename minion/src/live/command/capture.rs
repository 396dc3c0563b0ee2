//! What a program says: read as it comes by one thread per stream, kept up to 1 MiB as head and tail.

use std::collections::VecDeque;
use std::io::Read;
use std::process::{ChildStderr, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes kept from the beginning, and as many from the end.
const HALF: usize = 512 << 10;

#[derive(Debug, Default)]
struct Stream {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
    last: Option<Instant>,
}

impl Stream {
    fn take(&mut self, mut bytes: &[u8]) {
        self.last = Some(Instant::now());
        let room = HALF - self.head.len();
        if room > 0 {
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.head.extend_from_slice(now);
            bytes = later;
        }
        self.tail.extend(bytes);
        let over = self.tail.len().saturating_sub(HALF);
        self.tail.drain(..over);
        self.dropped += over as u64;
    }

    fn text(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.head);
        if self.dropped > 0 {
            bytes.extend_from_slice(format!("\n[{} bytes left out]\n", self.dropped).as_bytes());
        }
        bytes.extend(std::mem::take(&mut self.tail));
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        text.truncate(text.trim_end_matches(['\n', '\r']).len());
        text
    }
}

/// Both streams of a running program.
#[derive(Debug)]
pub(super) struct Capture {
    out: Arc<Mutex<Stream>>,
    err: Arc<Mutex<Stream>>,
    ended: Receiver<()>,
    open: std::cell::Cell<u32>,
    nap: std::cell::Cell<Duration>,
}

impl Capture {
    pub(super) fn start(out: Option<ChildStdout>, err: Option<ChildStderr>) -> Self {
        let (done, ended) = channel();
        let open = u32::from(out.is_some()) + u32::from(err.is_some());
        Self {
            out: follow(out, done.clone()),
            err: follow(err, done),
            ended,
            open: std::cell::Cell::new(open),
            nap: std::cell::Cell::new(Duration::from_micros(500)),
        }
    }

    /// Waits a little: until a stream ends, which is when programs usually do, or a growing while.
    pub(super) fn pause(&self, deadline: Option<Instant>) {
        let nap = self.nap.get();
        self.nap.set((nap * 2).min(Duration::from_millis(20)));
        let nap = deadline.map_or(nap, |deadline| {
            nap.min(deadline.saturating_duration_since(Instant::now()))
        });
        if self.open.get() == 0 {
            std::thread::sleep(nap);
        } else if self.ended.recv_timeout(nap).is_ok() {
            self.open.set(self.open.get() - 1);
            self.nap.set(Duration::from_micros(100));
        }
    }

    /// The texts, once both streams have ended or said nothing for `silence`: a daemon may keep them open for ever.
    pub(super) fn finish(self, silence: Duration) -> (String, String) {
        let since = Instant::now();
        while self.open.get() > 0 {
            match self.ended.recv_timeout(silence / 10) {
                Ok(()) => self.open.set(self.open.get() - 1),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let last = [&self.out, &self.err]
                        .into_iter()
                        .filter_map(|stream| stream.lock().unwrap_or_else(PoisonError::into_inner).last)
                        .max()
                        .map_or(since, |last| last.max(since));
                    let quiet = last.elapsed() >= silence;
                    if quiet || since.elapsed() >= silence * 10 {
                        break;
                    }
                }
            }
        }
        let text = |stream: &Mutex<Stream>| stream.lock().unwrap_or_else(PoisonError::into_inner).text();
        (text(&self.out), text(&self.err))
    }
}

/// Reads a stream to its end on a thread of its own, which outlives the command when something keeps the pipe open.
fn follow(source: Option<impl Read + Send + 'static>, done: Sender<()>) -> Arc<Mutex<Stream>> {
    let stream = Arc::new(Mutex::new(Stream::default()));
    if let Some(mut source) = source {
        let shared = Arc::clone(&stream);
        std::thread::spawn(move || {
            let mut buffer = [0; 16 << 10];
            loop {
                match source.read(&mut buffer) {
                    Ok(count) if count > 0 => {
                        shared
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .take(&buffer[..count]);
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    _ => break,
                }
            }
            // Nobody listens any more when the command was given up.
            done.send(()).ok();
        });
    }
    stream
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_goes() {
        let mut stream = Stream::default();
        stream.take(&vec![b'a'; HALF - 1]);
        stream.take(b"bc");
        stream.take(&vec![b'd'; HALF]);
        stream.take(b"\n\n");
        let text = stream.text();
        assert!(text.starts_with("aaa") && text.ends_with("ddd"));
        assert!(
            text.contains("b\n[3 bytes left out]\n"),
            "{}",
            &text[HALF - 5..HALF + 40]
        );
    }
}
