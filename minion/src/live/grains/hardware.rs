//! Processor, memory, disks, firmware, and what the machine is made of.

use serde_json::{Value as Json, json};

use super::{Grains, line, of};
use crate::live::Live;

pub(super) const KEYS: &[&str] = &[
    "num_cpus",
    "cpu_model",
    "cpu_flags",
    "mem_total",
    "swap_total",
    "disks",
    "ssds",
    "num_gpus",
    "gpus",
    "virtual",
    "virtual_subtype",
    "biosversion",
    "biosreleasedate",
    "manufacturer",
    "productname",
    "serialnumber",
    "uuid",
];

/// Firmware texts by grain.
static FIRMWARE: &[(&str, &str)] = &[
    ("biosversion", "bios_version"),
    ("biosreleasedate", "bios_date"),
    ("manufacturer", "sys_vendor"),
    ("productname", "product_name"),
    ("serialnumber", "product_serial"),
    ("uuid", "product_uuid"),
];

/// What firmware texts say about the hypervisor.
static HYPERVISORS: &[(&str, &str)] = &[
    ("VirtualBox", "VirtualBox"),
    ("innotek", "VirtualBox"),
    ("VMware", "VMware"),
    ("Microsoft Corporation Virtual Machine", "HyperV"),
    ("Parallels", "Parallels"),
    ("Xen", "xen"),
    ("KVM", "kvm"),
    ("QEMU", "kvm"),
    ("Bochs", "kvm"),
    ("Google", "kvm"),
    ("Amazon EC2", "kvm"),
    ("OpenStack", "kvm"),
];

pub(super) fn read(live: &Live) -> Grains {
    let cpuinfo = live.text("/proc/cpuinfo").unwrap_or_default();
    let field = |names: &[&str]| {
        cpuinfo
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| names.contains(&key.trim()))
            .map(|(_, value)| value.trim().to_owned())
    };
    let cpus = cpuinfo
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count()
        .max(1);
    let flags = field(&["flags", "Features"]).unwrap_or_default();
    let mut grains = of([
        ("num_cpus", json!(cpus)),
        (
            "cpu_model",
            json!(field(&["model name", "Processor", "cpu model"]).unwrap_or_else(|| "Unknown".to_owned())),
        ),
        ("cpu_flags", flags.split_whitespace().map(Json::from).collect()),
        ("mem_total", mebibytes(live, "MemTotal")),
        ("swap_total", mebibytes(live, "SwapTotal")),
    ]);
    grains.extend(disks(live));
    grains.extend(of([("num_gpus", json!(0)), ("gpus", json!([]))]));
    grains.extend(machine(
        live,
        flags.split_whitespace().any(|flag| flag == "hypervisor"),
    ));
    for (grain, file) in FIRMWARE {
        if let Some(text) = line(live, &format!("/sys/class/dmi/id/{file}")) {
            grains.insert((*grain).to_owned(), json!(text));
        }
    }
    grains
}

fn mebibytes(live: &Live, key: &str) -> Json {
    let text = live.text("/proc/meminfo").unwrap_or_default();
    let kib: u64 = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| *name == key)
        .and_then(|(_, value)| value.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    json!(kib / 1024)
}

fn disks(live: &Live) -> Grains {
    let mut names: Vec<String> = std::fs::read_dir(live.real("/sys/block"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            !["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd"]
                .iter()
                .any(|odd| name.starts_with(odd))
        })
        .collect();
    names.sort();
    let (spinning, solid): (Vec<_>, Vec<_>) = names
        .into_iter()
        .partition(|name| line(live, &format!("/sys/block/{name}/queue/rotational")).as_deref() != Some("0"));
    of([("disks", json!(spinning)), ("ssds", json!(solid))])
}

fn machine(live: &Live, hypervisor: bool) -> Grains {
    if let Some(kind) = container(live) {
        return of([("virtual", json!("container")), ("virtual_subtype", json!(kind))]);
    }
    let firmware = ["sys_vendor", "product_name", "bios_vendor", "product_version"]
        .iter()
        .filter_map(|file| line(live, &format!("/sys/class/dmi/id/{file}")))
        .collect::<Vec<_>>()
        .join(" ");
    let name = HYPERVISORS
        .iter()
        .find(|(text, _)| firmware.contains(text))
        .map(|(_, name)| *name);
    let name = match name {
        Some(name) => name,
        None if live.real("/proc/xen").exists() => "xen",
        None if hypervisor => "kvm",
        None => "physical",
    };
    of([("virtual", json!(name))])
}

/// The kind of container this is, if it is one.
fn container(live: &Live) -> Option<String> {
    let marked = line(live, "/run/systemd/container").or_else(|| {
        let environment = live.text("/proc/1/environ")?;
        environment
            .split('\0')
            .find_map(|entry| entry.strip_prefix("container=").map(str::to_owned))
    });
    if let Some(kind) = marked.filter(|kind| !kind.is_empty()) {
        return Some(match kind.as_str() {
            "docker" => "Docker".to_owned(),
            "lxc" => "LXC".to_owned(),
            "podman" => "Podman".to_owned(),
            _ => kind,
        });
    }
    live.real("/.dockerenv").exists().then(|| "Docker".to_owned())
}
