//! The hosts other tests stand on: they boot, can be reached, installed on, broken, mended, and leave nothing behind.

use std::path::Path;
use std::time::Duration;

use harness::{HostSpec, Lab, os};

fn systemd(names: &[&str]) -> Lab {
    let specs: Vec<_> = names.iter().map(|name| HostSpec::systemd(*name)).collect();
    Lab::up(&specs).unwrap()
}

#[test]
fn three_hosts_boot_systemd_and_answer_openssh_on_known_keys() {
    let lab = systemd(&["web1", "web2", "db1"]);
    for host in lab.hosts() {
        let first = host
            .ssh("cat /proc/1/comm; hostname; systemctl is-system-running")
            .unwrap();
        assert_eq!(
            first.stdout,
            format!("systemd\n{}\nrunning\n", host.name()),
            "{}",
            first.stderr
        );
        let user = os::output(host.ssh_command("admin").arg("sudo -n id -u"), b"").unwrap();
        assert_eq!(user.stdout, "0\n", "{}", user.stderr);
    }
    let ids: std::collections::BTreeSet<_> = lab
        .hosts()
        .iter()
        .map(|host| host.read("/etc/machine-id").unwrap())
        .collect();
    assert_eq!(ids.len(), 3);
    let neighbour = lab
        .host("web1")
        .check("getent hosts db1 | cut -d' ' -f1 && ping -c1 -W2 db1 > /dev/null");
    assert_eq!(neighbour.unwrap(), lab.host("db1").ip());
    let outside = lab.host("web1").exec("ping -c1 -W2 192.0.2.1").unwrap();
    assert!(
        outside.stdout.contains("Unreachable"),
        "there is a way out: {}",
        outside.stdout
    );
}

#[test]
fn packages_come_from_the_local_repository() {
    let lab = systemd(&["web1"]);
    let host = lab.host("web1");
    host.check(
        "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install lab-tool=1.0-1 labd=1.0-1",
    )
    .unwrap();
    assert_eq!(host.check("lab-tool").unwrap(), "1.0");
    assert_eq!(host.check("systemctl is-active labd").unwrap(), "active");
    host.check("echo 'greeting = changed' > /etc/labd.conf && systemctl reload labd")
        .unwrap();
    let reload = || {
        host.read("/run/labd.state")
            .ok()
            .filter(|text| text.contains("reads 2"))
    };
    let state = os::wait_for(Duration::from_secs(10), reload).unwrap();
    assert_eq!(state, "version 1.0-1\nreads 2\ngreeting = changed\n");
    host.check("apt-get -qy install lab-tool").unwrap();
    assert_eq!(host.check("lab-tool").unwrap(), "2.0");
    host.check("apt-get -qy --allow-downgrades install lab-tool=1.0-1")
        .unwrap();
    assert_eq!(host.check("lab-tool").unwrap(), "1.0");
    host.check("apt-get -qy install nginx-light && wget -qO- http://127.0.0.1/ | grep -q nginx")
        .unwrap();
    assert!(!host.exec("apt-get -qy install lab-broken").unwrap().ok());
}

#[test]
fn a_cable_is_cut_and_healed_and_a_host_freezes() {
    let lab = Lab::up(&[HostSpec::light("one"), HostSpec::light("two")]).unwrap();
    let (one, two) = (lab.host("one"), lab.host("two"));
    one.cut().unwrap();
    assert_eq!(one.ssh("true").unwrap().code, 255);
    assert!(two.ssh("true").unwrap().ok());
    assert!(one.exec("true").unwrap().ok(), "a cut host goes on by itself");
    one.heal().unwrap();
    os::wait_for(Duration::from_secs(10), || {
        one.ssh("true").unwrap().ok().then_some(())
    })
    .unwrap();

    two.freeze().unwrap();
    assert_eq!(two.ssh("true").unwrap().code, 255);
    two.thaw().unwrap();
    assert!(two.ssh("true").unwrap().ok());

    two.lose(100).unwrap();
    assert!(!one.exec("ping -c1 -W1 two").unwrap().ok());
    two.lose(0).unwrap();
    assert!(one.exec("ping -c1 -W5 two").unwrap().ok());
}

#[test]
fn a_host_reboots_crashes_and_keeps_its_disk() {
    let lab = systemd(&["web1"]);
    let host = lab.host("web1");
    host.write("/etc/kept", "yes\n").unwrap();
    let boot = host.read("/proc/sys/kernel/random/boot_id").unwrap();
    host.reboot().unwrap();
    assert_eq!(host.boots(), 2);
    assert_ne!(host.read("/proc/sys/kernel/random/boot_id").unwrap(), boot);
    host.crash().unwrap();
    assert!(!host.is_up());
    assert!(host.exec("true").is_err());
    host.start().unwrap();
    assert_eq!(host.read("/etc/kept").unwrap(), "yes\n");
    host.power_off().unwrap();
    host.start().unwrap();
    assert_eq!(
        host.ssh("systemctl is-system-running").unwrap().stdout,
        "running\n"
    );
    host.reset().unwrap();
    assert!(host.read("/etc/kept").is_err());
    assert!(host.ssh("true").unwrap().ok(), "the same key after a reset");
}

#[test]
fn the_tree_shows_every_trace_and_a_snapshot_brings_all_back() {
    let lab = Lab::up(&[HostSpec::light("one")]).unwrap();
    let host = lab.host("one");
    let before = host.tree_with_mtimes(&["/var/log/*"]).unwrap();
    assert!(before.0.len() > 3000, "{} entries", before.0.len());
    assert!(
        !before
            .0
            .keys()
            .any(|path| path.starts_with("/proc/") || path.starts_with("/srv/lab-repo"))
    );
    let snapshot = host.snapshot().unwrap();

    host.check(
        "chmod 600 /etc/issue && chown admin /etc/issue.net && setfacl -m u:admin:r /etc/hostname
         echo x >> /etc/motd && rm /etc/debconf.conf && mkdir /etc/new && ln -s /nowhere /etc/new/link
         mv /etc/skel /etc/skel2 && setfattr -n user.note -v hi /etc/shells && touch /etc/shadow",
    )
    .unwrap();
    let after = host.tree(&["/var/log/*", "/etc/skel*"]).unwrap();
    let quiet = host.tree(&["/var/log/*", "/etc/*"]).unwrap();
    let lines = before_without_times(&before).diff(&after).join("\n");
    for expected in [
        "~ /etc/issue: mode 644 -> 600",
        "~ /etc/issue.net: owner 0:0 -> 1000:0",
        "~ /etc/hostname: mode 644 -> 644",
        "~ /etc/motd: size",
        "- /etc/debconf.conf",
        "+ /etc/new/link",
        "~ /etc/shells: xattrs {} -> {\"user.note\": [104, 105]}",
    ] {
        // An access list changes what the mode bits show to `ls`, never the bits themselves.
        let expected = expected.replace("mode 644 -> 644", "xattrs {} -> {\"system.posix_acl_access\"");
        assert!(lines.contains(&expected), "{expected} not in:\n{lines}");
    }
    assert!(!lines.contains("/etc/shadow"), "{lines}");
    assert!(!quiet.0.contains_key("/etc/issue"));
    let with_times = before
        .diff(&host.tree_with_mtimes(&["/var/log/*"]).unwrap())
        .join("\n");
    assert!(with_times.contains("~ /etc/shadow: mtime"), "{with_times}");

    host.restore(&snapshot).unwrap();
    let again = host.tree_with_mtimes(&["/var/log/*"]).unwrap();
    assert_eq!(before.diff(&again), Vec::<String>::new());
}

fn before_without_times(tree: &harness::lab::Tree) -> harness::lab::Tree {
    let mut tree = tree.clone();
    tree.0.retain(|path, _| !path.starts_with("/etc/skel"));
    for entry in tree.0.values_mut() {
        entry.mtime = 0;
    }
    tree
}

#[test]
fn a_small_disk_fills_up_and_recovers() {
    let lab = Lab::up(&[HostSpec::light("one").disk(32)]).unwrap();
    let host = lab.host("one");
    host.fill("/var/lib").unwrap();
    let full = host.write("/etc/more", [b'x'; 300_000]).unwrap_err().to_string();
    assert!(full.contains("No space left"), "{full}");
    host.unfill("/var/lib").unwrap();
    host.write("/etc/more", [b'x'; 300_000]).unwrap();
}

#[test]
fn what_was_synced_survives_a_power_loss() {
    let lab = Lab::up(&[HostSpec::light("one").disk(64)]).unwrap();
    let host = lab.host("one");
    host.check("echo kept > /etc/kept && sync /etc/kept /etc")
        .unwrap();
    let cut = host.snapshot().unwrap();
    host.check("rm /etc/kept && echo later > /etc/later && sync /etc")
        .unwrap();
    host.restore(&cut).unwrap();
    assert_eq!(host.read("/etc/kept").unwrap(), "kept\n");
    assert!(host.read("/etc/later").is_err());
    assert!(host.ssh("true").unwrap().ok(), "the same key");
}

#[test]
fn a_lab_whose_reaper_was_killed_too_is_swept_by_the_next() {
    let mut owner = Owner::start();
    let traces = Traces::in_dir(Path::new(&owner.dir));
    // Its reaper is the one process that knows the lab's directory and is not in its cgroup.
    let ids = os::names(Path::new("/proc")).unwrap();
    let knows = |id: &String| {
        let environment = os::read(&Path::new("/proc").join(id).join("environ")).unwrap_or_default();
        let wanted = format!("DIR={}", owner.dir);
        let groups = os::read_text(&Path::new("/proc").join(id).join("cgroup")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|line| line == wanted.as_bytes())
            && !groups.contains(&traces.name)
    };
    let reapers: Vec<_> = ids
        .iter()
        .filter(|id| id.parse::<u32>().is_ok())
        .filter(|id| knows(id))
        .collect();
    assert!(!reapers.is_empty());
    for reaper in reapers {
        // The shell and its `cat` go together.
        os::run("kill", &["-KILL", reaper]).ok();
    }
    owner.kill();
    assert!(traces.found().len() >= 4, "{:?}", traces.found());
    let lab = Lab::up(&[HostSpec::light("one")]).unwrap();
    let own = Traces::of(&lab);
    if own.name != traces.name {
        assert_eq!(traces.found(), Vec::<String>::new());
    }
}

#[test]
fn a_host_cannot_reach_beyond_itself() {
    let lab = Lab::up(&[HostSpec::light("one")]).unwrap();
    let host = lab.host("one");
    for forbidden in [
        "date -s @0",
        "sysctl -w kernel.panic=1",
        "echo b > /proc/sysrq-trigger && test -s /proc/sysrq-trigger",
        "mknod /root/disk b 254 0",
        "echo x > /srv/lab-repo/x",
    ] {
        assert!(!over_ssh(host, forbidden), "{forbidden} worked");
    }
    assert!(over_ssh(host, "sysctl -w net.ipv4.tcp_keepalive_time=77"));
}

/// Over ssh, as what is entered from outside has more rights than the host itself.
fn over_ssh(host: &harness::Host, line: &str) -> bool {
    host.ssh(line).unwrap().ok()
}

#[test]
fn a_lab_leaves_nothing_behind_even_when_its_owner_is_killed() {
    let lab = systemd(&["gone1", "gone2"]);
    let traces = Traces::of(&lab);
    assert!(traces.found().len() >= 4, "{:?}", traces.found());
    drop(lab);
    assert_eq!(traces.found(), Vec::<String>::new());

    // A second program owns a lab and is killed without a chance to take it down.
    let mut owner = Owner::start();
    let traces = Traces::in_dir(Path::new(&owner.dir));
    assert!(traces.found().len() >= 4, "{:?}", traces.found());
    owner.kill();
    let gone = os::wait_for(Duration::from_secs(20), || {
        traces.found().is_empty().then_some(())
    });
    assert!(gone.is_some(), "{:?}", traces.found());
}

/// A second program that owns a lab.
struct Owner {
    process: std::process::Child,
    dir: String,
}

impl Owner {
    fn start() -> Self {
        let mut owner = os::command(&std::env::current_exe().unwrap().display().to_string());
        owner
            .args(["--exact", "hosts::owns_a_lab_until_it_is_killed", "--nocapture"])
            .env("LAB_OWNER", "1");
        owner
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let mut process = owner.spawn().unwrap();
        let output = std::io::BufReader::new(process.stdout.take().unwrap());
        let mut lines = std::io::BufRead::lines(output);
        // The name of the test may stand before it, without a line end.
        let dir = lines
            .find_map(|line| line.unwrap().split_once("lab in ").map(|(_, dir)| dir.to_owned()))
            .unwrap();
        Owner { process, dir }
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// What a second program does; in the first one it does nothing.
#[test]
fn owns_a_lab_until_it_is_killed() {
    if std::env::var_os("LAB_OWNER").is_none() {
        return;
    }
    let lab = systemd(&["gone1"]);
    os::control(
        Path::new("/proc/self/fd/1"),
        &format!("lab in {}\n", lab.dir().display()),
    )
    .unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// Where a lab could leave something on this machine. All of it carries the lab's name.
struct Traces {
    name: String,
    link: String,
}

impl Traces {
    fn of(lab: &Lab) -> Self {
        Traces::in_dir(lab.dir())
    }

    fn in_dir(dir: &Path) -> Self {
        let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
        let link = name.replace("salt-rs-lab", "srlab");
        Traces { name, link }
    }

    fn found(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut look = |what: &str, text: String, word: &str| {
            // The number is the end of the name: lab 1 is not lab 12.
            let whole = |line: &&str| {
                line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                    .any(|part| part == word)
            };
            found.extend(text.lines().filter(whole).map(|line| format!("{what}: {line}")));
        };
        look(
            "directory",
            os::names(Path::new("/run")).unwrap().join("\n"),
            &self.name,
        );
        look(
            "mount",
            os::read_text(Path::new("/proc/self/mounts")).unwrap(),
            &self.name,
        );
        look("link", os::run("ip", &["-o", "link"]).unwrap(), &self.link);
        look(
            "cgroup",
            os::run("find", &["/sys/fs/cgroup", "-name", &self.name]).unwrap(),
            &self.name,
        );
        for id in os::names(Path::new("/proc"))
            .unwrap()
            .iter()
            .filter(|name| name.parse::<u32>().is_ok())
        {
            // A process may end between the two looks.
            let groups = os::read_text(Path::new(&format!("/proc/{id}/cgroup"))).unwrap_or_default();
            let state = os::read_text(Path::new(&format!("/proc/{id}/stat"))).unwrap_or_default();
            if !state.contains(") Z ") {
                look(
                    "process",
                    format!("{id} {}", groups.replace('\n', " ")),
                    &self.name,
                );
            }
        }
        found
    }
}
