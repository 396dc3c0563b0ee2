//! Distribution, kernel and init system.

use serde_json::{Value as Json, json};

use super::{Grains, line, of};
use crate::live::Live;

pub(super) const KEYS: &[&str] = &[
    "kernel",
    "kernelrelease",
    "kernelversion",
    "kernelparams",
    "cpuarch",
    "machine_id",
    "os",
    "os_family",
    "osfullname",
    "oscodename",
    "osrelease",
    "osrelease_info",
    "osmajorrelease",
    "osfinger",
    "osarch",
    "lsb_distrib_id",
    "lsb_distrib_release",
    "lsb_distrib_codename",
    "init",
    "systemd",
    "selinux",
    "ps",
    "locale_info",
    "transactional",
    "efi",
    "efi-secure-boot",
];

/// Names by `ID` of os-release: Salt's `os`, its family.
static SYSTEMS: &[(&str, &str, &str)] = &[
    ("debian", "Debian", "Debian"),
    ("ubuntu", "Ubuntu", "Debian"),
    ("raspbian", "Raspbian", "Debian"),
    ("devuan", "Devuan", "Debian"),
    ("kali", "Kali", "Debian"),
    ("linuxmint", "Mint", "Debian"),
    ("pop", "Pop", "Debian"),
    ("rhel", "RedHat", "RedHat"),
    ("centos", "CentOS", "RedHat"),
    ("fedora", "Fedora", "RedHat"),
    ("rocky", "Rocky", "RedHat"),
    ("almalinux", "AlmaLinux", "RedHat"),
    ("amzn", "Amazon", "RedHat"),
    ("ol", "OEL", "RedHat"),
    ("cloudlinux", "CloudLinux", "RedHat"),
    ("virtuozzo", "Virtuozzo", "RedHat"),
    ("photon", "VMware Photon OS", "RedHat"),
    ("scientific", "ScientificLinux", "RedHat"),
    ("opensuse-leap", "SUSE", "Suse"),
    ("opensuse-tumbleweed", "SUSE", "Suse"),
    ("opensuse", "SUSE", "Suse"),
    ("sles", "SUSE", "Suse"),
    ("sled", "SUSE", "Suse"),
    ("arch", "Arch", "Arch"),
    ("archarm", "Arch ARM", "Arch"),
    ("manjaro", "Manjaro", "Arch"),
    ("alpine", "Alpine", "Alpine"),
    ("gentoo", "Gentoo", "Gentoo"),
    ("void", "Void", "Void"),
];

pub(super) fn read(live: &Live) -> Grains {
    let uname = rustix::system::uname();
    let machine = uname.machine().to_string_lossy().into_owned();
    let mut grains = of([
        ("kernel", json!(uname.sysname().to_string_lossy())),
        ("kernelrelease", json!(uname.release().to_string_lossy())),
        ("kernelversion", json!(uname.version().to_string_lossy())),
        ("kernelparams", params(live)),
        ("cpuarch", json!(machine)),
        (
            "machine_id",
            json!(line(live, "/etc/machine-id").unwrap_or_default()),
        ),
    ]);
    let release = release(live);
    grains.extend(distribution(live, &release, &machine));
    grains.insert("init".to_owned(), init(live));
    if let Some(systemd) = systemd(live) {
        grains.insert("systemd".to_owned(), systemd);
    }
    if grains.get("os_family") == Some(&json!("RedHat")) {
        let enforced = line(live, "/sys/fs/selinux/enforce");
        let name = match enforced.as_deref() {
            Some("1") => "Enforcing",
            Some(_) => "Permissive",
            None => "Disabled",
        };
        grains.insert(
            "selinux".to_owned(),
            json!({"enabled": enforced.is_some(), "enforced": name}),
        );
    }
    grains.extend(of([
        ("ps", json!("ps -efHww")),
        ("locale_info", locale(live)),
        ("transactional", json!(false)),
        ("efi", json!(live.real("/sys/firmware/efi").is_dir())),
        ("efi-secure-boot", json!(false)),
    ]));
    grains
}

/// The pairs of os-release, unquoted.
fn release(live: &Live) -> Vec<(String, String)> {
    let text = live
        .text("/etc/os-release")
        .or_else(|| live.text("/usr/lib/os-release"))
        .unwrap_or_default();
    text.lines()
        .filter_map(|line| line.trim().split_once('='))
        .map(|(key, value)| (key.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
        .collect()
}

fn distribution(live: &Live, release: &[(String, String)], machine: &str) -> Grains {
    let field = |key: &str| {
        release
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.clone())
            .unwrap_or_default()
    };
    let id = field("ID");
    let known = SYSTEMS.iter().find(|(key, ..)| *key == id).or_else(|| {
        let like = field("ID_LIKE");
        let mut like = like.split_whitespace();
        like.find_map(|id| SYSTEMS.iter().find(|(key, ..)| *key == id))
    });
    let full = if field("NAME").is_empty() {
        "Linux".to_owned()
    } else {
        field("NAME")
    };
    let (os, family) = match known {
        Some((key, os, family)) if *key == id => ((*os).to_owned(), (*family).to_owned()),
        Some((.., family)) => (full.clone(), (*family).to_owned()),
        None => (full.clone(), full.clone()),
    };
    let os = if full == "CentOS Stream" { full.clone() } else { os };
    let full = match id.as_str() {
        "opensuse-leap" => "Leap".to_owned(),
        "opensuse-tumbleweed" => "Tumbleweed".to_owned(),
        _ => full,
    };
    let version = version(live, &id, field("VERSION_ID"));
    let codename = [field("VERSION_CODENAME"), field("PRETTY_NAME")]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default();
    let info: Vec<Json> = version
        .split('.')
        .map(|part| {
            part.parse::<u64>()
                .map_or_else(|_| json!(part), |number| json!(number))
        })
        .collect();
    let major = info.first().cloned().unwrap_or_default();
    let finger_name = if matches!(os.as_str(), "Debian" | "Raspbian") {
        &os
    } else {
        &full
    };
    let finger_version = if os == "Ubuntu" {
        version.clone()
    } else {
        version.split('.').next().unwrap_or_default().to_owned()
    };
    let mut grains = of([
        ("os", json!(os)),
        ("os_family", json!(family)),
        ("osfullname", json!(full)),
        ("oscodename", json!(codename)),
        ("osrelease", json!(version)),
        ("lsb_distrib_id", json!(field("NAME"))),
        ("lsb_distrib_release", json!(field("VERSION_ID"))),
        ("lsb_distrib_codename", json!(codename)),
        ("osarch", json!(arch(&family, machine))),
    ]);
    if !version.is_empty() {
        grains.extend(of([
            ("osrelease_info", Json::Array(info)),
            ("osmajorrelease", major),
            ("osfinger", json!(format!("{finger_name}-{finger_version}"))),
        ]));
    }
    grains
}

/// The version; CentOS tells more of it in its own file.
fn version(live: &Live, id: &str, version: String) -> String {
    if id != "centos" {
        return version;
    }
    line(live, "/etc/centos-release")
        .and_then(|text| {
            text.split_whitespace()
                .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
                .map(str::to_owned)
        })
        .unwrap_or(version)
}

/// The package manager's word for the machine.
fn arch(family: &str, machine: &str) -> String {
    if family != "Debian" {
        return machine.to_owned();
    }
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "i386" | "i486" | "i586" | "i686" => "i386",
        "armv7l" => "armhf",
        "ppc64le" => "ppc64el",
        other => other,
    }
    .to_owned()
}

fn init(live: &Live) -> Json {
    if live.real("/run/systemd/system").is_dir() {
        return json!("systemd");
    }
    match line(live, "/proc/1/comm").as_deref() {
        Some("init") if live.real("/etc/inittab").exists() => json!("sysvinit"),
        _ => json!("unknown"),
    }
}

fn systemd(live: &Live) -> Option<Json> {
    live.program("systemctl")?;
    let output = live.tool(&["systemctl", "--version"]).ok()?;
    let mut lines = output.stdout.lines();
    let version = lines.next()?.split_whitespace().nth(1)?;
    Some(json!({"version": version, "features": lines.next().unwrap_or_default()}))
}

fn params(live: &Live) -> Json {
    let text = live.text("/proc/cmdline").unwrap_or_default();
    text.split_whitespace()
        .map(|word| match word.split_once('=') {
            Some((key, value)) => json!([key, value]),
            None => json!([word, null]),
        })
        .collect()
}

fn locale(live: &Live) -> Json {
    let setting = ["/etc/default/locale", "/etc/locale.conf"]
        .iter()
        .find_map(|path| {
            let text = live.text(path)?;
            text.lines().find_map(|line| {
                line.trim()
                    .strip_prefix("LANG=")
                    .map(|value| value.trim_matches(['"', '\'']).to_owned())
            })
        });
    let setting = setting.unwrap_or_else(|| "C".to_owned());
    let (language, encoding) = setting.split_once('.').unwrap_or((&setting, ""));
    let zone = std::fs::read_link(live.real("/etc/localtime"))
        .ok()
        .and_then(|path| {
            path.to_str()
                .and_then(|path| path.split_once("zoneinfo/").map(|(_, zone)| zone.to_owned()))
        })
        .map_or_else(
            || "UTC".to_owned(),
            |zone| zone.trim_start_matches("Etc/").to_owned(),
        );
    json!({
        "defaultlanguage": if language == "C" { Json::Null } else { json!(language) },
        "defaultencoding": if encoding.is_empty() { Json::Null } else { json!(encoding) },
        "detectedencoding": "utf-8",
        "timezone": zone,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing;
    use super::*;

    #[test]
    fn distributions_are_named_as_salt_names_them() {
        let cases = [
            (
                "NAME=\"CentOS Linux\"\nID=\"centos\"\nVERSION_ID=\"7\"\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"\n",
                [
                    "CentOS",
                    "RedHat",
                    "CentOS Linux 7 (Core)",
                    "7.9.2009",
                    "CentOS Linux-7",
                    "x86_64",
                ],
            ),
            (
                "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"\nVERSION_CODENAME=jammy\n",
                ["Ubuntu", "Debian", "jammy", "22.04", "Ubuntu-22.04", "amd64"],
            ),
            (
                "NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n",
                ["Debian", "Debian", "bookworm", "12", "Debian-12", "amd64"],
            ),
            (
                "NAME=\"Rocky Linux\"\nID=\"rocky\"\nVERSION_ID=\"9.3\"\nPRETTY_NAME=\"Rocky Linux 9.3 (Blue Onyx)\"\n",
                [
                    "Rocky",
                    "RedHat",
                    "Rocky Linux 9.3 (Blue Onyx)",
                    "9.3",
                    "Rocky Linux-9",
                    "x86_64",
                ],
            ),
        ];
        for (text, wanted) in cases {
            let host = testing::host();
            host.write("/etc/os-release", text);
            host.write("/etc/centos-release", "CentOS Linux release 7.9.2009 (Core)\n");
            let grains = distribution(&host.live, &release(&host.live), "x86_64");
            let got = ["os", "os_family", "oscodename", "osrelease", "osfinger", "osarch"]
                .map(|key| grains[key].as_str().unwrap_or_default().to_owned());
            assert_eq!(got, wanted);
        }
    }
}
