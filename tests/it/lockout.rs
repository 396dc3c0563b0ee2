//! Eight ways to lock oneself out of a host, a reboot and a master that is gone: each is back by itself by the deadline.
//!
//! One host with systemd and a real sshd. What locks out is made by states, as a person would by mistake; whether it is
//! back is seen from outside, over ssh.

use std::time::{Duration, Instant};

use harness::{Host, HostSpec, Lab, Project, Ran, os};

/// The window of runs that lock out, in seconds: nobody can use it.
const WINDOW: u64 = 2;
/// How long to wait for anything.
const LIMIT: Duration = Duration::from_secs(60);

struct Bench {
    lab: Lab,
    project: Project,
}

impl Bench {
    fn new() -> Bench {
        let lab = Lab::up(&[HostSpec::systemd("h1").disk(400)]).unwrap();
        lab.host("h1")
            .check("apt-get -q update && apt-get -qy install nftables")
            .unwrap();
        let project = Project::on(&lab, &[("salt/top.sls", "base:\n  '*':\n    - calm\n")]);
        project.write(
            "salt/calm.sls",
            "/etc/calm:\n  file.managed:\n    - contents: calm\n",
        );
        project.commit("calm");
        Bench { lab, project }
    }

    fn host(&self) -> &Host {
        self.lab.host("h1")
    }

    /// Applies one SLS with a short window.
    fn apply(&self, sls: &str) -> Ran {
        let window = WINDOW.to_string();
        self.project
            .salt_rs(&["apply", "--json", "h1", sls, "--confirm", &window])
    }

    fn sls(&self, name: &str, text: &str) {
        self.project.write(&format!("salt/{name}.sls"), text);
        self.project.commit(name);
    }

    /// What people would find of the guard on the host: files, units, processes.
    fn leftovers(&self) -> String {
        let line = "ls -d /var/lib/salt-rs/probation /var/lib/salt-rs/reserve \
             /etc/systemd/system/salt-rs-guard.service /etc/systemd/system/sysinit.target.wants/salt-rs-guard.service \
             2> /dev/null; systemctl list-units --all --plain --no-legend 'salt-rs-guard*'; \
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
    let bench = Bench::new();
    let outside = bench.lab.outside();

    // What does not lock out stays, and nobody notices.
    bench.apply("calm").expect(0);
    bench.nothing_left();
    let calm = bench.host().tree(super::converge::NOISE).unwrap();

    for way in WAYS {
        bench.sls(way.name, &way.sls.replace("MASTER", &outside));
        let began = Instant::now();
        let ran = bench.apply(way.name);
        let seconds = began.elapsed().as_secs_f64();
        os::say(&format!("{seconds:7.1} s  {}", way.name));
        let document = ran.expect(4).json();
        let host = &document["hosts"]["h1"];
        assert_eq!(host["outcome"], "rolled_back", "{}: {document:#}", way.name);
        // Reached again from here, as before.
        bench.project.salt_rs(&["run", "h1", "--", "true"]).expect(0);
        bench.nothing_left();
        let now = bench.host().tree(super::converge::NOISE).unwrap();
        assert_eq!(calm.diff(&now), Vec::<String>::new(), "{}", way.name);
    }
}
