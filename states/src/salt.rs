//! Salt's own state functions, what is here of each, and the way out where there is nothing.
//!
//! `salt.txt` holds plain names: every state function of the release we follow with its arguments, and those that left it and
//! live on as extensions. What is here is read off the [`Spec`]s, so the table for people who come from Salt cannot be stale.
//! Only the master looks at this; a host never does.

use crate::spec::{GLOBAL, Spec};

/// Names of modules and functions, and of their arguments.
static NAMES: &str = include_str!("salt.txt");

/// A state function of Salt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// `file`.
    pub state: &'static str,
    /// `managed`.
    pub fun: &'static str,
    /// Arguments besides `name`; not recorded for most extensions.
    pub args: Vec<&'static str>,
    /// It is no part of Salt any more but an extension.
    pub extension: bool,
}

/// How much of a function of Salt is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Have {
    /// With all its arguments.
    Yes,
    /// Without these arguments.
    Partly(Vec<&'static str>),
    /// Not at all; the reason or the way out.
    No(&'static str),
}

/// All of them, by name, extensions last.
pub fn functions() -> Vec<Function> {
    let mut all = Vec::new();
    let mut sections = 0;
    for line in NAMES.lines() {
        if line.starts_with('#') {
            sections += 1;
            continue;
        }
        let mut words = line.split(' ');
        let first = words.next().unwrap_or_default();
        let extension = sections > 1;
        match first.split_once('.') {
            Some((state, fun)) => all.push(Function {
                state,
                fun,
                args: words.collect(),
                extension,
            }),
            None => all.extend(words.map(|fun| Function {
                state: first,
                fun,
                args: Vec::new(),
                extension,
            })),
        }
    }
    all
}

impl Function {
    /// What is here of it.
    pub fn have(&self) -> Have {
        let Some(state) = crate::find(self.state, self.fun) else {
            return Have::No(reason(self.state, self.fun));
        };
        let spec = state.spec();
        let missing: Vec<&str> = self.args.iter().copied().filter(|arg| !has(spec, arg)).collect();
        if missing.is_empty() {
            Have::Yes
        } else {
            Have::Partly(missing)
        }
    }
}

/// Whether a function takes an argument and heeds it. What only means something on Windows is not asked for.
fn has(spec: &Spec, arg: &str) -> bool {
    match spec.param(arg) {
        Some(param) => !param.doc.starts_with("Not supported"),
        None => arg == "**" || arg.starts_with("win_") || GLOBAL.contains(&arg),
    }
}

/// What to do instead of a function that is not here; `None` when it is none of Salt's.
pub fn missing(state: &str, fun: &str) -> Option<&'static str> {
    let known = functions()
        .iter()
        .any(|known| known.state == state && known.fun == fun);
    known.then(|| reason(state, fun))
}

fn reason(state: &str, fun: &str) -> &'static str {
    let name = format!("{state}.{fun}");
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name || pattern == state,
    };
    MISSING
        .iter()
        .find(|(patterns, _)| patterns.split(' ').any(fits))
        .map_or(OTHERWISE, |(_, reason)| reason)
}

const OTHERWISE: &str = "a service's own interface: `cmd.run` with its command-line program and `unless`";

/// Patterns (a module, a function, or the beginning of its full name with `*`) and the reason or the way out; the first
/// that fits counts.
static MISSING: &[(&str, &str)] = &[
    (
        "win_* appx assistive certutil chocolatey cyg dism dsc_resource keychain lgpo lgpo_reg license macdefaults macpackage \
         powercfg rdp reg shortcut file.shortcut system task wua wusa winrepo xattr",
        "for Windows or macOS; salt-rs manages Linux",
    ),
    (
        "makeconf portage_config eselect layman pkgng ports sysrc rbac logadm smartos zone zpool zfs powerpath keystore",
        "for a system salt-rs does not manage",
    ),
    (
        "netacl netconfig netntp netsnmp netusers napalm_yang probes junos nxos* panos bigip cimc cisconso restconf dellchassis \
         drac dvs esx* pbm proxy salt_proxy",
        "for devices that run no agent; salt-rs manages hosts it can log in to",
    ),
    (
        "aws_sqs boto* cloud glance_image heat infoblox_* keystone* libcloud_* neutron_* openstack_config pyrax_queues \
         smartos vagrant",
        "clouds are made by a tool of their own; salt-rs begins where a host can be logged in to",
    ),
    (
        "docker_* lxc lxd* kubernetes helm marathon_app chronos_job virt",
        "containers and machines: `cmd.run` with their own program and `unless`, or a unit of systemd by `file.managed`",
    ),
    (
        "slack smtp xmpp ifttt msteams opsgenie pagerduty* pushover statuspage telemetry_alert victorops serverdensity_device",
        "messages are no state of a host: read `salt-rs apply --json` and send what it says",
    ),
    (
        "salt.* ansible chef idem cloud.profile",
        "orchestration is the command line's: `salt-rs apply` with targets, `--batch` and several runs",
    ),
    (
        "saltutil",
        "there are no modules to bring to a host; the agent travels by itself",
    ),
    (
        "beacon event schedule",
        "there is no event bus and no daemon on a host; a timer of systemd or `cron.present` calls what is to happen in time",
    ),
    (
        "at",
        "a job for one time is no state; `cron.present`, or a timer by `file.managed`",
    ),
    (
        "cmd.call cmd.wait_call",
        "calls Python of Salt; `cmd.run` or `module.run`",
    ),
    (
        "stateconf",
        "the stateconf renderer is not there; `require` says the same",
    ),
    ("system.reboot", "`cmd.run: systemctl reboot` as the last state"),
    (
        "status uptime disk http loop process tls",
        "checks and waits: `cmd.run` with `unless`, or `retry` and `check_cmd`",
    ),
    (
        "file.decode",
        "`file.managed` with `contents: {{ text | base64_decode }}`",
    ),
    (
        "file.mknod",
        "devices are udev's; `cmd.run: mknod` with `creates`",
    ),
    (
        "file.patch",
        "`file.managed` with the whole file, `file.replace`, or `cmd.run: patch` with `unless`",
    ),
    (
        "file.retention_schedule",
        "`cmd.run` with `find` and `onlyif`, or a timer",
    ),
    (
        "git.config_set git.config_unset",
        "`file.managed` or `ini.options_present` for the file `.gitconfig` or `.git/config`",
    ),
    ("git.detached git.cloned git.present", "`git.latest` with `rev`"),
    (
        "lvm raid blockdev cryptdev btrfs",
        "disks: `cmd.run` with `unless`; what is written over cannot be brought back",
    ),
    ("module.wait", "`module.run` with `onchanges`"),
    (
        "network.managed network.routes",
        "`file.managed` for the files of the host's network service, and its service with `watch`",
    ),
    (
        "nfs_export",
        "`file.managed` for /etc/exports.d, and `cmd.run: exportfs -ra` with `onchanges`",
    ),
    (
        "ntp",
        "`file.managed` for the file of the time service, and its service with `watch`",
    ),
    (
        "pip.purge_pip pip.uptodate",
        "`pip.installed` with `upgrade: True`",
    ),
    (
        "pkgbuild",
        "packages are built elsewhere and installed from a repository",
    ),
    ("pkg.patch_*", "patches are for zypper; `pkg.latest`"),
    (
        "sysfs",
        "a rule of udev or `/etc/tmpfiles.d` by `file.managed`, and `cmd.run` with `unless`",
    ),
    (
        "syslog_ng",
        "`file.managed` for its configuration, and its service with `watch`",
    ),
    (
        "x509 ssh_pki acme",
        "certificates: `file.managed` with `contents_pillar`, or `cmd.run: openssl …` with `creates`",
    ),
    (
        "etcd consul zookeeper zk_concurrency",
        "a shared store is no state of a host: `cmd.run` with its program and `unless`",
    ),
    (
        "acl",
        "`cmd.run: setfacl …` with `unless: getfacl … | grep …`, on a path that `file.directory` manages",
    ),
    (
        "apache.configfile",
        "`file.managed` for the file, and `apache_conf.enabled` or `apache_site.enabled`",
    ),
    (
        "firewalld firewall",
        "`cmd.run: firewall-cmd --permanent …` with `unless`; or the states nftables and iptables",
    ),
    (
        "ipset",
        "a set of nftables in a file by `file.managed`, or `cmd.run: ipset` with `unless`",
    ),
    (
        "grains",
        "what a host says of itself is not written by a state: the roster's `grains` assert it, and may select pillar",
    ),
    ("gem", "`source` of `gem.installed`"),
    ("logrotate", "`file.managed` for a file in /etc/logrotate.d"),
    (
        "postgres_*",
        "`cmd.run: psql …` with `runas: postgres` and `unless`, its databases and users being the server's own",
    ),
    (
        "quota",
        "`mount.mounted` with the options, and `cmd.run: quotaon` with `unless`",
    ),
    (
        "selinux",
        "`cmd.run: setsebool -P …` or `semanage …` with `unless`; `file.managed` for /etc/selinux/config",
    ),
    ("webutil", "`cmd.run: htpasswd …` with `unless: htpasswd -v …`"),
    (
        "apt.*",
        "`pkg.held`, or `file.managed` for /etc/apt/preferences.d",
    ),
    (
        "composer bower pecl cabal buildout rvm rbenv pyenv",
        "`cmd.run` with that program, and `creates` or `unless`",
    ),
    (
        "hg svn",
        "`cmd.run` with that program, and `creates` or `unless`; `git.latest` for git",
    ),
    ("kernelpkg", "`pkg.installed` with the kernel's package"),
    ("gpg", "`cmd.run: gpg --batch --import` with `unless`"),
    (
        "keyboard",
        "`file.managed` for /etc/default/keyboard or /etc/vconsole.conf",
    ),
    ("highstate_doc", "a remark: a comment says the same"),
    (
        "monit supervisord",
        "`file.managed` for its configuration, and its service with `watch`; a unit of systemd does the same",
    ),
    (
        "virtualenv",
        "`cmd.run: python3 -m venv PATH` with `creates`, and `pip.installed` with `bin_env`",
    ),
];

/// The table for people who come from Salt, as Markdown: a line for each module.
pub fn markdown() -> String {
    let mut page = String::from("| module | yes | partly | no |\n|---|---|---|---|\n");
    let all = functions();
    for functions in all.chunk_by(|one, other| one.state == other.state) {
        let (mut yes, mut partly, mut no) = (Vec::new(), Vec::new(), Vec::<(&str, Vec<&str>)>::new());
        for function in functions {
            match function.have() {
                Have::Yes => yes.push(function.fun.to_owned()),
                Have::Partly(missing) => {
                    let missing: Vec<String> = missing.iter().map(|arg| format!("`{arg}`")).collect();
                    partly.push(format!("{} (not {})", function.fun, missing.join(" ")));
                }
                Have::No(reason) => match no.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, funs)) => funs.push(function.fun),
                    None => no.push((reason, vec![function.fun])),
                },
            }
        }
        let no: Vec<String> = no
            .iter()
            .map(|(reason, funs)| format!("{}: {reason}", funs.join(", ")))
            .collect();
        let note = if functions[0].extension {
            " (extension)"
        } else {
            ""
        };
        page.push_str(&format!(
            "| {}{note} | {} | {} | {} |\n",
            functions[0].state,
            yes.join(", "),
            partly.join("; "),
            no.join("; ")
        ));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_here_is_told_from_the_specs() {
        let all = functions();
        let have = |state: &str, fun: &str| {
            let function = all.iter().find(|one| one.state == state && one.fun == fun);
            function.expect("one of Salt's").have()
        };
        assert_eq!(have("file", "absent"), Have::Yes);
        assert!(matches!(have("file", "managed"), Have::Partly(missing) if missing.contains(&"selinux")));
        assert!(
            matches!(have("docker_container", "running"), Have::No(why) if why.starts_with("containers"))
        );
        assert!(matches!(have("zabbix_host", "present"), Have::No(OTHERWISE)));
        assert_eq!(missing("nosuch", "present"), None);
    }

    #[test]
    fn every_function_here_is_salts_or_said_to_be_ours() {
        let all = functions();
        let ours = ["mysql_replication.replica", "mysql_replication.absent"];
        for state in crate::STATES {
            let spec = state.spec();
            let salts = all
                .iter()
                .any(|one| one.state == spec.state && one.fun == spec.fun);
            assert!(salts != ours.contains(&spec.name().as_str()), "{}", spec.name());
        }
    }

    #[test]
    fn every_reason_is_for_something() {
        let names: Vec<String> = functions()
            .iter()
            .map(|one| format!("{}.{}", one.state, one.fun))
            .collect();
        for pattern in MISSING.iter().flat_map(|(patterns, _)| patterns.split(' ')) {
            let fits = |name: &String| match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == pattern || name.split('.').next() == Some(pattern),
            };
            assert!(names.iter().any(fits), "{pattern} fits nothing");
        }
    }
}
