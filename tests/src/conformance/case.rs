//! One case: its trees copied into a scratch directory, its steps run one after another through the program.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Map, Value as Json, json};

use super::compare::different;
use super::{Normal, Score, Verdict, classes, compare};
use crate::os::{self, OsError};
use crate::program::{self, Ran, salt_rs_path};

/// Seconds a step may take.
const LIMIT: &str = "120";

/// Exit status of a tree that does not compile.
const REFUSED: i32 = 65;

/// A case of the corpus.
#[derive(Debug)]
pub struct Case {
    dir: PathBuf,
    about: Json,
    /// The oracle's answers, without what lay there at first.
    wants: Vec<Json>,
}

/// A scratch directory, removed when dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is in the temporary directory.
        _ = os::remove_tree(&self.0);
    }
}

impl Case {
    /// Reads one.
    ///
    /// # Errors
    /// A file of it that cannot be read.
    pub fn read(dir: &Path) -> Result<Case, OsError> {
        let json = |name: &str| -> Result<Json, OsError> {
            let path = dir.join(name);
            let text = os::read_text(&path)?;
            Ok(serde_json::from_str(&text).unwrap_or_else(|err| panic!("{}: {err}", path.display())))
        };
        let about = json("case.json")?;
        let expected = json("expected.json")?;
        let steps = expected["steps"].as_array().cloned().unwrap_or_default();
        let wants = steps.into_iter().filter(|step| step["do"] != "start").collect();
        let dir = dir.to_owned();
        Ok(Case { dir, about, wants })
    }

    /// One made of trees in `dir`, what a `case.json` would say, and answers to its steps.
    pub fn new(dir: &Path, about: Json, wants: Vec<Json>) -> Case {
        let dir = dir.to_owned();
        Case { dir, about, wants }
    }

    /// Runs all steps.
    ///
    /// # Errors
    /// The machine refuses a file or a program.
    pub fn run(&self) -> Result<Verdict, OsError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "salt-rs-case-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let scratch = Scratch(std::env::temp_dir().join(name));
        os::remove_tree(&scratch.0)?;
        let run = Run::new(self, &scratch.0)?;
        let start = run.normal.listing()?;
        let mut before = start.clone();
        let mut verdicts = Vec::new();
        let steps = self.about["steps"].as_array().cloned().unwrap_or_default();
        for (step, want) in steps.iter().zip(&self.wants) {
            let step = run.filled(step);
            let verb = text(&step, "do");
            if verb == "sh" {
                let mut command = os::command("/bin/sh");
                command
                    .args(["-ec", text(&step, "cmd")])
                    .current_dir(scratch.0.join("sandbox"));
                if let Err(err) = os::checked(&mut command) {
                    // It builds on what an earlier step should have made.
                    verdicts.push(Verdict::new(Score::Fail, err.to_string()));
                    break;
                }
                before = run.normal.listing()?;
                continue;
            }
            let Some(mut got) = run.step(&step) else {
                let why = format!("there is no command for {verb}");
                verdicts.push(Verdict::new(Score::Skipped, why));
                continue;
            };
            let after = run.normal.listing()?;
            if after != before {
                got.insert("files".to_owned(), after.clone());
                before = after;
            }
            let mut verdict = compare(want, &got.into(), &run.loose);
            if !verdict.why.is_empty() {
                verdict.why = format!("{} {verb}: {}", verdicts.len(), verdict.why);
            }
            verdicts.push(verdict);
        }
        let worst = verdicts
            .into_iter()
            .reduce(|worst, next| if next.score < worst.score { next } else { worst });
        let mut verdict = worst.unwrap_or_else(|| Verdict::new(Score::Skipped, "no steps"));
        let disturbed = steps.iter().any(|step| text(step, "do") == "sh");
        if !disturbed && before != start {
            verdict.left = run.back(&start)?;
        }
        Ok(verdict)
    }
}

/// A case in its scratch directory.
struct Run {
    root: PathBuf,
    minion: String,
    loose: Vec<String>,
    normal: Normal,
}

impl Run {
    fn new(case: &Case, root: &Path) -> Result<Run, OsError> {
        for dir in ["salt", "pillar", "sandbox"] {
            os::make_dir(&root.join(dir))?;
        }
        let normal = Normal::new(root);
        for tree in ["salt", "pillar", "salt_dev", "pillar_dev", "setup"] {
            let to = root.join(if tree == "setup" { "sandbox" } else { tree });
            copy(&case.dir.join(tree), &to, &normal)?;
        }
        let loose = case.about.get("loose").and_then(Json::as_array);
        let loose = loose
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect();
        let minion = case
            .about
            .get("minion")
            .and_then(Json::as_str)
            .unwrap_or("minion1")
            .to_owned();
        let run = Run {
            root: root.to_owned(),
            minion,
            loose,
            normal,
        };
        let grains = run.filled(case.about.get("grains").unwrap_or(&json!({})));
        os::write(&root.join("etc/grains.json"), grains.to_string())?;
        let config = run.filled(case.about.get("config").unwrap_or(&json!({})));
        os::write(&root.join("salt-rs.yaml"), run.settings(config).to_string())?;
        Ok(run)
    }

    /// Settings (JSON is YAML): the trees, and Salt's options the case has.
    fn settings(&self, config: Json) -> Json {
        let mut salt = config.as_object().cloned().unwrap_or_default();
        let nodegroups = salt.shift_remove("nodegroups").unwrap_or_else(|| json!({}));
        for (key, dir) in [("file_roots", "salt_dev"), ("pillar_roots", "pillar_dev")] {
            if self.root.join(dir).is_dir() {
                salt.insert(key.to_owned(), json!({ "dev": [dir] }));
            }
        }
        json!({
            "tree": { "url": self.root, "salt": "salt", "pillar": "pillar" },
            "state_dir": self.root.join("state"),
            "salt": salt,
            "nodegroups": nodegroups,
        })
    }

    fn filled(&self, value: &Json) -> Json {
        let text = self.normal.fill(&value.to_string());
        serde_json::from_str(&text).unwrap_or_else(|err| panic!("{err}: {text}"))
    }

    /// What a step answers; `None` when no command of ours does it.
    fn step(&self, step: &Json) -> Option<Map<String, Json>> {
        let verb = text(step, "do");
        let mut words: Vec<String> = match verb {
            "low" | "top" | "pillar" => vec!["show".to_owned(), verb.to_owned()],
            // Salt's show_low_sls leaves out `extend`, `_in` requisites and `exclude`; ours is what a run of the sls does.
            "low_sls" => vec!["show".to_owned(), "low".to_owned()],
            "apply" if step.get("test") == Some(&Json::Bool(true)) => {
                vec!["plan".to_owned(), "--local".to_owned()]
            }
            "apply" => vec!["apply".to_owned(), "--local".to_owned()],
            _ => return None,
        };
        for option in [
            "--worktree",
            "--json",
            "--id",
            &self.minion,
            "--grains",
            "etc/grains.json",
        ] {
            words.push(option.to_owned());
        }
        if verb == "apply" || verb == "low_sls" {
            words.push("*".to_owned());
            words.extend(
                text(step, "sls")
                    .split(',')
                    .filter(|sls| !sls.is_empty())
                    .map(str::to_owned),
            );
            for key in ["pillar", "exclude"] {
                match step.get(key) {
                    Some(Json::String(value)) => words.push(format!("{key}={value}")),
                    Some(value) => words.push(format!("{key}={value}")),
                    None => {}
                }
            }
        }
        Some(self.answer(verb, self.salt_rs(&words)))
    }

    /// Takes everything back; says what is not as it was at the start although nothing was said about it.
    fn back(&self, start: &Json) -> Result<Option<String>, OsError> {
        let words = ["rollback", "--local", "--json", "--id", &self.minion, "--to", "0"];
        let words = words.into_iter().chain(["--past-irreversible"]);
        let ran = self.salt_rs(&words.map(str::to_owned).collect::<Vec<_>>());
        let left = different(start, &self.normal.listing()?);
        // A command that declares no undo is named in the report, and may have done anything.
        let told = ran.stdout.contains("cannot come back");
        if ran.code != 0 || (!left.is_empty() && !told) {
            return Ok(Some(format!("{}: {ran}", left.join(", "))));
        }
        Ok(None)
    }

    fn salt_rs(&self, words: &[String]) -> Ran {
        let mut command = os::command("/bin/sh");
        command.args(["-c", "umask 022; exec timeout -k 5 \"$@\"", "sh", LIMIT]);
        command
            .arg(salt_rs_path())
            .args(["--config", "salt-rs.yaml"])
            .args(words);
        command.current_dir(&self.root).env_clear();
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env("PATH", path).env("HOME", &self.root);
        for (name, value) in [
            ("LANG", "C.UTF-8"),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "UTC"),
            ("SHELL", "/bin/sh"),
            ("CONFORMANCE_ENV", "from-env"),
        ] {
            command.env(name, value);
        }
        program::run(&mut command)
    }

    /// The program's document in the corpus' shape.
    fn answer(&self, verb: &str, ran: Ran) -> Map<String, Json> {
        let Ok(document) = serde_json::from_str::<Json>(&ran.stdout) else {
            let said = if ran.stderr.is_empty() {
                &ran.stdout
            } else {
                &ran.stderr
            };
            let skipped = said.chars().count().saturating_sub(300);
            let tail: String = said.chars().skip(skipped).collect();
            return fields([
                ("error_classes", json!(classes([said.as_str()]))),
                ("failed", tail.into()),
            ]);
        };
        if let Some(errors) = document.get("errors").and_then(Json::as_array) {
            if ran.code != REFUSED {
                let said = format!("refused with exit status {}: {document}", ran.code);
                return fields([("failed", said.into()), ("error_classes", json!([]))]);
            }
            let messages: Vec<String> = errors
                .iter()
                .map(|error| self.normal.text(text(error, "message")))
                .collect();
            return fields([
                (
                    "error_classes",
                    json!(classes(messages.iter().map(String::as_str))),
                ),
                ("errors", json!(messages)),
            ]);
        }
        if verb == "apply" {
            let host = &document["hosts"][&self.minion];
            if let Some(error) = host.get("error") {
                return fields([("failed", error["message"].clone()), ("error_classes", json!([]))]);
            }
            return fields([("results", self.results(&host["states"]))]);
        }
        let shown = self.normal.value(&document[&self.minion]);
        fields([(
            if verb.starts_with("low") {
                "chunks"
            } else {
                "return"
            },
            shown,
        )])
    }

    /// Results by tag, the last of a tag, in the order of their numbers.
    fn results(&self, states: &Json) -> Json {
        let mut results: Vec<Json> = Vec::new();
        for state in states.as_array().into_iter().flatten() {
            let part = |key| text(state, key);
            let tag = format!(
                "{}_|-{}_|-{}_|-{}",
                part("state"),
                part("id"),
                part("name"),
                part("fun")
            );
            let mut changes = state["changes"].clone();
            if let Json::Object(changes) = &mut changes {
                changes.retain(|key, _| !["start_time", "duration", "pid"].contains(&key.as_str()));
            }
            let result = json!({
                "tag": self.normal.text(&tag),
                "result": state["result"],
                "changes": self.normal.value(&changes),
                "comment": self.normal.value(&state["comment"]),
                "run_num": state["run_num"],
            });
            results.retain(|one| one["tag"] != result["tag"]);
            results.push(result);
        }
        results.sort_by_key(|result| result["run_num"].as_u64());
        results.into()
    }
}

fn fields<const N: usize>(fields: [(&str, Json); N]) -> Map<String, Json> {
    fields
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn text<'a>(map: &'a Json, key: &str) -> &'a str {
    map.get(key).and_then(Json::as_str).unwrap_or_default()
}

/// Copies a tree, filling in paths; modes become 0644 or 0755.
fn copy(from: &Path, to: &Path, normal: &Normal) -> Result<(), OsError> {
    if !from.is_dir() {
        return Ok(());
    }
    os::make_dir(to)?;
    for name in os::names(from)? {
        let (source, target) = (from.join(&name), to.join(&name));
        let meta = os::stat(&source)?;
        if meta.is_symlink() {
            let link = std::fs::read_link(&source).unwrap_or_default();
            os::link(&link, &target)?;
        } else if meta.is_dir() {
            copy(&source, &target, normal)?;
        } else {
            let bytes = os::read(&source)?;
            match std::str::from_utf8(&bytes) {
                Ok(text) => os::write(&target, normal.fill(text))?,
                Err(_) => os::write(&target, &bytes)?,
            }
            let mode = if meta.permissions().mode() & 0o100 == 0 {
                0o644
            } else {
                0o755
            };
            os::chmod(&target, mode)?;
        }
    }
    Ok(())
}
