//! Load: requests at a constant rate, whatever the service does, and a record of what became of each.
//!
//! The loop is open: request number *k* is due at *k / rate* seconds, and its time counts from then, so that a service
//! that stands still is charged for every request that should have been answered meanwhile. Each request has a connection
//! of its own; a connection that fails is a request that failed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::http::{self, Request};
use crate::os;

/// How much, from how many at once, and where to.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The service.
    pub address: SocketAddr,
    /// Requests a second.
    pub rate: f64,
    /// Requests under way at most: what is due while all wait is begun late, and counted as late.
    pub connections: usize,
    /// How long one request may take; longer is failed.
    pub limit: Duration,
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its number.
    pub number: u64,
    /// When it was due, from the start.
    pub due: Duration,
    /// When it ended, from the start.
    pub ended: Duration,
    /// Its status, or why there is none.
    pub answer: Result<u16, String>,
}

impl Sample {
    /// How long a client waited that asked when it was due.
    pub fn latency(&self) -> Duration {
        self.ended.saturating_sub(self.due)
    }

    /// Whether it was answered as it should be: any status below 500. What the service says of the request itself (404)
    /// is an answer; that it cannot answer (503) is none.
    pub fn answered(&self) -> bool {
        self.answer.as_ref().is_ok_and(|status| *status < 500)
    }
}

/// Load that is going on; dropped, it ends.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    load: Load,
    start: Instant,
    next: AtomicU64,
    over: AtomicBool,
    samples: Mutex<Vec<Sample>>,
}

impl Load {
    /// Begins; `script` says what request number *k* asks for.
    pub fn start(self, script: impl Fn(u64) -> Request + Send + Sync + 'static) -> Running {
        let shared = Arc::new(Shared {
            load: self,
            start: Instant::now(),
            next: AtomicU64::new(0),
            over: AtomicBool::new(false),
            samples: Mutex::default(),
        });
        let script = Arc::new(script);
        let worker = |_| {
            let (shared, script) = (shared.clone(), script.clone());
            thread::spawn(move || shared.work(&*script))
        };
        let workers = (0..self.connections.max(1)).map(worker).collect();
        Running { shared, workers }
    }
}

impl Shared {
    fn work(&self, script: &dyn Fn(u64) -> Request) {
        while !self.over.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let due = Duration::from_secs_f64(number as f64 / self.load.rate);
            os::hold_until(self.start + due);
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let answer = http::fetch(self.load.address, &script(number), self.load.limit);
            let sample = Sample {
                number,
                due,
                ended: self.start.elapsed(),
                answer: answer
                    .map(|response| response.status)
                    .map_err(|error| error.to_string()),
            };
            self.samples
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(sample);
        }
    }
}

impl Running {
    /// What has been answered so far, and what not.
    pub fn so_far(&self) -> Tally {
        let samples = self.shared.samples.lock().unwrap_or_else(PoisonError::into_inner);
        Tally::of(samples.clone(), self.shared.start.elapsed())
    }

    /// Lets the requests under way end, begins no more, and says what became of all.
    pub fn finish(mut self) -> Tally {
        let took = self.shared.start.elapsed();
        self.end();
        let mut samples = self.shared.samples.lock().unwrap_or_else(PoisonError::into_inner);
        Tally::of(std::mem::take(&mut *samples), took)
    }

    fn end(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        for worker in self.workers.drain(..) {
            // A worker that panicked has said so; its request is missing from the record.
            worker.join().ok();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// What became of the requests of a load, in the order they were due.
#[derive(Debug, Clone)]
pub struct Tally {
    samples: Vec<Sample>,
    took: Duration,
}

impl Tally {
    /// Of these requests, the last of which was due before `took`.
    pub fn of(mut samples: Vec<Sample>, took: Duration) -> Self {
        samples.sort_by_key(|sample| sample.number);
        Tally { samples, took }
    }

    /// Every request.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// How many were asked.
    pub fn asked(&self) -> usize {
        self.samples.len()
    }

    /// How many were not answered.
    pub fn failed(&self) -> usize {
        self.samples.iter().filter(|sample| !sample.answered()).count()
    }

    /// The reasons of those that failed, and how often each.
    pub fn causes(&self) -> BTreeMap<String, usize> {
        let mut causes = BTreeMap::new();
        for sample in self.samples.iter().filter(|sample| !sample.answered()) {
            let cause = match &sample.answer {
                Ok(status) => format!("status {status}"),
                Err(cause) => cause.clone(),
            };
            *causes.entry(cause).or_insert(0) += 1;
        }
        causes
    }

    /// The longest time between two answers; before the first and after the last, that from the start and to the end.
    pub fn longest_gap(&self) -> Duration {
        let mut ends: Vec<_> = self
            .samples
            .iter()
            .filter(|sample| sample.answered())
            .map(|sample| sample.ended)
            .collect();
        ends.sort();
        let last = ends.last().copied().unwrap_or_default();
        ends.push(self.took.max(last));
        let mut before = Duration::ZERO;
        let gap = |end: Duration| {
            let gap = end - before;
            before = end;
            gap
        };
        ends.into_iter().map(gap).max().unwrap_or(self.took)
    }

    /// The latency that this share (0 to 1) of the answered requests did not exceed; zero where none was answered.
    pub fn percentile(&self, share: f64) -> Duration {
        let answered = self.samples.iter().filter(|sample| sample.answered());
        let mut latencies: Vec<_> = answered.map(Sample::latency).collect();
        latencies.sort();
        let rank = (share.clamp(0.0, 1.0) * latencies.len() as f64).ceil() as usize;
        latencies.get(rank.max(1) - 1).copied().unwrap_or_default()
    }

    /// Requests a second that were begun.
    pub fn rate(&self) -> f64 {
        self.samples.len() as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;

    /// A server that answers reads with 200 and writes with 201, until told otherwise.
    struct Server {
        address: SocketAddr,
        mood: Arc<Mutex<Mood>>,
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Mood {
        Well,
        Unwell,
        Rude,
        Gone,
    }

    impl Server {
        fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let mood = Arc::new(Mutex::new(Mood::Well));
            let shared = mood.clone();
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let (mut stream, mood) = (stream.unwrap(), *shared.lock().unwrap());
                    let mut first = String::new();
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    reader.read_line(&mut first).unwrap();
                    let mut line = String::new();
                    while reader.read_line(&mut line).unwrap() > 2 {
                        line.clear();
                    }
                    let status = match mood {
                        Mood::Gone => return,
                        Mood::Rude => continue,
                        Mood::Unwell => "503 Service Unavailable",
                        Mood::Well if first.starts_with("POST") => "201 Created",
                        Mood::Well => "200 OK",
                    };
                    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nhi");
                    // The client may have given up.
                    stream.write_all(answer.as_bytes()).ok();
                }
            });
            Server { address, mood }
        }

        fn is(&self, mood: Mood) {
            *self.mood.lock().unwrap() = mood;
        }
    }

    fn load(server: &Server) -> Running {
        let load = Load {
            address: server.address,
            rate: 200.0,
            connections: 8,
            limit: Duration::from_secs(5),
        };
        load.start(|number| match number % 10 {
            0 => Request::post("/api/notes", "{}"),
            _ => Request::get("/"),
        })
    }

    fn until(running: &Running, mut wanted: impl FnMut(&Tally) -> bool) {
        let seen = os::wait_for(Duration::from_secs(20), || {
            wanted(&running.so_far()).then_some(())
        });
        assert!(seen.is_some(), "{:?}", running.so_far());
    }

    #[test]
    fn a_service_that_is_well_loses_nothing_and_the_rate_is_kept() {
        let server = Server::new();
        let running = load(&server);
        until(&running, |tally| tally.asked() >= 100);
        let tally = running.finish();
        assert_eq!((tally.failed(), tally.causes().len()), (0, 0));
        let written = tally.samples().iter().filter(|one| one.answer == Ok(201)).count();
        assert!(
            (tally.asked() / 10..=tally.asked() / 10 + 1).contains(&written),
            "{written}"
        );
        // Never faster than asked for; how much slower is the machine's affair.
        assert!(tally.rate() < 220.0, "{}", tally.rate());
        assert!(tally.percentile(0.5) <= tally.percentile(0.99));
        let numbers: Vec<_> = tally.samples().iter().map(|one| one.number).collect();
        assert!(numbers.is_sorted() && numbers[0] == 0);
    }

    #[test]
    fn every_way_to_fail_is_counted_and_named() {
        let server = Server::new();
        let running = load(&server);
        until(&running, |tally| tally.asked() > 5);
        server.is(Mood::Unwell);
        until(&running, |tally| tally.causes().contains_key("status 503"));
        server.is(Mood::Rude);
        let said = |tally: &Tally, text: &str| tally.causes().keys().any(|cause| cause.contains(text));
        until(&running, |tally| said(tally, "broke off"));
        server.is(Mood::Gone);
        until(&running, |tally| said(tally, "cannot connect"));
        let tally = running.finish();
        assert_eq!(tally.causes().values().sum::<usize>(), tally.failed());
        assert!(tally.failed() < tally.asked());
    }

    #[test]
    fn the_gap_is_between_answers_whoever_gave_them() {
        let sample = |number: u64, due: u64, ended: u64, status: u16| Sample {
            number,
            due: Duration::from_millis(due),
            ended: Duration::from_millis(ended),
            answer: Ok(status),
        };
        let samples = vec![
            sample(0, 0, 10, 200),
            sample(1, 100, 110, 404),
            sample(2, 200, 210, 503),
            // Due during the outage, answered after it.
            sample(3, 300, 1310, 200),
            sample(4, 400, 1300, 200),
        ];
        let tally = Tally::of(samples, Duration::from_millis(1500));
        assert_eq!(tally.failed(), 1);
        assert_eq!(tally.longest_gap(), Duration::from_millis(1190));
        assert_eq!(tally.percentile(1.0), Duration::from_millis(1010));
        assert_eq!(tally.percentile(0.5), Duration::from_millis(10));
        let nothing = Tally::of(Vec::new(), Duration::from_secs(3));
        assert_eq!(
            (nothing.longest_gap(), nothing.percentile(0.5)),
            (Duration::from_secs(3), Duration::ZERO)
        );
    }
}
