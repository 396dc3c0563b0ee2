//! The compiler alone: a thousand states, no host.

use super::measure::{median_of, run};
use super::sheet::{Row, Sheet, Unit};
use crate::project::Project;

/// States in one tree.
const STATES: usize = 1000;
/// Milliseconds; a person waits for this.
const GOAL: f64 = 500.0;

pub(super) fn measure(sheet: &mut Sheet) {
    sheet.title("compile");
    let project = Project::new(&[
        ("salt/top.sls", "base:\n  '*': [a, b, c, d]\n"),
        ("grains.yaml", "os: Debian\nroles: [web]\n"),
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
    let mut show = project.command();
    show.args(["show", "low", "--id", "web1", "--grains", "grains.yaml", "--json"]);
    let mut peak = Err("not measured".to_owned());
    let time = median_of(5, || {
        let run = run(&show)?;
        let chunks = serde_json::from_str::<serde_json::Value>(&run.stdout).map_err(|err| err.to_string())?;
        let count = chunks["web1"].as_array().map_or(0, Vec::len);
        if count != STATES {
            return Err(format!("{count} chunks instead of {STATES}"));
        }
        peak = Ok(run.peak);
        Ok(run.millis)
    });
    sheet.add(
        Row::new(
            format!("{STATES} states from templates, whole program"),
            Unit::Millis,
            time,
        )
        .at_most(GOAL),
    );
    sheet.add(Row::new("peak memory of it", Unit::Bytes, peak));
}
