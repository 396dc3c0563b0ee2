//! Other tools that do the same job, set up the way that is fastest for each: pipelining, kept connections, fifty hosts at
//! once, no gathering of facts. Installed by `tests/peers.sh` into the directory `$PEERS` names.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::job;
use super::measure::run;
use super::sheet::Missing;
use crate::lab::{Host, Lab};
use crate::os::{self, OsError};

/// A tool that is ready to do the job on some hosts.
pub(super) struct Peer {
    pub(super) name: &'static str,
    program: PathBuf,
    args: Vec<String>,
    dir: PathBuf,
    envs: Vec<(&'static str, String)>,
}

impl Peer {
    pub(super) fn command(&self) -> Command {
        let mut command = os::command(&self.program.display().to_string());
        command
            .current_dir(&self.dir)
            .args(&self.args)
            .envs(self.envs.iter().map(|(name, value)| (name, value)));
        command.env("HOME", &self.dir);
        command
    }
}

/// The virtual environment, where one is named.
pub(super) fn venv() -> Option<PathBuf> {
    std::env::var_os("PEERS")
        .filter(|dir| !dir.is_empty())
        .map(PathBuf::from)
}

/// Writes what a tool needs to know of the hosts.
type Setup = fn(&Lab, &[Host], &Path, &Path) -> Result<Peer, OsError>;

/// Every tool found there, set up in the lab's directory for these hosts. What is missing is left out.
pub(super) fn ready(lab: &Lab, hosts: &[Host]) -> Vec<Peer> {
    let Some(venv) = venv() else {
        return Vec::new();
    };
    let dir = lab.dir().join(format!("peers{}", hosts.len()));
    let setups: [Setup; 3] = [ansible, pyinfra, salt_ssh];
    let peers = setups
        .iter()
        .filter_map(|setup| setup(lab, hosts, &venv, &dir).ok());
    peers.filter(|peer| peer.program.is_file()).collect()
}

/// Milliseconds of a first run on a host with no trace of the job.
pub(super) fn fresh(host: &Host, command: &Command) -> Result<f64, Missing> {
    job::erase(host)?;
    run(command).map(|run| run.millis)
}

fn ansible(lab: &Lab, hosts: &[Host], venv: &Path, dir: &Path) -> Result<Peer, OsError> {
    let dir = dir.join("ansible");
    let key = lab.private_key();
    let mut inventory = String::new();
    for host in hosts {
        let (name, ip) = (host.name(), host.ip());
        inventory.push_str(&format!(
            "{name} ansible_host={ip} ansible_user=root ansible_ssh_private_key_file={}\n",
            key.display()
        ));
    }
    os::write(&dir.join("inventory"), inventory)?;
    os::write(&dir.join("play.yml"), job::playbook())?;
    // Kept connections end soon after the last run, or they would outlive the hosts.
    let settings = format!(
        "[defaults]\nforks = 50\ngathering = explicit\nhost_key_checking = true\ninterpreter_python = /usr/bin/python3\n\
         [ssh_connection]\npipelining = true\ncontrol_path_dir = {}/c\n\
         ssh_args = -F none -o ControlMaster=auto -o ControlPersist=5s -o UserKnownHostsFile={}\n",
        dir.display(),
        lab.known_hosts().display()
    );
    os::write(&dir.join("ansible.cfg"), settings)?;
    let args = ["-i", "inventory", "play.yml"].map(str::to_owned).to_vec();
    let envs = vec![
        ("ANSIBLE_CONFIG", dir.join("ansible.cfg").display().to_string()),
        ("LC_ALL", "C.UTF-8".to_owned()),
    ];
    Ok(Peer {
        name: "ansible",
        program: venv.join("bin/ansible-playbook"),
        args,
        dir,
        envs,
    })
}

fn pyinfra(lab: &Lab, hosts: &[Host], venv: &Path, dir: &Path) -> Result<Peer, OsError> {
    let dir = dir.join("pyinfra");
    let known = lab.known_hosts();
    let key = lab.private_key();
    let mut inventory = "hosts = [\n".to_owned();
    for host in hosts {
        inventory.push_str(&format!(
            "    (\"{}\", {{\"ssh_user\": \"root\", \"ssh_key\": \"{}\", \"ssh_known_hosts_file\": \"{}\", \
             \"ssh_strict_host_key_checking\": \"yes\"}}),\n",
            host.ip(),
            key.display(),
            known.display()
        ));
    }
    inventory.push_str("]\n");
    os::write(&dir.join("inventory.py"), inventory)?;
    os::write(&dir.join("deploy.py"), job::deploy())?;
    let args = ["-y", "--parallel", "50", "inventory.py", "deploy.py"]
        .map(str::to_owned)
        .to_vec();
    Ok(Peer {
        name: "pyinfra",
        program: venv.join("bin/pyinfra"),
        args,
        dir,
        envs: Vec::new(),
    })
}

fn salt_ssh(lab: &Lab, hosts: &[Host], venv: &Path, dir: &Path) -> Result<Peer, OsError> {
    let dir = dir.join("salt");
    let key = lab.private_key();
    let mut roster = String::new();
    for host in hosts {
        roster.push_str(&format!(
            "{}:\n  host: {}\n  user: root\n  priv: {}\n",
            host.name(),
            host.ip(),
            key.display()
        ));
    }
    os::write(&dir.join("roster"), roster)?;
    os::write(&dir.join("salt/bench.sls"), job::sls())?;
    let place = dir.display();
    let master = format!(
        "root_dir: {place}/root\npki_dir: {place}/pki\ncachedir: {place}/cache\nfile_roots: {{ base: [{place}/salt] }}\n\
         ssh_log_file: {place}/log\nlog_file: {place}/log\nroster_file: {place}/roster\n"
    );
    os::write(&dir.join("etc/master"), master)?;
    let known = format!("--ssh-option=UserKnownHostsFile={}", lab.known_hosts().display());
    let args = [
        "-c",
        &format!("{place}/etc"),
        "--max-procs",
        "50",
        &known,
        "*",
        "state.apply",
        "bench",
        "--out",
        "quiet",
    ];
    let args = args.map(str::to_owned).to_vec();
    Ok(Peer {
        name: "salt-ssh",
        program: venv.join("bin/salt-ssh"),
        args,
        dir,
        envs: Vec::new(),
    })
}
