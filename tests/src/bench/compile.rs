//! The compiler alone: a thousand states, no host.

use super::measure::{Run, median_of, run};
use super::sheet::{Missing, Row, Sheet, Unit};
use crate::project::Project;

/// States in one tree.
const STATES: usize = 1000;
/// Hosts in the roster.
const HOSTS: usize = 11;
/// Milliseconds for each of them.
const GOAL: f64 = 100.0;

pub(super) fn measure(sheet: &mut Sheet) {
    sheet.title("compile");
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

fn roster() -> String {
    let one = |number| format!("h{number:02}: {{ host: 127.0.0.1, grains: {{ os: Debian }} }}\n");
    (1..=HOSTS).map(one).collect()
}

/// Compiles for the first hosts of the roster.
fn show(project: &Project, hosts: usize) -> Result<Run, Missing> {
    let names: Vec<String> = (1..=hosts).map(|number| format!("h{number:02}")).collect();
    let mut show = project.command();
    show.args(["show", "low", "-L", &names.join(","), "--json"]);
    let run = run(&show)?;
    let chunks = serde_json::from_str::<serde_json::Value>(&run.stdout).map_err(|err| err.to_string())?;
    let wrong = |name: &&String| chunks[name.as_str()].as_array().map_or(0, Vec::len) != STATES;
    match names.iter().find(wrong) {
        None => Ok(run),
        Some(name) => Err(format!("{name} has not {STATES} chunks")),
    }
}
