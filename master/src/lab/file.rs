//! The lab file: which hosts a lab has, with their addresses, on which system.
//!
//! Every problem is found at once, each with its place. What is in here can be made; that it is made is `keeper`'s work.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use lab::{HostSpec, Network, VARIANTS, Variant, good_name};
use serde_json::{Map, Value as Json};

use crate::compile::diagnostic::{Diagnostic, did_you_mean};
use crate::compile::yaml::{Mark, Node, Value};
use crate::document::Document;
use crate::failure::{Failure, Kind};
use crate::tree::location::normal;

/// Where the lab file is looked for, here and above, unless it is named.
pub const FILE: &str = "vagrant/lab.yaml";

/// What a lab is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct LabFile {
    /// The file itself.
    pub file: PathBuf,
    /// The hosts' network. Its first address is this machine's, its last the gateway to nowhere.
    pub network: Network,
    /// An address that floats between hosts.
    pub vip: Option<Ipv4Addr>,
    /// The system of the hosts.
    pub image: Variant,
    /// The project that is copied into the lab, `salt-rs.yaml` and all.
    pub tree: Option<PathBuf>,
    /// Packages that hosts may install.
    pub packages: Vec<String>,
    /// `package-lock.json` files whose packages hosts may install.
    pub npm: Vec<PathBuf>,
    /// Files that hosts may fetch.
    pub files: Option<PathBuf>,
    /// The hosts, in the order of the file.
    pub hosts: Vec<LabHost>,
}

/// One host.
#[derive(Debug, Clone, PartialEq)]
pub struct LabHost {
    /// Its name, also in the roster.
    pub name: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Grains that the roster asserts.
    pub grains: Map<String, Json>,
    /// Size of a disk of its own, in MiB.
    pub disk: Option<u32>,
}

impl LabHost {
    /// The host as the crate `lab` makes it.
    pub fn spec(&self) -> HostSpec {
        let spec = HostSpec::systemd(self.name.clone()).at(self.ip);
        match self.disk {
            Some(mb) => spec.disk(mb),
            None => spec,
        }
    }
}

impl LabFile {
    /// Reads the file named, else `vagrant/lab.yaml` here or above.
    ///
    /// # Errors
    /// When there is none, it cannot be read, or something in it is wrong.
    pub fn find(named: Option<&Path>, directory: &Path) -> Result<Self, Failure> {
        let file = match named {
            Some(file) => directory.join(file),
            None => directory
                .ancestors()
                .map(|above| above.join(FILE))
                .find(|file| file.is_file())
                .ok_or_else(|| {
                    Failure::usage(format!("no {FILE} here or above"))
                        .hint("name a lab file with --file; docs/lab.md describes it")
                })?,
        };
        let file = normal(&file);
        let text = fs::read_to_string(&file).map_err(|error| {
            Failure::usage(format!("cannot read the lab file {}: {error}", file.display()))
        })?;
        Self::parse(&text, &file).map_err(|problems| Failure::of(Kind::Usage, problems))
    }

    /// Reads the text of a lab file.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the file.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Vec<Diagnostic>> {
        let base = file.parent().unwrap_or(Path::new("/"));
        let (mut document, root) = Document::read(text, file);
        let lab = root.and_then(|root| read(&mut document, &root, file, base));
        let problems = document.into_problems();
        match lab {
            Some(lab) if problems.is_empty() => Ok(lab),
            _ => Err(problems),
        }
    }

    /// The file with only these hosts; with all when none is named.
    ///
    /// # Errors
    /// When it has no such host.
    pub fn only(mut self, names: &[String]) -> Result<Self, Failure> {
        for name in names {
            if !self.hosts.iter().any(|host| host.name == *name) {
                return Err(unknown(name, self.hosts.iter().map(|host| host.name.as_str())));
            }
        }
        if !names.is_empty() {
            self.hosts.retain(|host| names.contains(&host.name));
        }
        Ok(self)
    }
}

/// A host that is not there, with the nearest that is.
pub fn unknown<'a>(name: &str, hosts: impl Iterator<Item = &'a str> + Clone) -> Failure {
    let help = did_you_mean(name, hosts.clone())
        .unwrap_or_else(|| format!("there are: {}", hosts.collect::<Vec<_>>().join(", ")));
    Failure::usage(format!("the lab has no host `{name}`")).hint(help)
}

fn read(document: &mut Document<'_>, root: &Node, file: &Path, base: &Path) -> Option<LabFile> {
    let mut fields = document.fields(root, "the lab file");
    let network = match fields.take("network") {
        Some(node) => network(document, node),
        None => {
            document.report(
                root.at,
                "the lab file names no `network`",
                Some("for example network: 192.168.56.0/24".to_owned()),
            );
            None
        }
    };
    // Who has an address already, so that the second one can be told.
    let mut taken: Vec<(Ipv4Addr, String)> = Vec::new();
    if let Some(network) = network {
        taken.push((
            network.outside(),
            "this machine, which has the network's first address".to_owned(),
        ));
        taken.push((
            network.gateway(),
            "the gateway, which has the network's last address".to_owned(),
        ));
    }
    let vip = fields
        .take("vip")
        .and_then(|node| address(document, node, "vip", network, &mut taken));
    let image = fields
        .take("image")
        .map_or(Some(VARIANTS[0]), |node| variant(document, node));
    let mut directory = |name| {
        let node = fields.take(name)?;
        let found = path(document, node, name, base)?;
        if !found.is_dir() {
            document.report(
                node.at,
                format!("there is no directory {}", found.display()),
                None,
            );
        }
        Some(found)
    };
    let (tree, files) = (directory("tree"), directory("files"));
    let packages = fields
        .take("packages")
        .map_or(Vec::new(), |node| packages(document, node));
    let npm = fields
        .take("npm")
        .map_or(Vec::new(), |node| paths(document, node, base));
    let hosts = match fields.take("hosts") {
        Some(node) => hosts(document, node, network, &mut taken),
        None => {
            document.report(
                root.at,
                "the lab file has no `hosts`",
                Some("for example hosts: { web1: { ip: 192.168.56.12 } }".to_owned()),
            );
            Vec::new()
        }
    };
    fields.finish(document);
    Some(LabFile {
        file: file.to_owned(),
        network: network?,
        vip,
        image: image?,
        tree,
        packages,
        npm,
        files,
        hosts,
    })
}

fn network(document: &mut Document<'_>, node: &Node) -> Option<Network> {
    let text = document.text(node, "network")?;
    let network: Network = match text.parse() {
        Ok(network) => network,
        Err(wrong) => {
            document.report(node.at, format!("network: `{text}` is {wrong}"), None);
            return None;
        }
    };
    if network.to_string() != text {
        let help = format!("the network of that address is {network}");
        document.report(
            node.at,
            format!("network: `{text}` is a host's address"),
            Some(help),
        );
    }
    if !(16..=28).contains(&network.prefix()) {
        let message = format!("network: a prefix of {} bits is not for a lab", network.prefix());
        document.report(node.at, message, Some("take one from 16 to 28".to_owned()));
    }
    if !network.outside().is_private() {
        let help = "take one of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16".to_owned();
        let message =
            format!("network: {network} is not private, hosts of the world would become unreachable");
        document.report(node.at, message, Some(help));
    }
    Some(network)
}

/// An address of the network that nobody else has.
fn address(
    document: &mut Document<'_>,
    node: &Node,
    of: &str,
    network: Option<Network>,
    taken: &mut Vec<(Ipv4Addr, String)>,
) -> Option<Ipv4Addr> {
    let text = document.text(node, of)?;
    let Ok(ip) = text.parse::<Ipv4Addr>() else {
        document.report(node.at, format!("{of}: `{text}` is not an IPv4 address"), None);
        return None;
    };
    if let Some((_, who)) = taken.iter().find(|(other, _)| *other == ip) {
        document.report(node.at, format!("{of}: {ip} belongs to {who}"), None);
    } else if let Some(network) = network.filter(|network| !network.has(ip)) {
        document.report(
            node.at,
            format!("{of}: {ip} is not an address for a host of {network}"),
            None,
        );
    }
    taken.push((ip, of.to_owned()));
    Some(ip)
}

fn variant(document: &mut Document<'_>, node: &Node) -> Option<Variant> {
    let text = document.text(node, "image")?;
    let found = VARIANTS.iter().find(|variant| variant.name == text);
    if found.is_none() {
        let names = || VARIANTS.iter().map(|variant| variant.name);
        let known = || format!("known are: {}", names().collect::<Vec<_>>().join(", "));
        let help = did_you_mean(&text, names()).unwrap_or_else(known);
        document.report(node.at, format!("there is no image `{text}`"), Some(help));
    }
    found.copied()
}

fn path(document: &mut Document<'_>, node: &Node, of: &str, base: &Path) -> Option<PathBuf> {
    let text = document.text(node, of)?;
    if text.is_empty() {
        document.report(node.at, format!("{of} is not a path"), None);
        return None;
    }
    Some(normal(&base.join(text)))
}

fn paths(document: &mut Document<'_>, node: &Node, base: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in items(node) {
        let Some(path) = path(document, item, "npm", base) else {
            continue;
        };
        if !path.is_file() {
            document.report(item.at, format!("there is no file {}", path.display()), None);
        }
        found.push(path);
    }
    found
}

fn items(node: &Node) -> Vec<&Node> {
    match &node.value {
        Value::List(items) => items.iter().collect(),
        _ => vec![node],
    }
}

fn packages(document: &mut Document<'_>, node: &Node) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for item in items(node) {
        let Some(name) = document.text(item, "packages") else {
            continue;
        };
        // apt takes whatever begins with a dash for an option, and other signs for patterns.
        let sign = |c: char| c.is_ascii_alphanumeric() || "+-.:=~".contains(c);
        if name.len() < 2 || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(sign)
        {
            document.report(item.at, format!("`{name}` is not the name of a package"), None);
        } else if found.contains(&name) {
            document.report(item.at, format!("the package `{name}` is named twice"), None);
        }
        found.push(name);
    }
    found
}

fn hosts(
    document: &mut Document<'_>,
    node: &Node,
    network: Option<Network>,
    taken: &mut Vec<(Ipv4Addr, String)>,
) -> Vec<LabHost> {
    let mut found: Vec<LabHost> = Vec::new();
    let entries = document.entries(node, "hosts");
    if entries.is_empty() {
        document.report(node.at, "a lab without hosts", None);
    }
    for (key, value) in entries {
        let name = key.value.key_text();
        if name == MASTER || !good_name(&name) {
            let help = "letters, digits and dashes, 40 at most; `master` means this machine".to_owned();
            document.report(key.at, format!("`{name}` cannot be a host's name"), Some(help));
        }
        // Two names that differ in case only are one name to a resolver.
        if found.iter().any(|host| host.name.eq_ignore_ascii_case(&name)) {
            document.report(key.at, format!("there are two hosts named `{name}`"), None);
        }
        if let Some(host) = host(document, &name, key.at, value, network, taken) {
            found.push(host);
        }
    }
    found
}

/// This machine, as faults name it: what lies between it and the lab is a cable, too.
pub const MASTER: &str = "master";

fn host(
    document: &mut Document<'_>,
    name: &str,
    at: Mark,
    node: &Node,
    network: Option<Network>,
    taken: &mut Vec<(Ipv4Addr, String)>,
) -> Option<LabHost> {
    let bare = |ip| LabHost {
        name: name.to_owned(),
        ip,
        grains: Map::new(),
        disk: None,
    };
    if matches!(node.value, Value::Text(_)) {
        return address(document, node, name, network, taken).map(bare);
    }
    let mut fields = document.fields(node, "a host");
    let ip = match fields.take("ip") {
        Some(node) => address(document, node, name, network, taken),
        None => {
            document.report(at, format!("host `{name}` has no `ip`"), None);
            None
        }
    };
    let grains = fields
        .take("grains")
        .and_then(|node| document.object(node, "grains"))
        .unwrap_or_default();
    let disk = fields
        .take("disk")
        .and_then(|node| document.number(node, "disk", 64, 16_384))
        .and_then(|mb| u32::try_from(mb).ok());
    fields.finish(document);
    Some(LabHost {
        grains,
        disk,
        ..bare(ip?)
    })
}

#[cfg(test)]
mod tests;
