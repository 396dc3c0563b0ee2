//! `file.managed`: a regular file with given contents, owner and mode.
//!
//! Templates are rendered before this runs: `sources` and `contents` hold the finished bytes.

use super::contents::{check_combination, contents};
use super::place;
use super::put::{Bytes, Wish, attributes_only, plan_file};
use crate::perms::Perms;
use crate::source::{self, Trouble};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};
use proto::{Address, Question, Value};

/// `file.managed`.
#[derive(Debug)]
pub struct Managed;

pub(super) static SPEC: Spec = Spec {
    state: "file",
    fun: "managed",
    doc: "Manage a file: its contents, owner, group and mode.\n\nThe contents come from `source`, `contents` or \
          `contents_pillar`; with none of them only existence and attributes are managed. What is not given stays as it \
          is; a new file gets mode 0644 and belongs to root. Arguments that are not listed here are variables of the \
          template.",
    params: &[
        Param::new(
            "source",
            Kind::Any,
            "Where the contents come from: `salt://…`, an absolute path on the host, or an http(s) URL. Of a list the first that exists.",
        ),
        Param::new(
            "source_hash",
            Kind::Text,
            "Hash a download must have: `sha256=…`, bare hex, or the URL of a file with hashes.",
        ),
        Param::new(
            "source_hash_name",
            Kind::Text,
            "The name to look for in a file of hashes.",
        ),
        Param::new("skip_verify", Kind::Flag, "Accept a download without a hash."),
        Param::new("keep_source", Kind::Flag, "Accepted; sources are kept by digest."),
        Param::new(
            "contents",
            Kind::Any,
            "The contents themselves, or a list of lines. Every line ends with a newline.",
        ),
        Param::new(
            "contents_pillar",
            Kind::Any,
            "Pillar key that holds the contents; of a list all, one after the other.",
        ),
        Param::new("contents_grains", Kind::Any, "Grain that holds the contents."),
        Param::new(
            "contents_newline",
            Kind::Flag,
            "End `contents` with a newline (default true).",
        ),
        Param::new(
            "contents_delimiter",
            Kind::Text,
            "Separates the levels of `contents_pillar` (default `:`).",
        ),
        Param::new(
            "allow_empty",
            Kind::Flag,
            "Accept empty `contents` (default true).",
        ),
        Param::new(
            "template",
            Kind::Text,
            "Render the source with this engine, `jinja` mostly.",
        ),
        Param::new("context", Kind::Map, "Variables of the template."),
        Param::new(
            "defaults",
            Kind::Map,
            "Variables of the template that `context` overrides.",
        ),
        Param::new("user", Kind::Text, "Owner, by name or number."),
        Param::new("group", Kind::Text, "Group, by name or number."),
        Param::new(
            "mode",
            Kind::Mode,
            "Permission bits as octal digits, or `keep` for those of the source.",
        ),
        Param::new("makedirs", Kind::Flag, "Make missing directories above the file."),
        Param::new(
            "dir_mode",
            Kind::Mode,
            "Mode of directories made by `makedirs`; without it `mode` plus x.",
        ),
        Param::new(
            "replace",
            Kind::Flag,
            "Replace the contents of a file that is there (default true).",
        ),
        Param::new(
            "create",
            Kind::Flag,
            "Make the file when it is not there (default true).",
        ),
        Param::new(
            "follow_symlinks",
            Kind::Flag,
            "Manage what a link points to instead of replacing the link (default true).",
        ),
        Param::new("show_changes", Kind::Flag, "Show the diff (default true)."),
        Param::new("new_file_diff", Kind::Flag, "Show the diff of a new file too."),
        Param::new(
            "check_cmd",
            Kind::Text,
            "Command run with the file's path appended before the new contents go live; it must succeed, else nothing is \
             written and the state fails with what it said. It sees the new contents at that path, everybody else still \
             the old ones: `haproxy -c -f`, `visudo -cf`, `nft -c -f`, `promtool check config`. A part of a configuration \
             is checked with its whole: in `'nginx -t #'` the path becomes a comment.",
        ),
        Param::new(
            "tmp_dir",
            Kind::Text,
            "Accepted; the new file is always checked in the directory it is going to.",
        ),
        Param::new("tmp_ext", Kind::Text, "Accepted."),
        Param::new(
            "backup",
            Kind::Text,
            "Accepted; the old contents are always kept by the journal.",
        ),
        Param::new(
            "encoding",
            Kind::Text,
            "Encoding of `contents`: utf-8 (default), ascii or latin-1.",
        ),
        Param::new("encoding_errors", Kind::Text, "Accepted."),
        Param::new(
            "attrs",
            Kind::Text,
            "Accepted; file attributes (chattr) are not managed.",
        ),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

impl State for Managed {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let mode = mode(call)?;
        check_combination(call)?;
        let contents = contents(call, host)?;
        let name = place::name(call, host)?;

        host.expect([Question::Read(Address::Path(name.clone()))]);
        source::expect(call, host);
        let perms = Perms::owner(call, host)?.with_mode(mode);
        let follow = args.flag("follow_symlinks", true);
        let there = if follow {
            place::followed(host, &name)?
        } else {
            place::Place {
                path: name.clone(),
                value: host.path(&name)?,
            }
        };
        let exists = !there.value.is_absent();
        if !args.flag("create", true) && !matches!(there.value, Value::File { .. }) {
            let given = call.name();
            return Ok(Plan::met(format!(
                "File {given} is not present and is not set for creation"
            )));
        }
        if matches!(host_dir(host, &name, there.value)?, Some(())) {
            return Err(Stop::Failed(format!("Specified target {name} is a directory")));
        }
        for (key, what) in [("context", "Context"), ("defaults", "Defaults")] {
            if args.any(key).is_some_and(|value| !value.is_object()) {
                return Err(Stop::Failed(format!("{what} must be formed as a dict")));
            }
        }
        let given = call.name().to_owned();
        let has_source = args.any("source").is_some_and(named) || contents.is_some();
        let replace = has_source && args.flag("replace", true);
        if exists && !replace {
            return attributes_only(call, &given, &there, &perms);
        }
        let bytes = match contents {
            Some(text) => Some(Bytes {
                content: host.keep(text.as_slice()),
                size: text.len() as u64,
                source: None,
            }),
            None if has_source => {
                let live = match there.value {
                    Value::File { content, size, .. } => Some((*content, *size)),
                    _ => None,
                };
                let found = source::find(call, host, live).map_err(|why| untold(call, why))?;
                Some(Bytes {
                    content: found.content,
                    size: found.size,
                    source: Some(found),
                })
            }
            None => None,
        };
        let keep = args.text("mode").as_deref() == Some("keep");
        let kept_mode = bytes
            .as_ref()
            .filter(|_| keep)
            .and_then(|bytes| bytes.source.as_ref()?.mode);
        let wish = Wish {
            given,
            name,
            perms: perms.with_mode(mode.or(kept_mode)),
            bytes,
            dir_mode: args.mode("dir_mode")?,
            makedirs: args.flag("makedirs", false),
            follow,
            above: None,
        };
        plan_file(call, host, &wish)
    }
}

/// Whether `name` leads to a directory.
fn host_dir(host: &Host<'_>, name: &str, value: &Value) -> Result<Option<()>, Stop> {
    let dir = match value {
        Value::Dir { .. } => true,
        Value::Link { .. } => matches!(host.follow(name)?, Value::Dir { .. }),
        _ => false,
    };
    Ok(dir.then_some(()))
}

/// Whether a `source` names any, or is a list that does not.
fn named(source: &serde_json::Value) -> bool {
    source.is_array() || crate::args::truth(source)
}

/// The mode; `keep` is none here.
fn mode(call: &Call<'_>) -> Result<Option<u32>, Stop> {
    let args = call.args();
    let keep = args.text("mode").as_deref() == Some("keep");
    let has_contents = ["contents", "contents_pillar", "contents_grains"]
        .iter()
        .any(|key| args.any(key).is_some());
    if keep && has_contents {
        return Err(Stop::failed(
            "Mode preservation cannot be used in combination with 'contents', 'contents_pillar', or 'contents_grains'",
        ));
    }
    args.mode("mode")
}

/// A source that is not there, in Salt's words.
fn untold(call: &Call<'_>, why: Trouble) -> Stop {
    match why {
        Trouble::Stop(stop) => stop,
        Trouble::Said(text) if call.test => Stop::Failed(text),
        Trouble::Said(text) => Stop::Failed(format!("Unable to manage file: {text}")),
        Trouble::None => Stop::failed("Unable to manage file: none of the specified sources were found"),
    }
}
