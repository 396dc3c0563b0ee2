//! What configures a host besides files, packages and services, on one real host: crontabs, login keys, time zone, name,
//! sudoers, generic names of programs, packages of Python. Plan says what apply does, a second apply changes nothing, and
//! going back gives the same tree.

use harness::{HostSpec, Lab, Project, os};

use crate::converge::{NOISE, changes};

const TREE: &[(&str, &str)] = &[
    (
        "salt/top.sls",
        "base:\n  '*':\n    - people\n    - jobs\n    - place\n    - programs\n",
    ),
    (
        "salt/people.sls",
        "
app:
  user.present:
    - home: /home/app
    - shell: /bin/bash

app's own key:
  ssh_auth.present:
    - name: {{ pillar['key'] }}
    - user: app
    - require:
      - user: app

/etc/sudoers.d/app:
  file.managed:
    - contents: 'app ALL=(ALL) NOPASSWD: /usr/bin/id'
    - mode: '0440'
    - check_cmd: /usr/sbin/visudo -cf
",
    ),
    (
        "salt/jobs.sls",
        "
/usr/local/sbin/backup --all:
  cron.present:
    - identifier: backup
    - minute: random
    - hour: 3
    - comment: every night

MAILTO:
  cron.env_present:
    - value: root

report:
  cron.present:
    - user: app
    - special: '@daily'
    - require:
      - user: app

by hand:
  cron.absent: []
",
    ),
    (
        "salt/place.sls",
        "
Europe/Berlin:
  timezone.system: []

C.UTF-8:
  locale.system: []

/etc/lab.ini:
  ini.options_present:
    - sections:
        main:
          level: 2

the host's name:
  network.system:
    - enabled: True
    - hostname: renamed
    - apply_hostname: True
    - retain_settings: True
",
    ),
    (
        "salt/programs.sls",
        "
{% for name in ['one', 'two'] %}
/usr/local/bin/lab-{{ name }}:
  file.managed:
    - contents: |
        #!/bin/sh
        echo {{ name }}
    - mode: '0755'

choice {{ name }}:
  alternatives.install:
    - name: lab-choice
    - link: /usr/local/bin/lab-choice
    - path: /usr/local/bin/lab-{{ name }}
    - priority: {{ loop.index }}
    - require:
      - file: /usr/local/bin/lab-{{ name }}
{% endfor %}

lab-choice:
  alternatives.set:
    - path: /usr/local/bin/lab-one
    - require:
      - alternatives: choice one
      - alternatives: choice two

lab-pager:
  alternatives.auto: []

lab-old:
  alternatives.remove:
    - path: /bin/less

labpkg>=1,<2:
  pip.installed:
    - bin_env: /opt/v
    - no_index: True
    - find_links: /srv/wheels

others:
  pip.installed:
    - bin_env: /opt/v
    - requirements: salt://requirements.txt
    - no_index: True
    - find_links: /srv/wheels

lab-gone:
  pip.removed:
    - bin_env: /opt/v
",
    ),
    ("salt/requirements.txt", "# ours\nlab_other==2.0\n"),
    (
        "salt/broken.sls",
        "
/etc/sudoers.d/app:
  file.managed:
    - contents: 'app ALL=(ALL NOPASSWD'
    - mode: '0440'
    - check_cmd: /usr/sbin/visudo -cf
",
    ),
    (
        "salt/eve.sls",
        "
eve's key:
  ssh_auth.present:
    - name: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK2l eve
    - user: eve
",
    ),
    ("pillar/top.sls", "base:\n  '*':\n    - keys\n"),
];

/// What somebody had in root's crontab before us.
const TABLE: &str = "# mine\n0 1 * * * /usr/local/bin/mine\n";

/// Generic names, and a virtual environment with packages, that were there before us.
const BEFORE: &str = r#"
set -e
apt-get -q update && apt-get -qy install python3-venv
for one in less more most; do printf '#!/bin/sh\n' > /bin/$one; chmod 755 /bin/$one; : > /usr/share/$one.1; done
pager() { update-alternatives --install /usr/bin/$1 $1 /bin/$2 $3 --slave /usr/share/$1.1 $1.1 /usr/share/$2.1; }
pager lab-pager less 10; pager lab-pager more 20; pager lab-pager most 5
update-alternatives --set lab-pager /bin/most
pager lab-old less 10; pager lab-old more 5
useradd -m eve && ln -s /root/.ssh /home/eve/.ssh && chown -h eve: /home/eve/.ssh
python3 -m venv /opt/v
mkdir -p /srv/wheels
python3 - <<'END'
import zipfile
for name, version in [('labpkg', '1.0'), ('labpkg', '2.0'), ('lab_other', '2.0'), ('lab_gone', '1.0')]:
    info = f'{name}-{version}.dist-info'
    with zipfile.ZipFile(f'/srv/wheels/{name}-{version}-py3-none-any.whl', 'w') as wheel:
        wheel.writestr(f'{name}.py', f'version = "{version}"\n')
        wheel.writestr(f'{info}/METADATA', f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
        wheel.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        wheel.writestr(f'{info}/RECORD', '')
END
/opt/v/bin/pip install -q --no-index --find-links /srv/wheels lab_gone
"#;

/// Files that other programs' entries are in, too: their time of writing stays ours.
fn of_others(line: &str) -> bool {
    let files = ["passwd", "group", "shadow", "gshadow", "subuid", "subgid"];
    files
        .iter()
        .any(|file| line.starts_with(&format!("~ /etc/{file}: mtime ")))
}

#[test]
fn hosts_are_configured_and_put_back() {
    let lab = Lab::up(&[HostSpec::systemd("one")]).unwrap();
    let host = lab.host("one");
    let project = Project::on(&lab, TREE);
    let mut ask = os::command("ssh-keygen");
    let key = os::checked(ask.args(["-y", "-f"]).arg(lab.private_key())).unwrap();
    project.write("pillar/keys.sls", &format!("key: {} the lab\n", key.trim()));
    project.commit("keys");
    host.exec_with("crontab -", TABLE.as_bytes()).unwrap();
    host.check(BEFORE).unwrap();
    let live = || {
        host.exec("hostname; date +%Z; ls /var/spool/cron/crontabs")
            .unwrap()
            .stdout
    };
    let (before, live_before) = (host.tree_with_mtimes(NOISE).unwrap(), live());

    let planned = project.salt_rs(&["plan", "--json"]).expect(2);
    let untouched = before.diff(&host.tree_with_mtimes(NOISE).unwrap());
    assert_eq!(untouched, Vec::<String>::new(), "a plan changed something");
    let applied = project.salt_rs(&["apply", "--json"]).expect(0);
    let names = |ran| changes(ran).into_keys().collect::<Vec<_>>();
    assert_eq!(names(&planned), names(&applied));
    let again = project.salt_rs(&["apply", "--json"]).expect(0);
    assert_eq!(names(&again), vec![]);

    // What the host's own programs make of it.
    let table = host.check("crontab -l").unwrap();
    let mine = TABLE.trim_end();
    assert!(table.starts_with(mine), "{table}");
    assert!(
        table.contains("\nMAILTO=root\n# every night SALT_CRON_IDENTIFIER:backup\n"),
        "{table}"
    );
    assert!(
        table
            .trim_end()
            .ends_with(" 3 * * * /usr/local/sbin/backup --all"),
        "{table}"
    );
    host.check("crontab -l | crontab -n -").unwrap();
    let owned = host
        .check("stat -c '%a %U %G' /var/spool/cron/crontabs/app")
        .unwrap();
    assert_eq!(owned, "600 app crontab");
    let login = os::output(host.ssh_command("app").arg("id -un; sudo -n id -un"), b"").unwrap();
    assert_eq!(login.stdout, "app\nroot\n", "{}", login.stderr);
    assert_eq!(
        host.check("hostname; cat /etc/hostname").unwrap(),
        "renamed\nrenamed"
    );
    assert!(host.check("date +%Z").unwrap().starts_with("CE"));

    let choices = host.check("lab-choice; readlink /etc/alternatives/lab-pager /usr/share/lab-pager.1 /etc/alternatives/lab-pager.1 /etc/alternatives/lab-old");
    assert_eq!(
        choices.unwrap(),
        "one\n/bin/more\n/etc/alternatives/lab-pager.1\n/usr/share/more.1\n/bin/more"
    );
    let packages = host
        .check("/opt/v/bin/pip list --format=freeze | grep lab")
        .unwrap();
    assert_eq!(packages, "lab_other==2.0\nlabpkg==1.0");

    // A line nobody's sudo could read never goes live.
    let refused = project.salt_rs(&["apply", "*", "broken", "--json"]).expect(1);
    assert!(
        refused.stdout.contains("check_cmd execution failed"),
        "{}",
        refused.stdout
    );
    host.check("visudo -c").unwrap();

    // A user's link does not lead us to root's keys.
    project.salt_rs(&["apply", "*", "eve", "--json"]).expect(1);
    host.check("! grep eve /root/.ssh/authorized_keys").unwrap();

    // A job of ours that was edited by hand is a conflict; one that was added beside it is left alone.
    host.check("crontab -l | sed 's/ 3 \\* / 4 * /' | crontab -")
        .unwrap();
    let conflict = project.salt_rs(&["rollback", "--json"]).expect(5);
    assert!(
        conflict.stdout.contains("/var/spool/cron/crontabs/root"),
        "{}",
        conflict.stdout
    );
    host.check("(crontab -l | sed 's/ 4 \\* / 3 * /'; echo '0 2 * * * later') | crontab -")
        .unwrap();
    project.salt_rs(&["rollback", "--json"]).expect(0);
    assert_eq!(
        host.check("crontab -l").unwrap(),
        format!("{TABLE}0 2 * * * later")
    );
    host.exec_with("crontab -", TABLE.as_bytes()).unwrap();

    let mut left = before.diff(&host.tree_with_mtimes(NOISE).unwrap());
    // The table was written by hand in between, and `crontab` notes the time in it.
    left.retain(|line| !line.contains("/var/spool/cron/crontabs/root: ") && !of_others(line));
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(live(), live_before);
}
