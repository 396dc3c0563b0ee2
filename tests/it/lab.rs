//! `salt-rs lab`: hosts from a file, used from any terminal, broken and mended, and nothing left of them, whatever ended.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use harness::{Ran, os, salt_rs_path};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(30);

/// A lab of a test: a directory with a lab file, and a network that no other test has.
struct Bench {
    dir: PathBuf,
    network: String,
}

impl Bench {
    fn new(third: u8) -> Bench {
        let name = format!("salt-rs-lab-test-{}-{third}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        os::remove_tree(&dir).unwrap();
        os::make_dir(&dir).unwrap();
        // Other runs of the tests on this machine have another process id.
        let second = 1 + std::process::id() % 200;
        Bench {
            dir,
            network: format!("10.{second}.{third}"),
        }
    }

    /// Writes the lab file: `NET` stands for the network's first three numbers.
    fn file(&self, text: &str) -> PathBuf {
        let path = self.dir.join("lab.yaml");
        os::write(&path, text.replace("NET", &self.network)).unwrap();
        path
    }

    fn home(&self) -> PathBuf {
        self.dir.join("lab")
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = os::command(&salt_rs_path().display().to_string());
        command.current_dir(&self.dir).arg("lab").args(args);
        command.arg("--dir").arg(self.home());
        command
    }

    fn lab(&self, args: &[&str]) -> Ran {
        // What follows `--` is for a host.
        let at = args.iter().position(|word| *word == "--").unwrap_or(args.len());
        let mut command = self.command(&args[..at]);
        os::output(command.args(&args[at..]), b"").unwrap().into()
    }

    fn up(&self, hosts: &[&str]) -> Ran {
        self.lab(&[&["up", "--file", "lab.yaml"], hosts].concat())
    }

    fn status(&self) -> Value {
        self.lab(&["status", "--json"]).json()
    }

    fn state(&self, host: &str) -> String {
        self.status()["hosts"][host]["state"].as_str().unwrap().to_owned()
    }

    fn address(&self, last: u8) -> SocketAddr {
        format!("{}.{last}:22", self.network).parse().unwrap()
    }

    /// How long a connection to a host takes; `None` when there is none.
    fn connect(&self, last: u8) -> Option<Duration> {
        let since = Instant::now();
        let stream = TcpStream::connect_timeout(&self.address(last), Duration::from_millis(700));
        stream.ok().map(|_| since.elapsed())
    }

    /// Everything on this machine that speaks of this lab: links, mounts, cgroups, processes, files of it.
    fn traces(&self) -> Vec<String> {
        let home = self.home().display().to_string();
        let mut found = Vec::new();
        let links = os::run("ip", &["-o", "-4", "addr"]).unwrap();
        let ours = format!("{}.1/", self.network);
        found.extend(
            links
                .lines()
                .filter(|line| line.contains(&ours))
                .map(str::to_owned),
        );
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        found.extend(
            mounts
                .lines()
                .filter(|line| line.contains(&home))
                .map(str::to_owned),
        );
        for name in os::names(Path::new("/proc")).unwrap() {
            let Ok(line) = fs::read(format!("/proc/{name}/cmdline")) else {
                continue;
            };
            let env = fs::read(format!("/proc/{name}/environ")).unwrap_or_default();
            let text = String::from_utf8_lossy(&[line, env].concat()).replace('\0', " ");
            if text.contains(&home) {
                found.push(format!("process {name}: {text}"));
            }
        }
        found.extend(os::names(&self.home()).unwrap_or_default());
        found
    }

    #[track_caller]
    fn nothing_left(&self) {
        let gone = os::wait_for(LIMIT, || self.traces().is_empty().then_some(()));
        assert!(gone.is_some(), "left behind: {:#?}", self.traces());
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.lab(&["down"]);
        os::remove_tree(&self.dir).unwrap();
    }
}

const THREE: &str = "network: NET.0/24\nvip: NET.100\ntree: project\nhosts:\n  \
    a: { ip: NET.10, grains: { roles: [web] } }\n  b: NET.11\n  c: { ip: NET.12, disk: 64 }\n";

/// The ids of processes in the cgroup of a lab's host.
fn cgroup_of(bench: &Bench) -> PathBuf {
    let links = os::run("ip", &["-o", "-4", "addr"]).unwrap();
    let ours = format!("{}.1/", bench.network);
    let line = links.lines().find(|line| line.contains(&ours)).unwrap();
    let link = line.split_whitespace().nth(1).unwrap();
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let cgroups = mounts
        .lines()
        .find(|line| line.split(' ').nth(2) == Some("cgroup2"))
        .unwrap();
    Path::new(cgroups.split(' ').nth(1).unwrap()).join(link.replace("srlab", "salt-rs-lab"))
}

#[test]
fn a_lab_comes_up_is_used_broken_and_mended_and_leaves_nothing() {
    let bench = Bench::new(1);
    bench.file(THREE);
    os::write(
        &bench.dir.join("project/salt/top.sls"),
        "base:\n  'G@roles:web':\n    - match: compound\n    - motd\n",
    )
    .unwrap();
    os::write(
        &bench.dir.join("project/salt/motd.sls"),
        "/etc/motd:\n  file.managed:\n    - contents: hello\n",
    )
    .unwrap();

    let up = bench
        .lab(&["up", "--file", "lab.yaml", "--json"])
        .expect(0)
        .json();
    assert_eq!(up["hosts"].as_object().unwrap().len(), 3);
    assert!(
        up["steps"]
            .as_array()
            .unwrap()
            .iter()
            .any(|step| step["step"] == "hosts")
    );

    refused_while_up(&bench);

    // From any terminal: the directory is a project, and the tree in it a repository of its own.
    let config = bench.home().join("salt-rs.yaml").display().to_string();
    let mut apply = os::command(&salt_rs_path().display().to_string());
    let ran: Ran = os::output(apply.args(["--config", &config, "apply", "a", "--json"]), b"")
        .unwrap()
        .into();
    let ran = ran.expect(0).json();
    assert_eq!(ran["hosts"]["a"]["outcome"], "changed", "{ran:#}");
    assert_eq!(
        bench
            .lab(&["ssh", "a", "--", "cat", "/etc/motd"])
            .expect(0)
            .stdout,
        "hello\n"
    );
    assert_eq!(
        bench
            .lab(&["ssh", "b", "--", "hostname; exit 7"])
            .expect(7)
            .stdout,
        "b\n"
    );
    assert!(!bench.dir.join("project/.git").exists());

    cables(&bench);
    disks(&bench);
    power(&bench);

    let cgroup = cgroup_of(&bench);
    assert!(cgroup.is_dir());
    bench.lab(&["down"]).expect(0);
    bench.nothing_left();
    assert!(!cgroup.exists() && !bench.home().exists());
    assert!(bench.lab(&["down"]).expect(0).stdout.contains("no lab was up"));
    bench.lab(&["status"]).expect(3);
}

fn refused_while_up(bench: &Bench) {
    let again = bench.up(&[]).expect(5);
    assert!(
        again.stderr.contains("up already") && again.stderr.contains("lab down"),
        "{again}"
    );
    let mut other = os::command(&salt_rs_path().display().to_string());
    other
        .current_dir(&bench.dir)
        .args(["lab", "up", "--file", "lab.yaml", "--dir", "other"]);
    let other: Ran = os::output(&mut other, b"").unwrap().into();
    let other = other.expect(5);
    assert!(other.stderr.contains("interface srlab-"), "{other}");
    assert!(!bench.dir.join("other").exists());
    let nobody = bench.lab(&["ssh", "aa"]).expect(64);
    assert!(nobody.stderr.contains("did you mean `a`?"), "{nobody}");
    bench.lab(&["fault", "aa", "cut"]).expect(64);
    bench.lab(&["fault", "master", "crash"]).expect(64);
}

fn cables(bench: &Bench) {
    let fault = |words: &[&str]| bench.lab(&[&["fault"], words].concat()).expect(0);
    fault(&["a", "cut"]);
    assert_eq!(bench.connect(10), None);
    assert_eq!(bench.status()["hosts"]["a"]["faults"][0], "cut");
    fault(&["a", "heal"]);
    assert!(os::wait_for(LIMIT, || bench.connect(10)).is_some());

    // There and back is twice the way; broadcast, multicast and a floating address come through as well.
    fault(&["a", "delay", "40"]);
    assert!(os::wait_for(LIMIT, || bench.connect(10)).unwrap() >= Duration::from_millis(80));
    bench
        .lab(&[
            "ssh",
            "b",
            "--",
            "sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0",
        ])
        .expect(0);
    let many = bench
        .lab(&["ssh", "a", "--", "ping -c1 -W5 -I eth0 224.0.0.1"])
        .expect(0);
    assert!(many.stdout.contains("bytes from"), "{many}");
    let add = format!("ip addr add {}.100/24 dev eth0", bench.network);
    bench.lab(&["ssh", "a", "--", &add]).expect(0);
    assert!(os::wait_for(LIMIT, || bench.connect(100)).is_some());
    fault(&["a", "reboot"]);
    assert_eq!(bench.status()["hosts"]["a"]["faults"][0], "delay 40 ms");
    assert!(os::wait_for(LIMIT, || bench.connect(10)).unwrap() >= Duration::from_millis(80));
    fault(&["a", "delay", "0"]);
    assert!(os::wait_for(LIMIT, || bench.connect(10)).is_some());

    fault(&["master", "delay", "20"]);
    assert!(os::wait_for(LIMIT, || bench.connect(11)).unwrap() >= Duration::from_millis(40));
    fault(&["master", "loss", "100"]);
    assert_eq!(bench.connect(11), None);
    fault(&["master", "heal"]);
    assert!(os::wait_for(LIMIT, || bench.connect(11)).is_some());
    fault(&["b", "loss", "100"]);
    assert_eq!(bench.connect(11), None);
    fault(&["b", "loss", "0"]);
    assert!(os::wait_for(LIMIT, || bench.connect(11)).is_some());
}

fn disks(bench: &Bench) {
    // One on a disk like all others, one on a small one.
    for host in ["b", "c"] {
        bench.lab(&["fault", host, "fill", "/var"]).expect(0);
        let full = bench.lab(&["ssh", host, "--", "head -c 65536 /dev/zero > /var/x"]);
        assert!(full.code != 0 && full.stderr.contains("No space left"), "{full}");
        bench
            .lab(&["ssh", "a", "--", "head -c 65536 /dev/zero > /var/x"])
            .expect(0);
        bench.lab(&["fault", host, "unfill", "/var"]).expect(0);
        bench
            .lab(&["ssh", host, "--", "head -c 65536 /dev/zero > /var/x"])
            .expect(0);
    }
}

fn power(bench: &Bench) {
    bench.lab(&["fault", "b", "freeze"]).expect(0);
    assert_eq!(bench.state("b"), "frozen");
    let frozen = bench.lab(&["fault", "b", "fill", "/"]).expect(3);
    assert!(frozen.stderr.contains("thaw"), "{frozen}");
    bench.lab(&["fault", "b", "thaw"]).expect(0);
    bench.lab(&["fault", "b", "crash"]).expect(0);
    assert_eq!(bench.state("b"), "down");
    bench.lab(&["status"]).expect(3);
    bench.lab(&["fault", "b", "reboot"]).expect(0);
    assert_eq!(
        (bench.state("b"), bench.connect(11).is_some()),
        ("up".to_owned(), true)
    );
    // From within, as an administrator does it.
    bench.lab(&["ssh", "c", "--", "systemctl reboot"]);
    let again = || {
        (bench.status()["hosts"]["c"]["boots"] == 2)
            .then(|| bench.connect(12))
            .flatten()
    };
    assert!(os::wait_for(LIMIT, again).is_some());
}

/// Starts `lab up` and waits until its keeper has the place.
fn half_up(bench: &Bench) -> (Child, String) {
    let mut up = bench.command(&["up", "--file", "lab.yaml"]);
    up.stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = up.spawn().unwrap();
    let owner = bench.home().join("running/owner");
    let keeper = os::wait_for(LIMIT, || {
        fs::read_to_string(&owner).ok().filter(|text| text.contains(' '))
    });
    let keeper = keeper.unwrap().split(' ').next().unwrap().to_owned();
    (child, keeper)
}

#[test]
fn whatever_is_killed_takes_the_lab_with_it() {
    let bench = Bench::new(2);
    bench.file("network: NET.0/24\nhosts: { a: NET.10, b: NET.11 }\n");
    // Killed by nobody's leave: kill -9 of each of the two, in the middle and afterwards.
    let (mut up, keeper) = half_up(&bench);
    os::run("kill", &["-9", &keeper]).unwrap();
    assert!(!up.wait().unwrap().success());
    bench.nothing_left();

    let (mut up, _) = half_up(&bench);
    up.kill().unwrap();
    up.wait().unwrap();
    assert!(os::wait_for(LIMIT, || (!bench.home().join("running").exists()).then_some(())).is_some());
    bench.lab(&["down"]).expect(0);
    bench.nothing_left();

    bench.up(&["b"]).expect(0);
    let status = bench.status();
    assert_eq!(status["hosts"].as_object().unwrap().len(), 1);
    let cgroup = cgroup_of(&bench);
    os::run("kill", &["-9", &status["keeper"].to_string()]).unwrap();
    assert!(os::wait_for(LIMIT, || (!cgroup.exists()).then_some(())).is_some());
    bench.lab(&["status"]).expect(3);
    bench.lab(&["down"]).expect(0);
    bench.nothing_left();
}

#[test]
fn a_host_that_does_not_boot_shows_its_console_and_nothing_stays() {
    let bench = Bench::new(3);
    bench.file("network: NET.0/24\nhosts: { a: NET.10 }\n");
    bench.lab(&["prepare", "--file", "lab.yaml"]).expect(0);
    // The same image with another first process, in a cache of its own on the same file system.
    let cache = lab::cache().join(format!("broken-{}", std::process::id()));
    os::remove_tree(&cache).unwrap();
    os::make_dir(&cache).unwrap();
    let image = lab::Image::base().unwrap();
    let copy = cache.join(image.path().file_name().unwrap());
    let (from, to) = (image.path().display().to_string(), copy.display().to_string());
    os::run("cp", &["-al", &from, &to]).unwrap();
    let systemd = copy.join("usr/lib/systemd/systemd");
    os::remove_tree(&systemd).unwrap();
    os::write(&systemd, "#!/bin/sh\necho no memory for stars\nexit 1\n").unwrap();
    os::chmod(&systemd, 0o755).unwrap();

    let mut up = bench.command(&["up", "--file", "lab.yaml"]);
    let ran: Ran = os::output(up.env("SALT_RS_LAB_CACHE", &cache), b"")
        .unwrap()
        .into();
    os::remove_tree(&cache).unwrap();
    let ran = ran.expect(3);
    assert!(
        ran.stderr.contains("host a") && ran.stderr.contains("no memory for stars"),
        "{ran}"
    );
    bench.nothing_left();
}

#[test]
fn what_is_wrong_is_told_before_anything_is_made() {
    let bench = Bench::new(4);
    // Lab file, exit status, parts of the message.
    let many: String = (2..=2000)
        .map(|number| format!("  h{number}: 10.250.{}.{}\n", number / 250, number % 250))
        .collect();
    let cases: &[(String, i32, &[&str])] = &[
        (
            "network: NET.0/24\nhosts: { a: NET.10, b: NET.10 }\n".to_owned(),
            64,
            &["lab.yaml:2:", "belongs to a"],
        ),
        (
            "network: NET.0/24\nhost: { a: NET.10 }\n".to_owned(),
            64,
            &["lab.yaml:2:1", "`hosts`"],
        ),
        (
            "network: NET.0/24\nimage: debian\nhosts: { a: NET.10 }\n".to_owned(),
            64,
            &["lab.yaml:2:8", "debian-12"],
        ),
        (
            "network: 127.0.0.0/24\nhosts: { a: 127.0.0.10 }\n".to_owned(),
            64,
            &["not private"],
        ),
        (
            format!("network: 10.250.0.0/16\nhosts:\n{many}"),
            5,
            &["not enough memory", "fewer hosts"],
        ),
    ];
    for (text, code, words) in cases {
        bench.file(text);
        let ran = bench.up(&[]).expect(*code);
        for word in *words {
            assert!(ran.stderr.contains(word), "{word} in\n{ran}");
        }
        assert!(!bench.home().exists());
    }
    bench.file("network: NET.0/24\nhosts: { a: NET.10 }\n");
    let ran = bench.up(&["b"]).expect(64);
    assert!(ran.stderr.contains("did you mean `a`?"), "{ran}");
    let ran = bench.lab(&["up", "--file", "none.yaml"]).expect(64);
    assert!(ran.stderr.contains("none.yaml"), "{ran}");

    // Not root; no programs, and no apt-get to install them.
    let program = salt_rs_path().display().to_string();
    let mut up = bench.command(&["up", "--file", "lab.yaml"]);
    let ran: Ran = os::output(up.env("PATH", "/nowhere"), b"").unwrap().into();
    let ran = ran.expect(5);
    assert!(
        ran.stderr.contains("unshare") && ran.stderr.contains("util-linux"),
        "{ran}"
    );
    // Where nobody but root may go, nobody can start the program: a copy.
    let copy = bench.dir.join("salt-rs");
    os::run("cp", &[&program, &copy.display().to_string()]).unwrap();
    let mut up = os::command("setpriv");
    up.args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&copy);
    up.current_dir(&bench.dir)
        .args(["lab", "up", "--file", "lab.yaml"]);
    let ran: Ran = os::output(&mut up, b"").unwrap().into();
    assert!(ran.expect(5).stderr.contains("root"));

    // A directory that is somebody else's.
    os::write(&bench.home().join("letter.txt"), "dear").unwrap();
    let ran = bench.up(&[]).expect(5);
    assert!(ran.stderr.contains("no lab made it"), "{ran}");
    bench.lab(&["down"]).expect(0);
    assert_eq!(os::names(&bench.home()).unwrap(), ["letter.txt"]);
    os::remove_tree(&bench.home()).unwrap();
}

#[test]
fn the_guide_shows_a_lab_file_that_is_read_and_the_commands_there_are() {
    let guide = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/lab.md")).unwrap();
    let bench = Bench::new(5);
    let example = guide
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    bench.file(example);
    for dir in ["tree", "files"] {
        os::make_dir(&bench.dir.join(dir)).unwrap();
    }
    os::write(&bench.dir.join("package-lock.json"), "{}").unwrap();
    // Read to its end: what is complained about is the name on the command line.
    let ran = bench.up(&["nobody"]).expect(64);
    assert!(ran.stderr.contains("no host `nobody`"), "{ran}");

    let help = |words: &[&str]| {
        let mut help = os::command(&salt_rs_path().display().to_string());
        os::output(help.args(words).arg("--help"), b"").unwrap().stdout
    };
    for (section, text) in [("Commands", help(&["lab"])), ("Faults", help(&["lab", "fault"]))] {
        let table = guide.split("\n## ").find(|part| part.starts_with(section));
        let rows = table.unwrap().lines().filter(|line| line.starts_with("| `"));
        let names: Vec<_> = rows
            .flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2))
            .filter_map(|name| name.trim_start_matches("lab ").split(' ').next())
            .collect();
        assert!(!names.is_empty(), "{section}");
        for name in names {
            assert!(
                text.contains(&format!("  {name}")),
                "`{name}` of the guide is not in\n{text}"
            );
        }
    }
}
