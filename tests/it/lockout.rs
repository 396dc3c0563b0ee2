//! Eight ways to lock oneself out of a host, a reboot and a master that is gone: each is back by itself by the deadline.
//!
//! One host with systemd and a real sshd. What locks out is made by states, as a person would by mistake; whether it is
//! back is seen from outside, over ssh.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use harness::{Host, HostSpec, Lab, Project, Ran, os};
use lab::Tree;

/// The window of runs that lock out, in seconds: nobody can use it.
const WINDOW: &str = "2s";
/// How long to wait for anything.
const LIMIT: Duration = Duration::from_secs(60);

struct Bench {
    lab: Lab,
    project: Project,
}

impl Bench {
    fn new(spec: HostSpec) -> Bench {
        let lab = Lab::up(&[spec]).unwrap();
        let project = Project::on(&lab, &[]);
        let bench = Bench { lab, project };
        bench.sls("calm", "/etc/calm:\n  file.managed:\n    - contents: calm\n");
        bench.sls(
            "slow",
            "/srv/first:\n  file.managed:\n    - contents: first\n\
             'until [ -e /srv/go ]; do sleep 0.1; done':\n  cmd.run:\n    - undo: 'true'\n\
             /srv/last:\n  file.managed:\n    - contents: last\n",
        );
        bench
    }

    fn host(&self) -> &Host {
        self.lab.host("h1")
    }

    /// Applies one SLS.
    fn apply(&self, sls: &str, window: &str) -> Ran {
        self.project
            .salt_rs(&["apply", "--json", "h1", sls, "--confirm", window])
    }

    /// The same, while the test goes on.
    fn applying(&self, sls: &str, window: &str) -> Child {
        let mut command = self.project.command();
        // A line that says nothing for so long is taken for broken.
        command.args([
            "apply",
            "--json",
            "h1",
            sls,
            "--confirm",
            window,
            "--timeout",
            "8",
        ]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Waits until the file is on the host.
    #[track_caller]
    fn until(&self, path: &str) {
        os::wait_for(LIMIT, || self.host().read(path).ok()).unwrap_or_else(|| panic!("no {path}"));
    }

    /// Waits until the run has ended and its window counts.
    #[track_caller]
    fn until_ended(&self) {
        let ended = || {
            let window = self.host().read("/var/lib/salt-rs/probation").ok()?;
            (!window.contains(r#""ended":null"#)).then_some(())
        };
        os::wait_for(LIMIT, ended).expect("the run has not ended");
    }

    /// Waits until the file is gone from the host.
    #[track_caller]
    fn until_gone(&self, path: &str) {
        let gone = os::wait_for(LIMIT, || self.host().read(path).is_err().then_some(()));
        assert!(gone.is_some(), "{path} is still there");
    }

    fn sls(&self, name: &str, text: &str) {
        self.project.write(&format!("salt/{name}.sls"), text);
        self.project.commit(name);
    }

    /// A run that the host took back by itself.
    #[track_caller]
    fn taken_back(&self, ran: &Ran, what: &str) {
        assert_eq!(ran.code, 4, "{what}: {ran}");
        assert_eq!(
            ran.json()["hosts"]["h1"]["outcome"],
            "rolled_back",
            "{what}: {ran}"
        );
    }

    /// Reached again from here, everything as it was, nothing left.
    #[track_caller]
    fn as_before(&self, before: &Tree, what: &str) {
        self.project.salt_rs(&["run", "h1", "--", "true"]).expect(0);
        self.nothing_left();
        let now = self.host().tree(super::converge::NOISE).unwrap();
        assert_eq!(before.diff(&now), Vec::<String>::new(), "{what}");
    }

    /// What people would find of the guard on the host: files, units, processes.
    fn leftovers(&self) -> String {
        let line = "ls -d /var/lib/salt-rs/probation /var/lib/salt-rs/reserve \
             /etc/systemd/system/salt-rs-guard.service /etc/systemd/system/sysinit.target.wants/salt-rs-guard.service \
             2> /dev/null; systemctl list-units --all --plain --no-legend 'salt-rs-guard*' 2> /dev/null; \
             pgrep -fa 'salt-rs-minio[n] guard'; true";
        self.host().exec(line).unwrap().stdout
    }

    #[track_caller]
    fn nothing_left(&self) {
        let gone = os::wait_for(LIMIT, || self.leftovers().trim().is_empty().then_some(()));
        assert!(gone.is_some(), "left of the guard: {}", self.leftovers());
    }
}

/// One way to lock oneself out.
struct Way {
    name: &'static str,
    sls: &'static str,
}

const WAYS: &[Way] = &[
    Way {
        name: "sshd_port",
        sls: "/etc/ssh/sshd_config.d/port.conf:\n  file.managed:\n    - contents: Port 2222\n\
              ssh:\n  service.running:\n    - watch:\n      - file: /etc/ssh/sshd_config.d/port.conf\n",
    },
    Way {
        name: "sshd_users",
        sls: "/etc/ssh/sshd_config.d/users.conf:\n  file.managed:\n    - contents: AllowUsers nobody\n\
              ssh:\n  service.running:\n    - watch:\n      - file: /etc/ssh/sshd_config.d/users.conf\n",
    },
    Way {
        name: "firewall",
        sls: "/etc/nftables.conf:\n  file.managed:\n    - contents: |\n        flush ruleset\n        table inet lock {\n          \
              chain in { type filter hook input priority 0; policy drop; }\n        }\n\
              nftables:\n  service.running:\n    - enable: True\n    - watch:\n      - file: /etc/nftables.conf\n",
    },
    Way {
        name: "network_down",
        sls: "ip link set eth0 down:\n  cmd.run:\n    - undo: ip link set eth0 up\n",
    },
    Way {
        name: "wrong_route",
        sls: "ip route replace blackhole MASTER/32:\n  cmd.run:\n    - undo: ip route del blackhole MASTER/32\n",
    },
    Way {
        name: "user_locked",
        sls: "root:\n  user.present:\n    - shell: /usr/sbin/nologin\n    - home: /root\n    - uid: 0\n    - gid: 0\n",
    },
    Way {
        name: "key_removed",
        sls: "/root/.ssh/authorized_keys:\n  file.absent: []\n",
    },
];

#[test]
fn every_lock_out_is_back_by_the_deadline_and_nothing_is_left() {
    // Room that a test can fill.
    let bench = Bench::new(HostSpec::systemd("h1").disk(400));
    let install = "apt-get -q update && apt-get -qy install nftables";
    bench.host().check(install).unwrap();
    let outside = bench.lab.outside();

    // What does not lock out stays, and nobody notices.
    bench.apply("calm", "120").expect(0);
    bench.nothing_left();
    let calm = bench.host().tree(super::converge::NOISE).unwrap();

    for way in WAYS {
        bench.sls(way.name, &way.sls.replace("MASTER", &outside));
        let began = Instant::now();
        let ran = bench.apply(way.name, WINDOW);
        let seconds = began.elapsed().as_secs_f64();
        os::say(&format!("{seconds:7.1} s  {}", way.name));
        bench.taken_back(&ran, way.name);
        bench.as_before(&calm, way.name);
    }

    // The disk fills up meanwhile, and the way back needs room.
    let apply = bench.applying("sshd_port", "6s");
    bench.until_ended();
    bench.host().fill("/").unwrap();
    bench.taken_back(&ended(apply), "disk full");
    bench.host().unfill("/").unwrap();
    bench.as_before(&calm, "disk full");

    // A reboot takes it back at once, however long the window.
    let apply = bench.applying("sshd_port", "1h");
    bench.until_ended();
    bench.host().reboot().unwrap();
    bench.taken_back(&ended(apply), "reboot");
    bench.as_before(&calm, "reboot");

    // The agent is killed in the middle, and its guard after it.
    let apply = bench.applying("slow", "3s");
    bench.until("/srv/first");
    bench
        .host()
        .check("pkill -9 -f 'salt-rs-minio[n] run'; pkill -9 -f 'srv/g[o]'; systemctl kill -s KILL 'salt-rs-guard-*'")
        .unwrap();
    ended(apply).expect(1);
    bench.until_gone("/srv/first");
    bench.as_before(&calm, "agent killed");
}

/// Without systemd the guard is a process of its own; who confirms, and when.
#[test]
fn the_window_ends_with_a_word_of_its_master_on_a_new_line_and_not_otherwise() {
    let bench = Bench::new(HostSpec::light("h1"));
    let again = || bench.host().check("rm -f /srv/go").unwrap();

    // The master is gone for good: nobody confirms.
    let mut apply = bench.applying("slow", "2s");
    bench.until("/srv/first");
    apply.kill().unwrap();
    apply.wait().unwrap();
    bench.host().write("/srv/go", "").unwrap();
    bench.until_gone("/srv/first");
    bench.nothing_left();
    again();

    // The master is gone, and its next command is in time, whatever it is about.
    let mut apply = bench.applying("slow", "1h");
    bench.until("/srv/first");
    apply.kill().unwrap();
    apply.wait().unwrap();
    bench.host().write("/srv/go", "").unwrap();
    bench.until_ended();
    let status = "/var/lib/salt-rs/agent/*/salt-rs-minion status";
    let told = bench.host().check(status).unwrap();
    assert!(told.contains("unless it is confirmed"), "{told}");
    bench.project.salt_rs(&["call", "h1", "test.ping"]).expect(0);
    bench.nothing_left();
    assert_eq!(bench.host().read("/srv/last").unwrap(), "last\n");
    bench.project.salt_rs(&["rollback", "h1"]).expect(0);
    bench.nothing_left();
    again();

    // The line breaks, the run ends without it, and the master comes back over another one.
    let apply = bench.applying("slow", "1h");
    bench.until("/srv/first");
    bench.host().cut().unwrap();
    bench.host().write("/srv/go", "").unwrap();
    bench.until_ended();
    bench.host().heal().unwrap();
    let ran = ended(apply).expect(0);
    let host = &ran.json()["hosts"]["h1"];
    assert_eq!(host["outcome"], "changed");
    assert_eq!(host["states"].as_array().unwrap().len(), 3);
    bench.nothing_left();
}

fn ended(apply: Child) -> Ran {
    let out = apply.wait_with_output().unwrap();
    Ran {
        code: out.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}
