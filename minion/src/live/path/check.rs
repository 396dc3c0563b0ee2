//! Programs see staged files where they are going to be, before they are there (J10).
//!
//! The questions are asked in a mount namespace of their own, in which the directories concerned are overlaid (copied, where
//! the host cannot overlay) and the staged values lie at their real paths: whatever includes them is checked with all of
//! them, and complaints name the path people know. Nothing outside sees any of it, and it ends with the last process in it.
//! Where a host does not allow that, only a state's own check is run, on the staged file beside its place.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use proto::{Act, Command, Digest, Problem, Value};

use super::walk::Place;
use crate::live::{Live, command, refused};
use crate::readers::{self, Reader};
use crate::system::{Aside, Verified};
use command::quoted;

/// Exit codes of the script from here on are the numbers of refusing questions.
const REFUSED: i32 = 100;
/// The script cannot make things look as they will be.
const IMPOSSIBLE: &str = "exit 99";
/// How long programs may look, in seconds.
const PATIENCE: u64 = 120;
/// A directory that cannot be overlaid is copied when it has at most so many entries.
const COPIED: u32 = 500;

/// One question.
struct Ask {
    /// Words for the message; `None` for a state's own check.
    words: Option<&'static str>,
    /// A line of shell.
    line: String,
}

impl Live {
    /// See [`crate::system::System::verify`].
    pub(crate) fn verify_paths(&self, acts: &[Act], aside: &Aside) -> Result<Verified, Problem> {
        let mut asks = self.asks(acts);
        let mut notes = Vec::new();
        let unshared = self.root == Path::new("/") && self.has_program("unshare");
        while unshared && !asks.is_empty() {
            let broken = |error| refused(format!("cannot make a directory to check files in: {error}"));
            let scratch = self.staging("check").map_err(broken)?;
            let script = self.script(&scratch, acts, aside, &asks).map_err(broken);
            let words = [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "--",
                "/bin/sh",
                "-c",
            ];
            let mut argv: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            argv.push(". \"$0\"".to_owned());
            argv.push(scratch.join("script").to_string_lossy().into_owned());
            let said = script.and_then(|()| {
                self.run(&Command {
                    argv,
                    timeout: Some(PATIENCE),
                    ..Command::default()
                })
            });
            self.unstage("check");
            let said = said?;
            if said.code == 0 && !said.timed_out {
                return Ok(Verified { checked: true, notes });
            }
            let Some(number) = usize::try_from(said.code - REFUSED)
                .ok()
                .filter(|number| *number < asks.len())
            else {
                break;
            };
            let text = [said.stdout.trim(), said.stderr.trim()].join("\n");
            let Some(words) = asks[number].words else {
                return Err(refused(
                    format!("check_cmd execution failed\n{}", text.trim()).trim_end(),
                ));
            };
            if aside.fresh {
                notes.push(format!(
                    "{words} refuses this; it goes live all the same, as packages came in this run and what is missing may follow: {}",
                    text.trim()
                ));
                asks.remove(number);
                continue;
            }
            // What is wrong already is not the fault of this change, and there is nothing to keep running.
            let now = self.run(&Command {
                timeout: Some(PATIENCE),
                ..Command::sh(&asks[number].line)
            })?;
            if now.code == 0 {
                return Err(refused(format!(
                    "{words} refuses this, so nothing of it went live:\n{}",
                    text.trim()
                )));
            }
            notes.push(format!(
                "{words} refuses what is there already, so it has no say in this change: {}",
                command::ending(&now)
            ));
            asks.remove(number);
        }
        Ok(Verified {
            checked: asks.is_empty(),
            notes,
        })
    }

    /// What is to be asked about `acts`: their own checks, and for the rest the programs that read them.
    fn asks(&self, acts: &[Act]) -> Vec<Ask> {
        let mut asks = Vec::new();
        let mut read: Vec<(&Reader, Vec<&str>)> = Vec::new();
        for act in acts {
            let Some((path, _, to)) = readers::assigned(act) else {
                continue;
            };
            if let Act::Assign {
                check: Some(check), ..
            } = act
            {
                asks.push(Ask {
                    words: None,
                    line: on(check, path),
                });
            } else if let Some(reader) = readers::of(path).filter(|_| !matches!(to, Value::Dir { .. })) {
                match read.iter_mut().find(|(other, _)| *other == reader) {
                    Some((_, paths)) => paths.push(path),
                    None => read.push((reader, vec![path])),
                }
            }
        }
        for (reader, paths) in read {
            if self.has_program(reader.program) {
                let paths: Vec<String> = paths.into_iter().map(quoted).collect();
                asks.push(Ask {
                    words: Some(reader.words),
                    line: format!("sh -c {} sh {}", quoted(reader.check), paths.join(" ")),
                });
            }
        }
        asks
    }

    /// Writes the script that stages everything and asks.
    fn script(&self, scratch: &Path, acts: &[Act], aside: &Aside, asks: &[Ask]) -> std::io::Result<()> {
        let changed = acts.iter().filter_map(readers::assigned);
        let changed: Vec<(&str, &Value)> = changed.map(|(path, _, to)| (path, to)).collect();
        let planned = aside.paths.iter().map(|(path, value)| (path.as_str(), value));
        let planned: Vec<(&str, &Value)> = planned
            .filter(|(path, _)| changed.iter().all(|(other, _)| other != path))
            .collect();
        let tops = self.tops(
            changed
                .iter()
                .chain(&planned)
                .map(|(path, value)| (*path, *value)),
        );
        let top = scratch.join("t");
        std::fs::DirBuilder::new().create(&top)?;
        let top = quoted(&top.to_string_lossy());
        let mut script =
            format!("cd /; umask 022; t={top}\nmount -t tmpfs -o mode=0700 salt-rs $t || {IMPOSSIBLE}\n");
        for (number, folder) in tops.iter().enumerate() {
            let d = quoted(folder);
            let options = quoted(&format!("lowerdir={folder},upperdir="));
            script.push_str(&format!(
                "u=$t/u{number}; w=$t/w{number}; mkdir $u $w && chown --reference={d} $u && chmod --reference={d} $u &&
mount -t overlay -o {options}$u,workdir=$w salt-rs {d} 2> /dev/null || {{ rm -rf $u &&
[ \"$(find {d} -xdev | head -n {} | wc -l)\" -le {COPIED} ] && cp -a {d} $u && mount --bind $u {d}; }} || {IMPOSSIBLE}\n",
                COPIED + 1
            ));
        }
        let mut number = 0;
        let values = planned.iter().map(|one| (one, ":"));
        for (&(path, value), or) in values.chain(changed.iter().map(|one| (one, IMPOSSIBLE))) {
            number += 1;
            let source = match value {
                Value::File { content, .. } => self.source(scratch, content, aside)?,
                _ => None,
            };
            let step = self.staging_step(path, value, source.as_deref(), &tops, number);
            script.push_str(&format!("{{ {step}; }} || {or}\n"));
        }
        for (number, ask) in asks.iter().enumerate() {
            let code = REFUSED + i32::try_from(number).unwrap_or_default();
            let line = &ask.line;
            script.push_str(&format!(
                "{line} > $t/said 2>&1 < /dev/null || {{ cat $t/said; exit {code}; }}\n"
            ));
        }
        Self::scratched(scratch, "script", script.as_bytes()).map(drop)
    }

    /// Directories to overlay so that all of `values` can be staged, none in another.
    fn tops<'a>(&self, values: impl Iterator<Item = (&'a str, &'a Value)>) -> Vec<String> {
        let agent = self.state_dir();
        let mut tops: Vec<String> = Vec::new();
        for (path, value) in values {
            let folder = readers::of(path).and_then(|reader| reader.top(path));
            let folder = folder.filter(|folder| *folder != path || matches!(value, Value::Dir { .. }));
            if folder.is_none() && bound(path, value) {
                continue;
            }
            let mut folder = folder.map_or_else(|| above(path), str::to_owned);
            while !Path::new(&folder).is_dir() && folder != "/" {
                folder = above(&folder);
            }
            // The root is no directory to overlay, and neither is one that the script itself needs.
            if folder != "/" && !agent.starts_with(&folder) && !tops.contains(&folder) {
                tops.push(folder);
            }
        }
        let inner = |top: &String| {
            tops.iter()
                .any(|other| other != top && Path::new(top).starts_with(other))
        };
        let outer = tops.iter().filter(|top| !inner(top));
        outer.cloned().collect()
    }

    /// Where bytes lie: in the object store, or put beside the script; `None` when nobody has them.
    fn source(&self, scratch: &Path, content: &Digest, aside: &Aside) -> std::io::Result<Option<PathBuf>> {
        if let Some(bytes) = aside.bytes.get(content) {
            return Self::scratched(scratch, &content.short(), bytes).map(Some);
        }
        Ok(self.objects.has(content).then(|| self.objects.path(content)))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the agent's own files; nothing here is a user's"
    )]
    fn scratched(scratch: &Path, name: &str, bytes: &[u8]) -> std::io::Result<PathBuf> {
        let path = scratch.join(name);
        std::fs::write(&path, bytes)?;
        Ok(path)
    }

    /// The line of shell that puts a value at its real path.
    fn staging_step(
        &self,
        path: &str,
        value: &Value,
        source: Option<&Path>,
        tops: &[String],
        number: usize,
    ) -> String {
        let p = quoted(path);
        let dress = |meta: &proto::Meta, at: &str| {
            format!(
                "chown {}:{} {at} && chmod {:04o} {at}",
                meta.uid, meta.gid, meta.mode
            )
        };
        let overlaid = tops.iter().any(|top| Path::new(path).starts_with(top));
        match (value, source) {
            (Value::Absent, _) if overlaid => format!("rm -rf {p}"),
            (Value::Dir { meta }, _) if overlaid => {
                format!(
                    "[ -d {p} ] && [ ! -L {p} ] || {{ rm -rf {p} && mkdir {p}; }} && {}",
                    dress(meta, &p)
                )
            }
            (Value::Link { to, .. }, _) if overlaid => format!("rm -rf {p} && ln -s -- {} {p}", quoted(to)),
            (Value::File { meta, .. }, Some(source)) if overlaid => {
                let from = quoted(&source.to_string_lossy());
                format!("rm -rf {p} && cp {from} {p} && {}", dress(meta, &p))
            }
            (Value::File { meta, .. }, None) if overlaid => dress(meta, &p),
            (Value::File { meta, .. }, source) if Path::new(path).is_file() => {
                let from = source.map_or_else(|| p.clone(), |source| quoted(&source.to_string_lossy()));
                let at = format!("$t/{number}");
                format!("cp {from} {at} && {} && mount --bind {at} {p}", dress(meta, &at))
            }
            _ => "false".to_owned(),
        }
    }

    /// Runs an act's own check on the staged file beside its place: where nothing better is possible.
    pub(super) fn judge(
        &self,
        place: &Place,
        staged: &OsStr,
        check: Option<&Command>,
    ) -> Result<(), Problem> {
        let Some(check) = check else { return Ok(()) };
        let name = staged.to_string_lossy();
        let line = on(check, &format!("{}/{name}", above(&place.path)));
        let output = self.run(&Command {
            timeout: Some(PATIENCE),
            ..Command::sh(&line)
        })?;
        if output.code == 0 {
            return Ok(());
        }
        let said = [output.stdout.as_str(), output.stderr.as_str()].join("\n");
        let real = place.path.rsplit('/').next().unwrap_or(&place.path);
        let said = said.replace(&*name, real);
        Err(refused(
            format!("check_cmd execution failed\n{}", said.trim()).trim_end(),
        ))
    }
}

/// A check of a path, as a line of shell.
fn on(check: &Command, path: &str) -> String {
    match (&check.shell, check.argv.as_slice()) {
        (Some(shell), [text]) => format!(
            "{} -c {}",
            quoted(shell),
            quoted(&format!("{text} {}", quoted(path)))
        ),
        (_, argv) => {
            let words = argv.iter().map(String::as_str).chain([path]);
            words.map(quoted).collect::<Vec<_>>().join(" ")
        }
    }
}

/// Whether a value is seen by a mount over the very file.
fn bound(path: &str, value: &Value) -> bool {
    matches!(value, Value::File { .. }) && Path::new(path).is_file() && !Path::new(path).is_symlink()
}

fn above(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/".to_owned(),
        Some((above, _)) => above.to_owned(),
    }
}
