//! The master's side of a converge, sans-IO: frames in, bytes and events out.
//!
//! The first flight holds everything the host is expected to need, so that nothing to do is one round trip. A stale
//! assumption or a missing blob costs one more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto::codec::{blob, control};
use proto::frame::{Apply, Chain, Limits, PROTOCOL};
use proto::{
    Answer, Catalog, CodecError, Digest, Entry, FromMaster, FromMinion, Question, Report, StateResult,
};

/// A catalog as it travels, with the bytes it names.
#[derive(Debug, Clone)]
pub struct Cargo {
    /// Digest of the catalog's JSON, which is its name.
    pub digest: Digest,
    /// How many chunks it has, for progress; 0 when it was not compiled.
    pub chunks: usize,
    /// Its bytes and the contents it names; `None` when its inputs are those of the catalog the host holds already, so
    /// that it was not compiled again.
    pub load: Option<Load>,
}

/// The bytes of a catalog and of what it names.
#[derive(Debug, Clone)]
pub struct Load {
    /// The catalog's JSON.
    pub catalog: Arc<[u8]>,
    /// Contents by digest.
    pub blobs: Arc<BTreeMap<Digest, Arc<[u8]>>>,
}

impl Cargo {
    /// Packs a catalog.
    ///
    /// # Errors
    /// It cannot be written as JSON (a bug).
    pub fn pack(catalog: &Catalog, blobs: BTreeMap<Digest, Arc<[u8]>>) -> Result<Self, CodecError> {
        let bytes: Arc<[u8]> = serde_json::to_vec(catalog)?.into();
        Ok(Self {
            digest: Digest::of(&bytes),
            chunks: catalog.chunks.len(),
            load: Some(Load {
                catalog: bytes,
                blobs: Arc::new(blobs),
            }),
        })
    }

    /// The catalog a host holds, made from the same inputs.
    pub const fn held(digest: Digest) -> Self {
        Self {
            digest,
            chunks: 0,
            load: None,
        }
    }
}

/// What the driver has to do next.
#[derive(Debug)]
pub enum Step {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Compile (with these answers, which differ from those assumed) and call [`Converge::again`].
    Recompile(Vec<(Question, Answer)>),
    /// A state ended.
    State(Box<StateResult>),
    /// What the run waits for.
    Waits(String),
    /// The report of an earlier run whose result was never heard.
    Settled(Box<Report>),
    /// It is over.
    End(End),
}

/// How a converge ended.
#[derive(Debug)]
pub enum End {
    /// With a report.
    Report(Box<Report>),
    /// Another run holds the host's lock.
    Busy(String),
    /// The host obeys another master (T8).
    Foreign {
        /// That master's identity.
        master: String,
        /// The epoch it gave.
        epoch: u64,
    },
    /// The host cannot; its words.
    Fault(String),
}

/// The protocol was broken, by either side.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A frame that has no place here.
    #[error("unexpected {0} from the host")]
    Unexpected(&'static str),
    /// The host asks for bytes the catalog does not name.
    #[error("the host asks for {0}, which its catalog does not name")]
    Unknown(Digest),
    /// Other versions on the two sides.
    #[error("the agent speaks protocol {0}, this master {PROTOCOL}")]
    Version(u32),
    /// A bug: a message that cannot be written.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// One converge with one host.
#[derive(Debug)]
pub struct Converge {
    master: String,
    attach: Option<String>,
    request: Apply,
    cargo: Cargo,
    sent: BTreeSet<Digest>,
    renumbered: bool,
    take_over: bool,
    limits: Limits,
    known: Option<Digest>,
    chain: Option<Chain>,
}

impl Converge {
    /// A converge towards `cargo`; `request.catalog` and `request.following` are set here.
    pub fn new(master: String, attach: Option<String>, request: Apply, cargo: Cargo) -> Self {
        Self {
            master,
            attach,
            request,
            cargo,
            sent: BTreeSet::new(),
            renumbered: false,
            take_over: false,
            limits: Limits::default(),
            known: None,
            chain: None,
        }
    }

    /// Tells the host what it may keep, and how long it may wait.
    #[must_use]
    pub fn within(mut self, limits: &Limits) -> Self {
        self.limits.clone_from(limits);
        self
    }

    /// Makes the host obey this master, whichever it obeyed before.
    #[must_use]
    pub const fn taking_over(mut self, take_over: bool) -> Self {
        self.take_over = take_over;
        self
    }

    /// Tells the host where its journal ended when it was last heard of (J4).
    #[must_use]
    pub const fn knowing(mut self, known: Option<Digest>) -> Self {
        self.known = known;
        self
    }

    /// The first flight on a new line: greeting, request, and all the host may lack.
    ///
    /// # Errors
    /// [`SessionError::Codec`].
    pub fn open(&mut self, held: &Held) -> Result<Vec<u8>, SessionError> {
        let mut flight = greeting(
            &self.master,
            self.attach.clone(),
            self.take_over,
            &self.limits,
            self.known,
        )?;
        flight.extend(self.apply(held)?);
        Ok(flight)
    }

    /// The first flight on a line whose greeting is done.
    ///
    /// # Errors
    /// [`SessionError::Codec`].
    pub fn open_greeted(&mut self, held: &Held) -> Result<Vec<u8>, SessionError> {
        self.apply(held)
    }

    /// The request anew, after the driver compiled again.
    ///
    /// # Errors
    /// [`SessionError::Codec`].
    pub fn again(&mut self, cargo: Cargo) -> Result<Vec<u8>, SessionError> {
        self.cargo = cargo;
        // What it lacks of the new one is little and not known: it will ask.
        self.apply(&Held::Everything)
    }

    fn apply(&mut self, held: &Held) -> Result<Vec<u8>, SessionError> {
        self.request.catalog = self.cargo.digest;
        let mut blobs: Vec<(Digest, Arc<[u8]>)> = Vec::new();
        if let (Held::Nothing, Some(load)) = (held, &self.cargo.load) {
            blobs.push((self.cargo.digest, load.catalog.clone()));
            blobs.extend(load.blobs.iter().map(|(digest, bytes)| (*digest, bytes.clone())));
        }
        blobs.retain(|(digest, _)| self.sent.insert(*digest));
        self.request.following = blobs.iter().map(|(digest, _)| *digest).collect();
        let mut flight = control(&FromMaster::Apply(self.request.clone()))?;
        for (digest, bytes) in blobs {
            flight.extend(blob(&digest, &bytes));
        }
        Ok(flight)
    }

    /// Takes what the host said.
    ///
    /// # Errors
    /// [`SessionError`]: the host, or this master, does not keep to the protocol.
    pub fn hear(&mut self, frame: FromMinion) -> Result<Option<Step>, SessionError> {
        Ok(Some(match frame {
            FromMinion::Welcome { protocol, .. } if protocol != PROTOCOL => {
                return Err(SessionError::Version(protocol));
            }
            FromMinion::Welcome { settled, chain, .. } => {
                self.chain = chain;
                match settled {
                    Some(report) => Step::Settled(Box::new(report)),
                    None => return Ok(None),
                }
            }
            FromMinion::Alive => return Ok(None),
            FromMinion::Want(digests) => self.supply(&digests)?,
            FromMinion::Stale(answers) => Step::Recompile(answers),
            FromMinion::Outdated { epoch, master } if master == self.master && !self.renumbered => {
                // Our own store forgot how far it was; the host remembers.
                self.renumbered = true;
                self.request.epoch = epoch + 1;
                Step::Send(self.apply(&Held::Everything)?)
            }
            FromMinion::Outdated { epoch, master } => Step::End(End::Foreign { master, epoch }),
            FromMinion::Busy { holder } => Step::End(End::Busy(holder)),
            FromMinion::Entry(Entry::State(result)) => Step::State(Box::new(result)),
            FromMinion::Entry(Entry::Waiting(what)) => Step::Waits(what),
            FromMinion::Entry(_) => return Ok(None),
            FromMinion::Report(report) => Step::End(End::Report(Box::new(report))),
            FromMinion::Fault(text) => Step::End(End::Fault(text)),
            FromMinion::Answers(_) => return Err(SessionError::Unexpected("answers")),
            FromMinion::RollbackReport(_) => return Err(SessionError::Unexpected("rollback report")),
            FromMinion::Standing(_) => return Err(SessionError::Unexpected("standing")),
            FromMinion::Generations(_) => return Err(SessionError::Unexpected("generations")),
            FromMinion::Output(_) => return Err(SessionError::Unexpected("output")),
            FromMinion::Value(_) => return Err(SessionError::Unexpected("value")),
        }))
    }

    fn supply(&self, digests: &[Digest]) -> Result<Step, SessionError> {
        // It lost what it held, or never had it whole.
        let Some(load) = &self.cargo.load else {
            return Ok(Step::Recompile(Vec::new()));
        };
        let mut flight = Vec::new();
        for digest in digests {
            let bytes = if *digest == self.cargo.digest {
                &load.catalog
            } else {
                load.blobs.get(digest).ok_or(SessionError::Unknown(*digest))?
            };
            flight.extend(blob(digest, bytes));
        }
        Ok(Step::Send(flight))
    }

    /// The epoch in force, for the store.
    pub const fn epoch(&self) -> u64 {
        self.request.epoch
    }

    /// Where the host's journal ended at the greeting, if it said so.
    pub const fn chain(&self) -> Option<&Chain> {
        self.chain.as_ref()
    }

    /// How many chunks the catalog has.
    pub const fn chunks(&self) -> usize {
        self.cargo.chunks
    }
}

/// What the host is believed to hold of a catalog's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It had this very catalog before: send nothing, it will ask for what it lost.
    Everything,
    /// Not known: send all along.
    Nothing,
}

/// The greeting that opens a session.
///
/// # Errors
/// [`CodecError`] (a bug).
pub fn greeting(
    master: &str,
    attach: Option<String>,
    take_over: bool,
    limits: &Limits,
    known: Option<Digest>,
) -> Result<Vec<u8>, CodecError> {
    control(&FromMaster::Hello {
        protocol: PROTOCOL,
        master: master.to_owned(),
        attach,
        take_over,
        limits: limits.clone(),
        known,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::codec::Frame;
    use proto::{Decoder, Outcome};

    fn frames(bytes: &[u8]) -> Vec<String> {
        let mut decoder = Decoder::new(1 << 20);
        decoder.feed(bytes);
        let mut names = Vec::new();
        while let Some(frame) = decoder.next_frame().expect("our own frames") {
            names.push(match frame {
                Frame::Control(body) => {
                    let value: serde_json::Value = serde_json::from_slice(&body).expect("our own JSON");
                    value
                        .as_object()
                        .and_then(|map| map.keys().next().cloned())
                        .unwrap_or_default()
                }
                Frame::Blob(digest, _) => digest.short(),
            });
        }
        names
    }

    fn converge() -> Converge {
        let blob: Arc<[u8]> = b"content".to_vec().into();
        let cargo =
            Cargo::pack(&Catalog::default(), BTreeMap::from([(Digest::of(&blob), blob)])).expect("a catalog");
        let request = Apply {
            run: "R".into(),
            epoch: 3,
            rev: "c".into(),
            by: "me".into(),
            catalog: cargo.digest,
            following: Vec::new(),
            plan: false,
            confirm: None,
            scope: String::new(),
            prune: false,
        };
        Converge::new("m".into(), None, request, cargo)
    }

    #[test]
    fn a_known_host_gets_one_small_flight() {
        let mut converge = converge();
        assert_eq!(
            frames(&converge.open(&Held::Everything).expect("a flight")),
            ["hello", "apply"]
        );
    }

    #[test]
    fn a_new_host_gets_everything_in_the_first_flight_and_nothing_twice() {
        let mut converge = converge();
        let flight = frames(&converge.open(&Held::Nothing).expect("a flight"));
        assert_eq!(flight.len(), 4);
        let cargo = converge.cargo.clone();
        assert_eq!(frames(&converge.again(cargo).expect("a flight")), ["apply"]);
    }

    #[test]
    fn wanted_blobs_are_supplied_and_unknown_ones_refused() {
        let mut converge = converge();
        let known = Digest::of("content");
        let step = converge
            .hear(FromMinion::Want(vec![known]))
            .expect("known")
            .expect("a step");
        assert!(matches!(step, Step::Send(bytes) if frames(&bytes) == [known.short()]));
        let unknown = FromMinion::Want(vec![Digest::of("other")]);
        assert!(matches!(converge.hear(unknown), Err(SessionError::Unknown(_))));
    }

    #[test]
    fn what_was_not_compiled_is_compiled_when_the_host_lost_it() {
        let mut converge = converge();
        converge.cargo.load = None;
        assert_eq!(
            frames(&converge.open(&Held::Nothing).expect("a flight")),
            ["hello", "apply"]
        );
        let step = converge.hear(FromMinion::Want(vec![converge.cargo.digest]));
        assert!(matches!(step, Ok(Some(Step::Recompile(answers))) if answers.is_empty()));
    }

    #[test]
    fn our_own_lost_epoch_is_taken_up_once_and_a_foreign_one_never() {
        let mut ours = converge();
        let outdated = |master: &str| FromMinion::Outdated {
            epoch: 9,
            master: master.into(),
        };
        assert!(matches!(ours.hear(outdated("m")), Ok(Some(Step::Send(_)))));
        assert_eq!(ours.epoch(), 10);
        assert!(matches!(
            ours.hear(outdated("m")),
            Ok(Some(Step::End(End::Foreign { .. })))
        ));
        assert!(matches!(
            converge().hear(outdated("x")),
            Ok(Some(Step::End(End::Foreign { epoch: 9, .. })))
        ));
    }

    #[test]
    fn a_report_ends_it() {
        let report = Report {
            run: "R".into(),
            outcome: Outcome::Ok,
            generation: 1,
            previous_generation: 1,
            states: Vec::new(),
            duration_ms: 1,
            notes: Vec::new(),
            peak_rss_kib: 0,
            cpu_ms: 0,
            orphans: Vec::new(),
            chain: None,
        };
        let step = converge().hear(FromMinion::Report(report)).expect("in place");
        assert!(matches!(step, Some(Step::End(End::Report(_)))));
    }
}
