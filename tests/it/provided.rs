//! What a host is given that is no file of the tree, on one real host: packages from files, versions that stay, answers for
//! packages, known hosts, passwords. The host's own programs are asked what they make of it; a second apply changes
//! nothing, and going back gives the same tree.

use harness::{HostSpec, Lab, Project};

use crate::converge::{NOISE, changes};

const TREE: &[(&str, &str)] = &[(
    "salt/given.sls",
    "
the tool:
  pkg.installed:
    - name: lab-tool
    - sources:
      - lab-tool: /srv/lab-repo/lab-tool_1.0-1_all.deb

it stays:
  pkg.held:
    - name: lab-tool
    - require:
      - pkg: the tool

questions of lab-tool:
  debconf.set:
    - name: lab-tool
    - data:
        lab-tool/level: {type: select, value: high}
        lab-tool/secret: {type: password, value: hidden away}

localhost:
  ssh_known_hosts.present:
    - user: root

app:
  user.present:
    - password: correct horse
    - hash_password: True
",
)];

#[test]
fn a_host_is_given_what_is_no_file_and_gives_it_back() {
    let lab = Lab::up(&[HostSpec::systemd("one")]).unwrap();
    let host = lab.host("one");
    let project = Project::on(&lab, TREE);
    // dpkg has written its own records once, as it writes them.
    host.check("apt-get -q update && apt-mark -q hold dpkg && apt-mark -q unhold dpkg")
        .unwrap();
    let before = host.tree(NOISE).unwrap();
    let asked = "cat /var/cache/debconf/config.dat /var/cache/debconf/passwords.dat; dpkg-query -W; apt-mark showhold";
    let answers = host.check(asked).unwrap();

    let planned = project.salt_rs(&["plan", "*", "given", "--json"]).expect(2);
    let applied = project.salt_rs(&["apply", "*", "given", "--json"]).expect(0);
    let names = |ran| changes(ran).into_keys().collect::<Vec<_>>();
    assert_eq!(names(&planned), names(&applied));
    for told in [&planned, &applied] {
        for secret in ["hidden away", "correct horse"] {
            assert!(
                !told.stdout.contains(secret) && !told.stderr.contains(secret),
                "{told}"
            );
        }
    }
    let again = project.salt_rs(&["apply", "*", "given", "--json"]).expect(0);
    assert_eq!(names(&again), vec![]);

    assert_eq!(
        host.check("lab-tool; apt-mark showhold").unwrap(),
        "1.0\nlab-tool"
    );
    let told = host.check("debconf-show lab-tool").unwrap();
    assert!(
        told.contains("lab-tool/level: high") && told.contains("lab-tool/secret: (password"),
        "{told}"
    );
    host.check("! grep -q localhost /root/.ssh/known_hosts").unwrap();
    host.check("ssh-keygen -F localhost -f /root/.ssh/known_hosts && test $(stat -c %a /root/.ssh/known_hosts) = 600")
        .unwrap();
    // The password opens the account, as the system's own library sees it.
    let line = "perl -e 'my $kept = (getpwnam(q(app)))[1]; print crypt(q(correct horse), $kept) eq $kept ? q(yes) : q(no)'";
    assert_eq!(host.check(line).unwrap(), "yes");
    host.check("! grep -rq 'correct horse' /var/lib/salt-rs/runs")
        .unwrap();

    project.salt_rs(&["rollback", "--json"]).expect(0);
    assert_eq!(host.check(asked).unwrap(), answers);
    assert_eq!(before.diff(&host.tree(NOISE).unwrap()), Vec::<String>::new());
}
