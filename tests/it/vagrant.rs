//! The stack's tree and the two places it is tried out in: virtual machines (the Vagrantfile) and the lab. What they say of
//! hosts must be the same, and the tree must compile for what Vagrant offers without a machine being there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness::{Project, os};
use regex::Regex;
use serde_json::{Value, json};

fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vagrant")
}

/// What a file says of hosts: name → address and roles. One host a line, as all three files have them.
fn hosts(file: &str, address: &str) -> BTreeMap<String, (String, String)> {
    let line = format!(
        r"(?m)^ *([a-z0-9]+): +\{{ {address}: ([0-9.]+),.* grains: \{{ roles: \[([a-z, ]+)\](?:, site: lab)? \}} \}}$"
    );
    let text = os::read_text(&place().join(file)).unwrap();
    let found = Regex::new(&line).unwrap();
    found
        .captures_iter(&text)
        .map(|one| (one[1].to_owned(), (one[2].to_owned(), one[3].to_owned())))
        .collect()
}

/// What salt-rs makes of the tree, for a host that is not there.
struct Shown(Project);

impl Shown {
    fn new() -> Self {
        Shown(Project::new(&[]))
    }

    fn show(&self, what: &str, host: &str, grains: &Value) -> Value {
        let file = self.0.dir().join("grains.json");
        os::write(&file, grains.to_string()).unwrap();
        let (tree, file) = (
            place().join("tree").display().to_string(),
            file.display().to_string(),
        );
        let shown = self.0.salt_rs(&[
            "show",
            what,
            "--tree",
            &tree,
            "--worktree",
            "--json",
            "--id",
            host,
            "--grains",
            &file,
        ]);
        assert!(
            !shown.stderr.contains("warning"),
            "{host}: what is not there is named as a warning:\n{shown}"
        );
        shown.expect(0).json()[host].clone()
    }
}

fn grains(os: &str, address: &str, roles: &[String], interface: &str) -> Value {
    let mut all = match os {
        "debian" => json!({
            "os": "Debian", "os_family": "Debian", "osrelease": "12", "osmajorrelease": 12, "osfinger": "Debian-12",
        }),
        _ => json!({
            "os": "Rocky", "os_family": "RedHat", "osrelease": "9.4", "osmajorrelease": 9, "osfinger": "Rocky Linux-9",
            "selinux": { "enabled": true, "enforced": "Enforcing" },
        }),
    };
    all["kernel"] = json!("Linux");
    all["init"] = json!("systemd");
    all["osarch"] = json!("x86_64");
    all["virtual"] = json!("kvm");
    all["roles"] = json!(roles);
    all["ip4_interfaces"] = json!({ "lo": ["127.0.0.1"], "eth0": ["10.0.2.15"] });
    all["ip4_interfaces"][interface] = json!([address]);
    all
}

#[test]
fn inventory_rosters_and_lab_name_the_same_hosts() {
    let lab = hosts("lab.yaml", "ip");
    assert_eq!(lab.len(), 11, "{lab:?}");
    assert_eq!(hosts("roster.yaml", "host"), lab);
    assert_eq!(hosts("tree/roster.yaml", "host"), lab);

    let asked = grains("debian", "192.168.56.10", &["mgmt".to_owned()], "eth1");
    let pillar = Shown::new().show("pillar", "mgmt", &asked);
    let inventory = pillar["inventory"]["hosts"].as_object().unwrap();
    let inventory: BTreeMap<String, (String, String)> = inventory
        .iter()
        .map(|(name, host)| {
            let roles: Vec<&str> = host["roles"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_str)
                .collect();
            (
                name.clone(),
                (host["ip"].as_str().unwrap().to_owned(), roles.join(", ")),
            )
        })
        .collect();
    assert_eq!(inventory, lab);
    let text = os::read_text(&place().join("lab.yaml")).unwrap();
    let vip = pillar["inventory"]["vip"].as_str().unwrap();
    assert!(
        text.contains(&format!("\nvip: {vip} ")),
        "lab.yaml has another floating address than {vip}"
    );
}

#[test]
fn the_tree_compiles_for_both_systems_and_finds_each_its_interface() {
    let shown = Shown::new();
    for (name, (address, roles)) in hosts("tree/roster.yaml", "host") {
        let roles: Vec<String> = roles.split(", ").map(str::to_owned).collect();
        for os in ["debian", "rocky"] {
            let low = shown.show("low", &name, &grains(os, &address, &roles, "eth1"));
            let low = low.as_array().unwrap();
            assert!(low.len() > 20, "{name} on {os} has {} states", low.len());
            // All packages of a host in one transaction.
            let packages = low.iter().filter(|chunk| chunk["state"] == "pkg").count();
            assert_eq!(packages, 1, "{name} on {os}");
            for chunk in low
                .iter()
                .filter(|chunk| chunk["name"] == "/etc/keepalived/keepalived.conf")
            {
                assert_eq!(chunk["context"]["interface"], "eth1", "{name} on {os}");
            }
            // What cannot be undone has no place in this tree.
            for chunk in low.iter().filter(|chunk| chunk["state"] == "cmd") {
                let undone = ["undo", "touches"].iter().any(|key| !chunk[*key].is_null());
                let guarded = ["unless", "onlyif", "creates", "onchanges"]
                    .iter()
                    .any(|key| !chunk[*key].is_null());
                assert!(undone && guarded, "{name} on {os}: {chunk}");
            }
        }
    }
}

#[test]
fn vagrant_takes_the_file_with_either_box() {
    let scratch = Project::new(&[(
        "bin/VBoxManage",
        // As much of VirtualBox as Vagrant asks for before it looks at the machines' settings.
        "#!/bin/sh\ncase $1 in --version) echo 7.0.20r163906 ;; esac\n",
    )]);
    os::chmod(&scratch.dir().join("bin/VBoxManage"), 0o755).unwrap();
    let validate = |switch: &str| {
        let mut vagrant = os::command("vagrant");
        let path = std::env::var("PATH").unwrap_or_default();
        vagrant
            .arg("validate")
            .current_dir(place())
            .env("PATH", format!("{}/bin:{path}", scratch.dir().display()));
        vagrant
            .env("BOX", switch)
            .env("VAGRANT_HOME", scratch.dir().join("home"))
            .env("VAGRANT_DOTFILE_PATH", scratch.dir().join("dot"))
            .env("VAGRANT_CHECKPOINT_DISABLE", "1");
        os::output(&mut vagrant, b"").unwrap()
    };
    for switch in ["debian", "rocky"] {
        let said = validate(switch);
        assert!(
            said.ok() && said.stdout.contains("validated successfully"),
            "{switch}: {said:?}"
        );
    }
    let said = validate("windows");
    assert!(
        !said.ok() && said.stderr.contains("BOX is one of debian, rocky"),
        "{said:?}"
    );
}
