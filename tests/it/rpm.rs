//! Packages of rpm's world on a real host: dnf and rpm do the work, plan says what apply does, and rollback brings set,
//! versions, reasons, locks, configuration and every other byte back.

use harness::lab::{self, Image, Repo, Tree, VARIANTS};
use harness::{HostSpec, Lab, Project, Ran, os};
use serde_json::Value as Json;
use std::time::Duration;

/// What dnf and systemd write on the way and nobody calls configuration: logs, caches, databases, our own records.
pub(crate) const NOISE: &[&str] = &[
    "/var/log/**",
    "/var/cache/**",
    "/var/lib/rpm/**",
    "/var/lib/dnf/**",
    "/var/lib/salt-rs",
    "/var/lib/salt-rs/**",
    "/var/lib/systemd/**",
    "/var/lib/private",
    "/etc/passwd-",
    "/etc/group-",
    "/etc/shadow-",
    "/etc/gshadow-",
    "/etc/subuid-",
    "/etc/subgid-",
    "/etc/.pwd.lock",
    "/etc/ld.so.cache",
    "/root/**",
    "/run/**",
    "/tmp/**",
    "/var/tmp/**",
    "/proc/**",
    "/sys/**",
    "/dev/**",
];

/// Boots hosts of Red Hat's world.
pub(crate) fn up(names: &[&str]) -> (Lab, Repo) {
    let variant = VARIANTS.iter().find(|variant| variant.name == "rpm").unwrap();
    let image = Image::of(*variant, &[]).unwrap();
    let repo = Repo::rpm(&image).unwrap();
    let specs: Vec<_> = names.iter().map(|name| HostSpec::systemd(*name)).collect();
    let lab = Lab::up_with(&image, &repo, &specs).unwrap();
    (lab, repo)
}

/// Set, versions and reasons of a host's packages, and its locked versions. The keys of repositories are not packages.
pub(crate) fn packages(host: &lab::Host) -> String {
    let ask = "rpm -qa --qf '%{NAME} %{EPOCH}:%{VERSION}-%{RELEASE}.%{ARCH}\\n' | grep -v ^gpg-pubkey | sort
        dnf -q -C repoquery --installed --qf '%{name} %{reason}' | sort; grep -v '^#' /etc/dnf/plugins/versionlock.list";
    host.exec(ask).unwrap().stdout
}

struct Scene<'a> {
    host: &'a lab::Host,
    project: Project,
}

impl Scene<'_> {
    /// Commits these states.
    fn states(&self, text: &str) {
        self.project.write("salt/one.sls", text);
        self.project.commit("states");
    }

    fn picture(&self) -> (Tree, String) {
        (self.host.tree(NOISE).unwrap(), packages(self.host))
    }

    /// Plans and applies these states; the plan says what is done. Then nothing is left to do.
    #[track_caller]
    fn apply(&self, text: &str) -> Ran {
        self.states(text);
        let planned = self.project.salt_rs(&["plan", "*", "one", "--json"]).expect(2);
        let applied = self.project.salt_rs(&["apply", "*", "one", "--json"]).expect(0);
        assert_eq!(
            touched(&planned),
            touched(&applied),
            "the plan named other states"
        );
        let again = self.project.salt_rs(&["apply", "*", "one", "--json"]).expect(0);
        assert_eq!(touched(&again), Vec::<String>::new(), "{again}");
        applied
    }

    /// Goes back, and all is as in the picture.
    #[track_caller]
    fn back(&self, was: &(Tree, String)) {
        self.project.salt_rs(&["rollback", "--json"]).expect(0);
        let (tree, packages) = self.picture();
        assert_eq!(was.1, packages);
        assert_eq!(was.0.diff(&tree), Vec::<String>::new());
    }

    fn said(&self, line: &str) -> String {
        self.host.check(line).unwrap()
    }
}

/// The states that changed something, or would.
pub(crate) fn touched(ran: &Ran) -> Vec<String> {
    let document = ran.json();
    let mut found = Vec::new();
    for (host, result) in document["hosts"].as_object().unwrap() {
        for state in result["states"].as_array().unwrap() {
            let changes = state["changes"]
                .as_object()
                .is_some_and(|changes| !changes.is_empty());
            if changes || state["result"].is_null() {
                found.push(
                    format!("{host} {} {} {}", state["state"], state["fun"], state["name"]).replace('"', ""),
                );
            }
        }
    }
    found
}

/// The changes of the only state of a run.
fn changes(ran: &Ran) -> Json {
    ran.json()["hosts"]["one"]["states"][0]["changes"].clone()
}

#[test]
fn packages_come_change_and_go_and_all_of_it_goes_back() {
    let (lab, _) = up(&["one"]);
    let host = lab.host("one");
    let project = Project::on(&lab, &[]);
    let scene = Scene { host, project };
    let grains = scene.project.salt_rs(&[
        "call",
        "one",
        "grains.item",
        "os",
        "os_family",
        "osfinger",
        "--json",
    ]);
    for word in ["\"Rocky\"", "\"RedHat\"", "Rocky Linux-9"] {
        assert!(grains.stdout.contains(word), "{grains}");
    }
    let nothing = scene.picture();

    // A package with what it needs, which is marked as such.
    let ran = scene.apply("lab-extra:\n  pkg.installed: []\n");
    assert_eq!(changes(&ran)["lab-tool"]["new"], "1:2.0-1");
    let newest = scene.picture();
    assert!(
        newest.1.contains("lab-tool dependency") && newest.1.contains("lab-extra user"),
        "{}",
        newest.1
    );
    scene.back(&nothing);

    // An exact version without its epoch, an upgrade with settings that somebody changed, and back.
    scene.apply("lab-tool:\n  pkg.installed:\n    - version: 1.0-1\n");
    assert_eq!(scene.said("lab-tool"), "1.0");
    host.check("echo mine >> /etc/lab-tool.conf").unwrap();
    let edited = scene.picture();
    let ran = scene.apply("lab-tool:\n  pkg.latest: []\n");
    assert_eq!(
        changes(&ran)["lab-tool"],
        serde_json::json!({ "new": "1:2.0-1", "old": "1:1.0-1" })
    );
    assert_eq!(scene.said("cat /etc/lab-tool.conf"), "level = 1.0\nmine");
    assert_eq!(scene.said("cat /etc/lab-tool.conf.rpmnew"), "level = 2.0");
    scene.back(&edited);
    assert_eq!(scene.said("lab-tool"), "1.0");

    // A lock on the version, which keeps an upgrade out; and the lock goes.
    scene.apply("lab-tool:\n  pkg.installed:\n    - hold: True\n");
    assert!(
        scene
            .said("cat /etc/dnf/plugins/versionlock.list")
            .contains("lab-tool-1:1.0-1.*")
    );
    assert!(
        host.exec("dnf -q -y upgrade lab-tool; lab-tool")
            .unwrap()
            .stdout
            .contains("1.0")
    );
    scene.back(&edited);

    // A removal leaves the changed settings aside; going back brings package, settings and reason back.
    scene.apply("lab-tool:\n  pkg.removed: []\n");
    assert_eq!(scene.said("cat /etc/lab-tool.conf.rpmsave"), "level = 1.0\nmine");
    scene.back(&edited);

    // An older version than the one that is there, and a package that takes another one's place.
    let ran = scene.apply("lab-old:\n  pkg.installed:\n    - version: 1.0-1\n");
    assert_eq!(changes(&ran)["lab-old"]["new"], "1.0-1");
    host.check("dnf -q -y install lab-tool-1:2.0-1").unwrap();
    let both = scene.picture();
    scene.apply("both:\n  pkg.installed:\n    - pkgs:\n      - lab-tool: 1:1.0-1\n      - lab-new\n");
    assert!(!packages(host).contains("lab-old"));
    scene.back(&both);

    // What cannot be installed changes nothing; what nobody offers is said.
    scene.states("lab-broken:\n  pkg.installed: []\n");
    let ran = scene.project.salt_rs(&["apply", "*", "one", "--json"]).expect(1);
    assert!(ran.stdout.contains("lab-broken"), "{ran}");
    assert_eq!(scene.picture().1, both.1);
    scene.states("no-such-package:\n  pkg.installed: []\n");
    let ran = scene.project.salt_rs(&["apply", "*", "one", "--json"]).expect(1);
    assert!(ran.stdout.contains("Unable to find a match"), "{ran}");

    // A transaction that was cut off left a package twice: that is ended first.
    host.check("rpm -i --force --nodeps /srv/lab-repo/lab/lab-tool-1.0-1.noarch.rpm")
        .unwrap();
    assert!(packages(host).contains("lab-tool 1:1.0-1") && packages(host).contains("lab-tool 1:2.0-1"));
    scene.states("lab-tool:\n  pkg.installed: []\n");
    scene.project.salt_rs(&["apply", "*", "one", "--json"]).expect(0);
    assert!(!packages(host).contains("lab-tool 1:1.0-1"));
    scene.project.salt_rs(&["rollback", "--json"]).expect(0);
    assert_eq!(scene.said("lab-tool"), "2.0");

    // Another program holds rpm's lock: it is waited for, never broken.
    host.check("systemd-run --quiet --unit=slow dnf -q -y install lab-slow")
        .unwrap();
    let installing = || host.exec("test -e /run/lab-slow").unwrap().ok().then_some(());
    os::wait_for(Duration::from_secs(30), installing).expect("dnf never came to the script");
    host.check("systemd-run --quiet --on-active=2 --timer-property=AccuracySec=100ms touch /run/lab-go")
        .unwrap();
    scene.states("lab-extra:\n  pkg.installed: []\n");
    scene.project.salt_rs(&["apply", "*", "one", "--json"]).expect(0);
    assert!(packages(host).contains("lab-slow") && packages(host).contains("lab-extra"));
}

#[test]
fn package_files_repositories_and_upgrades_of_everything_go_back() {
    let (lab, _) = up(&["one"]);
    let host = lab.host("one");
    let project = Project::on(&lab, &[]);
    let scene = Scene { host, project };
    let nothing = scene.picture();

    // A file that no repository offers as the newest: it is installed, and goes again.
    let file = "/srv/lab-repo/lab/lab-tool-1.0-1.noarch.rpm";
    let ran = scene.apply(&format!(
        "lab-tool:\n  pkg.installed:\n    - sources:\n      - lab-tool: {file}\n"
    ));
    assert_eq!(changes(&ran)["lab-tool"]["new"], "1:1.0-1");
    let older = scene.picture();

    // Everything at its newest, and back.
    let ran = scene.apply("all:\n  pkg.uptodate:\n    - pkgs: [lab-tool]\n");
    assert_eq!(changes(&ran)["lab-tool"]["new"], "1:2.0-1");
    scene.back(&older);
    assert_eq!(scene.said("lab-tool"), "1.0");
    scene.apply("lab-tool:\n  pkg.held: []\n");
    let locks = "cat /etc/dnf/plugins/versionlock.list";
    assert!(scene.said(locks).contains("lab-tool"), "{}", scene.said(locks));
    scene.back(&older);
    host.check("dnf -q -y remove lab-tool").unwrap();
    assert_eq!(scene.picture().1, nothing.1);

    // A repository that is switched off is used for this one package.
    host.check("sed -i s/enabled=1/enabled=0/ /etc/yum.repos.d/lab.repo")
        .unwrap();
    let off = scene.picture();
    scene.states("lab-tool:\n  pkg.installed: []\n");
    scene.project.salt_rs(&["apply", "*", "one", "--json"]).expect(1);
    let ran = scene.apply("lab-tool:\n  pkg.installed:\n    - fromrepo: lab\n");
    assert_eq!(changes(&ran)["lab-tool"]["new"], "1:2.0-1");
    scene.back(&off);
}
