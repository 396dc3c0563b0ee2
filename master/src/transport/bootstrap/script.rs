//! The script that finds, or takes and installs, the agent on a host.
//!
//! One line of POSIX sh between single quotes, without quote, backslash-quote or exclamation mark, so that every login
//! shell (sh, bash, zsh, fish, csh) hands it to `/bin/sh` unread. All values in it come from checked sets of characters.
//! When the agent is there it starts no other program; the prelude costs a few file tests.
//!
//! Trust on the host (T7): the agent lies in directories of mode 0700 that belong to the user who runs the script, which
//! is root; it is unpacked into a new file (`set -C` is O_EXCL) with an unguessable name, its digest is taken from that
//! file, it is synced and then renamed. A file that is there under its digest is therefore whole.

use std::fmt::Write;
use std::path::Path;

/// What to do when the host lacks the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// Say so and end. For when the bytes behind the request are meant for the agent.
    Leave,
    /// Say so and read this many bytes of gzip from stdin.
    Take(usize),
}

/// The command for the login shell.
pub(super) fn command(dir: &Path, sha256: &str, marker: &str, absent: Absent, sudo: bool) -> String {
    let shell = if sudo {
        "exec sudo -n -- /bin/sh -c"
    } else {
        "exec /bin/sh -c"
    };
    format!(
        "{shell} '{}'",
        script(&dir.to_string_lossy(), sha256, marker, absent)
    )
}

fn script(dir: &str, sha256: &str, marker: &str, absent: Absent) -> String {
    let mut out = String::new();
    // Infallible: writing to a String.
    let mut say = |line: std::fmt::Arguments<'_>| out.write_fmt(line).unwrap_or_default();
    say(format_args!(
        "umask 077;M={marker};H={sha256};D={dir};P=$D/agent/$H;A=$P/salt-rs-minion;"
    ));
    say(format_args!(
        "go(){{ printf \"%s ok\\n\" $M;cd /;exec $A serve --dir $D;}};"
    ));
    say(format_args!(
        "no(){{ rm -f $P/.$M;printf \"%s fail %s\\n\" $M \"$1\";exit 1;}};"
    ));
    say(format_args!(
        "if [ -f $A ]&&[ -x $A ]&&[ -O $A ]&&[ -O $P ];then go;fi;"
    ));
    say(format_args!("printf \"%s need %s\\n\" $M \"$(uname -m)\";"));
    let Absent::Take(size) = absent else {
        out.push_str("exit 0");
        return out;
    };
    say(format_args!("PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH;"));
    // The parents of the state directory get the usual mode.
    say(format_args!(
        "[ -d ${{D%/*}} ]||(umask 022;mkdir -p ${{D%/*}})||no \"cannot create ${{D%/*}}\";"
    ));
    say(format_args!("for d in $D $D/agent $P;do "));
    say(format_args!("[ -L $d ]&&no \"$d is a symbolic link\";"));
    say(format_args!(
        "[ -d $d ]||mkdir $d||[ -d $d ]||no \"cannot create $d\";"
    ));
    say(format_args!("[ -O $d ]||no \"$d belongs to someone else\";"));
    say(format_args!("chmod 700 $d||no \"cannot close $d\";done;"));
    say(format_args!(
        "T=$P/.$M;trap \"rm -f $T\" 0;trap \"exit 1\" 1 2 13 15;set -C;"
    ));
    say(format_args!("head -c {size}|gzip -dc >$T||no \"cannot unpack\";"));
    say(format_args!("S=$(sha256sum <$T)||no \"cannot take the digest\";"));
    say(format_args!("[ \"${{S%% *}}\" = $H ]||no \"wrong digest\";"));
    say(format_args!(
        "chmod 700 $T&&sync $T&&mv -f $T $A&&sync $P||no \"cannot install in $P\";"
    ));
    say(format_args!("[ -x $A ]||no \"$P does not allow execution\";go"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_login_shell_would_read() {
        for absent in [Absent::Leave, Absent::Take(12)] {
            let script = script("/var/lib/salt-rs", &"a".repeat(64), "m", absent);
            assert!(!script.contains(['\'', '!', '\n']), "{script}");
            assert!(!script.contains("\\\\") && !script.contains("\\'"), "{script}");
        }
    }

    #[test]
    fn sudo_never_asks() {
        let command = command(Path::new("/var/lib/salt-rs"), "h", "m", Absent::Leave, true);
        assert!(command.starts_with("exec sudo -n -- /bin/sh -c '"));
    }
}
