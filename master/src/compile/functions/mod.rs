//! Execution functions that the master answers alone, one file per Salt module; all others are questions to the host.

use serde_json::{Map, Value as Json};

use super::oracle::Oracle;

mod config;
mod cp;
mod defaults;
mod file;
mod grains;
mod hashutil;
mod matching;
mod pillar;
mod slsutil;
mod test;

/// An execution function.
pub(crate) type Function = fn(&Oracle, &mut Args) -> Result<Json, String>;

/// Every function, by module and name.
const MODULES: &[(&str, &[(&str, Function)])] = &[
    ("config", config::FUNCTIONS),
    ("cp", cp::FUNCTIONS),
    ("defaults", defaults::FUNCTIONS),
    ("file", file::FUNCTIONS),
    ("grains", grains::FUNCTIONS),
    ("hashutil", hashutil::FUNCTIONS),
    ("log", test::LOG),
    ("match", matching::FUNCTIONS),
    ("pillar", pillar::FUNCTIONS),
    ("slsutil", slsutil::FUNCTIONS),
    ("test", test::FUNCTIONS),
];

/// Execution modules of which the host may have functions.
const HOSTS: &[&str] = &[
    "alternatives",
    "apache",
    "archive",
    "at",
    "augeas",
    "beacons",
    "bigip",
    "bridge",
    "btrfs",
    "chocolatey",
    "cmd",
    "composer",
    "consul",
    "container_resource",
    "cron",
    "cryptdev",
    "data",
    "debconf_mod",
    "debian_ip",
    "debconf",
    "devmap",
    "dig",
    "disk",
    "django",
    "dnsmasq",
    "dnsutil",
    "docker",
    "drac",
    "environ",
    "ethtool",
    "event",
    "extfs",
    "file",
    "firewalld",
    "gem",
    "genesis",
    "git",
    "gpg",
    "group",
    "grub",
    "haproxyconn",
    "hosts",
    "hostname",
    "http",
    "incron",
    "ini",
    "inspector",
    "introspect",
    "ip",
    "ipset",
    "iptables",
    "iscsi",
    "jboss7",
    "journald",
    "k8s",
    "kernelpkg",
    "key",
    "keystore",
    "kmod",
    "kubernetesmod",
    "ldap3",
    "locale",
    "locate",
    "logrotate",
    "lowpkg",
    "lvm",
    "lvs",
    "lxc",
    "mdadm",
    "mine",
    "mount",
    "mysql",
    "network",
    "nfs3",
    "nginx",
    "node",
    "npm",
    "nspawn",
    "openssl",
    "osquery",
    "pam",
    "parted",
    "partition",
    "pip",
    "pkg",
    "pkg_resource",
    "pkgbuild",
    "postgres",
    "poudriere",
    "powerpath",
    "ps",
    "publish",
    "puppet",
    "pyenv",
    "quota",
    "rabbitmq",
    "raid",
    "random",
    "rbenv",
    "redis",
    "ret",
    "rsync",
    "rvm",
    "s3",
    "salt_version",
    "saltutil",
    "schedule",
    "scsi",
    "sdb",
    "seed",
    "selinux",
    "serverdensity",
    "service",
    "shadow",
    "smtp",
    "snapper",
    "sqlite3",
    "ssh",
    "state",
    "status",
    "sudo",
    "supervisord",
    "sys",
    "sysbench",
    "sysctl",
    "sysfs",
    "syslog_ng",
    "sysmod",
    "system",
    "systemd",
    "temp",
    "test",
    "timezone",
    "tls",
    "tomcat",
    "travisci",
    "tuned",
    "udev",
    "uptime",
    "user",
    "vagrant",
    "vault",
    "virtualenv",
    "virt",
    "vsphere",
    "x509",
    "xfs",
    "zfs",
    "zpool",
];

/// Functions of modules above that do not belong to a host.
pub(crate) fn is_hosts(name: &str) -> bool {
    name.split_once('.')
        .is_some_and(|(module, function)| !function.is_empty() && HOSTS.contains(&module))
}

/// Whether the master or the host may have functions of this module.
pub(crate) fn is_module(name: &str) -> bool {
    HOSTS.contains(&name) || MODULES.iter().any(|(module, _)| *module == name)
}

/// The function of that name.
pub(crate) fn find(name: &str) -> Option<Function> {
    let (module, function) = name.split_once('.')?;
    let (_, functions) = MODULES.iter().find(|(one, _)| *one == module)?;
    functions
        .iter()
        .find(|(one, _)| *one == function)
        .map(|(_, function)| *function)
}

/// Arguments of a call, taken one by one as Python binds them.
pub(crate) struct Args {
    name: String,
    positional: std::collections::VecDeque<Json>,
    named: Map<String, Json>,
}

impl Args {
    pub(crate) fn new(name: &str, positional: &[Json], named: &Map<String, Json>) -> Self {
        Self {
            name: name.to_owned(),
            positional: positional.iter().cloned().collect(),
            named: named.clone(),
        }
    }

    /// The next parameter, if given by place or by name.
    pub(crate) fn next(&mut self, name: &str) -> Option<Json> {
        self.positional
            .pop_front()
            .or_else(|| self.named.shift_remove(name))
    }

    /// The next parameter, which must be given.
    pub(crate) fn required(&mut self, name: &str) -> Result<Json, String> {
        self.next(name)
            .ok_or_else(|| format!("{}() missing 1 required positional argument: '{name}'", self.name))
    }

    /// The next parameter as text; numbers are their text.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, String> {
        self.required(name).map(|value| super::python::text(&value))
    }

    /// The next parameter as text, if given and not null.
    pub(crate) fn text_or(&mut self, name: &str, default: &str) -> String {
        match self.next(name) {
            None | Some(Json::Null) => default.to_owned(),
            Some(value) => super::python::text(&value),
        }
    }

    /// The next parameter as a truth value.
    pub(crate) fn flag(&mut self, name: &str, default: bool) -> bool {
        self.next(name)
            .map_or(default, |value| super::python::truth(&value))
    }

    /// All that is left, by place.
    pub(crate) fn rest(&mut self) -> Vec<Json> {
        self.positional.drain(..).collect()
    }

    /// All that is left, by name.
    pub(crate) fn rest_named(&mut self) -> Map<String, Json> {
        std::mem::take(&mut self.named)
    }
}

/// The parameter as a mapping.
pub(crate) fn mapping(value: Json, what: &str) -> Result<Map<String, Json>, String> {
    match value {
        Json::Object(map) => Ok(map),
        other => Err(format!(
            "{what} must be a dictionary, not {}",
            super::python::type_name(&other)
        )),
    }
}
