//! zip archives: taken apart by a program of the host in a private directory, then read from there like any tree.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use proto::{Command, Value};

use super::names::Picker;
use super::{BYTES, MEMBERS, Tree, odd};
use crate::live::Live;
use crate::live::path::read::{self, Digests};
use crate::live::path::tree::{self, Mounts};
use crate::live::path::walk;

impl Live {
    /// Takes a zip archive apart.
    pub(super) fn unzip(&mut self, archive: &Path, picker: &Picker) -> io::Result<Tree> {
        let folder = self.staging("unzip")?;
        let tree = self.unzip_in(archive, &folder, picker);
        self.unstage("unzip");
        tree
    }

    fn unzip_in(&mut self, archive: &Path, folder: &Path, picker: &Picker) -> io::Result<Tree> {
        let (file, target) = (archive.to_string_lossy(), folder.to_string_lossy());
        let python = "import sys,zipfile as z\na=z.ZipFile(sys.argv[1])\nfor i in a.infolist():\n p=a.extract(i,sys.argv[2])\n m=i.external_attr>>16&0o777\n \
            import os\n if m and os.path.isfile(p): os.chmod(p,m)";
        let list = "import sys,zipfile as z\nfor i in z.ZipFile(sys.argv[1]).infolist(): print(i.file_size, i.filename)";
        let ways: [(&str, Vec<&str>, Vec<&str>); 2] = [
            (
                "unzip",
                vec!["unzip", "-Z", "-l", "--h", "--t", &file],
                vec!["unzip", "-q", "-o", &file, "-d", &target],
            ),
            (
                "python3",
                vec!["python3", "-I", "-c", list, &file],
                vec!["python3", "-I", "-c", python, &file, &target],
            ),
        ];
        let Some((program, list, take)) = ways.iter().find(|(program, ..)| self.program(program).is_some())
        else {
            return Err(odd("this host has neither unzip nor python3 for zip archives"));
        };
        let run = |argv: &[&str]| {
            let command = Command {
                timeout: Some(600),
                ..Command::program(argv)
            };
            let output = self
                .run_here(&command)
                .map_err(|problem| io::Error::other(problem.text))?;
            if output.success(&command) {
                Ok(output.stdout)
            } else {
                Err(odd(format!(
                    "{program} cannot read it: {}",
                    crate::live::command::ending(&output)
                )))
            }
        };
        let (mut count, mut total) = (0, 0_u64);
        for line in run(list)?.lines() {
            let (size, name) = listed(program, line).ok_or_else(|| odd("its list of members is damaged"))?;
            (count, total) = (count + 1, total.saturating_add(size));
            picker.name(name.as_bytes())?;
        }
        if count > MEMBERS || total > BYTES {
            return Err(odd(format!(
                "it holds more than {MEMBERS} members or {BYTES} bytes"
            )));
        }
        run(take)?;
        let top = walk::open_dir(rustix::fs::CWD, folder.as_os_str())?;
        let mut found = Tree::new();
        let mut digests = Digests::default();
        let objects = &self.objects;
        tree::visit(
            top.as_fd(),
            std::ffi::OsStr::new("."),
            Mounts::Refuse,
            &mut |dir, name, path, seen| {
                let Some(at) = picker.name(path.as_bytes())? else {
                    return Ok(());
                };
                let mut value = read::value(dir, name, seen, &mut digests)?;
                match &mut value {
                    Value::File { content, meta, .. } => {
                        if meta.mode & 0o6000 != 0 {
                            return Err(odd(format!("the member {path} is set-user-id or set-group-id")));
                        }
                        if !objects.has(content) {
                            objects.put_from(&mut read::open(dir, name)?)?;
                        }
                    }
                    Value::Link { to, .. } => picker.link(&at, to)?,
                    Value::Dir { .. } => {}
                    _ => {
                        return Err(odd(format!(
                            "the member {path} is neither file, directory nor link"
                        )));
                    }
                }
                found.insert(at, value);
                Ok(())
            },
        )?;
        Ok(found)
    }
}

/// Size and name of a line of the list.
fn listed<'a>(program: &str, line: &'a str) -> Option<(u64, &'a str)> {
    if program == "unzip" {
        // Mode, version, system, size, flags, compressed size, method, date, time, name.
        let mut rest = line;
        let mut size = None;
        for number in 0..9 {
            rest = rest.trim_start();
            let end = rest.find(' ')?;
            if number == 3 {
                size = rest[..end].parse().ok();
            }
            rest = &rest[end..];
        }
        return Some((size?, rest.get(1..)?));
    }
    let (size, name) = line.split_once(' ')?;
    Some((size.parse().ok()?, name))
}
