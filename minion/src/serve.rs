//! A session with the master over standard input and output: bytes, threads and the run of its own.
//!
//! What the frames mean is [`session`]'s affair. A run that has something to change is a process of its own ([`child`]),
//! so that it goes on to its end when the line drops. The agent listens on nothing and speaks only when spoken to (T5).

pub mod child;
pub mod outward;
pub mod session;

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use proto::codec::{Frame, control, parse};
use proto::{Decoder, FromMaster, FromMinion};

use crate::guard::entry::OUTSIDE;
use crate::journal::{Journal, JournalError};
use crate::live::Live;
use session::{Next, Session};

/// Bytes of one message or blob at most (T4).
pub const LIMIT: usize = 64 << 20;
/// The master hears from a working host at least every 10 s.
const SILENCE: Duration = Duration::from_secs(5);

/// Why a session ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The line broke.
    #[error("the session broke: {0}")]
    Line(#[from] io::Error),
    /// The master broke the protocol.
    #[error("the master broke the protocol: {0}")]
    Codec(#[from] proto::CodecError),
}

/// What the session's thread waits for.
enum Event {
    /// A control message.
    Said(Box<FromMaster>),
    /// A blob.
    Blob(proto::Digest, Vec<u8>),
    /// The master closed its end, or broke the protocol.
    Over(Option<ServeError>),
}

/// The way back to the master, shared with the thread that keeps the line alive.
#[derive(Clone)]
pub struct Line(Arc<Mutex<(Box<dyn Write + Send>, Instant)>>);

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Line")
    }
}

impl Line {
    /// A line that writes to `out`.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new((out, Instant::now()))))
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The line is gone.
    pub fn say(&self, message: &FromMinion) -> Result<(), ServeError> {
        self.pass(&control(message)?)
    }

    /// Sends frames as they are.
    ///
    /// # Errors
    /// The line is gone.
    pub(crate) fn pass(&self, bytes: &[u8]) -> Result<(), ServeError> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.0.write_all(bytes)?;
        held.0.flush()?;
        held.1 = Instant::now();
        Ok(())
    }

    fn silent(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.elapsed()
    }
}

/// Serves one session on standard input and output until the master is done.
///
/// # Errors
/// [`ServeError`]; a run that was started goes on.
pub fn serve(dir: &Path) -> Result<(), ServeError> {
    let journal = Journal::open(dir)?.guarded(OUTSIDE);
    let line = Line::new(Box::new(io::stdout()));
    let (sender, events) = channel();
    let cancel = Arc::new(AtomicBool::new(false));
    let heard = cancel.clone();
    thread::spawn(move || listen(&mut io::stdin().lock(), &sender, &heard));
    let working = Arc::new(AtomicBool::new(false));
    keep_alive(line.clone(), working.clone());
    let system = Live::open(journal.objects().clone());
    let mut session = Session::new(journal, system, line.clone(), cancel.clone());
    let mut driver = Driver {
        dir,
        line,
        events,
        cancel,
        working,
    };
    driver.run(&mut session)
}

struct Driver<'a> {
    dir: &'a Path,
    line: Line,
    events: Receiver<Event>,
    cancel: Arc<AtomicBool>,
    working: Arc<AtomicBool>,
}

impl Driver<'_> {
    fn run(&mut self, session: &mut Session<Live>) -> Result<(), ServeError> {
        loop {
            let event = match session.waiting() {
                None if !session.holds() => self.events.recv().unwrap_or(Event::Over(None)),
                waiting => match self.events.recv_timeout(Duration::from_millis(500)) {
                    Ok(event) => event,
                    Err(RecvTimeoutError::Disconnected) => Event::Over(None),
                    Err(RecvTimeoutError::Timeout) => {
                        if let Some(run) = waiting {
                            session.attend(&run)?;
                        }
                        session.let_go();
                        continue;
                    }
                },
            };
            self.working.store(true, Ordering::Relaxed);
            let next = match event {
                Event::Over(None) => return Ok(()),
                Event::Over(Some(error)) => {
                    // It may hear why, if the line still stands.
                    self.line.say(&FromMinion::Fault(error.to_string())).ok();
                    return Err(error);
                }
                Event::Said(said) => session.hear(*said),
                Event::Blob(digest, bytes) => session.take(digest, &bytes),
            };
            match next? {
                Next::Listen => {}
                Next::End => return Ok(()),
                Next::Start(task, lock) => {
                    self.cancel.store(false, Ordering::Relaxed);
                    child::run(self.dir, &task, lock, &self.line, &self.cancel)?;
                }
            }
            self.working.store(false, Ordering::Relaxed);
        }
    }
}

/// Reads frames until the line ends. A wish to cancel is heard while the session is busy.
fn listen(input: &mut dyn Read, events: &Sender<Event>, cancel: &AtomicBool) {
    let mut decoder = Decoder::new(LIMIT);
    let mut buffer = vec![0; 64 << 10];
    let over = loop {
        match input.read(&mut buffer) {
            Ok(0) => break None,
            Ok(count) => decoder.feed(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => break Some(error.into()),
        }
        match drain(&mut decoder, events, cancel) {
            Ok(true) => {}
            // Nobody listens any more.
            Ok(false) => return,
            Err(error) => break Some(error),
        }
    };
    // Nobody listens any more: nothing to tell.
    events.send(Event::Over(over)).ok();
}

fn drain(decoder: &mut Decoder, events: &Sender<Event>, cancel: &AtomicBool) -> Result<bool, ServeError> {
    while let Some(frame) = decoder.next_frame()? {
        let event = match frame {
            Frame::Blob(digest, bytes) => Event::Blob(digest, bytes),
            Frame::Control(body) => match parse(&body)? {
                FromMaster::Cancel => {
                    cancel.store(true, Ordering::Relaxed);
                    continue;
                }
                said => Event::Said(Box::new(said)),
            },
        };
        if events.send(event).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Signs of life while a request is worked on and nothing else is said.
fn keep_alive(line: Line, working: Arc<AtomicBool>) {
    thread::spawn(move || {
        loop {
            thread::sleep(SILENCE);
            let quiet = working.load(Ordering::Relaxed) && line.silent() >= SILENCE;
            if quiet && line.say(&FromMinion::Alive).is_err() {
                return;
            }
        }
    });
}
