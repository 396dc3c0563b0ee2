//! Packages go back exactly, or nothing changes (J12): scenes on one real host with real apt, dpkg and systemd, from an
//! archive whose packages the test makes. `packages/scenes.rs` is the table, `packages/debs.rs` what the archive offers.
//!
//! `SCENE=text` runs the scenes whose names hold the text.

mod debs;
mod scenes;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use harness::debs::{INDEX, offer};
use harness::lab::Tree;
use harness::{Host, HostSpec, Lab, Project, Ran, os};

use crate::converge::NOISE;
use scenes::SCENES;

/// One step of a scene.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Brings the host to where the scene begins; what it is like then is what has to come back.
    Begin(&'static str),
    /// A plan of these states names these words, and changes nothing.
    Plan(&'static str, &'static [&'static str]),
    /// These states are made true.
    Apply(&'static str),
    /// These states fail half-way, and it is said why.
    Fails(&'static str, &'static [&'static str]),
    /// These states are refused, and nothing has changed.
    Refused(&'static str, &'static [&'static str]),
    /// A command of somebody's, or a look; it has to succeed.
    Run(&'static str),
    /// The run is taken back, and all is as it was.
    Back,
    /// The same with these arguments; lines with the text (where there is one) may differ.
    BackWith(&'static [&'static str], &'static str),
    /// Going back is refused with these words, and nothing changes by it.
    BackRefused(&'static [&'static str], &'static [&'static str]),
    /// Going back fails on the way, and says so.
    BackFails(&'static [&'static str]),
}

/// What packages write beside packages: what the text of a picture tells is not compared byte by byte.
const MORE_NOISE: &[&str] = &[
    "/srv/**",
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/arch-new",
    // A picture may be taken while another program installs something.
    "/var/lib/dpkg/updates/**",
    "/var/lib/dpkg/tmp.ci*",
    "/usr/lib/**",
    "/usr/share/perl*/**",
    "/usr/share/zoneinfo/**",
];

/// What dpkg, apt, systemd and the account files say, line by line.
const PICTURE: &str = "dpkg-query -W -f 'package ${binary:Package} ${Version} [${Config-Version}] ${Status}\\n${Conffiles}\\n' | grep .
    dpkg --get-selections | sed 's/^/wanted /'
    apt-mark showauto | sed 's/^/auto /'; apt-mark showhold | sed 's/^/hold /'
    dpkg-divert --list; update-alternatives --get-selections
    systemctl list-unit-files --no-legend --no-pager | grep -v -e transient -e salt-rs | sed 's/^/unit file /; s/  */ /g'
    systemctl list-units --all --plain --no-legend --no-pager 'pk-*' | sed 's/^/unit /'
    getent passwd; getent group; ls -d /var/cache/apt/salt-rs 2> /dev/null; true";

/// Removes what a scene left.
const SWEEP: &str = "rm -rf /run/pk-* /var/lib/salt-rs/packages /var/lib/salt-rs/residue
    systemctl reset-failed 2> /dev/null
    pks() { dpkg-query -W -f '${binary:Package}\\n' 'pk-*' 2> /dev/null; }
    test -z \"$(pks)\" || { echo \"$(pks) install\" | sed 's/ install//; s/$/ install/' | dpkg --set-selections; dpkg --purge --force-all $(pks) > /dev/null 2>&1; }
    update-alternatives --quiet --remove-all pk-choice 2> /dev/null
    ! getent passwd pk-user > /dev/null || userdel -r pk-user 2> /dev/null
    ! dpkg --print-foreign-architectures | grep -q i386 || dpkg --remove-architecture i386
    rm -rf /etc/pk-* /usr/local/bin/pk-* /var/cache/apt/archives/pk-* /var/lib/pk-user
    ! ls /srv/gone/* > /dev/null 2>&1 || { mv /srv/gone/* /srv/debs/; INDEX; }; true";

/// A shell function of the scenes: a package file leaves the archive.
const GONE: &str = "GONE() { mkdir -p /srv/gone && mv /srv/debs/$1.deb /srv/gone/ && INDEX; }\n";

/// What is compared.
struct Picture {
    tree: Tree,
    lines: BTreeSet<String>,
}

impl Picture {
    fn of(host: &Host) -> Self {
        let noise = [NOISE, MORE_NOISE].concat();
        let lines = host.check(PICTURE).unwrap();
        Self {
            tree: host.tree(&noise).unwrap(),
            lines: lines.lines().map(str::to_owned).collect(),
        }
    }

    /// What is another now, but for lines with that text.
    fn diff(&self, now: &Self, but: &str) -> Vec<String> {
        let mut all = self.tree.diff(&now.tree);
        all.extend(self.lines.difference(&now.lines).map(|line| format!("- {line}")));
        all.extend(now.lines.difference(&self.lines).map(|line| format!("+ {line}")));
        all.retain(|line| but.is_empty() || !line.contains(but));
        all
    }
}

struct Theatre<'a> {
    host: &'a Host,
    project: &'a Project,
    before: Option<Picture>,
}

impl Theatre<'_> {
    fn states(&self, text: &str) {
        self.project.write("salt/one.sls", text);
        self.project.commit("states");
    }

    fn shell(&self, line: &str) {
        let line = format!("{GONE}{line}").replace("INDEX", &format!("({INDEX})"));
        self.host
            .check(&format!("export DEBIAN_FRONTEND=noninteractive\n{line}"))
            .unwrap();
    }

    #[track_caller]
    fn same_as(&self, was: &Picture, but: &str, when: &dyn std::fmt::Display) {
        let diff = was.diff(&Picture::of(self.host), but);
        assert!(diff.is_empty(), "not as before:\n{}\n{when}", diff.join("\n"));
    }

    fn play(&mut self, step: Step) {
        let words_in = |ran: &Ran, words: &[&str]| {
            let said = format!("{}{}", ran.stdout, ran.stderr);
            for word in words {
                assert!(said.contains(word), "{word:?} is not said:\n{ran}");
            }
        };
        match step {
            Step::Begin(line) => {
                self.shell(line);
                self.before = Some(Picture::of(self.host));
            }
            Step::Run(line) => self.shell(line),
            Step::Plan(states, words) => {
                self.states(states);
                let ran = self.project.salt_rs(&["plan", "*", "one"]).expect(2);
                words_in(&ran, words);
                self.same_as(self.before.as_ref().unwrap(), "", &ran);
            }
            Step::Apply(states) => {
                self.states(states);
                self.project.salt_rs(&["apply", "*", "one"]).expect(0);
            }
            Step::Fails(states, words) => {
                self.states(states);
                words_in(&self.project.salt_rs(&["apply", "*", "one"]).expect(1), words);
            }
            Step::Refused(states, words) => {
                self.states(states);
                let ran = self.project.salt_rs(&["apply", "*", "one"]).expect(1);
                words_in(&ran, words);
                self.same_as(self.before.as_ref().unwrap(), "", &ran);
            }
            Step::Back => self.play(Step::BackWith(&[], "")),
            Step::BackWith(args, but) => {
                let ran = self.project.salt_rs(&[&["rollback"], args].concat()).expect(0);
                self.same_as(self.before.as_ref().unwrap(), but, &ran);
            }
            Step::BackRefused(args, words) => {
                let was = Picture::of(self.host);
                let ran = self.project.salt_rs(&[&["rollback"], args].concat()).expect(5);
                words_in(&ran, words);
                self.same_as(&was, "", &ran);
            }
            Step::BackFails(words) => {
                words_in(&self.project.salt_rs(&["rollback"]).expect(1), words);
            }
        }
    }
}

/// How the scene ends, as the table says it.
fn ending(steps: &[Step]) -> &'static str {
    match steps.last() {
        Some(Step::Back) => "as before",
        Some(Step::BackWith(_, "")) => "as before, forced",
        Some(Step::BackWith(..)) => "as before, but for what is told",
        Some(Step::Refused(..)) => "refused, nothing changed",
        Some(Step::BackRefused(..)) => "going back refused, nothing changed",
        _ => "",
    }
}

#[test]
fn packages_go_back_exactly_or_nothing_changes() {
    let lab = Lab::up(&[HostSpec::systemd("one")]).unwrap();
    let host = lab.host("one");
    let project = Project::on(&lab, &[]);
    project.settings(&format!("packages: {{ wait: 8 }}\n{}", lab.ssh_settings()));
    offer(host, debs::DEBS).unwrap();
    let only = std::env::var("SCENE").unwrap_or_default();
    let (mut played, mut failed) = (0, Vec::new());
    for (name, steps) in SCENES.iter().filter(|(name, _)| name.contains(&only)) {
        let start = Instant::now();
        let mut theatre = Theatre {
            host,
            project: &project,
            before: None,
        };
        theatre.shell(SWEEP);
        let whole = catch_unwind(AssertUnwindSafe(|| {
            steps.iter().for_each(|step| theatre.play(*step));
        }));
        let how = if whole.is_ok() { ending(steps) } else { "FAILED" };
        if whole.is_err() {
            failed.push(*name);
        }
        let seconds = start.elapsed().as_secs_f64();
        os::say(&format!("{seconds:5.1} s  {name:<72} {how}"));
        played += 1;
    }
    os::say(&format!("{played} scenes, {} failed", failed.len()));
    assert!(failed.is_empty(), "{failed:#?}");
}
