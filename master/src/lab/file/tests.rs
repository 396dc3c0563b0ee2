//! The lab file: what is read, and what each mistake is answered with.

use std::path::Path;

use super::*;

fn read(text: &str) -> Result<LabFile, Vec<Diagnostic>> {
    LabFile::parse(text, Path::new("/x/lab.yaml"))
}

#[test]
fn a_lab_is_read() {
    let lab = read(
        "network: 192.168.56.0/24\nvip: 192.168.56.100\npackages: [nginx, libc6=2.36-9]\nhosts:\n  \
         web1: { ip: 192.168.56.12, grains: { roles: [web] }, disk: 128 }\n  db: 192.168.56.16\n",
    )
    .unwrap();
    assert_eq!(lab.image.name, "debian-12");
    assert_eq!(lab.packages, ["nginx", "libc6=2.36-9"]);
    let names: Vec<_> = lab
        .hosts
        .iter()
        .map(|host| (host.name.as_str(), host.ip.to_string()))
        .collect();
    assert_eq!(
        names,
        [
            ("web1", "192.168.56.12".to_owned()),
            ("db", "192.168.56.16".to_owned())
        ]
    );
    assert_eq!(lab.hosts[0].grains["roles"][0], "web");
    assert_eq!(lab.hosts[0].spec().disk_mb, Some(128));
    let only = lab.clone().only(&["db".to_owned()]).unwrap();
    assert_eq!(only.hosts.len(), 1);
    let wrong = lab.only(&["wbe1".to_owned()]).unwrap_err();
    assert_eq!(wrong.diagnostics[0].help.as_deref(), Some("did you mean `web1`?"));
}

#[test]
fn each_mistake_has_a_place_and_a_way_out() {
    let net = "network: 192.168.56.0/24\n";
    // Text, place, part of the message, part of the help.
    let cases = [
        ("", "1:1", "names no `network`", "192.168.56.0/24"),
        ("network: 192.168.56.0/24\n", "1:1", "no `hosts`", "ip:"),
        (
            "network: 192.168.56.0\nhosts: { a: 192.168.56.2 }\n",
            "1:10",
            "not a network",
            "",
        ),
        (
            "network: 192.168.56.7/24\nhosts: { a: 192.168.56.2 }\n",
            "1:10",
            "a host's address",
            "192.168.56.0/24",
        ),
        (
            "network: 192.168.56.0/30\nhosts: { a: 192.168.56.2 }\n",
            "1:10",
            "30 bits",
            "16 to 28",
        ),
        (
            "network: 8.8.8.0/24\nhosts: { a: 8.8.8.2 }\n",
            "1:10",
            "not private",
            "10.0.0.0/8",
        ),
        (
            &format!("{net}host: {{}}\nhosts: {{ a: 192.168.56.2 }}\n"),
            "2:1",
            "unknown key `host`",
            "`hosts`",
        ),
        (&format!("{net}hosts: {{}}\n"), "2:8", "without hosts", ""),
        (
            &format!("{net}hosts:\n  a: 192.168.56.2\n  a: 192.168.56.3\n"),
            "4:3",
            "",
            "",
        ),
        (
            &format!("{net}hosts:\n  a: 192.168.56.2\n  A: 192.168.56.3\n"),
            "4:3",
            "two hosts named `A`",
            "",
        ),
        (
            &format!("{net}hosts:\n  a: 192.168.56.2\n  b: 192.168.56.2\n"),
            "4:6",
            "192.168.56.2 belongs to a",
            "",
        ),
        (
            &format!("{net}vip: 192.168.56.2\nhosts:\n  a: 192.168.56.2\n"),
            "4:6",
            "belongs to vip",
            "",
        ),
        (
            &format!("{net}hosts: {{ a: 192.168.56.1 }}\n"),
            "2:13",
            "belongs to this machine",
            "",
        ),
        (
            &format!("{net}hosts: {{ a: 192.168.56.254 }}\n"),
            "2:13",
            "belongs to the gateway",
            "",
        ),
        (
            &format!("{net}hosts: {{ a: 192.168.57.2 }}\n"),
            "2:13",
            "not an address for a host of 192.168.56.0/24",
            "",
        ),
        (
            &format!("{net}hosts: {{ a: 192.168.56.255 }}\n"),
            "2:13",
            "not an address for a host",
            "",
        ),
        (
            &format!("{net}hosts: {{ a: {{ ip: web }} }}\n"),
            "2:19",
            "not an IPv4 address",
            "",
        ),
        (
            &format!("{net}hosts: {{ a: {{ }} }}\n"),
            "2:10",
            "has no `ip`",
            "",
        ),
        (
            &format!("{net}hosts: {{ a: {{ ip: 192.168.56.2, grain: {{}} }} }}\n"),
            "2:33",
            "unknown key `grain`",
            "`grains`",
        ),
        (
            &format!("{net}hosts: {{ a: {{ ip: 192.168.56.2, disk: 1 }} }}\n"),
            "2:39",
            "64 to 16384",
            "",
        ),
        (
            &format!("{net}hosts: {{ a_b: 192.168.56.2 }}\n"),
            "2:10",
            "cannot be a host's name",
            "dashes",
        ),
        (
            &format!("{net}hosts: {{ master: 192.168.56.2 }}\n"),
            "2:10",
            "cannot be a host's name",
            "this machine",
        ),
        (
            &format!("{net}image: debian12\nhosts: {{ a: 192.168.56.2 }}\n"),
            "2:8",
            "no image `debian12`",
            "`debian-12`",
        ),
        (
            &format!("{net}image: plan9\nhosts: {{ a: 192.168.56.2 }}\n"),
            "2:8",
            "no image `plan9`",
            "known are",
        ),
        (
            &format!("{net}tree: nowhere\nhosts: {{ a: 192.168.56.2 }}\n"),
            "2:7",
            "no directory /x/nowhere",
            "",
        ),
        (
            &format!("{net}npm: [none.json]\nhosts: {{ a: 192.168.56.2 }}\n"),
            "2:7",
            "no file /x/none.json",
            "",
        ),
        (
            &format!("{net}packages: [--purge]\nhosts: {{ a: 192.168.56.2 }}\n"),
            "2:12",
            "not the name of a package",
            "",
        ),
        (
            &format!("{net}packages: [nginx, nginx]\nhosts: {{ a: 192.168.56.2 }}\n"),
            "2:19",
            "named twice",
            "",
        ),
    ];
    for (text, place, message, help) in cases {
        let problems = read(text).unwrap_err();
        let found = problems.iter().find(|one| one.message.contains(message));
        let found = found.unwrap_or_else(|| panic!("{text}: {problems:?}"));
        assert_eq!(
            found.place(),
            Some(format!("/x/lab.yaml:{place}")),
            "{text}: {found:?}"
        );
        assert!(
            found.help.as_deref().unwrap_or_default().contains(help),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "network: 192.168.56.0/24\nimage: x\nhosts:\n  a: 1.2.3.4\n  b: 1.2.3.4\n  c: { ip: 192.168.56.9, z: 1 }\n";
    let problems = read(text).unwrap_err();
    let lines: Vec<_> = problems.iter().filter_map(|one| one.line).collect();
    assert_eq!(lines, [2, 4, 5, 6]);
}
