//! Archives of the object store, taken apart into it (A4).
//!
//! tar is read here, member by member, after `gzip`, `xz`, `bzip2` or `zstd` undid its compression; nothing is written to the
//! host. zip is taken apart by the host's `unzip` (or `bsdtar`, `python3`) in a private directory and read from there.

mod names;
mod tar;
mod zip;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use proto::question::Unpack;
use proto::{Answer, Meta, Problem, Value};

use super::{Live, failed};
use names::Picker;

/// Members at most.
const MEMBERS: usize = 200_000;
/// Bytes of all members at most.
const BYTES: u64 = 16 << 30;

/// Entries by relative path.
type Tree = BTreeMap<String, Value>;

impl Live {
    /// The entries of an archive, their contents in the object store.
    pub(crate) fn unpack(&mut self, ask: &Unpack) -> Result<Answer, Problem> {
        let broken = |error: io::Error| failed(format!("cannot unpack the archive: {error}"));
        let path = self.objects.path(&ask.archive);
        let mut head = [0; 6];
        let count = File::open(&path)
            .and_then(|mut file| file.read(&mut head))
            .map_err(broken)?;
        let picker = Picker::new(ask);
        let tree = if head[..count].starts_with(b"PK") || ask.format == "zip" {
            self.unzip(&path, &picker).map_err(broken)?
        } else {
            self.untar(&path, &head[..count], &picker).map_err(broken)?
        };
        Ok(Answer::Tree(Some(
            complete(tree).map_err(broken)?.into_iter().collect(),
        )))
    }

    fn untar(&mut self, path: &std::path::Path, head: &[u8], picker: &Picker) -> io::Result<Tree> {
        let file = File::open(path)?;
        let owners = Owners {
            users: self
                .passwd()
                .into_iter()
                .map(|user| (user.name, user.uid))
                .collect(),
            groups: self
                .groups()
                .into_iter()
                .map(|group| (group.name, group.gid))
                .collect(),
        };
        match compression(head) {
            None => tar::read(&mut io::BufReader::new(file), &self.objects, picker, &owners),
            Some(program) => {
                let mut filter = self.filter(&[program, "-dc"], file)?;
                let tree = tar::read(&mut filter, &self.objects, picker, &owners)?;
                filter.finish()?;
                Ok(tree)
            }
        }
    }
}

/// Ids by name, as the host has them.
struct Owners {
    users: BTreeMap<String, u32>,
    groups: BTreeMap<String, u32>,
}

/// The program that undoes a compression, by the first bytes.
fn compression(head: &[u8]) -> Option<&'static str> {
    static MAGIC: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "gzip"),
        (b"\x1f\x9d", "gzip"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"LZIP", "lzip"),
    ];
    MAGIC
        .iter()
        .find(|(magic, _)| head.starts_with(magic))
        .map(|(_, program)| *program)
}

/// Adds the directories archives leave out, and refuses members inside what is no directory.
fn complete(mut tree: Tree) -> io::Result<Tree> {
    let paths: Vec<String> = tree.keys().cloned().collect();
    for path in paths {
        let mut inner = path.as_str();
        while let Some((parent, _)) = inner.rsplit_once('/') {
            let folder = tree.entry(parent.to_owned()).or_insert_with(|| Value::Dir {
                meta: Meta {
                    mode: 0o755,
                    ..Meta::default()
                },
            });
            if !matches!(folder, Value::Dir { .. }) {
                return Err(odd(format!(
                    "the member {path} lies inside {parent}, which is no directory"
                )));
            }
            inner = parent;
        }
    }
    Ok(tree)
}

/// An archive that must not be unpacked.
fn odd(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, Host};
    use super::*;
    use proto::{Command, Digest};

    /// Makes an archive with a shell script in a scratch directory and unpacks it.
    fn unpack(host: &mut Host, script: &str, strip: u32, members: &[&str]) -> Result<Tree, String> {
        let command = Command {
            cwd: Some(host.root.display().to_string()),
            ..Command::sh(script)
        };
        host.live.must_run(&command).expect("the script works");
        let bytes = std::fs::read(host.path("/a")).expect("an archive");
        let archive = host.live.objects().put(&bytes).expect("room");
        let ask = Unpack {
            archive,
            format: "tar".to_owned(),
            strip,
            members: members.iter().map(|&name| name.to_owned()).collect(),
        };
        match host.live.unpack(&ask) {
            Ok(Answer::Tree(Some(tree))) => Ok(tree.into_iter().collect()),
            Ok(other) => panic!("{other:?}"),
            Err(problem) => Err(problem.text),
        }
    }

    #[test]
    fn every_kind_of_archive_gives_the_same_tree() {
        let mut host = testing::here();
        let make = "mkdir -p t/top/bin && echo hello > t/top/bin/x && chmod 755 t/top/bin/x && ln -sf bin/x t/top/l && \
            ln -f t/top/bin/x t/top/hard && touch -d @1000000000 t/top/bin/x && cd t && rm -f ../a && ";
        for pack in [
            "tar cf ../a top",
            "tar czf ../a top",
            "tar cJf ../a --format=pax top",
            "tar cjf ../a --format=ustar top",
            "tar --zstd -cf ../a top || tar cf ../a top",
        ] {
            let tree = unpack(&mut host, &format!("{make}{pack}"), 1, &[]).expect(pack);
            let names: Vec<&str> = tree.keys().map(String::as_str).collect();
            assert_eq!(names, ["bin", "bin/x", "hard", "l"], "{pack}");
            let Value::File { content, size, meta } = &tree["bin/x"] else {
                panic!("a file")
            };
            assert_eq!(
                (content, *size, meta.mode),
                (&Digest::of("hello\n"), 6, 0o755),
                "{pack}"
            );
            assert_eq!(meta.mtime.map(|(seconds, _)| seconds), Some(1_000_000_000));
            assert!(matches!(&tree["hard"], Value::File { size: 6, .. }), "{pack}");
            assert!(
                matches!(&tree["l"], Value::Link { to, .. } if to == "bin/x"),
                "{pack}"
            );
        }
        let some = unpack(
            &mut host,
            &format!("{make}rm top/hard && tar cf ../a top"),
            0,
            &["top/bin"],
        )
        .expect("some");
        assert_eq!(
            some.keys().map(String::as_str).collect::<Vec<_>>(),
            ["top", "top/bin", "top/bin/x"]
        );
        let zip = "rm -f a && cd t && python3 -c 'import shutil; shutil.make_archive(\"../z\", \"zip\", \".\", \"top\")' && mv ../z.zip ../a";
        let tree = unpack(&mut host, zip, 1, &[]).expect("a zip");
        let Value::File { content, size, .. } = &tree["bin/x"] else {
            panic!("a file")
        };
        assert_eq!((content, *size), (&Digest::of("hello\n"), 6));
    }

    #[test]
    fn long_names_come_whole() {
        let mut host = testing::here();
        let long = ["d".repeat(90), "e".repeat(90), "f".repeat(90)].join("/");
        for format in ["gnu", "pax"] {
            let script = format!(
                "mkdir -p {long} && echo 1 > {long}/x && tar cf a --format={format} {}",
                "d".repeat(90)
            );
            let tree = unpack(&mut host, &script, 0, &[]).expect(format);
            assert!(tree.contains_key(&format!("{long}/x")), "{format}");
        }
    }

    #[test]
    fn hostile_archives_are_refused() {
        let mut host = testing::here();
        let cases = [
            ("echo x > f && tar cf a --transform 's,f,../f,' -P f", "outside"),
            (
                "echo x > f && tar cf a --transform 's,f,/etc/f,' -P f",
                "absolute",
            ),
            ("ln -s ../../etc l && tar cf a l", "points outside"),
            ("ln -s /etc l2 && tar cf a l2", "points outside"),
            ("mkfifo p && tar cf a p", "fifo"),
            ("echo x > s && chmod 4755 s && tar cf a s", "set-user-id"),
            (
                "mkdir d && ln -s d m && tar cf a m && rm m && mkdir m && echo x > m/f && tar rf a m/f",
                "no directory",
            ),
            ("head -c 100 /dev/zero | tr '\\0' 'x' > a", "not a tar"),
            (
                "head -c 3000 /dev/urandom > r && tar czf b r && head -c 2000 b > a",
                "",
            ),
        ];
        for (script, why) in cases {
            let text = unpack(&mut host, script, 0, &[]).expect_err(script);
            assert!(text.contains(why), "{script}: {text}");
        }
    }
}
