//! A reader of tar: ustar, GNU long names, pax records. Nothing is believed: sizes are bounded, kinds are checked.

use std::collections::BTreeMap;
use std::io::{self, Read};

use proto::{Meta, Value};

use super::names::Picker;
use super::{BYTES, MEMBERS, Owners, Tree, odd};
use crate::journal::objects::Objects;

const BLOCK: usize = 512;
/// Long names and pax records at most.
const RECORD: u64 = 1 << 20;

/// What extension headers said about the next member.
#[derive(Debug, Default)]
struct Extra {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: BTreeMap<String, Vec<u8>>,
}

/// Reads all members into the object store.
pub(super) fn read(
    source: &mut dyn Read,
    objects: &Objects,
    picker: &Picker,
    owners: &Owners,
) -> io::Result<Tree> {
    let mut tree = Tree::new();
    let mut extra = Extra::default();
    let mut global = BTreeMap::new();
    let (mut count, mut total) = (0, 0_u64);
    let mut block = [0; BLOCK];
    loop {
        if !fill(source, &mut block)? {
            if count == 0 {
                return Err(odd("it is not a tar archive"));
            }
            break;
        }
        if block.iter().all(|&byte| byte == 0) {
            // The end; what follows is padding, read so that a decompressor can finish.
            io::copy(source, &mut io::sink())?;
            break;
        }
        if !checksum(&block) {
            return Err(odd("it is not a tar archive, or it is damaged"));
        }
        count += 1;
        let mut size = number(&block[124..136])?;
        match block[156] {
            b'L' => {
                extra.name = Some(text(record(source, size)?));
                continue;
            }
            b'K' => {
                extra.link = Some(text(record(source, size)?));
                continue;
            }
            b'x' => {
                extra.pax = pax(&record(source, size)?)?;
                continue;
            }
            b'g' => {
                global = pax(&record(source, size)?)?;
                continue;
            }
            _ => {}
        }
        let said = std::mem::take(&mut extra);
        let field = |key: &str| said.pax.get(key).or_else(|| global.get(key));
        if let Some(text) = field("size") {
            size = decimal(text)?;
        }
        total = total.saturating_add(size);
        if count > MEMBERS || total > BYTES {
            return Err(odd(format!(
                "it holds more than {MEMBERS} members or {BYTES} bytes"
            )));
        }
        let name = field("path")
            .cloned()
            .or_else(|| said.name.clone())
            .unwrap_or_else(|| header_name(&block));
        let link = field("linkpath")
            .cloned()
            .or_else(|| said.link.clone())
            .unwrap_or_else(|| text(block[157..257].to_vec()));
        let meta = meta(&block, field("mtime"), owners)?;
        let shown = String::from_utf8_lossy(&name).into_owned();
        let Some(at) = picker.name(&name)? else {
            skip(source, size)?;
            continue;
        };
        let value = match block[156] {
            b'0' | 0 | b'7' if !shown.ends_with('/') => {
                if meta.mode & 0o6000 != 0 {
                    return Err(odd(format!("the member {shown} is set-user-id or set-group-id")));
                }
                let mut body = source.take(size);
                let (content, length) = objects.put_from(&mut body)?;
                if length != size {
                    return Err(odd("it ends too early"));
                }
                pass(source, padding(size))?;
                Value::File {
                    content,
                    size: length,
                    meta,
                }
            }
            b'5' | b'0' | 0 => {
                skip(source, size)?;
                Value::Dir { meta }
            }
            b'1' => {
                skip(source, size)?;
                let target = picker.name(&link)?;
                match target.and_then(|target| tree.get(&target).cloned()) {
                    Some(file @ Value::File { .. }) => file,
                    _ => {
                        return Err(odd(format!(
                            "the member {shown} is a hard link to {}, which is no file before it",
                            String::from_utf8_lossy(&link)
                        )));
                    }
                }
            }
            b'2' => {
                skip(source, size)?;
                let to = String::from_utf8(link)
                    .map_err(|_| odd(format!("the target of {shown} is not valid UTF-8")))?;
                picker.link(&at, &to)?;
                Value::Link { to, meta }
            }
            b'6' => return Err(odd(format!("the member {shown} is a fifo"))),
            b'3' | b'4' => return Err(odd(format!("the member {shown} is a device"))),
            other => {
                return Err(odd(format!(
                    "the member {shown} is of an unknown kind {:?}",
                    char::from(other)
                )));
            }
        };
        let fine = matches!(
            (tree.get(&at), &value),
            (Some(Value::Dir { .. }), Value::Dir { .. })
                | (Some(Value::File { .. }), Value::File { .. })
                | (None, _)
        );
        if !fine {
            return Err(odd(format!(
                "the member {shown} comes twice, as different things"
            )));
        }
        tree.insert(at, value);
    }
    Ok(tree)
}

/// Fills the block; false at the end of the archive.
fn fill(source: &mut dyn Read, block: &mut [u8; BLOCK]) -> io::Result<bool> {
    let mut have = 0;
    while have < BLOCK {
        match source.read(&mut block[have..])? {
            0 if have == 0 => return Ok(false),
            0 => return Err(odd("it is not a tar archive, or it ends too early")),
            count => have += count,
        }
    }
    Ok(true)
}

/// The sum of all bytes, the sum's own field taken as blanks.
fn checksum(block: &[u8; BLOCK]) -> bool {
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(place, &byte)| {
            if (148..156).contains(&place) {
                32
            } else {
                u64::from(byte)
            }
        })
        .sum();
    number(&block[148..156]).is_ok_and(|stored| stored == sum)
}

/// An octal number, or GNU's base 256.
fn number(field: &[u8]) -> io::Result<u64> {
    let Some((&first, rest)) = field.split_first() else {
        return Ok(0);
    };
    if first & 0x80 != 0 {
        if first != 0x80 {
            return Err(odd("a number in it is out of range"));
        }
        return rest.iter().try_fold(0_u64, |sum, &byte| {
            sum.checked_mul(256)
                .map(|sum| sum + u64::from(byte))
                .ok_or_else(|| odd("a number in it is out of range"))
        });
    }
    let text: String = field
        .iter()
        .take_while(|&&byte| byte != 0)
        .map(|&byte| char::from(byte))
        .collect();
    match text.trim() {
        "" => Ok(0),
        digits => u64::from_str_radix(digits, 8).map_err(|_| odd("a number in it is not octal")),
    }
}

fn decimal(text: &[u8]) -> io::Result<u64> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| odd("a number in it is not decimal"))
}

fn text(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

/// Name and prefix of a ustar header.
fn header_name(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = text(block[..100].to_vec());
    let prefix = text(block[345..500].to_vec());
    // GNU's own format keeps other things in that place.
    if &block[257..263] != b"ustar\0" || prefix.is_empty() {
        return name;
    }
    [prefix.as_slice(), b"/", &name].concat()
}

fn meta(block: &[u8; BLOCK], mtime: Option<&Vec<u8>>, owners: &Owners) -> io::Result<Meta> {
    let id = |number: u64| u32::try_from(number).map_err(|_| odd("an owner in it is out of range"));
    let known = |range: std::ops::Range<usize>, ids: &BTreeMap<String, u32>| {
        String::from_utf8(text(block[range].to_vec()))
            .ok()
            .and_then(|name| ids.get(&name).copied())
    };
    let uid = id(number(&block[108..116])?)?;
    let gid = id(number(&block[116..124])?)?;
    let seconds = match mtime {
        Some(text) => String::from_utf8_lossy(text)
            .split('.')
            .next()
            .and_then(|text| text.parse().ok()),
        None => i64::try_from(number(&block[136..148])?).ok(),
    };
    Ok(Meta {
        mode: (number(&block[100..108])? & 0o7777) as u32,
        uid: known(265..297, &owners.users).unwrap_or(uid),
        gid: known(297..329, &owners.groups).unwrap_or(gid),
        mtime: seconds.map(|seconds| (seconds, 0)),
        xattrs: BTreeMap::new(),
    })
}

/// The body of an extension header.
fn record(source: &mut dyn Read, size: u64) -> io::Result<Vec<u8>> {
    if size > RECORD {
        return Err(odd("a name or record in it is too long"));
    }
    let mut body = Vec::new();
    source.take(size).read_to_end(&mut body)?;
    if body.len() as u64 != size {
        return Err(odd("it ends too early"));
    }
    pass(source, padding(size))?;
    Ok(body)
}

/// Records `LENGTH KEY=VALUE\n`.
fn pax(mut body: &[u8]) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let bad = || odd("a record in it is damaged");
    let mut records = BTreeMap::new();
    while !body.is_empty() {
        let blank = body.iter().position(|&byte| byte == b' ').ok_or_else(bad)?;
        let length = decimal(&body[..blank])? as usize;
        let entry = body.get(blank + 1..length).ok_or_else(bad)?;
        body = body.get(length..).ok_or_else(bad)?;
        let entry = entry.strip_suffix(b"\n").ok_or_else(bad)?;
        let equals = entry.iter().position(|&byte| byte == b'=').ok_or_else(bad)?;
        let key = String::from_utf8_lossy(&entry[..equals]).into_owned();
        records.insert(key, entry[equals + 1..].to_vec());
    }
    Ok(records)
}

const fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// Reads over a body and its padding.
fn skip(source: &mut dyn Read, size: u64) -> io::Result<()> {
    pass(source, size.saturating_add(padding(size)))
}

fn pass(source: &mut dyn Read, count: u64) -> io::Result<()> {
    if io::copy(&mut source.take(count), &mut io::sink())? == count {
        Ok(())
    } else {
        Err(odd("it ends too early"))
    }
}
