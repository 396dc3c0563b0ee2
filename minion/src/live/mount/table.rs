//! Reading the kernel's table of mounts and /etc/fstab.

use proto::{Asked, Mount};

/// One line of `/proc/self/mountinfo`.
struct Row<'a> {
    number: &'a str,
    root: String,
    at: String,
    own: &'a str,
    fstype: &'a str,
    device: &'a str,
    all: &'a str,
}

fn row(line: &str) -> Option<Row<'_>> {
    let (head, tail) = line.split_once(" - ")?;
    let mut head = head.split(' ').skip(2);
    let mut tail = tail.split(' ');
    Some(Row {
        number: head.next()?,
        root: plain(head.next()?),
        at: plain(head.next()?),
        own: head.next()?,
        fstype: tail.next()?,
        device: tail.next()?,
        all: tail.next().unwrap_or_default(),
    })
}

/// What is mounted at a path, the topmost.
pub(super) fn at(text: &str, path: &str) -> Option<Mount> {
    let rows: Vec<Row<'_>> = text.lines().filter_map(row).collect();
    let found = rows.iter().rev().find(|row| row.at == path)?;
    let readable = |opt: &&str| matches!(*opt, "rw" | "ro");
    let mut options: Vec<&str> = found.own.split(',').collect();
    for opt in found.all.split(',') {
        if !opt.is_empty() && !readable(&opt) && !options.contains(&opt) {
            options.push(opt);
        }
    }
    Some(Mount {
        device: plain(found.device),
        fstype: found.fstype.to_owned(),
        options: plain(&options.join(",")),
        bind: bound(&rows, found).unwrap_or_default(),
        asked: None,
    })
}

/// The other path at which a part of a file system is seen, by way of a mount that shows more of it.
fn bound(rows: &[Row<'_>], part: &Row<'_>) -> Option<String> {
    if part.root == "/" || part.fstype == "btrfs" {
        return None;
    }
    rows.iter().find_map(|row| {
        let below = part.root.strip_prefix(row.root.trim_end_matches('/'))?;
        let other = row.number == part.number && row.at != part.at && below.starts_with('/');
        other.then(|| format!("{}{below}", row.at.trim_end_matches('/')))
    })
}

/// The line of a fstab for a mount point.
pub(super) fn line(fstab: &str, path: &str) -> Option<Asked> {
    fstab.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [device, at, fstype, opts, ..] if !device.starts_with('#') && plain(at) == path => Some(Asked {
                device: plain(device),
                fstype: (*fstype).to_owned(),
                opts: plain(opts),
                user: String::new(),
            }),
            _ => None,
        }
    })
}

/// A field without its octal escapes.
pub(super) fn plain(field: &str) -> String {
    let mut parts = field.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok())
        {
            Some(byte) => {
                out.push(char::from(byte));
                out.push_str(&part[3..]);
            }
            None => {
                out.push('\\');
                out.push_str(part);
            }
        }
    }
    out
}
