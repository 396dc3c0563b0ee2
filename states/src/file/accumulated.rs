//! `file.accumulated`: texts that several states gather for one file.
//!
//! Gathering is done when the tree is compiled: the templates of `file.managed` see `accumulator`, and
//! `file.blockreplace` looks at the states of this kind that it requires.

use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `file.accumulated`.
#[derive(Debug)]
pub struct Accumulated;

static SPEC: Spec = Spec {
    state: "file",
    fun: "accumulated",
    doc: "Gather texts for a file that another state manages.\n\nA `file.managed` of that name sees them in its template as \
          `accumulator['NAME']`; a `file.blockreplace` of that name adds them to its block. This state must be \
          `require_in` or `watch_in` of it.",
    params: &[
        Param::required("filename", Kind::Text, "The file they are for."),
        Param::required(
            "text",
            Kind::Any,
            "A text, or a list of texts; none stands twice.",
        ),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

impl State for Accumulated {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        let (args, name) = (call.args(), call.name());
        if args.any("text").is_none() {
            return Err(Stop::failed("No text supplied for accumulator"));
        }
        if !call.related.iter().any(|chunk| chunk.id.state == "file") {
            return Err(Stop::Failed(format!(
                "Orphaned accumulator {name} in {}:{}",
                call.chunk.sls, call.chunk.id.id
            )));
        }
        let file = args.text("filename").unwrap_or_default();
        Ok(Plan::met(format!(
            "Accumulator {name} for file {file} was charged by text"
        )))
    }
}

/// The texts gathered for `file` by the states this one is related to, accumulator by accumulator.
pub(super) fn gathered(call: &Call<'_>) -> Vec<String> {
    let ours = |chunk: &&&proto::Chunk| {
        chunk.id.state == "file"
            && chunk.id.fun == "accumulated"
            && chunk.args.text("filename").as_deref() == Some(call.name())
    };
    let mut gathered: Vec<(&str, Vec<String>)> = Vec::new();
    for chunk in call.related.iter().filter(ours) {
        let name = chunk.id.name.as_str();
        let at = gathered.iter().position(|(known, _)| *known == name);
        let at = at.unwrap_or_else(|| {
            gathered.push((name, Vec::new()));
            gathered.len() - 1
        });
        for item in chunk.args.texts("text") {
            if !gathered[at].1.contains(&item) {
                gathered[at].1.push(item);
            }
        }
    }
    gathered.into_iter().flat_map(|(_, lines)| lines).collect()
}
