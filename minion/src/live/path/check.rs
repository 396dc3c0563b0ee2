//! Validators see a staged file where it is going to be, before it is there (J10).
//!
//! The check runs in a mount namespace of its own in which the staged file lies at its real path: whatever includes that
//! path (`nginx -t`, `visudo -c`) is checked with the new contents, and complaints name the path people know. A file that
//! is new is seen in a copy of its directory. Where a host does not allow that, the check gets the staged file's own path.

use std::ffi::OsStr;

use proto::{Command, Problem};

use super::walk::Place;
use crate::live::{Live, command, refused};

/// `$1` the staged file, `$2` its real path, `$3` a scratch directory, `$4` the shell, `$5` the check on the real path,
/// `$6` the check on the staged one. Without the means for the first way it goes the second.
const SEEN: &str = "
dir=${2%/*}; dir=${dir:-/}
if [ -f \"$2\" ]; then mount --bind -- \"$1\" \"$2\"
else [ \"$(find \"$dir/\" -xdev | head -n 501 | wc -l)\" -le 500 ] && cp -a -- \"$dir/.\" \"$3\" &&
  cp -a -- \"$1\" \"$3/${2##*/}\" && mount --bind -- \"$3\" \"$dir\"
fi 2> /dev/null || exec \"$4\" -c \"$6\"
exec \"$4\" -c \"$5\"
";

impl Live {
    /// Lets a validator see the staged file.
    pub(super) fn judge(
        &self,
        place: &Place,
        staged: &OsStr,
        check: Option<&Command>,
    ) -> Result<(), Problem> {
        let Some(check) = check else { return Ok(()) };
        let parent = place.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let staged = format!("{parent}/{}", staged.to_string_lossy());
        let on = |path: &str| {
            let mut command = check.clone();
            match (&check.shell, command.argv.first_mut()) {
                (Some(_), Some(text)) => *text = format!("{text} {}", command::quoted(path)),
                _ => command.argv.push(path.to_owned()),
            }
            command
        };
        let plain = on(&staged);
        let scratch = self.staging("check").map_err(|error| {
            refused(format!(
                "cannot make a directory to check {} in: {error}",
                place.path
            ))
        })?;
        let mut output = None;
        if let Some(shell) = check
            .shell
            .as_ref()
            .filter(|_| self.root == std::path::Path::new("/"))
        {
            let words = [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "--",
                "/bin/sh",
                "-c",
                SEEN,
                "sh",
            ];
            let mut argv: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            argv.extend([
                staged.clone(),
                place.path.clone(),
                scratch.to_string_lossy().into_owned(),
            ]);
            argv.push(shell.clone());
            argv.extend(on(&place.path).argv);
            argv.extend(plain.argv.iter().cloned());
            let there = Command {
                argv,
                shell: None,
                ..check.clone()
            };
            let said = self.run(&there)?;
            let impossible = said.code == 127 || said.stderr.starts_with("unshare: ");
            output = Some(said).filter(|said| said.success(&there) || !impossible);
        }
        self.unstage("check");
        let output = match output {
            Some(output) => output,
            None => self.run(&plain)?,
        };
        if output.success(&plain) {
            return Ok(());
        }
        let said = [output.stdout.as_str(), output.stderr.as_str()].join("\n");
        let name = staged.rsplit('/').next().unwrap_or(&staged);
        let real = place.path.rsplit('/').next().unwrap_or(&place.path);
        let said = said.replace(name, real);
        Err(refused(
            format!("check_cmd execution failed\n{}", said.trim()).trim_end(),
        ))
    }
}
