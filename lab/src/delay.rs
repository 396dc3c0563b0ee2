//! A slow cable: every frame is held for a while, in each direction, and none is overtaken by a later one.
//!
//! Kernels for small machines have no netem, so the frames go through this process: the slow cable ends at one TAP
//! interface, the lab's bridge at another, and threads carry frames between the two. A TAP gets whole frames with their
//! checksums done, broadcasts and multicasts among them, so whatever works on a bridge works here.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tun_tap::{Iface, Mode};

use crate::LabError;
use crate::os::{self, OsError};
use crate::process::Pid;

/// Longest frame that is carried, a tag for a virtual network included.
const FRAME: usize = 2048;
/// Frames under way in one direction; what comes when there are more is lost, as in any queue.
const QUEUE: usize = 16_384;

/// A pair of TAP interfaces with a way between them. It ends when the interfaces are removed.
#[derive(Debug)]
pub(crate) struct Delay {
    /// Microseconds in each direction.
    way: Arc<AtomicU64>,
}

/// A frame and the moment it is due.
type Held = (Instant, Vec<u8>);

impl Delay {
    /// Makes the interfaces `near` and `far` in the network namespace of a process, and begins to carry frames.
    pub(crate) fn between(anchor: Pid, near: &str, far: &str, way: Duration) -> Result<Self, LabError> {
        let (near, far) = taps(anchor, near, far).map_err(|source| OsError::File {
            verb: "make a network interface with",
            path: "/dev/net/tun".into(),
            source,
        })?;
        let delay = Delay { way: Arc::default() };
        delay.set(way);
        let (near, far) = (Arc::new(near), Arc::new(far));
        for (from, to) in [(&near, &far), (&far, &near)] {
            let (held, due) = sync_channel(QUEUE);
            let (from, to, way) = (from.clone(), to.clone(), delay.way.clone());
            thread::spawn(move || take(&from, &held, &way));
            thread::spawn(move || give(&due, &to));
        }
        Ok(delay)
    }

    /// Changes how long a frame takes, for those that come from now on.
    pub(crate) fn set(&self, way: Duration) {
        let micros = u64::try_from(way.as_micros()).unwrap_or(u64::MAX);
        self.way.store(micros, Ordering::Relaxed);
    }

    /// How long a frame takes.
    pub(crate) fn way(&self) -> Duration {
        Duration::from_micros(self.way.load(Ordering::Relaxed))
    }
}

/// An interface belongs to the namespace of the thread that makes it: one that does nothing else goes there.
fn taps(anchor: Pid, near: &str, far: &str) -> io::Result<(Iface, Iface)> {
    let make = || {
        let namespace = File::open(format!("/proc/{anchor}/ns/net"))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        let tap = |name: &str| Iface::without_packet_info(name, Mode::Tap);
        Ok((tap(near)?, tap(far)?))
    };
    thread::scope(|scope| {
        let made = scope.spawn(make).join();
        made.unwrap_or_else(|what| std::panic::resume_unwind(what))
    })
}

/// Takes frames in until the interface is gone, and notes when each is due.
fn take(from: &Iface, held: &SyncSender<Held>, way: &AtomicU64) {
    let mut frame = [0; FRAME];
    loop {
        match from.recv(&mut frame) {
            Ok(length) => {
                let due = Instant::now() + Duration::from_micros(way.load(Ordering::Relaxed));
                // A full queue loses the frame.
                held.try_send((due, frame[..length].to_vec())).ok();
            }
            // An interface that is not up yet has nothing to read.
            Err(error) if error.raw_os_error() == Some(EIO) || error.kind() == io::ErrorKind::Interrupted => {
                os::hold_until(Instant::now() + Duration::from_millis(1));
            }
            Err(_) => return,
        }
    }
}

/// Input/output error.
const EIO: i32 = 5;

/// Gives frames on when they are due, until nobody takes any in.
fn give(due: &Receiver<Held>, to: &Iface) {
    for (moment, frame) in due {
        os::hold_until(moment);
        // An interface that is down or gone loses them, as a cable would.
        to.send(&frame).ok();
    }
}
