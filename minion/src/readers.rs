//! Which program reads which files, and how it is asked whether it likes them (J10).
//!
//! Files below one reader's paths that change one after the other in a run are one group: the program sees them all at their
//! real paths before any of them is there, and they go live together or not at all. To add a program, add a line to [`ALL`].
//! Nobody is asked where the program is not installed.

use proto::{Act, Address, Value};

/// A program and what it reads.
#[derive(Debug, PartialEq, Eq)]
pub struct Reader {
    /// The program that must be there to be asked.
    pub program: &'static str,
    /// Directories with all below them, and files.
    pub reads: &'static [&'static str],
    /// The question, for `sh -c`; `$@` are the paths that change. Failure is a refusal.
    pub check: &'static str,
    /// The question in the words of the message.
    pub words: &'static str,
}

/// Every program that is asked.
pub static ALL: &[Reader] = &[
    Reader {
        program: "haproxy",
        reads: &["/etc/haproxy"],
        check: "f=/etc/haproxy/haproxy.cfg; [ ! -f $f ] || haproxy -c -f $f",
        words: "haproxy -c",
    },
    Reader {
        program: "nginx",
        reads: &["/etc/nginx"],
        check: "[ ! -f /etc/nginx/nginx.conf ] || nginx -t -q",
        words: "nginx -t",
    },
    Reader {
        program: "keepalived",
        reads: &["/etc/keepalived"],
        check: "[ ! -f /etc/keepalived/keepalived.conf ] || keepalived -t",
        words: "keepalived -t",
    },
    Reader {
        program: "sshd",
        reads: &["/etc/ssh"],
        // It wants to be called by its whole path.
        check: "\"$(command -v sshd)\" -t",
        words: "sshd -t",
    },
    Reader {
        program: "visudo",
        reads: &["/etc/sudoers", "/etc/sudoers.d"],
        // With a file named, modes are not judged more strictly than sudo itself does.
        check: "visudo -c -f /etc/sudoers",
        words: "visudo -c",
    },
    Reader {
        program: "named-checkconf",
        reads: &["/etc/bind", "/etc/named", "/etc/named.conf"],
        check: "named-checkconf",
        words: "named-checkconf",
    },
    Reader {
        program: "promtool",
        reads: &["/etc/prometheus"],
        check: "f=/etc/prometheus/prometheus.yml; [ ! -f $f ] || promtool check config $f",
        words: "promtool check config",
    },
    Reader {
        program: "systemd-analyze",
        reads: &["/etc/systemd/system"],
        // A unit may come before the program it starts.
        check: "for p do shift
case $p in */*.d/*.conf) p=${p%/*}; p=${p%.d};; esac
case $p in *@*) continue;; *.service | *.socket | *.timer | *.path | *.mount | *.target) ;; *) continue;; esac
[ ! -f \"$p\" ] || [ -L \"$p\" ] || set -- \"$@\" \"$p\"
done
[ $# = 0 ] || out=$(systemd-analyze --man=no verify \"$@\" 2>&1) ||
{ printf '%s\\n' \"$out\"; [ -z \"$(printf '%s' \"$out\" | grep -v ' is not executable: ')\" ]; }",
        words: "systemd-analyze verify",
    },
];

/// The program that reads a path.
pub fn of(path: &str) -> Option<&'static Reader> {
    ALL.iter().find(|reader| reader.top(path).is_some())
}

impl Reader {
    /// The one of its paths that `path` is or lies below.
    pub fn top(&self, path: &str) -> Option<&'static str> {
        let holds = |top: &&&str| {
            path.strip_prefix(**top)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.reads.iter().find(holds).copied()
    }
}

/// The reader of all that `acts` assign; `None` where they do anything else, or have several.
pub fn common(acts: &[Act]) -> Option<&'static Reader> {
    let mut found = None;
    for act in acts {
        let reader = assigned(act).and_then(|(path, ..)| of(path))?;
        if found.is_some_and(|found| found != reader) {
            return None;
        }
        found = Some(reader);
    }
    found
}

/// Whether `act` may go live together with `acts`: no two of them are about the same entry, or about a tree and its inside.
pub fn fits(acts: &[Act], act: &Act) -> bool {
    let Some((path, expect, to)) = assigned(act) else {
        return false;
    };
    let whole = !matches!(
        (expect, to),
        (Value::Absent | Value::Dir { .. }, Value::Dir { .. })
    );
    let inside = |path: &str, top: &str| path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
    let parts = |other: &Act| {
        assigned(other).is_none_or(|(there, _, left)| {
            path == there
                || (whole && inside(there, path))
                || (inside(path, there) && !matches!(left, Value::Dir { .. }))
        })
    };
    !acts.iter().any(parts)
}

/// Path, expected and wanted value of an assignment to a path.
pub const fn assigned(act: &Act) -> Option<(&str, &Value, &Value)> {
    match act {
        Act::Assign {
            at: Address::Path(path),
            expect,
            to,
            ..
        } => Some((path.as_str(), expect, to)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{dir, file};

    #[test]
    fn paths_have_readers() {
        let program = |path: &str| of(path).map(|reader| reader.program);
        for (path, want) in [
            ("/etc/nginx/sites-enabled/x", Some("nginx")),
            ("/etc/nginx", Some("nginx")),
            ("/etc/nginxx", None),
            ("/etc/sudoers", Some("visudo")),
            ("/etc/sudoers.d/a", Some("visudo")),
            ("/etc/motd", None),
        ] {
            assert_eq!(program(path), want, "{path}");
        }
    }

    #[test]
    fn what_lies_in_each_other_does_not_go_together() {
        let act = |path: &str, expect, to| Act::assign(Address::Path(path.into()), expect, to);
        let new = |path: &str| act(path, Value::Absent, file("x"));
        let made = act("/etc/nginx/a", Value::Absent, dir());
        let gone = act("/etc/nginx/a", dir(), Value::Absent);
        assert!(fits(&[made], &new("/etc/nginx/a/x")));
        assert!(!fits(std::slice::from_ref(&gone), &new("/etc/nginx/a/x")));
        assert!(!fits(&[new("/etc/nginx/a/x")], &gone));
        assert!(!fits(&[new("/etc/nginx/x")], &new("/etc/nginx/x")));
        assert!(fits(&[new("/etc/nginx/x")], &new("/etc/nginx/y")));
        assert_eq!(common(&[new("/etc/nginx/x"), new("/etc/haproxy/x")]), None);
        assert_eq!(common(&[new("/etc/nginx/x"), Act::Refresh]), None);
        assert_eq!(common(&[]), None);
    }
}
