//! Compiling for one host: with what is remembered of it, and by asking it where that is not enough.

use std::collections::BTreeSet;
use std::sync::Arc;

use proto::codec::control;
use proto::{FromMaster, FromMinion, Question};
use serde_json::{Map, Value as Json};

use super::{Contact, Fleet, Host, Trouble};
use crate::compile::diagnostic::Diagnostic;
use crate::report::progress::Event;
use crate::session::{Cargo, SessionError};

/// How often a host is asked before the template is taken to ask without end. The number is the depth of data
/// dependence (an answer that decides the next question), normally one.
pub(super) const ROUNDS: usize = 16;

/// What compiling gave.
#[derive(Debug)]
pub enum Compiled {
    /// A catalog with the bytes it names, warnings, and what the host tells the mine.
    Ready(Cargo, Vec<Diagnostic>, Map<String, Json>),
    /// Nothing is declared for this host; Salt's sentence.
    Nothing(&'static str),
    /// Answers are missing.
    Ask(BTreeSet<Question>),
    /// The tree does not compile for this host.
    Broken(Vec<Diagnostic>),
}

/// Compiles one host's catalog. Pure but for its own cache; called on the blocking pool.
pub trait Compiler: Send + Sync {
    /// Compiles for a host with the answers it is remembered to have given.
    fn compile(&self, host: &Host) -> Compiled;

    /// Names everything but the host's answers that a catalog for it is made from. Equal names give equal catalogs as
    /// long as the host's answers hold, which the host itself verifies.
    fn inputs(&self, host: &Host) -> String;
}

/// A host that is ready to be converged.
#[derive(Debug)]
pub struct Prepared {
    /// The host, its memory brought up to date.
    pub host: Host,
    /// Its catalog.
    pub cargo: Cargo,
    /// Names what the catalog was made from.
    pub inputs: String,
    /// The line to it, when it had to be asked.
    pub contact: Option<Contact>,
    /// Things worth knowing.
    pub warnings: Vec<Diagnostic>,
}

/// Why a host is not ready.
#[derive(Debug)]
pub enum Unready {
    /// The tree does not compile for it.
    Broken(Vec<Diagnostic>),
    /// Nothing is declared for it; Salt's sentence.
    Nothing(&'static str),
    /// It could not be asked.
    Trouble(Trouble),
}

/// Compiles for one host, asking it as often as needed.
///
/// # Errors
/// [`Unready`].
pub async fn prepare(fleet: Fleet, compiler: Arc<dyn Compiler>, mut host: Host) -> Result<Prepared, Unready> {
    let mut contact = None;
    fleet.tell(Event::Step(host.id.clone(), "compiling")).await;
    let mut inputs = compiler.inputs(&host);
    let held = host
        .memory
        .catalog
        .as_deref()
        .and_then(|digest| digest.parse().ok());
    let (cargo, warnings) = match held {
        Some(digest) if host.memory.inputs.as_ref() == Some(&inputs) => (Cargo::held(digest), Vec::new()),
        _ => {
            let made = settle(&fleet, &compiler, &mut host, &mut contact).await?;
            // Only now is it known whether the master's own sources had a say.
            inputs = compiler.inputs(&host);
            made
        }
    };
    Ok(Prepared {
        host,
        cargo,
        inputs,
        contact,
        warnings,
    })
}

/// Compiles until nothing is left to ask.
pub(super) async fn settle(
    fleet: &Fleet,
    compiler: &Arc<dyn Compiler>,
    host: &mut Host,
    contact: &mut Option<Contact>,
) -> Result<(Cargo, Vec<Diagnostic>), Unready> {
    for _ in 0..ROUNDS {
        match compile(compiler, host).await? {
            Compiled::Ready(cargo, warnings, mine) => {
                host.memory.mine = mine;
                return Ok((cargo, warnings));
            }
            Compiled::Nothing(sentence) => return Err(Unready::Nothing(sentence)),
            Compiled::Broken(problems) => return Err(Unready::Broken(problems)),
            Compiled::Ask(questions) => {
                let questions: Vec<_> = questions.into_iter().collect();
                ask(fleet, host, contact, questions)
                    .await
                    .map_err(Unready::Trouble)?;
            }
        }
    }
    let text = format!(
        "the tree asked {} {ROUNDS} times and still has questions",
        host.id
    );
    Err(Unready::Broken(vec![
        Diagnostic::error(text).with_help("a template asks something new on every pass"),
    ]))
}

async fn compile(compiler: &Arc<dyn Compiler>, host: &Host) -> Result<Compiled, Unready> {
    let (compiler, host) = (compiler.clone(), host.clone());
    let compiled = tokio::task::spawn_blocking(move || compiler.compile(&host));
    compiled
        .await
        .map_err(|error| Unready::Broken(vec![Diagnostic::error(format!("the compiler panicked: {error}"))]))
}

/// Asks a host, connecting on first need, and remembers its answers.
///
/// # Errors
/// Any [`Trouble`].
pub async fn ask(
    fleet: &Fleet,
    host: &mut Host,
    contact: &mut Option<Contact>,
    questions: Vec<Question>,
) -> Result<(), Trouble> {
    let open = match contact {
        Some(open) => open,
        None => {
            fleet.tell(Event::Step(host.id.clone(), "connecting")).await;
            let open = Contact::greet(fleet, host).await?;
            host.memory.agent = Some(fleet.agent.sha256.to_owned());
            contact.insert(open)
        }
    };
    open.link
        .send(&control(&FromMaster::Ask(questions.clone()))?)
        .await?;
    let told = loop {
        match open.link.next(fleet.patience).await? {
            // It is still looking.
            FromMinion::Alive => {}
            told => break told,
        }
    };
    match told {
        FromMinion::Answers(answers) if answers.len() == questions.len() => {
            host.memory.answers.extend(questions.into_iter().zip(answers));
            Ok(())
        }
        FromMinion::Fault(text) => Err(Trouble::Fault(text)),
        _ => Err(SessionError::Unexpected("frame in place of answers").into()),
    }
}
