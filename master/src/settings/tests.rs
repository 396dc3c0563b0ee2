//! Settings files, right and wrong.

use serde_json::json;

use super::*;

fn around() -> Surroundings {
    Surroundings {
        directory: PathBuf::from("/work"),
        home: Some(PathBuf::from("/home/me")),
        uid: 1000,
        sudo_uid: None,
        config: None,
        system: PathBuf::from("/nowhere/salt-rs.yaml"),
    }
}

fn parse(text: &str) -> Result<Settings, Vec<Diagnostic>> {
    Settings::parse(text, Path::new("/proj/salt-rs.yaml"), &around())
}

#[test]
fn an_empty_file_has_all_defaults() {
    let settings = parse("").unwrap();
    assert_eq!(settings.tree.url, Location::Local("/proj".into()));
    assert_eq!(settings.tree.rev, "main");
    assert_eq!(settings.tree.salt, ["salt"]);
    assert_eq!(settings.roster, Path::new("/proj/roster.yaml"));
    assert_eq!(settings.state_dir, Path::new("/home/me/.local/state/salt-rs"));
    assert_eq!(
        settings.ssh.key.as_deref(),
        Some(Path::new("/home/me/.ssh/id_ed25519"))
    );
    assert_eq!(settings.ssh.connect_timeout, Duration::from_secs(10));
    let root = Surroundings { uid: 0, ..around() };
    let settings = Settings::parse("", Path::new("/proj/salt-rs.yaml"), &root).unwrap();
    assert_eq!(settings.state_dir, Path::new("/var/lib/salt-rs"));
}

#[test]
fn reads_every_key() {
    let text = "
tree:
  url: ssh://git@example.org/tree.git
  ref: 1234567
  salt: [salt, ./formulas/a/]
  pillar: .
  signers: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti me@example.org']
roster: ../hosts.yaml
state_dir: ~/state
ssh: { user: admin, key: keys/id, known_hosts: ~/kh, port: '2222', connect_timeout: 3 }
nodegroups: { lb: 'lb*', front: 'G@roles:web or lb*', named: [a, b] }
pillar_from_host_grains: yes
packages: { keep: 500M, wait: 5 }
journal: { keep_generations: 40, keep_days: 90, keep_bytes: 1G }
confirm: 5m
salt: { failhard: true, pillar_merge_lists: on, my_conf: x, jinja_env: { trim_blocks: true } }
";
    let settings = parse(text).unwrap();
    assert_eq!(settings.tree.url.to_string(), "ssh://git@example.org/tree.git");
    assert_eq!(settings.tree.rev, "1234567");
    assert_eq!(settings.tree.salt, ["salt", "formulas/a"]);
    assert_eq!(settings.tree.pillar, [""]);
    assert_eq!(
        settings.tree.signers,
        ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti me@example.org"]
    );
    assert_eq!(settings.roster, Path::new("/proj/../hosts.yaml"));
    assert_eq!(settings.state_dir, Path::new("/home/me/state"));
    assert_eq!(settings.ssh.user, "admin");
    assert_eq!(settings.ssh.key.as_deref(), Some(Path::new("/proj/keys/id")));
    assert_eq!(
        settings.ssh.known_hosts.as_deref(),
        Some(Path::new("/home/me/kh"))
    );
    assert_eq!(
        (settings.ssh.port, settings.ssh.connect_timeout.as_secs()),
        (2222, 3)
    );
    assert_eq!(settings.nodegroups["front"], ["G@roles:web", "or", "lb*"]);
    assert_eq!(settings.nodegroups["named"], ["a", "b"]);
    assert!(settings.pillar_from_host_grains);
    assert_eq!(settings.confirm, Some(300));
    assert_eq!(settings.limits.packages_keep, 500 << 20);
    assert_eq!(settings.limits.packages_wait, 5);
    let limits = &settings.limits;
    assert_eq!(
        (limits.keep_generations, limits.keep_days, limits.keep_bytes),
        (40, 90, 1 << 30)
    );
    assert_eq!(settings.salt["jinja_env"], json!({"trim_blocks": true}));
    assert_eq!(settings.salt["my_conf"], json!("x"));
}

#[test]
fn names_every_problem_with_its_place() {
    let text = "tree: { urll: x, ref: -x, salt: /abs }\nrooster: x\nssh:\n  port: 70000\n  user: -oX\nsalt: { failhrd: true }\npillar_from_host_grains: maybe\n";
    let problems = parse(text).unwrap_err();
    let found: Vec<(String, Option<String>)> = problems
        .iter()
        .map(|problem| {
            (
                format!("{} {}", problem.place().unwrap(), problem.message),
                problem.help.clone(),
            )
        })
        .collect();
    let want = [
        (
            "/proj/salt-rs.yaml:1:9 unknown key `urll` in tree",
            Some("did you mean `url`?"),
        ),
        ("/proj/salt-rs.yaml:1:23 tree.ref is not", None),
        ("/proj/salt-rs.yaml:1:33 tree.salt must be", None),
        (
            "/proj/salt-rs.yaml:2:1 unknown key `rooster`",
            Some("did you mean `roster`?"),
        ),
        ("/proj/salt-rs.yaml:4:9 ssh.port must be", None),
        ("/proj/salt-rs.yaml:5:9 ssh.user is not", None),
        (
            "/proj/salt-rs.yaml:6:9 unknown key `failhrd` in salt",
            Some("did you mean `failhard`?"),
        ),
        ("/proj/salt-rs.yaml:7:26 pillar_from_host_grains must be", None),
    ];
    assert_eq!(found.len(), want.len(), "{found:#?}");
    for ((message, help), (start, hint)) in found.iter().zip(want) {
        assert!(message.starts_with(start), "{message} / {start}");
        assert_eq!(help.as_deref(), hint, "{message}");
    }
}

#[test]
fn the_window_is_a_time_or_off() {
    for (text, window) in [
        ("", Some(120)),
        ("confirm: true", Some(120)),
        ("confirm: false", None),
        ("confirm: 90", Some(90)),
        ("confirm: 90s", Some(90)),
        ("confirm: 2m", Some(120)),
        ("confirm: 24h", Some(86_400)),
    ] {
        assert_eq!(parse(text).unwrap().confirm, window, "{text}");
    }
    for text in ["0", "25h", "-1", "2 min", "m", "[1]"] {
        assert!(parse(&format!("confirm: {text}")).is_err(), "{text}");
    }
}

#[test]
fn signers_are_keys() {
    for (key, want) in [
        ("nonsense", "not an ssh public key"),
        ("-----BEGIN PGP PUBLIC KEY BLOCK-----", "not supported"),
    ] {
        let problems = parse(&format!("tree: {{ signers: ['{key}'] }}\n")).unwrap_err();
        assert!(problems[0].message.contains(want), "{}", problems[0]);
    }
}

#[test]
fn a_password_in_a_url_is_refused_and_not_shown() {
    let problems = parse("tree: { url: 'https://me:hunter2@example.org/x' }\n").unwrap_err();
    assert!(problems[0].message.contains("credential helper"));
    assert!(!problems[0].to_string().contains("hunter2"));
}

#[test]
fn finds_the_file_in_order() {
    let dir = crate::scratch::Scratch::new();
    let uid = fs::metadata(dir.path()).unwrap().uid();
    dir.write("a/salt-rs.yaml", "roster: a.yaml");
    dir.write("env.yaml", "roster: env.yaml");
    dir.write("given.yaml", "roster: given.yaml");
    dir.write("system.yaml", "roster: system.yaml");
    dir.write("a/b/c/file", "");
    let mut around = Surroundings {
        directory: dir.path().join("a/b/c"),
        uid,
        system: dir.path().join("system.yaml"),
        config: Some(dir.path().join("env.yaml")),
        ..around()
    };
    let roster = |given: Option<&str>, around: &Surroundings| {
        let given = given.map(|name| dir.path().join(name));
        let settings = Settings::locate(given.as_deref(), around).unwrap();
        settings.roster.file_name().unwrap().to_owned()
    };
    assert_eq!(roster(Some("given.yaml"), &around), "given.yaml");
    assert_eq!(roster(None, &around), "env.yaml");
    around.config = None;
    assert_eq!(roster(None, &around), "a.yaml");
    around.directory = dir.path().join("elsewhere");
    assert_eq!(roster(None, &around), "system.yaml");
    around.system = dir.path().join("none.yaml");
    assert!(matches!(
        Settings::locate(None, &around),
        Err(SettingsError::NotFound(_))
    ));
    let missing = dir.path().join("missing.yaml");
    assert!(matches!(
        Settings::locate(Some(&missing), &around),
        Err(SettingsError::Unreadable(..))
    ));
}

#[test]
fn a_found_file_of_somebody_else_is_refused() {
    let dir = crate::scratch::Scratch::new();
    dir.write("salt-rs.yaml", "");
    let owner = fs::metadata(dir.path()).unwrap().uid();
    let stranger = Surroundings {
        directory: dir.path().to_owned(),
        uid: owner + 1,
        ..around()
    };
    let found = Settings::locate(None, &stranger);
    if owner == 0 {
        assert!(found.is_ok());
    } else {
        assert!(matches!(found, Err(SettingsError::Foreign(..))));
    }
    assert!(Settings::locate(Some(&dir.path().join("salt-rs.yaml")), &stranger).is_ok());
}
