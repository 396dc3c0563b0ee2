//! One session, message by message, on a host that lies in a scratch directory.

use super::*;
use crate::live::Live;
use crate::probe::{catalog, chunk};
use crate::scratch::Scratch;
use proto::codec::{Frame, parse};
use proto::frame::BackTo;
use proto::{Decoder, Outcome, Sourced};
use serde_json::json;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// What was said, to be read back.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Heard {
    fn take(&self) -> Vec<FromMinion> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut decoder = Decoder::new(1 << 24);
        decoder.feed(&bytes);
        let mut found = Vec::new();
        while let Some(frame) = decoder.next_frame().expect("our own frames") {
            match frame {
                Frame::Control(body) => found.push(parse(&body).expect("our own words")),
                Frame::Blob(..) => panic!("the agent sends no blobs"),
            }
        }
        found
    }
}

struct Host {
    scratch: Scratch,
    session: Session<Live>,
    heard: Heard,
}

impl Host {
    fn new() -> Self {
        let scratch = Scratch::new();
        #[expect(clippy::disallowed_methods, reason = "tests' own directories")]
        std::fs::create_dir(scratch.path("root")).expect("room");
        let (session, heard) = Self::session(&scratch);
        Self {
            scratch,
            session,
            heard,
        }
    }

    fn session(scratch: &Scratch) -> (Session<Live>, Heard) {
        let journal = Journal::open(&scratch.path("state")).expect("room");
        let system = Live::at(journal.objects().clone(), &scratch.path("root"));
        let heard = Heard::default();
        let line = Line::new(Box::new(heard.clone()));
        (Session::new(journal, system, line, Arc::default()), heard)
    }

    fn again(&mut self) {
        (self.session, self.heard) = Self::session(&self.scratch);
    }

    fn hear(&mut self, said: FromMaster) -> Next {
        self.session.hear(said).expect("the line stands")
    }

    fn hello(&mut self, master: &str, take_over: bool) -> Vec<FromMinion> {
        self.hear(FromMaster::Hello {
            protocol: PROTOCOL,
            master: master.into(),
            attach: None,
            take_over,
            limits: Default::default(),
            known: None,
        });
        self.heard.take()
    }

    /// Says it, and does the run if one is to be started.
    fn ask(&mut self, said: FromMaster) -> Vec<FromMinion> {
        let next = self.hear(said);
        self.follow(next)
    }

    fn blob(&mut self, bytes: &[u8]) -> Vec<FromMinion> {
        let next = self
            .session
            .take(Digest::of(bytes), bytes)
            .expect("the line stands");
        self.follow(next)
    }

    fn follow(&mut self, next: Next) -> Vec<FromMinion> {
        let mut heard = self.heard.take();
        if let Next::Start(task, lock) = next {
            let dir = self.scratch.path("state");
            let journal = Journal::open(&dir).expect("there");
            let mut system = Live::at(journal.objects().clone(), &self.scratch.path("root"));
            let mut tell = |message: &FromMinion| heard.push(message.clone());
            let last = child::perform(&dir, &journal, &mut system, &task, lock, &mut tell);
            heard.push(last.expect("a sound journal"));
        }
        heard
    }
}

fn bytes(catalog: &Catalog) -> Vec<u8> {
    serde_json::to_vec(catalog).expect("a catalog")
}

fn request(catalog: &Catalog, epoch: u64, plan: bool) -> Apply {
    Apply {
        run: format!("run-{epoch}"),
        epoch,
        rev: "r".into(),
        by: "me".into(),
        catalog: Digest::of(bytes(catalog)),
        following: Vec::new(),
        confirm: None,
        plan,
        scope: "*".into(),
        prune: false,
    }
}

/// A file whose contents come as a blob.
fn tree(text: &str) -> (Catalog, Vec<u8>) {
    let content = text.as_bytes().to_vec();
    let mut file = chunk("managed", "/f", json!({"source": "salt://f"}));
    file.id.state = "file".into();
    let source = Sourced::File {
        content: Digest::of(&content),
        size: content.len() as u64,
        mode: 0o644,
    };
    file.sources.insert("salt://f".into(), source);
    (catalog(vec![file]), content)
}

fn name(message: &FromMinion) -> String {
    let value = serde_json::to_value(message).expect("our own words");
    value
        .as_object()
        .and_then(|map| map.keys().next().cloned())
        .unwrap_or_else(|| value.to_string())
}

fn report(heard: &[FromMinion]) -> &proto::Report {
    match heard.last() {
        Some(FromMinion::Report(report)) => report,
        other => panic!("{other:?}"),
    }
}

/// Applies with everything in one flight.
fn apply(host: &mut Host, catalog: &Catalog, content: &[u8], epoch: u64) -> Vec<FromMinion> {
    let mut request = request(catalog, epoch, false);
    request.following = vec![request.catalog, Digest::of(content)];
    assert!(
        host.ask(FromMaster::Apply(request)).is_empty(),
        "its bytes are awaited"
    );
    assert!(host.blob(&bytes(catalog)).is_empty());
    host.blob(content)
}

#[test]
fn hello_comes_first_and_once() {
    let mut host = Host::new();
    assert!(matches!(host.hear(FromMaster::Bye), Next::End));
    assert_eq!(host.heard.take().iter().map(name).collect::<Vec<_>>(), ["fault"]);
    host.again();
    assert_eq!(
        host.hello("m", false).iter().map(name).collect::<Vec<_>>(),
        ["welcome"]
    );
    let again = FromMaster::Hello {
        protocol: PROTOCOL,
        master: "m".into(),
        attach: None,
        take_over: false,
        limits: Default::default(),
        known: None,
    };
    assert!(matches!(host.hear(again), Next::End));
    host.again();
    let other = FromMaster::Hello {
        protocol: 99,
        master: "m".into(),
        attach: None,
        take_over: false,
        limits: Default::default(),
        known: None,
    };
    assert!(matches!(host.hear(other), Next::End));
    assert_eq!(
        host.heard.take().iter().map(name).collect::<Vec<_>>(),
        ["welcome"]
    );
}

#[test]
fn what_is_missing_is_asked_for_and_then_it_goes_on() {
    let mut host = Host::new();
    host.hello("m", false);
    let (catalog, content) = tree("hello");
    let wanted = host.ask(FromMaster::Apply(request(&catalog, 1, false)));
    assert_eq!(wanted, [FromMinion::Want(vec![Digest::of(bytes(&catalog))])]);
    assert_eq!(
        host.blob(&bytes(&catalog)),
        [FromMinion::Want(vec![Digest::of(&content)])]
    );
    let heard = host.blob(&content);
    assert_eq!(
        heard.iter().map(name).collect::<Vec<_>>(),
        ["entry", "entry", "entry", "report"]
    );
    assert_eq!(
        (report(&heard).outcome, report(&heard).generation),
        (Outcome::Changed, 1)
    );
    let heard = host.ask(FromMaster::Apply(request(&catalog, 1, false)));
    assert_eq!(
        heard.iter().map(name).collect::<Vec<_>>(),
        ["entry", "report"],
        "nothing to do: in this very session"
    );
    assert_eq!(
        (report(&heard).outcome, report(&heard).generation),
        (Outcome::Ok, 1)
    );
    assert!(
        matches!(host.session.take(Digest::of("x"), b"x"), Ok(Next::End)),
        "nobody asked for that"
    );
}

#[test]
fn assumptions_that_do_not_hold_are_told_before_anything_is_touched() {
    let mut host = Host::new();
    host.hello("m", false);
    let (mut catalog, content) = tree("hello");
    let question = Question::Read(proto::Address::Path("/g".into()));
    let answer = Answer::Value(proto::Value::Absent);
    let told = Digest::of(serde_json::to_vec(&Answer::Missing).expect("an answer"));
    catalog.assumes = vec![(question.clone(), told)];
    assert_eq!(
        apply(&mut host, &catalog, &content, 1),
        [FromMinion::Stale(vec![(question.clone(), answer.clone())])]
    );
    catalog.assumes[0].1 = Digest::of(serde_json::to_vec(&answer).expect("an answer"));
    assert_eq!(
        report(&apply(&mut host, &catalog, &content, 2)).outcome,
        Outcome::Changed
    );
}

#[test]
fn an_older_or_foreign_master_is_refused_until_it_takes_over() {
    let mut host = Host::new();
    host.hello("m", false);
    let (catalog, content) = tree("one");
    assert_eq!(
        report(&apply(&mut host, &catalog, &content, 5)).outcome,
        Outcome::Changed
    );
    let (other, _) = tree("two");
    let outdated = [FromMinion::Outdated {
        epoch: 5,
        master: "m".into(),
    }];
    assert_eq!(
        host.ask(FromMaster::Apply(request(&other, 5, false))),
        outdated,
        "another catalog of the same epoch"
    );
    assert_eq!(host.ask(FromMaster::Apply(request(&catalog, 4, false))), outdated);
    let back = |epoch| {
        FromMaster::Rollback(Rollback {
            run: "back".into(),
            epoch,
            by: "me".into(),
            to: BackTo::Previous,
            ..Rollback::default()
        })
    };
    assert_eq!(host.ask(back(5)), outdated);
    host.again();
    host.hello("thief", false);
    assert_eq!(host.ask(FromMaster::Apply(request(&catalog, 9, false))), outdated);
    assert_eq!(
        report(&host.ask(FromMaster::Apply(request(&catalog, 9, true)))).outcome,
        Outcome::Ok,
        "it may look"
    );
    host.again();
    host.hello("heir", true);
    assert_eq!(
        report(&host.ask(FromMaster::Apply(request(&catalog, 1, false)))).outcome,
        Outcome::Ok
    );
    let heard = host.ask(back(2));
    assert!(
        matches!(heard.last(), Some(FromMinion::RollbackReport(report)) if report.outcome == Outcome::RolledBack),
        "{heard:?}"
    );
    host.again();
    host.hello("m", false);
    let refused = host.ask(FromMaster::Apply(request(&catalog, 9, false)));
    assert_eq!(
        refused,
        [FromMinion::Outdated {
            epoch: 2,
            master: "heir".into()
        }]
    );
}

#[test]
fn a_run_that_goes_on_makes_others_wait() {
    let mut host = Host::new();
    host.hello("m", false);
    let (catalog, content) = tree("one");
    let lock = Lock::take(&host.scratch.path("state"), "other").expect("free");
    let heard = apply(&mut host, &catalog, &content, 1);
    assert!(
        matches!(&heard[..], [FromMinion::Busy { holder }] if holder.contains("run other")),
        "{heard:?}"
    );
    let planned = host.ask(FromMaster::Apply(request(&catalog, 1, true)));
    assert_eq!(report(&planned).outcome, Outcome::Changed, "a plan needs no lock");
    host.again();
    let attach = Some("other".to_owned());
    host.hear(FromMaster::Hello {
        protocol: PROTOCOL,
        master: "m".into(),
        attach,
        take_over: false,
        limits: Default::default(),
        known: None,
    });
    let welcome = host.heard.take();
    assert!(
        matches!(&welcome[..], [FromMinion::Welcome { running: Some(run), settled: None, .. }] if run == "other")
    );
    assert_eq!(host.session.waiting().as_deref(), Some("other"));
    host.session.attend("other").expect("the line stands");
    assert!(host.session.waiting().is_some(), "it goes on");
    drop(lock);
    host.session.attend("other").expect("the line stands");
    assert!(host.session.waiting().is_none());
    assert_eq!(
        report(&host.ask(FromMaster::Apply(request(&catalog, 1, false)))).outcome,
        Outcome::Changed
    );
}

#[test]
fn a_plan_writes_nothing_but_what_it_was_sent() {
    let mut host = Host::new();
    host.hello("m", false);
    let (catalog, content) = tree("one");
    let mut request = request(&catalog, 1, true);
    request.following = vec![request.catalog, Digest::of(&content)];
    host.ask(FromMaster::Apply(request));
    host.blob(&bytes(&catalog));
    let heard = host.blob(&content);
    assert_eq!(
        (report(&heard).outcome, report(&heard).states[0].result),
        (Outcome::Changed, None)
    );
    let names = |folder: &str| {
        std::fs::read_dir(host.scratch.path(folder))
            .expect("there")
            .count()
    };
    assert_eq!(
        (names("root"), names("state/runs"), names("state/head")),
        (0, 0, 0)
    );
}

#[test]
fn the_change_record_shows_diffs_of_open_files_only() {
    let mut host = Host::new();
    host.hello("m", false);
    let (mut secret, content) = tree("s3cret\n");
    secret.chunks[0].args.insert("mode".into(), json!("0600"));
    apply(&mut host, &secret, &content, 1);
    let (open, content) = tree("hello\n");
    let mut open = open;
    open.chunks[0].id.name = "/g".into();
    apply(&mut host, &open, &content, 2);
    let heard = host.ask(FromMaster::Log {
        limit: 0,
        generation: None,
        diff: true,
    });
    let Some(FromMinion::Generations(list)) = heard.last() else {
        panic!("{heard:?}");
    };
    assert_eq!(
        list.iter()
            .map(|(generation, _)| generation.number)
            .collect::<Vec<_>>(),
        [2, 1]
    );
    assert!(list[0].1[0].1.contains("+hello"), "{:?}", list[0].1);
    assert!(!list[1].1[0].1.contains("s3cret"), "{:?}", list[1].1);
    let one = host.ask(FromMaster::Log {
        limit: 1,
        generation: Some(1),
        diff: false,
    });
    assert!(
        matches!(one.last(), Some(FromMinion::Generations(list)) if list.len() == 1 && list[0].0.number == 1)
    );
}

#[test]
fn questions_commands_and_functions_are_answered() {
    let mut host = Host::new();
    host.hello("m", false);
    let heard = host.ask(FromMaster::Ask(vec![Question::Read(proto::Address::Path(
        "/none".into(),
    ))]));
    assert_eq!(
        heard,
        [FromMinion::Answers(vec![Answer::Value(proto::Value::Absent)])]
    );
    let call = |fun: &str| {
        FromMaster::Call(proto::question::Call {
            fun: fun.into(),
            args: vec![],
            kwargs: Default::default(),
        })
    };
    assert_eq!(
        host.ask(call("test.ping")),
        [FromMinion::Value(Some(json!(true)))]
    );
    assert_eq!(host.ask(call("no.such")), [FromMinion::Value(None)]);
    assert!(matches!(host.hear(FromMaster::Bye), Next::End));
}
