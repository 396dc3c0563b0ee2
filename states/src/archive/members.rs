//! What an archive holds: found, unpacked into the object store, checked.

use std::collections::BTreeMap;

use proto::question::Unpack;
use proto::{Answer, Args, Meta, Question, Value};

use crate::perms::masked;
use crate::source::{self, Trouble};
use crate::{ArgsExt, Call, Host, Stop, paths};

/// The source as it is called, and all members by relative path, with the directories they need. None in a plan that cannot
/// look into the archive yet.
pub(super) fn members(call: &Call<'_>, host: &Host<'_>) -> Result<(String, BTreeMap<String, Value>), Stop> {
    let args = call.args();
    if args.text("password").is_some() {
        return Err(Stop::failed("encrypted archives (`password`) are not supported"));
    }
    let found = source::find(call, host, None).map_err(|why| match why {
        Trouble::Stop(stop) => stop,
        Trouble::None => Stop::failed("none of the specified sources were found"),
        Trouble::Said(text) => match text.strip_prefix("Local file source ") {
            Some(rest) => {
                let path = rest.trim_end_matches(" does not exist");
                Stop::Failed(format!("Source file '{path}' does not exist"))
            }
            None => Stop::Failed(text),
        },
    })?;
    let unpack = Question::Unpack(Unpack {
        archive: found.content,
        format: format(args, &found.text)?,
        strip: strip(args),
        members: Vec::new(),
    });
    let tree = match source::fetched(host, &found).and_then(|()| host.ask(unpack)) {
        Ok(Answer::Tree(Some(tree))) => tree,
        Ok(_) => return Err(Stop::Failed(format!("{} is not an archive", found.text))),
        // The archive itself is one that an earlier state of the plan makes.
        Err(Stop::Failed(_)) if call.test && source::local(&found.text).is_some() => {
            return Ok((found.text, BTreeMap::new()));
        }
        Err(stop) => return Err(stop),
    };
    let mut members = BTreeMap::new();
    for (path, value) in tree {
        let Some(path) = paths::clean(&format!("/{path}")) else {
            continue;
        };
        let path = path.trim_start_matches('/');
        if path.is_empty() {
            continue;
        }
        for (at, _) in path.match_indices('/') {
            members
                .entry(path[..at].to_owned())
                .or_insert_with(|| Value::Dir {
                    meta: Meta {
                        mode: masked(call, 0o777),
                        ..Meta::default()
                    },
                });
        }
        members.insert(path.to_owned(), value.clone());
    }
    if members.is_empty() {
        return Err(Stop::Failed(format!(
            "No files were extracted from {}",
            found.text
        )));
    }
    Ok((found.text, members))
}

/// `tar` or `zip`.
fn format(args: &Args, source: &str) -> Result<String, Stop> {
    if let Some(format) = args.text("archive_format") {
        let format = format.to_lowercase();
        return match format.as_str() {
            "tar" | "zip" => Ok(format),
            "rar" => Err(Stop::failed("rar archives are not supported")),
            _ => Err(Stop::Failed(format!(
                "Invalid archive_format '{format}'. Either set it to a supported value (tar, rar, zip) or remove this argument and the archive format will be guessed based on file extension."
            ))),
        };
    }
    let name = source.split(['?', '#']).next().unwrap_or(source).to_lowercase();
    const TAR: &[&str] = &[
        ".tar",
        ".tgz",
        ".tbz",
        ".tbz2",
        ".txz",
        ".tlz",
        ".tar.gz",
        ".tar.bz2",
        ".tar.xz",
        ".tar.lz",
        ".tar.lzma",
        ".tar.zst",
    ];
    if TAR.iter().any(|end| name.ends_with(end)) {
        Ok("tar".to_owned())
    } else if name.ends_with(".zip") {
        Ok("zip".to_owned())
    } else {
        Err(Stop::failed(
            "Could not guess archive_format from the value of the 'source' argument. Please set this archive_format to one of the following: tar, rar, zip",
        ))
    }
}

/// Leading components that the options of tar drop.
fn strip(args: &Args) -> u32 {
    let options = args
        .text("options")
        .or_else(|| args.text("tar_options"))
        .unwrap_or_default();
    let Some(at) = options.find("--strip") else {
        return 0;
    };
    let rest = options[at..]
        .trim_start_matches("--strip")
        .trim_start_matches("-components");
    let digits: String = rest
        .trim_start_matches(['=', ' ', '"', '\''])
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or(0)
}

/// An archive that spreads files all over the directory is refused, as in Salt.
pub(super) fn check_toplevel(
    call: &Call<'_>,
    members: &BTreeMap<String, Value>,
    shown: &str,
) -> Result<(), Stop> {
    if !call.args().flag("enforce_toplevel", true) {
        return Ok(());
    }
    let tops = members.iter().filter(|(path, _)| !path.contains('/'));
    let dirs = tops
        .clone()
        .filter(|(_, value)| matches!(value, Value::Dir { .. }))
        .count();
    let files = tops
        .filter(|(_, value)| matches!(value, Value::File { .. }))
        .count();
    if dirs <= 1 && files == 0 {
        return Ok(());
    }
    let format = call
        .args()
        .text("archive_format")
        .unwrap_or_else(|| "tar".to_owned());
    Err(Stop::Failed(format!(
        "Archive does not have a single top-level directory. To allow this archive to be extracted, set 'enforce_toplevel' to False. To avoid a '{format}-bomb' it may also be advisable to set a top-level directory by adding it to the 'name' value (for example, setting 'name' to {shown}some_dir instead of {shown})."
    )))
}
