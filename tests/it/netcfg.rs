//! Mounts, package repositories, the firewall and validated configuration on real hosts: planned, applied, applied again,
//! and taken back to the letter.

use std::collections::BTreeMap;

use harness::{Host, HostSpec, Lab, Project, Ran};
use serde_json::Value as Json;

use crate::converge::NOISE;

/// What a host mounts, and where it installs from.
const TREE: &[(&str, &str)] = &[
    (
        "salt/top.sls",
        "base:\n  '*':\n    - nothing\n  lb1:\n    - storage\n    - own\n",
    ),
    ("salt/nothing.sls", "nothing:\n  test.nop: []\n"),
    (
        "salt/storage.sls",
        "
/srv/scratch/deep/:
  mount.mounted:
    - device: scratch
    - fstype: tmpfs
    - opts: size={{ pillar['size'] }},mode=0750
    - mkmnt: True

sshfs:
  pkg.installed: []

/mnt/far:
  mount.mounted:
    - device: root@web1:/srv/export
    - fstype: fuse.sshfs
    - opts:
      - IdentityFile=/etc/far.key
      - StrictHostKeyChecking=no
      - _netdev
    - mkmnt: True
    - require:
      - pkg: sshfs

/mnt/part:
  mount.mounted:
    - device: /usr/share/doc
    - fstype: none
    - opts: bind,ro
    - mkmnt: True

/mnt/old:
  mount.unmounted:
    - persist: True

/dev/none:
  mount.fstab_present:
    - fs_file: /mnt/later
    - fs_vfstype: ext4
    - fs_mntops: noauto
    - mount: False
",
    ),
    (
        "salt/own.sls",
        "
signed:
  pkgrepo.managed:
    - name: deb [signed-by=/etc/apt/keyrings/own.gpg] file:/srv/signed ./
    - file: /etc/apt/sources.list.d/signed.list
    - key_url: salt://own.asc
    - aptkey: False
    - require_in:
      - pkgrepo: own

own:
  pkgrepo.managed:
    - name: deb [trusted=yes] file:/srv/own ./
    - file: /etc/apt/sources.list.d/own.list

own-tool:
  pkg.installed:
    - require:
      - pkgrepo: own
",
    ),
    ("salt/own.asc", KEY),
    ("pillar/top.sls", "base:\n  '*':\n    - common\n"),
    ("pillar/common.sls", "size: 1m\n"),
];

/// The key of a repository, and the signed list of what is in it: nothing.
const KEY: &str = "\
-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n\
mDMEZZIAgBYJKwYBBAHaRw8BAQdA8snmw/+mmfysi6vaOuAAmagiTbZViOifygd/\n\
ga7HB4S0D293bkBleGFtcGxlLm9yZ4iQBBMWCAA4FiEE1OzZdyBnY7eJPjZzhlqr\n\
vS2TY+EFAmWSAIACGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQhlqrvS2T\n\
Y+GWHwEAi20AB/09E4+qgbwv62sKfac3FYk6QdVCWlhizbWEPY4BANv0v2ylDw3u\n\
aaYj+odRdN5ES2qmJAFYw5T2c+uGlAsK\n\
=rlXg\n\
-----END PGP PUBLIC KEY BLOCK-----\n";
const SIGNED: &str = "\
-----BEGIN PGP SIGNED MESSAGE-----\n\
Hash: SHA256\n\
\n\
Origin: own\n\
Date: Mon, 01 Jan 2024 00:00:00 +0000\n\
SHA256:\n\
\x20e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 Packages\n\
-----BEGIN PGP SIGNATURE-----\n\
\n\
iHUEARYIAB0WIQTU7Nl3IGdjt4k+NnOGWqu9LZNj4QUCZZIAgAAKCRCGWqu9LZNj\n\
4UWKAQC5Bk63AQLzPlGiL9KSGfvJ390cLFD/Yq5Ro9phi1ieRAD/eQw5LLcdhcAe\n\
pYW+5N6gLZ0B6ztlRP3WGqbps1zomAM=\n\
=JfOe\n\
-----END PGP SIGNATURE-----\n";

/// A repository with one package.
const OWN: &str = "set -e
mkdir -p /srv/own /srv/signed /tmp/p/DEBIAN && touch /srv/signed/Packages && cd /srv/own
printf 'Package: own-tool\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@example.org>\\nDescription: own\\n' > /tmp/p/DEBIAN/control
dpkg-deb -Znone --build /tmp/p /srv/own/own-tool.deb > /dev/null
dpkg-deb --field own-tool.deb > Packages
printf 'Filename: ./own-tool.deb\\nSize: %s\\nSHA256: %s\\n' $(stat -c %s own-tool.deb) $(sha256sum < own-tool.deb | cut -d' ' -f1) >> Packages
";

/// What changed (or would), by state.
fn changes(ran: &Ran) -> BTreeMap<String, Json> {
    let document = ran.json();
    let mut all = BTreeMap::new();
    for (host, result) in document["hosts"].as_object().unwrap() {
        for state in result["states"].as_array().unwrap() {
            let touched = !state["changes"].as_object().unwrap().is_empty() || state["result"].is_null();
            if touched || state["result"] == false {
                let tag =
                    format!("{host} {}.{} {}", state["state"], state["fun"], state["id"]).replace('"', "");
                all.insert(tag, state["changes"].clone());
            }
        }
    }
    all
}

/// A state's comment.
fn comment(ran: &Ran, id: &str) -> String {
    let document = ran.json();
    let hosts = document["hosts"].as_object().unwrap();
    let states = hosts.values().flat_map(|host| host["states"].as_array().unwrap());
    let found = states.into_iter().find(|state| state["id"] == id);
    found.unwrap()["comment"].as_str().unwrap().to_owned()
}

fn mounts(host: &Host) -> String {
    host.check("findmnt -rno TARGET,SOURCE,FSTYPE,OPTIONS | grep -E '^/(srv|mnt)' | sort; true")
        .unwrap()
}

/// Plans, applies and applies again; the plan names what the apply does, and the second apply does nothing.
fn converge(project: &Project) -> Ran {
    let planned = project.salt_rs(&["plan", "--json"]).expect(2);
    let applied = project.salt_rs(&["apply", "--json"]).expect(0);
    let (said, done) = (changes(&planned), changes(&applied));
    assert_eq!(
        said.keys().collect::<Vec<_>>(),
        done.keys().collect::<Vec<_>>(),
        "the plan named other states"
    );
    let again = project.salt_rs(&["apply", "--json"]).expect(0);
    assert_eq!(changes(&again), BTreeMap::new());
    assert_eq!(
        changes(&project.salt_rs(&["plan", "--json"]).expect(0)),
        BTreeMap::new()
    );
    applied
}

#[test]
fn mounts_and_repositories_come_and_go() {
    let lab = Lab::up(&[HostSpec::systemd("lb1"), HostSpec::systemd("web1")]).unwrap();
    let (lb1, web1) = (lab.host("lb1"), lab.host("web1"));
    let key = lb1
        .check("ssh-keygen -q -t ed25519 -N '' -f /etc/far.key && cat /etc/far.key.pub")
        .unwrap();
    web1.check(&format!(
        "mkdir -p /srv/export && echo far > /srv/export/file && echo '{}' >> /root/.ssh/authorized_keys",
        key.trim()
    ))
    .unwrap();
    lb1.check("apt-get -q update && apt-get -qy install tree && apt-get -qy purge tree")
        .unwrap();
    lb1.check("mkdir /mnt/old && mount -t tmpfs -o size=64k old /mnt/old && printf 'old\\t/mnt/old tmpfs size=64k 0 0\\n# theirs\\n' >> /etc/fstab").unwrap();
    lb1.check(OWN).unwrap();
    lb1.write("/srv/signed/InRelease", SIGNED).unwrap();
    let project = Project::on(&lab, TREE);
    let before = lb1.tree(NOISE).unwrap();
    let mounts_before = mounts(lb1);

    let applied = converge(&project);
    assert_eq!(
        comment(&applied, "/mnt/far"),
        "Target was successfully mounted. Added new entry to the fstab."
    );
    assert_eq!(lb1.read("/mnt/far/file").unwrap(), "far\n");
    let now = mounts(lb1);
    for line in [
        "/mnt/far root@web1:/srv/export fuse.sshfs ",
        "/srv/scratch/deep scratch tmpfs rw,relatime,size=1024k,mode=750",
    ] {
        assert!(now.contains(line), "{now}");
    }
    assert!(
        now.contains("/mnt/part ") && !lb1.exec("touch /mnt/part/x").unwrap().ok(),
        "{now}"
    );
    assert!(!now.contains("/mnt/old"), "{now}");
    let fstab = lb1.read("/etc/fstab").unwrap();
    assert!(
        fstab.contains("# theirs\nscratch\t\t/srv/scratch/deep\ttmpfs\tsize=1m,mode=0750\t0 0\n"),
        "{fstab}"
    );
    assert!(lb1.check("dpkg-query -W own-tool").unwrap().contains('1'));
    let first = lb1.tree(NOISE).unwrap();

    // Another size is a remount; what lies there stays.
    lb1.check("echo data > /srv/scratch/deep/data").unwrap();
    project.write("pillar/common.sls", "size: 2m\n");
    project.commit("larger");
    let applied = converge(&project);
    assert!(mounts(lb1).contains("size=2048k"));
    assert_eq!(lb1.read("/srv/scratch/deep/data").unwrap(), "data\n");
    assert_eq!(changes(&applied).len(), 1);
    project.salt_rs(&["rollback", "--json"]).expect(0);
    assert!(mounts(lb1).contains("size=1024k"));
    lb1.check("rm /srv/scratch/deep/data").unwrap();
    assert_eq!(first.diff(&lb1.tree(NOISE).unwrap()), Vec::<String>::new());

    // A mount in use stays, and whoever uses it is named; somebody else's new line of the fstab is no conflict.
    lb1.check("echo 'more /mnt/more tmpfs noauto 0 0' >> /etc/fstab")
        .unwrap();
    lb1.check("systemd-run -q --unit holder --working-directory=/srv/scratch/deep sleep 1000")
        .unwrap();
    let busy = project.salt_rs(&["rollback"]).expect(1);
    let said = format!("{}{}", busy.stdout, busy.stderr);
    assert!(
        said.contains("/srv/scratch/deep") && said.contains("in use by sleep (pid "),
        "{said}"
    );
    assert!(mounts(lb1).contains("/srv/scratch/deep"));
    lb1.check("systemctl stop holder").unwrap();
    project.salt_rs(&["rollback"]).expect(0);
    assert_eq!(mounts(lb1), mounts_before);
    let left = before.diff(&lb1.tree(NOISE).unwrap());
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(
        lb1.read("/etc/fstab")
            .unwrap()
            .ends_with("# theirs\nmore /mnt/more tmpfs noauto 0 0\n")
    );
    // Nor does systemd keep units made of lines that went.
    let units = lb1
        .check("systemctl list-unit-files --no-legend srv-scratch-deep.mount mnt-far.mount || true")
        .unwrap();
    assert_eq!(units, "");
}

/// Services whose configuration is checked before it goes live, and a live rule besides.
const SERVICES: &[(&str, &str)] = &[
    ("salt/top.sls", "base:\n  '*':\n    - lb\n"),
    (
        "salt/lb.sls",
        "
{% for name, path, check in [
  ('haproxy', '/etc/haproxy/haproxy.cfg', 'haproxy -c -f'),
  ('keepalived', '/etc/keepalived/keepalived.conf', 'keepalived -t -f'),
  ('nginx', '/etc/nginx/conf.d/app.conf', 'nginx -t #'),
  ('nftables', '/etc/nftables.conf', 'nft -c -f'),
] %}
{{ name }}:
  pkg.installed:
    - name: {{ {'nginx': 'nginx-light'}.get(name, name) }}
  service.running:
    - reload: {{ pillar['reload'] }}
    - require:
      - pkg: {{ name }}
    - watch:
      - file: {{ path }}

{{ path }}:
  file.managed:
    - source: salt://{{ name }}.conf
    - check_cmd: '{{ check }}'
    - require:
      - pkg: {{ name }}
{% endfor %}

let ssh in:
  nftables.insert:
    - table: filter
    - chain: input
    - family: inet
    - proto: tcp
    - dport: 22
    - source: 192.0.2.0/24
    - jump: accept
    - require:
      - service: nftables
",
    ),
    (
        "salt/haproxy.conf",
        "global\n  log /dev/log local0\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\nfrontend f\n  bind :8081\n  default_backend b\nbackend b\n  server one 127.0.0.1:80\n",
    ),
    (
        "salt/keepalived.conf",
        "vrrp_instance one {\n  interface eth0\n  virtual_router_id 7\n  priority 100\n  virtual_ipaddress {\n    192.0.2.7\n  }\n}\n",
    ),
    ("salt/nginx.conf", "server { listen 8082; return 204; }\n"),
    (
        "salt/nftables.conf",
        "flush ruleset\ntable inet filter {\n  chain input {\n    type filter hook input priority filter;\n  }\n}\n",
    ),
    ("pillar/top.sls", "base:\n  '*':\n    - common\n"),
    ("pillar/common.sls", "reload: True\n"),
];

/// What each checker says of a bad file, by its path.
const REFUSALS: &[(&str, &str, &str, &str)] = &[
    (
        "haproxy",
        "/etc/haproxy/haproxy.cfg",
        "frontend f\n  bnid :8081\n",
        "[/etc/haproxy/haproxy.cfg:2]",
    ),
    (
        "keepalived",
        "/etc/keepalived/keepalived.conf",
        "vrrp_instance one {\n  nonsense 1\n}\n",
        "(/etc/keepalived/keepalived.conf: Line 2) Unknown keyword 'nonsense'",
    ),
    (
        "nginx",
        "/etc/nginx/conf.d/app.conf",
        "server { lisen 8082; }\n",
        "unknown directive \"lisen\" in /etc/nginx/conf.d/app.conf:1",
    ),
    (
        "nftables",
        "/etc/nftables.conf",
        "tabel inet filter {}\n",
        "/etc/nftables.conf:1:7-10: Error: syntax error",
    ),
];

#[test]
fn bad_configuration_never_goes_live() {
    let lab = Lab::up(&[HostSpec::systemd("lb1")]).unwrap();
    let lb1 = lab.host("lb1");
    lb1.check("apt-get -q update && apt-get -qy install tree && apt-get -qy purge tree")
        .unwrap();
    let project = Project::on(&lab, SERVICES);
    let before = lb1.tree(NOISE).unwrap();
    converge(&project);
    let rules = || lb1.check("nft -s list ruleset").unwrap();
    let first = rules();
    assert!(
        first.contains("ip saddr 192.0.2.0/24 tcp dport 22 accept"),
        "{first}"
    );
    assert_eq!(
        lb1.check("curl -s -o /dev/null -w %{http_code} http://127.0.0.1:8082/")
            .unwrap()
            .trim(),
        "204"
    );

    // Every checker refuses, says why in its own words and by the path people know, and nothing is touched.
    let files = || lb1.tree(NOISE).unwrap();
    let pids = || {
        lb1.check("systemctl show -p MainPID,ActiveEnterTimestampMonotonic haproxy nginx keepalived")
            .unwrap()
    };
    let (tree, running) = (files(), pids());
    for (name, _, text, _) in REFUSALS {
        project.write(&format!("salt/{name}.conf"), text);
    }
    project.commit("bad");
    let refused = project.salt_rs(&["apply", "--json"]).expect(1);
    for (name, path, _, said) in REFUSALS {
        let told = comment(&refused, path);
        assert!(
            told.starts_with("check_cmd execution failed\n") && told.contains(said),
            "{told}"
        );
        let told = service(&refused, name);
        assert!(told.starts_with("One or more requisite failed"), "{told}");
    }
    assert_eq!(tree.diff(&files()), Vec::<String>::new());
    assert_eq!((running, rules()), (pids(), first.clone()));

    // A file that no checker can fault, but with which the service does not start: the state says what the service said.
    for (path, text) in SERVICES {
        project.write(path, text);
    }
    let haproxy = SERVICES
        .iter()
        .find(|(path, _)| path.ends_with("haproxy.conf"))
        .unwrap()
        .1;
    project.write("salt/haproxy.conf", &haproxy.replace(":8081", "203.0.113.9:8081"));
    project.write("pillar/common.sls", "reload: False\n");
    project.commit("does not start");
    let failed = project.salt_rs(&["apply", "--json"]).expect(1);
    let told = service(&failed, "haproxy");
    assert!(
        told.contains("cannot bind socket") && told.contains("203.0.113.9:8081"),
        "{told}"
    );
    project.salt_rs(&["rollback"]).expect(0);
    assert_eq!(lb1.check("systemctl is-active haproxy").unwrap(), "active");
    assert_eq!(tree.diff(&files()), Vec::<String>::new());

    // A rule somebody set by hand since is a conflict; without it everything goes.
    lb1.check("nft add rule inet filter input udp dport 53 accept")
        .unwrap();
    let conflict = project.salt_rs(&["rollback", "--plan"]).expect(5);
    assert!(
        format!("{}{}", conflict.stdout, conflict.stderr).contains("firewall"),
        "{}",
        conflict.stdout
    );
    lb1.check(
        "nft -f - << 'E'\nflush ruleset\n{first}\nE"
            .replace("{first}", &first)
            .as_str(),
    )
    .unwrap();
    project.salt_rs(&["rollback"]).expect(0);
    // The records of a tool that package scripts call.
    let mut left = before.diff(&files());
    left.retain(|line| !line.contains(" /var/lib/ucf/"));
    assert_eq!(left, Vec::<String>::new());
}

/// The comment of a service's state.
fn service(ran: &Ran, id: &str) -> String {
    let document = ran.json();
    let states = document["hosts"]["lb1"]["states"].as_array().unwrap();
    let found = states
        .iter()
        .find(|state| state["id"] == id && state["state"] == "service");
    found.unwrap()["comment"].as_str().unwrap().to_owned()
}
