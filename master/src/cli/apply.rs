//! `salt-rs apply` and `salt-rs plan`: compile at one commit, then converge, or say what would be done.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;

use super::context::{Context, merged};
use super::options::{Probation, Selection, Targets};
use super::rollback::decided;
use crate::compile::lookup::Secrets;
use crate::failure::{Failure, Kind};
use crate::fleet::{
    Compiler, Converged, Fleet, Gate, Halt, Host, Prepared, Request, Unready, converge, prepare,
};
use crate::ledger::{Open, by};
use crate::report::{HostResult, Mode, RunResult, json, text};
use crate::settings;
use crate::store::{RunHeader, Told};
use proto::{ChunkId, Outcome, StateResult};

/// Compile at one commit and converge hosts
///
/// Without SLS names the highstate of top.sls is applied. All hosts are compiled before the first is touched. A host that
/// is as declared costs one round trip.
///
/// With --batch N at most N hosts are at work at a time, in the order of the roster: the next begins when one has ended.
/// With --failhard besides, none begins once one has failed, was refused or could not be reached; those left are reported
/// as refused, not run, and nothing was changed on them. `--batch 1 --failhard` is the careful way to roll a change out.
///
/// A host that was changed is told over a new connection that the change stays. If it cannot be told within two minutes
/// (--confirm), it takes the run back by itself, also when it was rebooted meanwhile.
#[derive(Debug, Args)]
pub(super) struct Apply {
    #[command(flatten)]
    pub(super) targets: Targets,
    #[command(flatten)]
    selection: Selection,
    /// Change nothing: the same as `salt-rs plan`
    #[arg(long)]
    plan: bool,
    /// Take hosts over that obeyed another master so far
    #[arg(long)]
    take_over: bool,
    /// With --batch: once a host has failed, the hosts that have not begun are not run
    #[arg(long)]
    failhard: bool,
    /// Take back what is left of states that are no longer in the tree, to what was there before them
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    probation: Probation,
}

/// Show exactly what apply would change, with diffs; changes nothing
///
/// A change is *yours* when the tree changed since the host was last told, and *drift* when somebody changed the host since
/// the last run left it. Orphans are what states left on a host that are not in the tree any more.
///
/// Exit status 2 when there are changes to make.
#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) targets: Targets,
    #[command(flatten)]
    selection: Selection,
    /// Show besides what --prune would take back
    #[arg(long)]
    prune: bool,
}

pub(super) fn apply(command: &Apply, context: &Context) -> Result<u8, Failure> {
    let wish = Wish {
        mode: if command.plan || command.selection.test() {
            Mode::Plan
        } else {
            Mode::Apply
        },
        take_over: command.take_over,
        failhard: command.failhard,
        prune: command.prune,
        confirm: command.probation.window(&context.settings),
    };
    run(&command.selection, wish, context)
}

pub(super) fn plan(command: &Plan, context: &Context) -> Result<u8, Failure> {
    let wish = Wish {
        prune: command.prune,
        ..Wish::of(Mode::Plan)
    };
    run(&command.selection, wish, context)
}

/// How a run is wanted, apart from what it is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    /// Apply or plan.
    pub(super) mode: Mode,
    /// Take hosts over that obeyed another master so far.
    pub(super) take_over: bool,
    /// Once a host has failed, none begins.
    pub(super) failhard: bool,
    /// Take orphans back.
    pub(super) prune: bool,
    /// Seconds within which a changed host must be reached again.
    pub(super) confirm: Option<u64>,
}

impl Wish {
    /// Without any of the switches.
    pub(super) const fn of(mode: Mode) -> Self {
        Self {
            mode,
            take_over: false,
            failhard: false,
            prune: false,
            confirm: Some(settings::WINDOW),
        }
    }
}

fn run(selection: &Selection, wish: Wish, context: &Context) -> Result<u8, Failure> {
    let result = perform(selection, wish, context)?;
    if context.screen.json {
        context.screen.document(&json::document(&result));
    } else {
        text::write(&context.screen, &result);
    }
    Ok(result.exit_code())
}

/// The run itself, recorded; what it gave is for the caller to show.
pub(super) fn perform(selection: &Selection, wish: Wish, context: &Context) -> Result<RunResult, Failure> {
    let mode = wish.mode;
    if let Some(key) = selection.unknown_keywords().first() {
        return Err(
            Failure::usage(format!("`{key}=` means nothing here")).hint("test=True and pillar='{…}' do")
        );
    }
    let pillar = selection.pillar()?;
    let sls = selection.sls();
    let exclude = selection
        .keyword("exclude")
        .map(|names| names.split(',').map(str::to_owned).collect())
        .unwrap_or_default();
    // What is remembered of the hosts lies on disk as the tree does: both are read at once.
    let (hosts, compiler) = std::thread::scope(|scope| {
        let compiler = scope.spawn(|| context.compiler(sls.clone(), pillar));
        (context.hosts(), compiler.join())
    });
    let mut hosts = hosts?;
    let waiting = decided::catch_up(context, &mut hosts)?;
    let compiler = compiler.map_err(|_| Failure::bug("reading the tree panicked"))??;
    let compiler = compiler.excluding(exclude);
    let rev = compiler.rev().to_owned();
    let run = context.ledger.new_run()?;
    let compiler = Arc::new(compiler);
    let job = Job {
        request: Request {
            run: run.to_string(),
            rev: rev.clone(),
            by: by(),
            plan: mode == Mode::Plan,
            scope: selection.scope(),
            prune: wish.prune,
            confirm: wish.confirm,
            told: Gate::opened(),
        },
        header: context.header(run, mode, &rev, sls),
        compiler: compiler.clone(),
        take_over: wish.take_over,
        halt: if wish.failhard {
            Halt::on_failure()
        } else {
            Halt::Never
        },
    };
    let (mut hosts, open, epochs) = converge_all(context, hosts, waiting, &job)?;
    cover(compiler.secrets(), &mut hosts);
    let result = RunResult {
        run: job.request.run,
        commit: rev,
        mode,
        hosts,
        target: context.target_text(),
    };
    if let Some(open) = open {
        open.finish(&result, &epochs)?;
    }
    Ok(result)
}

/// Covers decrypted values in what hosts report, before it is shown or recorded (P3).
fn cover(secrets: &Secrets, hosts: &mut [HostResult]) {
    if secrets.is_empty() {
        return;
    }
    for host in hosts {
        for state in &mut host.states {
            secrets.mask(&mut state.name);
            secrets.mask(&mut state.comment);
            state
                .changes
                .values_mut()
                .for_each(|value| secrets.mask_all(value));
            state.warnings.iter_mut().for_each(|text| secrets.mask(text));
        }
        for orphan in &mut host.orphans {
            secrets.mask(&mut orphan.id);
            secrets.mask(&mut orphan.address);
            secrets.mask(&mut orphan.note);
        }
        host.notes.iter_mut().for_each(|text| secrets.mask(text));
        if let Some((cause, _)) = &mut host.error {
            secrets.mask(cause);
        }
    }
}

/// One apply or plan, whatever its hosts.
struct Job {
    request: Request,
    header: RunHeader,
    compiler: Arc<dyn Compiler>,
    take_over: bool,
    halt: Halt,
}

/// What converging gave: results in roster order, the run's open file (a plan has none), each host's epoch.
type Done = (Vec<HostResult>, Option<Open>, BTreeMap<String, u64>);

/// Both phases over all hosts.
fn converge_all(
    context: &Context,
    mut hosts: Vec<Host>,
    waiting: BTreeMap<String, HostResult>,
    job: &Job,
) -> Result<Done, Failure> {
    let order: Vec<String> = hosts.iter().map(|host| host.id.clone()).collect();
    let (runtime, mut fleet, display) = context.fleet(hosts.len())?;
    fleet.take_over = job.take_over;
    let display = runtime.spawn(display);
    hosts.retain(|host| !waiting.contains_key(&host.id));
    let items = hosts.into_iter().map(|host| (host.id.clone(), host)).collect();
    let preparing = fleet.each(items, |fleet, host| prepare(fleet, job.compiler.clone(), host));
    let mut prepared = runtime.block_on(interruptible(preparing))?;
    let (mut ready, mut lost, mut broken) = (Vec::new(), waiting, Vec::new());
    for (id, outcome) in order.iter().filter_map(|id| prepared.remove_entry(id)) {
        match outcome {
            Ok(prepared) => ready.push((id, prepared)),
            Err(Unready::Broken(problems)) => broken.extend(problems),
            Err(Unready::Nothing(sentence)) => {
                lost.insert(id.clone(), nothing(&id, sentence));
            }
            Err(Unready::Trouble(trouble)) => {
                let result =
                    HostResult::without_report(&id, trouble.outcome(), trouble.to_string(), trouble.hint());
                lost.insert(id, result);
            }
        }
    }
    lost.values().for_each(|result| job.halt.note(result));
    if !broken.is_empty() {
        return Err(Failure::of(Kind::Tree, merged(broken)));
    }
    let (open, mut converged) =
        runtime.block_on(interruptible(told_and_done(context, &fleet, job, ready)))??;
    drop(fleet);
    // The display ends with the last sender; it holds nothing that could fail.
    runtime.block_on(display).ok();
    context
        .ledger
        .remember(converged.values().map(|done| &done.host), &context.screen);
    for (id, done) in &converged {
        if let Some(report) = &done.settled {
            context.ledger.settle(id, report, &context.screen)?;
        }
    }
    let epochs = converged
        .iter()
        .map(|(id, done)| (id.clone(), done.host.memory.epoch))
        .collect();
    let results = order
        .into_iter()
        .map(|id| match (converged.remove(&id), lost.remove(&id)) {
            (Some(done), _) => done.result,
            (None, Some(result)) => result,
            (None, None) => {
                let text = "the task for this host ended early: a bug in salt-rs".to_owned();
                HostResult::without_report(&id, Outcome::Unknown, text, None)
            }
        });
    Ok((results.collect(), open, epochs))
}

/// Writes down what each host will be told, connects meanwhile, and converges all.
async fn told_and_done(
    context: &Context,
    fleet: &Fleet,
    job: &Job,
    ready: Vec<(String, Prepared)>,
) -> Result<(Option<Open>, BTreeMap<String, Converged>), Failure> {
    let mut request = job.request.clone();
    let begin = (!request.plan).then(|| {
        let (ledger, header, told) = (context.ledger.clone(), job.header.clone(), told(&ready));
        let (open, gate) = Gate::closed();
        request.told = gate;
        async move {
            let begun = tokio::task::spawn_blocking(move || ledger.begin(header, &told)).await;
            let begun = begun.map_err(|error| Failure::bug(format!("the run file: {error}")))??;
            // Nobody may be left to tell.
            open.send(true).ok();
            Ok(begun)
        }
    });
    let one = |fleet, prepared: Prepared| {
        let (compiler, request, halt) = (job.compiler.clone(), request.clone(), job.halt.clone());
        async move {
            match halt.hold(prepared) {
                Err(held) => *held,
                Ok(prepared) => {
                    let done = converge(fleet, compiler, request, prepared).await;
                    halt.note(&done.result);
                    done
                }
            }
        }
    };
    let converging = async { Ok(fleet.each(ready, one).await) };
    match begin {
        None => Ok((None, converging.await?)),
        Some(begin) => {
            let (open, converged) = tokio::try_join!(begin, converging)?;
            Ok((Some(open), converged))
        }
    }
}

/// Salt's result for a host for which nothing is declared.
fn nothing(id: &str, sentence: &str) -> HostResult {
    let chunk = ChunkId {
        state: "no".into(),
        id: "states".into(),
        name: "states".into(),
        fun: "None".into(),
    };
    let mut state = StateResult::met(&chunk, "");
    state.result = Some(false);
    state.comment = sentence.to_owned();
    let mut result = HostResult::without_report(id, Outcome::Failed, String::new(), None);
    result.states = vec![state];
    result.error = None;
    result
}

/// What each host is about to be told, for the run file.
fn told(ready: &[(String, Prepared)]) -> Vec<Told> {
    let one = |(id, prepared): &(String, Prepared)| Told {
        host: id.clone(),
        epoch: prepared.host.memory.epoch + 1,
        catalog: Some(prepared.cargo.digest.hex()),
        back: None,
    };
    ready.iter().map(one).collect()
}

/// Ends the command on Ctrl-C: the hosts finish what they began, the next command shows what they did.
async fn interruptible<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        done = work => Ok(done),
        _ = tokio::signal::ctrl_c() => {
            let text = "interrupted; hosts that had begun go on, and the next command shows what they did";
            Err(Failure::new(Kind::Interrupted, text))
        }
    }
}
