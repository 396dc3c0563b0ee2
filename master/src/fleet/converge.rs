//! Converging one prepared host.

use std::sync::Arc;

use proto::{Outcome, Report, StateResult};

use super::confirm::{self, Probed, Verdict, confirm};
use super::prepare::{Unready, settle};
use super::{Compiler, Contact, Fleet, Gate, Host, Prepared, Trouble, hear};
use crate::report::HostResult;
use crate::report::progress::{Event, Mark};
use crate::session::{Converge, End, Held, Step};
use crate::transport::Traffic;

/// What is asked of every host of the run.
#[derive(Debug, Clone)]
pub struct Request {
    /// The run's id.
    pub run: String,
    /// Commit, or `worktree+digest`.
    pub rev: String,
    /// `user@host` of the person.
    pub by: String,
    /// Only say what would be done.
    pub plan: bool,
    /// What the catalogs stand for; see [`proto::RunHeader::scope`].
    pub scope: String,
    /// Take back what is left of states that are no longer in the tree.
    pub prune: bool,
    /// Seconds within which a host that changed must be reached again, or it goes back (J11).
    pub confirm: Option<u64>,
    /// Open once it is written down what each host will be told.
    pub told: Gate,
}

/// What a converge leaves behind: the result, the host's memory, and the report of an earlier run heard on the way.
#[derive(Debug)]
pub struct Converged {
    /// For the report.
    pub result: HostResult,
    /// The host, its memory brought up to date.
    pub host: Host,
    /// The result of the run named in the memory's `unsettled`, when it was heard.
    pub settled: Option<Report>,
}

/// Converges one host. Never fails: what goes wrong is the host's result.
pub async fn converge(
    fleet: Fleet,
    compiler: Arc<dyn Compiler>,
    request: Request,
    prepared: Prepared,
) -> Converged {
    let Prepared {
        mut host,
        cargo,
        inputs,
        contact,
        warnings,
    } = prepared;
    let mut settled = None;
    let id = host.id.clone();
    let mut driver = Driver {
        fleet: &fleet,
        compiler: &compiler,
        contact,
        states: Vec::new(),
        compiled: cargo.load.is_some(),
        doubt: None,
    };
    let epoch = host.memory.epoch + 1;
    let ended = driver.drive(&mut host, &request, cargo, &mut settled).await;
    let partial = std::mem::take(&mut driver.states);
    let doubt = matches!(&ended, Err(trouble) if trouble.leaves_doubt());
    let mut result = match ended {
        Ok(end) => of_end(&id, end),
        Err(trouble) => of_trouble(&mut host, &request, trouble, partial),
    };
    result.compiled = driver.compiled;
    result.notes.extend(driver.doubt.take());
    result.notes.extend(warnings.iter().map(ToString::to_string));
    if let Some(contact) = driver.contact.take() {
        result.traffic = contact.traffic();
        result.duration_ms = u64::try_from(contact.since.elapsed().as_millis()).unwrap_or(u64::MAX);
    }
    if let Some(window) = request.confirm.filter(|_| !request.plan)
        && (doubt || result.generation > result.previous_generation)
    {
        let probed = Probed {
            run: request.run.clone(),
            epoch: if doubt { epoch } else { host.memory.epoch },
            window,
            lost: doubt,
        };
        let verdict = confirm(&fleet, &mut host, &probed).await;
        stand(&mut result, &mut host, &probed, verdict);
    }
    if let Some(generation) = result.generation {
        host.memory.generation = Some(generation);
        // Only now is the catalog remembered known to be the one of these inputs.
        host.memory.inputs = Some(inputs);
    }
    fleet.tell(Event::Ended(id, word(result.outcome))).await;
    Converged {
        result,
        host,
        settled,
    }
}

struct Driver<'a> {
    fleet: &'a Fleet,
    compiler: &'a Arc<dyn Compiler>,
    contact: Option<Contact>,
    states: Vec<StateResult>,
    compiled: bool,
    /// Why its journal is not the one that was known (J4).
    doubt: Option<String>,
}

impl Driver<'_> {
    async fn drive(
        &mut self,
        host: &mut Host,
        request: &Request,
        cargo: crate::session::Cargo,
        settled: &mut Option<Report>,
    ) -> Result<End, Trouble> {
        let fleet = self.fleet;
        // The host holds what it was last sent; it asks for what it lost.
        let held = if host.memory.catalog == Some(cargo.digest.hex()) {
            Held::Everything
        } else {
            Held::Nothing
        };
        let chunks = cargo.chunks;
        if chunks > 0 {
            fleet.tell(Event::States(host.id.clone(), chunks)).await;
        }
        let apply = proto::frame::Apply {
            run: request.run.clone(),
            epoch: host.memory.epoch + 1,
            rev: request.rev.clone(),
            by: request.by.clone(),
            catalog: cargo.digest,
            following: Vec::new(),
            plan: request.plan,
            scope: request.scope.clone(),
            prune: request.prune,
            confirm: request.confirm,
        };
        let mut catalog = cargo.digest;
        let mut machine = Converge::new(
            fleet.master.clone(),
            host.memory.unsettled.as_ref().map(ToString::to_string),
            apply,
            cargo,
        )
        .taking_over(fleet.take_over)
        .within(&fleet.limits)
        .knowing(host.memory.head.as_ref().map(|head| head.digest));
        match &mut self.contact {
            Some(contact) => {
                *settled = contact.settled.take();
                let chain = contact.chain.take();
                self.doubt = chain.and_then(|chain| hear(&host.id, &mut host.memory, &chain));
                request.told.clone().pass().await?;
                contact.link.send(&machine.open_greeted(&held)?).await?;
            }
            None => {
                fleet.tell(Event::Step(host.id.clone(), "connecting")).await;
                let (flight, told) = (machine.open(&held)?, request.told.clone());
                self.contact = Some(Contact::open(fleet, host, &flight, told).await?);
            }
        }
        host.memory.agent = Some(fleet.agent.sha256.to_owned());
        fleet.tell(Event::Step(host.id.clone(), "converging")).await;
        loop {
            let Some(contact) = &mut self.contact else {
                return Err(Trouble::Fault("no line".to_owned()));
            };
            let frame = contact.link.next(fleet.patience).await?;
            match machine.hear(frame)? {
                None => {}
                Some(Step::Send(bytes)) => contact.link.send(&bytes).await?,
                Some(Step::State(state)) => self.state(&host.id, *state).await,
                Some(Step::Waits(what)) => fleet.tell(Event::Waits(host.id.clone(), what)).await,
                Some(Step::Settled(report)) => {
                    host.memory.unsettled = None;
                    *settled = Some(*report);
                }
                Some(Step::Recompile(answers)) => {
                    host.memory.answers.extend(answers);
                    let cargo = match settle(fleet, self.compiler, host, &mut self.contact).await {
                        Ok((cargo, _)) => cargo,
                        Err(Unready::Trouble(trouble)) => return Err(trouble),
                        Err(Unready::Nothing(sentence)) => return Ok(End::Fault(sentence.to_owned())),
                        Err(Unready::Broken(problems)) => return Ok(End::Fault(shown(&problems))),
                    };
                    catalog = cargo.digest;
                    self.compiled = true;
                    fleet.tell(Event::States(host.id.clone(), cargo.chunks)).await;
                    let flight = machine.again(cargo)?;
                    if let Some(contact) = &mut self.contact {
                        contact.link.send(&flight).await?;
                    }
                }
                Some(Step::End(end)) => {
                    host.memory.epoch = machine.epoch();
                    if let Some(chain) = machine.chain() {
                        self.doubt = hear(&host.id, &mut host.memory, chain);
                    }
                    if let (End::Report(report), None) = (&end, &self.doubt)
                        && let Some(chain) = &report.chain
                    {
                        host.memory.head = Some(chain.into());
                    }
                    if matches!(end, End::Report(_)) {
                        host.memory.catalog = Some(catalog.hex());
                        host.memory.unsettled = None;
                    }
                    return Ok(end);
                }
            }
        }
    }

    async fn state(&mut self, host: &str, state: StateResult) {
        let mark = match state.result {
            Some(false) if state.state_ran => Mark::Failed,
            Some(true) if state.changes.is_empty() => Mark::Ok,
            Some(false) => Mark::Ok,
            _ => Mark::Changed,
        };
        let name = format!("{}.{} {}", state.state, state.fun, state.id);
        self.states.push(state);
        self.fleet.tell(Event::State(host.to_owned(), name, mark)).await;
    }
}

fn shown(problems: &[crate::compile::diagnostic::Diagnostic]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn of_end(id: &str, end: End) -> HostResult {
    match end {
        End::Report(report) => of_report(id, *report),
        End::Busy(holder) => HostResult::without_report(
            id,
            Outcome::Refused,
            format!("another run holds the host: {holder}"),
            Some("wait for it to end, then run again".to_owned()),
        ),
        End::Foreign { master, epoch } => HostResult::without_report(
            id,
            Outcome::Refused,
            format!("the host obeys another master ({master}, epoch {epoch})"),
            Some("run the command there, or take the host over with --take-over".to_owned()),
        ),
        End::Fault(text) => HostResult::without_report(id, Outcome::Failed, text, None),
    }
}

/// A host's own report as its result.
pub fn of_report(id: &str, report: Report) -> HostResult {
    HostResult {
        host: id.to_owned(),
        outcome: report.outcome,
        generation: Some(report.generation),
        previous_generation: Some(report.previous_generation),
        duration_ms: report.duration_ms,
        states: report.states,
        error: None,
        notes: report.notes,
        compiled: false,
        traffic: Traffic::default(),
        peak_rss_kib: report.peak_rss_kib,
        cpu_ms: report.cpu_ms,
        orphans: report.orphans,
        conflicts: Vec::new(),
    }
}

/// A result once it is known whether the run stays.
fn stand(result: &mut HostResult, host: &mut Host, probed: &Probed, verdict: Verdict) {
    match verdict {
        Verdict::Kept(report, notes) => {
            if let Some(report) = report {
                // The line broke, and the run went on to its end.
                let (traffic, compiled) = (result.traffic, result.compiled);
                let mut warnings = std::mem::take(&mut result.notes);
                *result = of_report(&host.id, *report);
                (result.traffic, result.compiled) = (traffic, compiled);
                result.notes.append(&mut warnings);
                host.memory.unsettled = None;
            }
            result.notes.extend(notes);
        }
        Verdict::TakenBack(standing, cause) => {
            result.outcome = Outcome::RolledBack;
            result.generation = Some(standing.generation);
            result.notes.extend(standing.notes);
            let help = "what it did is in `salt-rs log`; --confirm sets another time, --no-confirm none";
            result.error = Some((confirm::taken_back(probed.window, &cause), Some(help.to_owned())));
        }
        Verdict::Lost(cause) if !probed.lost => {
            let (text, help) = confirm::lost(probed.window, &cause);
            result.outcome = Outcome::Unknown;
            result.error = Some((text, Some(help)));
        }
        // The broken line has been told.
        Verdict::Lost(_) | Verdict::Never => {}
    }
}

fn of_trouble(host: &mut Host, request: &Request, trouble: Trouble, states: Vec<StateResult>) -> HostResult {
    let outcome = match &trouble {
        Trouble::Link(_) | Trouble::Session(_) if !request.plan => Outcome::Unknown,
        // A plan leaves nothing in doubt.
        trouble => trouble.outcome(),
    };
    if outcome == Outcome::Unknown && trouble.leaves_doubt() {
        // The run file says so too; from there it is remembered.
        host.memory.epoch += 1;
    }
    let mut result = HostResult::without_report(&host.id, outcome, trouble.to_string(), trouble.hint());
    result.states = states;
    result
}

/// The outcome's word for people.
const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Changed => "changed",
        Outcome::Failed => "failed",
        Outcome::Unreachable => "unreachable",
        Outcome::Unknown => "unknown",
        Outcome::Refused => "refused",
        Outcome::RolledBack => "rolled back",
    }
}
