//! State functions for tests of the loop: each does plainly what its arguments say.

use proto::{
    Act, Address, Catalog, Chunk, ChunkId, Command, Options, Package, Poke, Requisite, RequisiteKind, Value,
};
use serde_json::{Value as Json, json};
use states::plan::one;
use states::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict};

macro_rules! spec {
    ($name:ident, $fun:literal, $params:expr) => {
        static $name: Spec = Spec {
            state: "probe",
            fun: $fun,
            doc: "A probe for tests.",
            params: $params,
            free: true,
            watch: true,
            undo: Undo::Exact,
        };
    };
}

spec!(
    SET,
    "set",
    &[Param::required("all", Kind::List, "Pairs of address and value.")]
);
spec!(RUN, "run", &[]);
spec!(SAY, "say", &[]);
spec!(NEED, "need", &[]);

/// `probe.set`: assigns `all` = `[[address, value], …]`; its watch action restarts `unit`.
struct Set;
/// `probe.run`: runs the command `name`, with `undo` and `touches`.
struct Run;
/// `probe.say`: `result`, `changes`, nothing done.
struct Say;
/// `probe.need`: fails unless the path `name` is there.
struct Need;

impl State for Set {
    fn spec(&self) -> &'static Spec {
        &SET
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let all: Vec<(Address, Value)> = call
            .args()
            .any("all")
            .and_then(|all| serde_json::from_value(all.clone()).ok())
            .ok_or_else(|| Stop::failed("bad probe"))?;
        host.expect(all.iter().map(|(at, _)| proto::Question::Read(at.clone())));
        let mut acts = Vec::new();
        let mut changes = serde_json::Map::new();
        for (at, to) in all {
            let live = host.read(at.clone())?;
            if !crate::meets::meets(&to, live) {
                changes.insert(at.to_string(), json!("set"));
                acts.push(Act::assign(at, live.clone(), to));
            }
        }
        if acts.is_empty() {
            return Ok(Plan::met("as declared"));
        }
        Ok(Plan::change(acts, changes, "set").or_would("would set", None))
    }

    fn on_watch(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        let unit = call.args().text("unit").unwrap_or_default();
        let watched: Vec<String> = call
            .watched
            .iter()
            .map(|id| format!("{}: {}", id.state, id.id))
            .collect();
        let acts = if unit.is_empty() {
            Vec::new()
        } else {
            vec![Act::Poke {
                unit,
                how: Poke::Restart,
            }]
        };
        Ok(Plan::change(acts, one("watched", watched), "restarted"))
    }
}

impl State for Run {
    fn spec(&self) -> &'static Spec {
        &RUN
    }

    fn plan(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        let command = |text: String| Command {
            argv: vec![text],
            ..Command::default()
        };
        let act = Act::Run {
            command: command(call.name().to_owned()),
            undo: call.args().text("undo").map(command),
            verify: None,
            touches: call.args().texts("touches"),
        };
        Ok(Plan::change(vec![act], one("ran", true), "ran").or_would("would run", None))
    }
}

impl State for Say {
    fn spec(&self) -> &'static Spec {
        &SAY
    }

    fn plan(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        let changed = call.args().flag("changes", false);
        let changes = if changed {
            one("said", true)
        } else {
            serde_json::Map::new()
        };
        let verdict = match call.args().any("result") {
            Some(Json::Bool(false)) => Verdict::Failed,
            _ if changed => Verdict::WouldChange,
            _ => Verdict::ByActs,
        };
        let plan = Plan::change(Vec::new(), changes, "said");
        Ok(Plan { verdict, ..plan })
    }

    fn on_watch(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        let watched: Vec<String> = call.watched.iter().map(|id| id.id.clone()).collect();
        Ok(Plan::change(Vec::new(), one("watched", watched), "fired"))
    }
}

impl State for Need {
    fn spec(&self) -> &'static Spec {
        &NEED
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        if host.follow(call.name())?.is_absent() {
            return Err(Stop::failed(format!("{} is not there", call.name())));
        }
        Ok(Plan::met("there"))
    }
}

/// The probes by name.
pub(crate) fn find(state: &str, fun: &str) -> Option<&'static dyn State> {
    let all: [&'static dyn State; 4] = [&Set, &Run, &Say, &Need];
    all.into_iter()
        .find(|probe| probe.spec().state == state && probe.spec().fun == fun)
}

/// A chunk `probe.fun` of sls `s`, named as its id.
pub(crate) fn chunk(fun: &str, id: &str, args: Json) -> Chunk {
    Chunk {
        id: ChunkId {
            state: "probe".into(),
            id: id.into(),
            name: id.into(),
            fun: fun.into(),
        },
        sls: "s".into(),
        args: args.as_object().cloned().unwrap_or_default(),
        needs: Vec::new(),
        options: Options::default(),
        sources: Default::default(),
        check_only: false,
        slots: Vec::new(),
    }
}

/// `probe.set` of some values.
pub(crate) fn set(id: &str, all: &[(Address, Value)]) -> Chunk {
    chunk("set", id, json!({ "all": all }))
}

/// Adds a requisite.
pub(crate) fn needs(mut chunk: Chunk, kind: RequisiteKind, on: &[usize]) -> Chunk {
    chunk.needs.push(Requisite {
        kind,
        on: on.to_vec(),
    });
    chunk
}

/// A catalog of these chunks.
pub(crate) fn catalog(chunks: Vec<Chunk>) -> Catalog {
    Catalog {
        chunks,
        ..Catalog::default()
    }
}

/// A path address.
pub(crate) fn path(path: &str) -> Address {
    Address::Path(path.to_owned())
}

/// A package as wanted: the candidate.
pub(crate) fn package() -> Value {
    Value::Package(Package::default())
}
