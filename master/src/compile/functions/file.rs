//! `file.*`: the text of paths, and what the host is asked about files. Writers are states.

use proto::{Meta, Value};
use serde_json::{Value as Json, json};

use super::{Args, Function, asked, file_find};
use crate::compile::oracle::Oracle;
use crate::compile::python;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("dirname", dirname),
    ("basename", basename),
    ("join", join),
    ("normpath", |_, args| {
        let path = args.text("path")?;
        let normal = normal(&path);
        Ok(if normal.is_empty() { "." } else { &normal }.into())
    }),
    ("pardir", |_, _| Ok("..".into())),
    ("access", access),
    ("check_hash", check_hash),
    ("contains_glob", |oracle, args| {
        let path = args.text("path")?;
        let pattern = args.text("glob_expr")?;
        let text = asked::text(oracle, &path)?.unwrap_or_default();
        Ok(python::fnmatch(&text, &pattern).into())
    }),
    ("contains_regex", contains_regex),
    ("diskusage", diskusage),
    ("find", file_find::find),
    ("get_selinux_context", get_selinux_context),
    ("get_sum", |oracle, args| {
        let path = args.text("path")?;
        let form = args.text_or("form", "sha256");
        if !exists(oracle, &path, "-f")? {
            return Ok("File not found".into());
        }
        asked::call(oracle, "file.get_hash", &[path.into(), form.into()])
    }),
    ("gid_to_group", |oracle, args| {
        named(oracle, args, "gid", "/etc/group")
    }),
    ("uid_to_user", |oracle, args| {
        named(oracle, args, "uid", "/etc/passwd")
    }),
    ("group_to_gid", |oracle, args| {
        numbered(oracle, args, "group", "/etc/group")
    }),
    ("user_to_uid", |oracle, args| {
        numbered(oracle, args, "user", "/etc/passwd")
    }),
    ("grep", grep),
    ("is_blkdev", |oracle, args| is(oracle, args, "-b")),
    ("is_chrdev", |oracle, args| is(oracle, args, "-c")),
    ("is_fifo", |oracle, args| is(oracle, args, "-p")),
    ("lstat", lstat),
    ("path_exists_glob", |oracle, args| {
        let pattern = args.text("path")?;
        let script = format!(
            "for one in {}; do [ -e \"$one\" ] && exit 0; done; exit 1",
            globbed(&pattern)
        );
        Ok((asked::shell(oracle, &script, &[])?.code == 0).into())
    }),
    ("search", search),
    ("seek_read", |oracle, args| {
        let path = args.text("path")?;
        let size = usize::try_from(args.number("size", 0)?).unwrap_or(0);
        let from = usize::try_from(args.number("offset", 0)?).unwrap_or(0);
        let text = asked::text(oracle, &path)?.ok_or_else(|| missing(&path))?;
        let end = from.saturating_add(size).min(text.len());
        let bytes = text.as_bytes().get(from.min(end)..end).unwrap_or_default();
        Ok(String::from_utf8_lossy(bytes).into_owned().into())
    }),
    ("source_list", source_list),
    ("statvfs", statvfs),
];

fn missing(path: &str) -> String {
    format!("[Errno 2] No such file or directory: '{path}'")
}

/// A path without `.`, `..` and double slashes; empty for the place itself.
pub(super) fn normal(path: &str) -> String {
    let lead = match path.len() - path.trim_start_matches('/').len() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." if parts.last().is_some_and(|last| *last != "..") => _ = parts.pop(),
            ".." if !lead.is_empty() => {}
            part => parts.push(part),
        }
    }
    format!("{lead}{}", parts.join("/"))
}

fn dirname(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let head = path.rfind('/').map_or("", |place| &path[..=place]);
    let bare = head.trim_end_matches('/');
    Ok(if bare.is_empty() { head } else { bare }.into())
}

fn basename(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    Ok(path.rsplit('/').next().unwrap_or_default().into())
}

fn join(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    let mut out = String::new();
    for part in args.rest_texts() {
        if part.starts_with('/') {
            out = part;
        } else {
            if !out.is_empty() && !out.ends_with('/') {
                out.push('/');
            }
            out.push_str(&part);
        }
    }
    Ok(out.into())
}

/// What `test` says of a path.
fn exists(oracle: &Oracle, path: &str, how: &str) -> Result<bool, String> {
    Ok(asked::output(oracle, &["test", how, path])?.code == 0)
}

fn is(oracle: &Oracle, args: &mut Args, how: &str) -> Result<Json, String> {
    let path = args.text("name")?;
    if exists(oracle, &path, how)? {
        return Ok(true.into());
    }
    Ok(false.into())
}

fn access(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let how = match args.text("mode")?.as_str() {
        "f" => "-e",
        "r" => "-r",
        "w" => "-w",
        "x" => "-x",
        _ => return Err("Invalid mode specified.".to_owned()),
    };
    exists(oracle, &path, how).map(Json::Bool)
}

fn check_hash(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let wanted = args.text("file_hash")?;
    let (kind, hex) = match wanted.split_once(['=', ':']) {
        Some((kind, hex)) => (kind.trim().to_lowercase(), hex),
        None => {
            let kind = match wanted.len() {
                32 => "md5",
                40 => "sha1",
                56 => "sha224",
                64 => "sha256",
                96 => "sha384",
                128 => "sha512",
                _ => return Err(format!("Bad hash value: {wanted}")),
            };
            (kind.to_owned(), wanted.as_str())
        }
    };
    let found = asked::call(oracle, "file.get_hash", &[path.into(), kind.into()])?;
    Ok((found == hex.trim()).into())
}

/// The expression, as the crates read it.
fn expression(pattern: &str, multiline: bool) -> Result<fancy_regex::Regex, String> {
    let pattern = if multiline {
        format!("(?m){pattern}")
    } else {
        pattern.to_owned()
    };
    fancy_regex::Regex::new(&pattern)
        .map_err(|error| format!("`{pattern}` is no regular expression: {error}"))
}

fn contains_regex(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let regex = expression(&args.text("regex")?, false)?;
    let cut = args.text_or("lchar", "");
    let Some(text) = asked::text(oracle, &path)? else {
        return Ok(false.into());
    };
    let found = text.lines().any(|line| {
        let line = if cut.is_empty() {
            line
        } else {
            line.trim_start_matches(|c| cut.contains(c))
        };
        regex.is_match(line).unwrap_or(false)
    });
    Ok(found.into())
}

fn search(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let pattern = args.text("pattern")?;
    let flags = args.number("flags", 8)?;
    let whole = args.flag("multiline", false);
    let tolerant = args.flag("ignore_if_missing", false);
    let mut lead = String::new();
    for (bit, letter) in [(2, 'i'), (8, 'm'), (16, 's'), (64, 'x')] {
        if flags & bit != 0 || (bit == 8 && whole) {
            lead.push(letter);
        }
    }
    let lead = if lead.is_empty() {
        lead
    } else {
        format!("(?{lead})")
    };
    let regex = expression(&format!("{lead}{pattern}"), false)?;
    match asked::text(oracle, &path)? {
        None if tolerant => Ok(false.into()),
        None => Err(format!("File not found: {path}")),
        Some(text) if whole => Ok(regex.is_match(&text).unwrap_or(false).into()),
        Some(text) => Ok(text
            .lines()
            .any(|line| regex.is_match(line).unwrap_or(false))
            .into()),
    }
}

fn diskusage(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let script = "if [ -d \"$1\" ]; then find \"$1\" -type f -printf '%s\\n'; else stat -L -c %s \"$1\"; fi";
    let output = asked::shell(oracle, script, &[&path])?;
    let sizes = output.stdout.lines().filter_map(|line| line.parse::<u64>().ok());
    Ok(sizes.sum::<u64>().into())
}

fn get_selinux_context(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let output = asked::output(oracle, &["stat", "-c", "%C", &path])?;
    let context = output.stdout.trim();
    Ok(if output.code != 0 || context == "?" || context.is_empty() {
        format!("No selinux context information is available for {path}").into()
    } else {
        context.into()
    })
}

/// The name behind a number of passwd or group; where there is none, the number.
fn named(oracle: &Oracle, args: &mut Args, param: &str, file: &str) -> Result<Json, String> {
    let given = args.required(param)?;
    let text = python::text(&given);
    let lines = asked::lines(oracle, file)?;
    let line = lines.iter().find(|line| line.split(':').nth(2) == Some(&text));
    Ok(line
        .and_then(|line| line.split(':').next())
        .map_or(given, Json::from))
}

fn numbered(oracle: &Oracle, args: &mut Args, param: &str, file: &str) -> Result<Json, String> {
    let given = args.required(param)?;
    if given.is_number() {
        return Ok(given);
    }
    let text = python::text(&given);
    let lines = asked::lines(oracle, file)?;
    let line = lines.iter().find(|line| line.split(':').next() == Some(&text));
    let number = line.and_then(|line| line.split(':').nth(2)?.parse::<u32>().ok());
    Ok(number.map_or_else(|| "".into(), Json::from))
}

/// A pattern as a shell expands it, nothing else of it meant for the shell.
fn globbed(pattern: &str) -> String {
    pattern
        .chars()
        .map(|c| match c {
            '*' | '?' | '[' | ']' | '/' | '-' | '.' | '_' => c.to_string(),
            c if c.is_alphanumeric() => c.to_string(),
            c => format!(
                "'{}'",
                if c == '\'' {
                    "'\\''".to_owned()
                } else {
                    c.to_string()
                }
            ),
        })
        .collect()
}

fn grep(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let pattern = args.text("pattern")?;
    let options = args.rest_texts();
    let script = format!("exec grep \"$@\" {}", globbed(&path));
    let mut words: Vec<&str> = options
        .iter()
        .flat_map(|option| option.split_whitespace())
        .collect();
    words.extend(["-e", &pattern, "--"]);
    let output = asked::shell(oracle, &script, &words)?;
    Ok(json!({
        "pid": output.pid,
        "retcode": output.code,
        "stdout": output.stdout,
        "stderr": output.stderr,
    }))
}

fn lstat(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    if asked::path(oracle, &path)?
        .meta()
        .map(|meta: &Meta| meta.uid)
        .is_none()
        && matches!(asked::path(oracle, &path)?, Value::Absent)
    {
        return Ok(json!({}));
    }
    let format = "%X %Z %g %f %Y %h %s %u";
    let text = asked::must(oracle, &["stat", "-c", format, &path])?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<i64>().ok());
    let mode = words.get(3).and_then(|word| i64::from_str_radix(word, 16).ok());
    Ok(json!({
        "st_atime": number(0), "st_ctime": number(1), "st_gid": number(2), "st_mode": mode,
        "st_mtime": number(4), "st_nlink": number(5), "st_size": number(6), "st_uid": number(7),
    }))
}

fn source_list(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let source = args.required("source")?;
    let hash = args.next("source_hash").unwrap_or(Json::Null);
    let env = args.text_or("saltenv", "base");
    let Json::Array(sources) = source else {
        return Ok(json!([source, hash]));
    };
    for one in sources {
        let (text, its) = match &one {
            Json::Object(map) => match map.iter().next() {
                Some((text, its)) => (text.clone(), its.clone()),
                None => continue,
            },
            other => (python::text(other), hash.clone()),
        };
        let there = match crate::compile::sources::parse(&text, &env) {
            Some(at) => oracle.files.entry(&at.env, &at.path).is_some(),
            None if text.contains("://") && !text.starts_with("file://") => true,
            None => exists(oracle, text.trim_start_matches("file://"), "-e")?,
        };
        if there {
            return Ok(json!([text, its]));
        }
    }
    Err("none of the specified sources were found".to_owned())
}

fn statvfs(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let text = asked::must(oracle, &["stat", "-f", "-c", "%a %b %S %f %l %d %c %s", &path])?;
    let words: Vec<i64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let at = |place: usize| words.get(place).copied().unwrap_or_default();
    Ok(json!({
        "f_bavail": at(0), "f_blocks": at(1), "f_bsize": at(7), "f_favail": at(5), "f_ffree": at(5),
        "f_files": at(6), "f_frsize": at(2), "f_namemax": at(4), "f_bfree": at(3),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_plain() {
        for (path, want) in [
            ("a/b/c/../d", "a/b/d"),
            ("//a/./b/", "//a/b"),
            ("///a", "/a"),
            ("/..", "/"),
            ("../a", "../a"),
            (".", ""),
        ] {
            assert_eq!(normal(path), want, "{path}");
        }
    }

    #[test]
    fn a_pattern_runs_nothing() {
        assert_eq!(globbed("/a/*.c"), "/a/*.c");
        assert_eq!(globbed("a b;$(x)'"), "a' 'b';''$''('x')'''\\'''");
    }
}
