//! The compiler alone: a thousand plain states, and a tree as sites have it beside real Salt. No host.

use std::path::Path;

use serde_json::json;

use super::measure::{Run, median_of, run};
use super::sheet::{Missing, Row, Sheet, Unit};
use super::{peers, tree};
use crate::os;
use crate::project::Project;

/// States in one tree.
const STATES: usize = 1000;
/// Hosts in the roster.
const HOSTS: usize = 11;
/// Milliseconds for each of them.
const GOAL: f64 = 100.0;
/// Milliseconds for the site's tree.
const SITE_GOAL: f64 = 300.0;
/// Bytes for the site's tree.
const SITE_MEMORY: f64 = 100.0 * 1024.0 * 1024.0;
/// How many times as fast as Salt.
const FASTER: f64 = 20.0;

pub(super) fn measure(sheet: &mut Sheet) {
    sheet.title("compile");
    plain(sheet);
    site(sheet);
}

fn plain(sheet: &mut Sheet) {
    let project = Project::new(&[
        ("salt/top.sls", "base:\n  '*': [a, b, c, d]\n"),
        ("roster.yaml", &roster()),
    ]);
    for file in ["a", "b", "c", "d"] {
        let part = STATES / 4;
        let text = format!(
            "{{% for i in range({part}) %}}\n/etc/{file}/{{{{ i }}}}.conf:\n  file.managed:\n    \
             - contents: {{{{ grains['os'] }}}} {{{{ i }}}}\n    - mode: \"0644\"\n{{% if i > 0 %}}    \
             - require:\n      - file: /etc/{file}/{{{{ i - 1 }}}}.conf\n{{% endif %}}{{% endfor %}}\n"
        );
        project.write(&format!("salt/{file}.sls"), &text);
    }
    project.commit("a thousand states");
    let mut peak = Err("not measured".to_owned());
    let one = median_of(9, || show(&project, 1).map(|run| run.millis));
    let all = median_of(5, || {
        let run = show(&project, HOSTS)?;
        peak = Ok(run.peak);
        Ok(run.millis)
    });
    let more = all.and_then(|all| Ok((all - one.clone()?) / (HOSTS - 1) as f64));
    sheet.add(
        Row::new(
            format!("{STATES} states from templates, whole program, one host"),
            Unit::Millis,
            one,
        )
        .at_most(GOAL),
    );
    sheet.add(Row::new("each further host", Unit::Millis, more).at_most(GOAL));
    sheet.add(Row::new(
        format!("peak memory for {HOSTS} hosts"),
        Unit::Bytes,
        peak,
    ));
}

fn site(sheet: &mut Sheet) {
    let project = Project::new(&[("roster.yaml", &roster())]);
    tree::write(&project);
    project.commit("a site");
    let mut peak = Err("not measured".to_owned());
    let one = median_of(9, || {
        let run = shown(&project, 1, tree::ALL_STATES)?;
        peak = Ok(run.peak);
        Ok(run.millis)
    });
    let all = median_of(3, || {
        shown(&project, HOSTS, tree::ALL_STATES).map(|run| run.millis)
    });
    let more = all.and_then(|all| Ok((all - one.clone()?) / (HOSTS - 1) as f64));
    let salt = Salt::new(&project);
    let (within, whole) = (salt.within(), salt.whole());
    let what = format!(
        "{} states in {} files, whole program, one host",
        tree::ALL_STATES,
        tree::ALL_FILES
    );
    let mut row = Row::new(&what, Unit::Millis, one.clone()).at_most(SITE_GOAL);
    row.others.push(("salt-call".to_owned(), whole));
    row.others
        .push(("salt without its start".to_owned(), within.clone()));
    sheet.add(row);
    let fast = within.map(|millis| millis / FASTER);
    sheet.add(
        Row::new("the same, beside Salt without its start", Unit::Millis, one)
            .at_most_measured(&fast, "a 20th"),
    );
    sheet.add(Row::new("each further host", Unit::Millis, more));
    sheet.add(Row::new("peak memory for one host", Unit::Bytes, peak).at_most(SITE_MEMORY));
}

/// Real Salt on the same tree, where it is installed.
struct Salt<'p> {
    project: &'p Project,
    ready: Result<std::path::PathBuf, Missing>,
}

impl<'p> Salt<'p> {
    fn new(project: &'p Project) -> Self {
        let venv = peers::venv().ok_or_else(|| "PEERS names no directory".to_owned());
        let dir = project.dir();
        project.write(
            "grains.json",
            &json!({ "os": "Debian", "os_family": "Debian" }).to_string(),
        );
        let settings = json!({
            "id": "h01", "root_dir": dir.join("run"), "file_client": "local", "fileserver_backend": ["roots"],
            "file_roots": { "base": [dir.join("salt")] }, "pillar_roots": { "base": [dir.join("pillar")] },
            "enable_fqdns_grains": false, "grains": { "os": "Debian", "os_family": "Debian" },
        });
        project.write("etc/minion", &settings.to_string());
        Salt { project, ready: venv }
    }

    /// Milliseconds of its compiler alone, in a process that has done the same once before.
    fn within(&self) -> Result<f64, Missing> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("compile-in-salt.py");
        let mut salt = os::command(&self.ready.clone()?.join("bin/python").display().to_string());
        salt.arg(script).arg(self.project.dir()).arg("2");
        let answer =
            serde_json::from_str::<serde_json::Value>(&run(&salt)?.stdout).map_err(|err| err.to_string())?;
        if answer["chunks"] != tree::ALL_STATES {
            return Err(format!("{} chunks", answer["chunks"]));
        }
        answer["millis"][1].as_f64().ok_or_else(|| "no figure".to_owned())
    }

    /// Milliseconds of `salt-call`.
    fn whole(&self) -> Result<f64, Missing> {
        let mut salt = os::command(&self.ready.clone()?.join("bin/salt-call").display().to_string());
        salt.args(["--local", "--config-dir"])
            .arg(self.project.dir().join("etc"));
        salt.args(["--out", "json", "--log-level", "quiet", "state.show_lowstate"]);
        run(&salt).map(|run| run.millis)
    }
}

fn roster() -> String {
    let one = |number| {
        format!(
            "h{number:02}: {{ host: 127.0.0.1, grains: {{ os: Debian, os_family: Debian, num_cpus: 2 }} }}\n"
        )
    };
    (1..=HOSTS).map(one).collect()
}

fn show(project: &Project, hosts: usize) -> Result<Run, Missing> {
    shown(project, hosts, STATES)
}

/// Compiles for the first hosts of the roster.
fn shown(project: &Project, hosts: usize, states: usize) -> Result<Run, Missing> {
    let names: Vec<String> = (1..=hosts).map(|number| format!("h{number:02}")).collect();
    let mut show = project.command();
    show.args(["show", "low", "-L", &names.join(","), "--json"]);
    let run = run(&show)?;
    let chunks = serde_json::from_str::<serde_json::Value>(&run.stdout).map_err(|err| err.to_string())?;
    let wrong = |name: &&String| chunks[name.as_str()].as_array().map_or(0, Vec::len) != states;
    match names.iter().find(wrong) {
        None => Ok(run),
        Some(name) => Err(format!("{name} has not {states} chunks")),
    }
}
