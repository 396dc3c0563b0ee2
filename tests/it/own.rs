//! What the master adds of its own: real programs, a real branch, real keys, and nothing secret on the screen.

use std::path::Path;

use harness::{Project, os};
use serde_json::json;

const SETTINGS: &str = "
nodegroups: { front: 'web*', back: 'db*' }
salt:
  gpg_keydir: keys
  age_identity: identity
  decrypt_pillar: [later]
  vault: { driver: yaml, files: [vault.yaml] }
  teller: { driver: exec, command: [echo] }
  ext_pillar:
    - cmd_yaml: sh program.sh %s
    - cmd_json: [printf, '{\"words\": [\"%s\"], \"who\": \"json\"}']
    - git: [{ 'side other': [{ root: sub }, { env: base }] }]
    - file_tree: { root_dir: files, keep_newline: ['kept/*'] }
";

fn gpg(home: &Path, args: &[&str]) -> String {
    let mut gpg = os::command("gpg");
    gpg.arg("--homedir")
        .arg(home)
        .args(["--batch", "--quiet", "--no-tty", "--trust-model", "always"])
        .args(args);
    os::checked(&mut gpg).unwrap()
}

/// A message as it stands below a key of YAML.
fn indented(message: &str) -> String {
    message.lines().map(|line| format!("    {line}\n")).collect()
}

/// Ends what gpg left running, whatever became of the test.
struct Keys<'a>(&'a Path);

impl Drop for Keys<'_> {
    fn drop(&mut self) {
        let mut kill = os::command("gpgconf");
        kill.arg("--homedir").arg(self.0).args(["--kill", "all"]);
        // It ends with its directory, too.
        _ = os::checked(&mut kill);
    }
}

fn project() -> Project {
    let project = Project::new(&[
        ("salt/top.sls", "base:\n  '*':\n    - a\n"),
        (
            "salt/a.sls",
            "told:
  file.managed:
    - name: {{ pillar['target'] }}
    - contents: |
        password={{ pillar['password'] }}
        {{ salt['sdb.get']('sdb://vault/db:pass') }}
        {{ salt['config.get']('nothing', 'sdb://teller/one key') }}
",
        ),
        ("pillar/top.sls", "base:\n  '*':\n    - secret\n"),
        ("program.sh", "echo \"program: {id: $1}\"\necho 'who: program'\n"),
        ("vault.yaml", "db: { pass: from-the-vault }\n"),
        ("files/hosts/web1/name", "one line\n"),
        ("files/hosts/web1/kept/name", "one line\n"),
        ("files/nodegroups/front/group", "front"),
        ("files/nodegroups/back/group", "back"),
    ]);
    let dir = project.dir();
    project.settings(SETTINGS);
    project.write("other/sub/top.sls", "base:\n  'web*':\n    - side\n");
    project.write("other/sub/side.sls", "branch: side\nwho: branch\n");
    let other = dir.join("other");
    for args in [
        &["init", "-q", "-b", "side"][..],
        &["add", "-A"],
        &[
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@example.org",
            "commit",
            "-qm",
            "side",
        ],
    ] {
        os::checked(os::command("git").current_dir(&other).args(args)).unwrap();
    }
    let keys = dir.join("keys");
    os::make_dir(&keys).unwrap();
    os::chmod(&keys, 0o700).unwrap();
    let id = "pillar@example.org";
    gpg(
        &keys,
        &[
            "--passphrase",
            "",
            "--quick-gen-key",
            id,
            "default",
            "default",
            "never",
        ],
    );
    let encrypted = |text: &str| {
        project.write("plain", text);
        let file = dir.join("plain").display().to_string();
        indented(&gpg(&keys, &["--armor", "-r", id, "-o", "-", "--encrypt", &file]))
    };
    os::checked(os::command("age-keygen").arg("-o").arg(dir.join("identity"))).unwrap();
    let identity = os::read_text(&dir.join("identity")).unwrap();
    let recipient = identity
        .lines()
        .find_map(|line| line.strip_prefix("# public key: "))
        .unwrap();
    project.write("plain", "of age\n");
    let aged = os::checked(
        os::command("age")
            .args(["-a", "-r", recipient])
            .arg(dir.join("plain")),
    )
    .unwrap();
    let target = dir.join("target");
    project.write(
        "pillar/secret.sls",
        &format!(
            "#!jinja|yaml|gpg|age\ntarget: {}\npassword: |\n{}deep:\n  - |\n{}aged: |\n{}later: plain\n",
            target.display(),
            encrypted("correct horse\n"),
            encrypted("battery staple"),
            indented(&aged),
        ),
    );
    project
}

#[test]
fn programs_branches_directories_and_keys_have_their_say() {
    let project = project();
    let keys = project.dir().join("keys");
    let _keys = Keys(&keys);
    let shown = |more: &[&str]| {
        let words = ["show", "pillar", "--worktree", "--id", "web1", "--json"];
        project.salt_rs(&[&words[..], more].concat()).expect(0).json()
    };
    let mut pillar = shown(&["--secrets"])["web1"].clone();
    pillar.as_object_mut().unwrap().shift_remove("target");
    let want = json!({
        "password": "correct horse", "deep": ["battery staple"], "aged": "of age", "later": "plain",
        "program": { "id": "web1" }, "who": "branch", "words": ["web1"], "branch": "side",
        "group": "front", "kept": { "name": "one line\n" }, "name": "one line",
    });
    assert_eq!(pillar, want);
    // Unless asked for, what was decrypted is covered; what the master added otherwise is not.
    let covered = shown(&[])["web1"].clone();
    assert_eq!(covered["password"], "**********");
    assert_eq!(covered["deep"], json!(["**********"]));
    assert_eq!(covered["who"], "branch");

    // The host gets the values, the screen and the record do not.
    let run = |verb: &str, code| {
        let words = [verb, "--worktree", "--local", "--id", "web1", "--json"];
        project.salt_rs(&words).expect(code)
    };
    let applied = run("apply", 0);
    let file = os::read_text(&project.dir().join("target")).unwrap();
    assert_eq!(file, "password=correct horse\nfrom-the-vault\none key\n");
    project.write("vault.yaml", "db: { pass: another-one }\n");
    let planned = run("plan", 2);
    let changed = run("apply", 0);
    let diff = "@@ -1,3 +1,3 @@\n password=**********\n-**********\n+**********\n **********\n";
    for said in [&planned, &changed] {
        let shown = &said.json()["hosts"]["web1"]["states"][0]["changes"]["diff"];
        assert_eq!(*shown, format!("--- \n+++ \n{diff}"), "{said}");
    }
    let id = changed.json()["run"].as_str().unwrap().to_owned();
    let logged = project.salt_rs(&["log", "show", &id, "--json"]).expect(0);
    for secret in ["correct horse", "from-the-vault", "another-one"] {
        for said in [&planned, &applied, &changed, &logged] {
            assert!(!said.to_string().contains(secret), "{said}");
        }
    }
    assert_eq!(changed.json()["summary"]["changed"], 1, "{changed}");
    assert_eq!(run("apply", 0).json()["summary"]["changed"], 0);
}

#[test]
fn what_cannot_be_had_is_told_with_its_place() {
    let project = project();
    let keys = project.dir().join("keys");
    let _keys = Keys(&keys);
    let errors = || {
        let words = ["show", "low", "--worktree", "--id", "web1", "--json"];
        let ran = project.salt_rs(&words);
        let errors = ran.json()["errors"].as_array().cloned().unwrap_or_default();
        let places = errors.iter().map(|error| {
            format!(
                "{}:{} {}",
                error["file"]
                    .as_str()
                    .unwrap_or_default()
                    .rsplit('/')
                    .next()
                    .unwrap_or_default(),
                error["line"],
                error["message"].as_str().unwrap_or_default()
            )
        });
        places.collect::<Vec<_>>()
    };
    let has = |errors: &[String], begin: &str| {
        assert!(
            errors.iter().any(|error| error.starts_with(begin)),
            "{begin}: {errors:#?}"
        );
    };
    // Another keyring: nothing can be decrypted, and the line of the key is named.
    let elsewhere = SETTINGS
        .replace("gpg_keydir: keys", "gpg_keydir: .")
        .replace("sh program.sh", "false");
    project.settings(&elsewhere);
    let found = errors();
    has(
        &found,
        "secret.sls:3 Rendering SLS 'base:secret' failed: `password` cannot be decrypted: `gpg` ended",
    );
    has(
        &found,
        "salt-rs.yaml:13 Failed to load ext_pillar cmd_yaml: `false` ended with exit status: 1",
    );
    // Of a value that `decrypt_pillar` names, too.
    let secret = os::read_text(&project.dir().join("pillar/secret.sls")).unwrap();
    let plain = secret.replace("#!jinja|yaml|gpg|age", "#!jinja|yaml");
    project.write("pillar/secret.sls", &plain);
    project.settings(&elsewhere.replace("[later]", "[password]"));
    has(
        &errors(),
        "secret.sls:3 Failed to decrypt pillar key 'password': `gpg` ended",
    );

    // The settings refuse what they do not know.
    project.settings(&SETTINGS.replace("cmd_json", "cmd_jsn"));
    let refused = project
        .salt_rs(&["show", "pillar", "--worktree", "--id", "web1"])
        .expect(64);
    for part in [
        "unknown ext_pillar `cmd_jsn`",
        "salt-rs.yaml:14:7",
        "did you mean `cmd_json`?",
    ] {
        assert!(refused.stderr.contains(part), "{refused}");
    }
}

/// What real Salt makes of the same files.
#[test]
fn files_of_a_directory_are_rendered_where_that_is_asked_for() {
    let at = "rendered/hosts/web1";
    let files = [
        ("plain", "id={{ grains['id'] }}\nend\n"),
        ("data", "#!yaml\na: [1, 2]\n"),
        ("sub/both", "#!jinja|yaml\nx: {{ 1 + 1 }}\n"),
        ("empty", ""),
        ("blank", "\n"),
        ("passed", "#!text|jinja\n{{ 2 }}\n"),
        ("refused", "#!text\nx\n"),
        ("nothing", "{% if false %}x{% endif %}"),
    ];
    let project = Project::new(&[
        ("pillar/top.sls", "{}\n"),
        ("plain/hosts/web1/none", "no\n"),
        ("plain/hosts/web1/some", "#!jinja\n{{ 3 }}\n"),
    ]);
    for (name, text) in files {
        project.write(&format!("{at}/{name}"), text);
    }
    project.settings(
        "salt:
  ext_pillar:
    - file_tree: { root_dir: rendered, template: true, render_default: jinja, renderer_blacklist: [text] }
    - file_tree: { root_dir: plain, template: true }
",
    );
    let show = ["show", "pillar", "--worktree", "--id", "web1", "--json"];
    let shown = project.salt_rs(&show).expect(0).json();
    let want = json!({
        "plain": "id=web1\nend", "data": { "a": [1, 2] }, "sub": { "both": { "x": 2 } }, "empty": {}, "blank": {},
        "passed": "#!text|jinja\n2", "refused": {}, "nothing": "", "none": {}, "some": "#!jinja\n3",
    });
    assert_eq!(shown["web1"], want);
    project.write(&format!("{at}/plain"), "a\n{{ nosuch }}\n");
    let words = ["show", "low", "--worktree", "--id", "web1", "--json"];
    let all = project.salt_rs(&words).expect(65).json()["errors"].to_string();
    assert!(all.contains("nosuch") && all.contains("line 2"), "{all}");
}
