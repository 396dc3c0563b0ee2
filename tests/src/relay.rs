//! A wire of a chosen length: a TCP relay that delays both directions, counts what passes, and can be cut.
//!
//! It stands where the kernel's own means (netem) may be missing, and sees only bytes: what it counts is the same for
//! every program that speaks through it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::TcpStreamExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::os;

/// A relay that listens on a port of 127.0.0.1 for as long as the value lives.
#[derive(Debug)]
pub struct Relay {
    wire: Arc<Wire>,
    port: u16,
}

#[derive(Debug)]
struct Wire {
    to: SocketAddr,
    delay: Duration,
    /// Bytes from the client after which the wire is cut; `u64::MAX` for never.
    cut_at: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
    turns: AtomicU64,
    connections: AtomicU64,
    /// Whether the server was the last to speak.
    answered: AtomicBool,
    closed: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// What has passed a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// Bytes from client to server.
    pub up: u64,
    /// Bytes from server to client.
    pub down: u64,
    /// How often the client spoke after the server had: round trips, for a protocol of question and answer.
    pub turns: u64,
    /// Connections taken.
    pub connections: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

impl Relay {
    /// Listens on a free port and passes everything on to `to`, each direction late by `delay`.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn new(to: SocketAddr, delay: Duration) -> std::io::Result<Relay> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let wire = Arc::new(Wire {
            to,
            delay,
            cut_at: AtomicU64::new(u64::MAX),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            turns: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            answered: AtomicBool::new(true),
            closed: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let taking = wire.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if taking.closed.load(Ordering::SeqCst) {
                    break;
                }
                // A connection that cannot be passed on is closed at once: the client sees a refused host.
                client.and_then(|client| taking.connect(client)).ok();
            }
        });
        Ok(Relay { wire, port })
    }

    /// Port of 127.0.0.1 it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts the wire for good once the client has sent this many bytes more.
    pub fn cut_after(&self, bytes: u64) {
        self.wire
            .cut_at
            .store(self.wire.up.load(Ordering::SeqCst) + bytes, Ordering::SeqCst);
    }

    /// Closes all open connections; new ones are taken.
    pub fn cut(&self) {
        for stream in self.wire.open().drain(..) {
            // Closed by its owner already: as good as cut.
            stream.shutdown(Shutdown::Both).ok();
        }
    }

    /// What has passed since the beginning.
    pub fn passed(&self) -> Passed {
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        let wire = &self.wire;
        Passed {
            up: count(&wire.up),
            down: count(&wire.down),
            turns: count(&wire.turns),
            connections: count(&wire.connections),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.wire.closed.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the thread that takes connections, so that it sees the end.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
    }
}

impl Wire {
    fn open(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(self: &Arc<Self>, client: TcpStream) -> std::io::Result<()> {
        if self.up.load(Ordering::SeqCst) >= self.cut_at.load(Ordering::SeqCst) {
            return Ok(());
        }
        let server = TcpStream::connect(self.to)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        self.connections.fetch_add(1, Ordering::SeqCst);
        self.open().extend([client.try_clone()?, server.try_clone()?]);
        self.pass(Way::Up, client.try_clone()?, server.try_clone()?);
        self.pass(Way::Down, server, client);
        Ok(())
    }

    /// Two threads a direction: one takes bytes with the time they came, one gives them on when their time has come.
    fn pass(self: &Arc<Self>, way: Way, mut from: TcpStream, mut to: TcpStream) {
        let (sender, receiver) = mpsc::sync_channel::<(Instant, Vec<u8>)>(4096);
        let wire = self.clone();
        thread::spawn(move || {
            let mut buffer = vec![0_u8; 65536];
            // An error is an end: the other side learns it as one.
            while let Ok(length) = from.read(&mut buffer) {
                // What the relay puts off acknowledging is no length of the wire; asked for anew each time.
                from.set_quickack(true).ok();
                if way == Way::Up {
                    wire.count(way, length as u64);
                }
                let chunk = (Instant::now() + wire.delay, buffer[..length].to_vec());
                if length == 0 || sender.send(chunk).is_err() {
                    break;
                }
            }
        });
        let wire = self.clone();
        thread::spawn(move || {
            for (due, bytes) in receiver {
                os::hold_until(due);
                // The client cannot answer what has not reached it.
                if way == Way::Down {
                    wire.count(way, bytes.len() as u64);
                }
                if to.write_all(&bytes).is_err() {
                    break;
                }
                if wire.up.load(Ordering::SeqCst) >= wire.cut_at.load(Ordering::SeqCst) {
                    wire.open()
                        .drain(..)
                        .for_each(|stream| _ = stream.shutdown(Shutdown::Both));
                }
            }
            // The receiver may have gone first.
            to.shutdown(Shutdown::Write).ok();
        });
    }

    fn count(&self, way: Way, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let answered = self.answered.swap(way == Way::Down, Ordering::SeqCst);
        match way {
            Way::Up => {
                self.up.fetch_add(bytes, Ordering::SeqCst);
                if answered {
                    self.turns.fetch_add(1, Ordering::SeqCst);
                }
            }
            Way::Down => {
                self.down.fetch_add(bytes, Ordering::SeqCst);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends every chunk back.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let mut buffer = [0; 1024];
                    while let Ok(length) = stream.read(&mut buffer) {
                        if length == 0 || stream.write_all(&buffer[..length]).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        address
    }

    fn ask(stream: &mut TcpStream, text: &[u8]) {
        let mut back = vec![0; text.len()];
        stream.write_all(text).unwrap();
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn questions_are_counted_and_late() {
        let relay = Relay::new(echo(), Duration::from_millis(20)).unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port())).unwrap();
        let start = Instant::now();
        for text in ["one", "two", "three"] {
            ask(&mut stream, text.as_bytes());
        }
        assert!(
            start.elapsed() >= Duration::from_millis(120),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(
            relay.passed(),
            Passed {
                up: 11,
                down: 11,
                turns: 3,
                connections: 1
            }
        );
    }

    #[test]
    fn a_cut_wire_gives_an_end_and_takes_nobody() {
        let relay = Relay::new(echo(), Duration::ZERO).unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port())).unwrap();
        ask(&mut stream, b"before");
        relay.cut_after(4);
        // Whether the cut is seen when writing or when reading is a matter of timing.
        let ended =
            stream.write_all(b"last").is_err() || !matches!(read_all(&mut stream), Ok(length) if length > 4);
        assert!(ended);
        let mut later = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port())).unwrap();
        assert!(!matches!(read_all(&mut later), Ok(length) if length > 0));
    }

    fn read_all(stream: &mut TcpStream) -> std::io::Result<usize> {
        let mut all = Vec::new();
        stream.read_to_end(&mut all)
    }
}
