//! The job everybody does: one hundred small files with content, owner and mode, in each tool's own language.

use super::sheet::Missing;
use crate::lab::{Host, HostSpec, Image, Lab};
use crate::project::Project;

/// How many files.
const FILES: usize = 100;

/// The state file.
pub(crate) fn sls() -> String {
    files(FILES)
}

/// The state file for so many files.
fn files(count: usize) -> String {
    let text = "{% for i in range(COUNT) %}
/etc/bench/file{{ i }}.conf:
  file.managed:
    - contents: \"this is line {{ i }}\"
    - user: root
    - group: root
    - mode: \"0644\"
    - makedirs: True
{% endfor %}
";
    text.replace("COUNT", &count.to_string())
}

/// The playbook. One task with a loop runs the module once for each file, as that many tasks would.
pub(crate) fn playbook() -> String {
    let text = r#"- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.file: { path: /etc/bench, state: directory }
    - ansible.builtin.copy:
        content: "this is line {{ item }}\n"
        dest: "/etc/bench/file{{ item }}.conf"
        owner: root
        group: root
        mode: "0644"
      loop: "{{ range(COUNT) | list }}"
"#;
    text.replace("COUNT", &FILES.to_string())
}

/// The pyinfra deploy.
pub(crate) fn deploy() -> String {
    let text = r#"from io import StringIO
from pyinfra.operations import files

files.directory(path="/etc/bench")
for i in range(COUNT):
    files.put(
        src=StringIO(f"this is line {i}\n"), dest=f"/etc/bench/file{i}.conf", user="root", group="root", mode="644"
    )
"#;
    text.replace("COUNT", &FILES.to_string())
}

/// A project that gives the job to all hosts of the lab.
pub(crate) fn project(lab: &Lab) -> Project {
    Project::on(
        lab,
        &[
            ("salt/top.sls", "base:\n  '*': [bench]\n"),
            ("salt/bench.sls", &sls()),
        ],
    )
}

/// The same with a thousand files.
pub(crate) fn thousand(lab: &Lab) -> Project {
    Project::on(
        lab,
        &[
            ("salt/top.sls", "base:\n  '*': [bench]\n"),
            ("salt/bench.sls", &files(1000)),
        ],
    )
}

/// Light hosts; with Python where others are compared with, as most of them need it there.
pub(crate) fn lab(names: impl Iterator<Item = String>) -> Result<Lab, Missing> {
    let specs: Vec<_> = names.map(HostSpec::light).collect();
    let image = if super::peers::venv().is_some() {
        Image::with(&["python3"])
    } else {
        Image::base()
    };
    let lab = image.and_then(|image| Lab::up_on(&image, &specs));
    lab.map_err(|err| err.to_string())
}

/// Removes what any of the tools put on a host.
pub(crate) fn erase(host: &Host) -> Result<(), Missing> {
    let line = "rm -rf /etc/bench /var/lib/salt-rs /var/tmp/.root* /root/.ansible";
    host.check(line).map(drop).map_err(|err| err.to_string())
}
