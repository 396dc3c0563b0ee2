//! The same questions to a commit and to files as they lie.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use std::process::Command;

use super::*;
use crate::scratch::Scratch;

/// A repository made with the git program, away from anybody's configuration.
pub(super) struct Repo(Scratch);

impl Repo {
    pub(super) fn new() -> Self {
        let repo = Self(Scratch::new());
        repo.git(&["init", "-q", "-b", "main"]);
        repo
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    #[expect(clippy::disallowed_methods, reason = "tests make their repositories with git")]
    pub(super) fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        git.env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path());
        git.args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-c",
            "protocol.file.allow=always",
        ]);
        let output = git.arg("-C").arg(self.path()).args(args).output().unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(super) fn commit(&self, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            self.0.write(name, text);
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "tests write below their own scratch directory only"
    )]
    fn link(&self, to: &str, name: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(to, path).unwrap();
    }
}

fn text(source: &dyn Source, path: &str) -> Option<String> {
    source
        .read(path)
        .unwrap()
        .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

fn both(repo: &Repo) -> [Box<dyn Source>; 2] {
    [
        Box::new(git::open(repo.path(), "main", &[]).unwrap()),
        Box::new(worktree::open(repo.path(), &[]).unwrap()),
    ]
}

#[test]
fn reads_lists_and_walks() {
    let repo = Repo::new();
    repo.0.write("salt/run.sh", "#!/bin/sh\n");
    repo.0.chmod("salt/run.sh", 0o755);
    repo.commit(&[
        ("salt/top.sls", "base:\n"),
        ("salt/web/init.sls", "a"),
        ("salt/web-x", "b"),
        ("other", "c"),
    ]);
    for source in both(&repo) {
        assert_eq!(text(&*source, "salt/top.sls").as_deref(), Some("base:\n"));
        assert_eq!(text(&*source, "/salt//./web/init.sls").as_deref(), Some("a"));
        for nothing in ["salt", "", "none", "salt/top.sls/x", "salt/none"] {
            assert_eq!(text(&*source, nothing), None, "{nothing}");
        }
        let listed = source.list("salt").unwrap().unwrap();
        let names: Vec<&str> = listed.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["run.sh", "top.sls", "web", "web-x"]);
        assert_eq!(listed[0].kind, Kind::File { executable: true });
        assert_eq!(listed[1].kind, Kind::File { executable: false });
        assert_eq!(listed[2].kind, Kind::Dir);
        assert_eq!(source.list("salt/top.sls").unwrap(), None);
        let walked = source.walk("salt").unwrap().unwrap();
        let paths: Vec<&str> = walked.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["run.sh", "top.sls", "web", "web-x", "web/init.sls"]);
        assert_eq!(source.walk("none").unwrap(), None);
        let id = source.digest_of("salt/top.sls").unwrap();
        assert!(id.is_some() && id != source.digest_of("other").unwrap());
        assert!(source.digest_of("salt").unwrap().is_some());
        assert_eq!(source.digest_of("none").unwrap(), None);
    }
}

#[test]
fn follows_links_inside_and_refuses_the_way_out() {
    let repo = Repo::new();
    repo.link("real/a", "salt/file");
    repo.link("real", "salt/dir");
    repo.link("../shared/c", "salt/up");
    repo.link("../../secret", "salt/out");
    repo.link("/etc/passwd", "salt/abs");
    repo.link("nothing", "salt/dangling");
    repo.link("loop2", "salt/loop1");
    repo.link("loop1", "salt/loop2");
    repo.commit(&[("salt/real/a", "A"), ("shared/c", "C")]);
    for source in [
        Box::new(git::open(repo.path(), "main", &[]).unwrap()) as Box<dyn Source>,
        Box::new(worktree::open(repo.path(), &["salt".to_owned()]).unwrap()),
    ] {
        assert_eq!(text(&*source, "salt/file").as_deref(), Some("A"));
        assert_eq!(text(&*source, "salt/dir/a").as_deref(), Some("A"));
        assert_eq!(text(&*source, "salt/dir/../real/a").as_deref(), Some("A"));
        assert_eq!(text(&*source, "salt/up").as_deref(), Some("C"));
        assert_eq!(text(&*source, "salt/dangling"), None);
        assert!(matches!(source.read("salt/out"), Err(TreeError::LinkOut { .. })));
        assert!(matches!(source.read("salt/abs"), Err(TreeError::LinkOut { .. })));
        assert!(matches!(source.read("salt/loop1"), Err(TreeError::LinkLoop(_))));
        assert!(matches!(source.read("../x"), Err(TreeError::Outside(_))));
        assert!(matches!(source.walk("salt"), Err(TreeError::LinkOut { .. })));
    }
}

#[test]
fn a_walk_goes_through_links() {
    let repo = Repo::new();
    repo.link("../real", "salt/in/dir");
    repo.link("nothing", "salt/in/dangling");
    repo.commit(&[("salt/real/a", "A")]);
    for source in both(&repo) {
        let walked = source.walk("/salt/in/").unwrap().unwrap();
        let shown: Vec<(&str, &Kind, Option<&str>)> = walked
            .iter()
            .map(|entry| (entry.path.as_str(), &entry.kind, entry.link.as_deref()))
            .collect();
        let dangling = Kind::Link {
            to: "nothing".to_owned(),
        };
        let want = [
            ("dangling", &dangling, Some("nothing")),
            ("dir", &Kind::Dir, Some("../real")),
            ("dir/a", &Kind::File { executable: false }, None),
        ];
        assert_eq!(shown, want);
    }
}

#[test]
fn a_commit_is_not_the_work_tree() {
    let repo = Repo::new();
    let commit = repo.commit(&[("a", "committed")]);
    repo.0.write("a", "changed");
    let tree = git::open(repo.path(), "main", &[]).unwrap();
    assert_eq!(
        (tree.rev(), text(&tree, "a").as_deref()),
        (commit.as_str(), Some("committed"))
    );
    let lying = worktree::open(repo.path(), &[]).unwrap();
    assert_eq!(text(&lying, "a").as_deref(), Some("changed"));
    assert!(lying.rev().starts_with("worktree+") && lying.rev().len() == 49);
    assert_eq!(lying.rev(), worktree::open(repo.path(), &[]).unwrap().rev());
    repo.0.chmod("a", 0o755);
    assert_ne!(lying.rev(), worktree::open(repo.path(), &[]).unwrap().rev());
}

#[test]
fn a_file_that_changes_during_the_run_is_an_error() {
    let repo = Repo::new();
    repo.0.write("a", "one");
    let lying = worktree::open(repo.path(), &[]).unwrap();
    repo.0.write("a", "two");
    assert!(matches!(lying.read("a"), Err(TreeError::Changed(_))));
}

#[test]
fn resolves_branches_tags_and_commits() {
    let repo = Repo::new();
    let first = repo.commit(&[("a", "1")]);
    repo.git(&["tag", "-a", "v1", "-m", "x"]);
    repo.git(&["branch", "both"]);
    let second = repo.commit(&[("a", "2")]);
    repo.git(&["tag", "both"]);
    let rev = |name: &str| git::open(repo.path(), name, &[]).map(|tree| tree.rev().to_owned());
    for (name, want) in [
        ("main", &second),
        ("HEAD", &second),
        ("HEAD~1", &first),
        ("v1", &first),
        ("refs/heads/main", &second),
        ("refs/heads/both", &first),
        (first.as_str(), &first),
        (&first[..8], &first),
    ] {
        assert_eq!(&rev(name).unwrap(), want, "{name}");
    }
    assert!(matches!(rev("both"), Err(TreeError::AmbiguousRev(..))));
    let error = rev("mian").unwrap_err().to_string();
    assert!(error.contains("did you mean `main`?"), "{error}");
    let error = rev("production").unwrap_err().to_string();
    assert!(
        error.contains("there are both, main, v1") || error.contains("both, main, both, v1"),
        "{error}"
    );
    assert!(rev("refs/heads/none").is_err());
}

#[test]
fn opens_bare_repositories_and_directories_inside() {
    let repo = Repo::new();
    let commit = repo.commit(&[("infra/salt/a", "1"), ("b", "2")]);
    let inside = git::open(&repo.path().join("infra"), "main", &[]).unwrap();
    assert_eq!(
        (inside.rev(), text(&inside, "salt/a").as_deref()),
        (commit.as_str(), Some("1"))
    );
    assert!(matches!(inside.read("../b"), Err(TreeError::Outside(_))));
    let bare = git::open(&repo.path().join(".git"), "main", &[]).unwrap();
    assert_eq!(text(&bare, "b").as_deref(), Some("2"));
    repo.0.write("later/salt/x", "not committed");
    assert!(matches!(
        git::open(&repo.path().join("later"), "main", &[]),
        Err(TreeError::NoDirectory { .. })
    ));
}

#[test]
fn says_what_is_missing() {
    let dir = Scratch::new();
    assert!(matches!(
        git::open(&dir.path().join("none"), "main", &[]),
        Err(TreeError::Missing(_))
    ));
    assert!(matches!(
        git::open(dir.path(), "main", &[]),
        Err(TreeError::NotARepository(_))
    ));
    assert!(matches!(
        git::open(Repo::new().path(), "main", &[]),
        Err(TreeError::Empty(_))
    ));
    assert!(matches!(
        worktree::open(&dir.path().join("none"), &[]),
        Err(TreeError::Missing(_))
    ));
    assert!(worktree::open(dir.path(), &["salt".to_owned()]).is_ok());
}

#[test]
fn refuses_submodules_pointers_and_large_files() {
    let inner = Repo::new();
    inner.commit(&[("x", "1")]);
    let repo = Repo::new();
    repo.git(&[
        "submodule",
        "--quiet",
        "add",
        &inner.path().display().to_string(),
        "salt/sub",
    ]);
    repo.0.write("salt/large", vec![0; 16 * 1024 * 1024 + 1]);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    repo.commit(&[("salt/lfs", pointer), ("salt/fine", "x")]);
    let tree = git::open(repo.path(), "main", &[]).unwrap();
    assert!(matches!(tree.read("salt/sub/x"), Err(TreeError::Submodule(_))));
    assert!(matches!(tree.walk("salt"), Err(TreeError::Submodule(_))));
    assert!(matches!(tree.read("salt/lfs"), Err(TreeError::Lfs(_))));
    assert!(matches!(tree.read("salt/large"), Err(TreeError::TooLarge { .. })));
    assert_eq!(text(&tree, "salt/fine").as_deref(), Some("x"));
    assert!(matches!(
        worktree::open(repo.path(), &[]),
        Err(TreeError::TooLarge { .. })
    ));
}

#[test]
fn replaced_objects_are_not_followed() {
    let repo = Repo::new();
    let first = repo.commit(&[("a", "true")]);
    let second = repo.commit(&[("a", "forged")]);
    repo.git(&["replace", &first, &second]);
    assert_eq!(
        text(&git::open(repo.path(), &first, &[]).unwrap(), "a").as_deref(),
        Some("true")
    );
}

#[test]
fn records_what_was_read() {
    let source = Recorded::new(Memory::tree([("salt/a", "1"), ("salt/d/b", "2")]));
    source.read("salt/a").unwrap();
    source.read("salt/none").unwrap();
    source.list("salt/d").unwrap();
    let reads = source.reads();
    assert_eq!(
        reads.keys().collect::<Vec<_>>(),
        ["salt/a", "salt/d", "salt/none"]
    );
    assert_eq!(reads["salt/none"], None);
    let same = Memory::tree([("salt/a", "1"), ("salt/d/b", "other")]);
    assert_eq!(same.digest_of("salt/a").unwrap(), reads["salt/a"]);
    assert_ne!(same.digest_of("salt/d").unwrap(), reads["salt/d"]);
}

#[test]
fn many_threads_read_one_tree() {
    let repo = Repo::new();
    repo.commit(&[("a", "1"), ("b", "2")]);
    let tree = open(&settings(&repo), Path::new("/nowhere")).unwrap();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let tree = Arc::clone(&tree);
            std::thread::spawn(move || (text(&*tree, "a"), text(&*tree, "b")))
        })
        .collect();
    for thread in threads {
        assert_eq!(
            thread.join().unwrap(),
            (Some("1".to_owned()), Some("2".to_owned()))
        );
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "tests write below their own scratch directory only"
)]
fn a_repository_of_another_user_is_refused_with_the_way_out() {
    let repo = Repo::new();
    repo.commit(&[("a", "1")]);
    // Only root can give a directory away; for others there is nothing to try.
    if chown(repo.path().join(".git"), Some(4321), None).is_err() {
        return;
    }
    chown(repo.path(), Some(4321), None).unwrap();
    let error = git::open(repo.path(), "main", &[]).unwrap_err();
    assert!(matches!(error, TreeError::Foreign(_)), "{error}");
    assert!(error.to_string().contains("safe.directory"));
}

fn settings(repo: &Repo) -> TreeSettings {
    TreeSettings {
        url: Location::Local(repo.path().to_owned()),
        rev: "main".to_owned(),
        salt: vec!["salt".to_owned()],
        pillar: vec!["pillar".to_owned()],
        signers: vec![],
    }
}

#[test]
fn opens_what_the_settings_say() {
    let repo = Repo::new();
    repo.commit(&[("salt/a", "1"), ("pillar/b", "2"), ("other", "3")]);
    repo.0.write("salt/a", "changed");
    let settings = settings(&repo);
    let commit = open(&settings, Path::new("/nowhere")).unwrap();
    let lying = open_worktree(&settings, &[]).unwrap();
    assert_eq!(
        (
            text(&*commit, "salt/a").as_deref(),
            text(&*commit, "other").as_deref()
        ),
        (Some("1"), Some("3"))
    );
    assert_eq!(
        (text(&*lying, "salt/a").as_deref(), text(&*lying, "other")),
        (Some("changed"), None)
    );
    assert_eq!(text(&*lying, "pillar/b").as_deref(), Some("2"));
    let signed = TreeSettings {
        signers: vec!["ssh-ed25519 x".to_owned()],
        ..settings.clone()
    };
    assert!(matches!(
        open_worktree(&signed, &[]),
        Err(TreeError::Unsigned { .. })
    ));
    assert!(matches!(
        open(&signed, Path::new("/nowhere")),
        Err(TreeError::Unsigned { .. })
    ));
    let url = Location::parse("https://example.org/x.git", Path::new("/"), None).unwrap();
    assert!(matches!(
        open_worktree(&TreeSettings { url, ..settings }, &[]),
        Err(TreeError::NoFiles(_))
    ));
}

#[test]
fn says_what_a_commit_leaves_out() {
    let repo = Repo::new();
    repo.commit(&[("infra/salt/a", "1"), ("infra/salt/b", "1"), ("infra/other", "1")]);
    let roots = ["salt".to_owned(), "pillar".to_owned()];
    let left_out = || git::uncommitted(&repo.path().join("infra"), &roots).unwrap();
    assert_eq!(left_out(), Vec::<String>::new());
    repo.0.write("infra/salt/a", "changed");
    repo.0.write("infra/pillar/new", "1");
    repo.0.write("infra/other", "changed");
    assert_eq!(left_out(), ["infra/pillar/new", "infra/salt/a"]);
    assert_eq!(
        git::uncommitted(&repo.path().join(".git"), &roots).unwrap(),
        Vec::<String>::new()
    );
}
