//! `file.*`: readers. What writes is a state.

use proto::{Meta, Value};
use serde_json::{Value as Json, json};

use super::{Args, Function};
use crate::live::Live;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "file.file_exists",
        params: "path",
        run: |live, args| Ok(json!(matches!(follow(live, args)?, Value::File { .. }))),
    },
    Function {
        name: "file.directory_exists",
        params: "path",
        run: |live, args| Ok(json!(matches!(follow(live, args)?, Value::Dir { .. }))),
    },
    Function {
        name: "file.path_exists",
        params: "path",
        run: |live, args| Ok(json!(!follow(live, args)?.is_absent())),
    },
    Function {
        name: "file.is_link",
        params: "path",
        run: |live, args| Ok(json!(matches!(itself(live, args)?, Value::Link { .. }))),
    },
    Function {
        name: "file.readlink",
        params: "path, canonicalize=False",
        run: |live, args| match itself(live, args)? {
            Value::Link { to, .. } if !args.flag("canonicalize", false) => Ok(json!(to)),
            Value::Link { .. } => {
                let real = std::fs::canonicalize(live.real(&args.need("path")?));
                let real = real.map_err(|error| error.to_string())?;
                let inside = real.strip_prefix(&live.root).unwrap_or(&real);
                Ok(json!(format!(
                    "/{}",
                    inside.display().to_string().trim_start_matches('/')
                )))
            }
            _ => Err(format!("A valid link was not specified: {}", args.need("path")?)),
        },
    },
    Function {
        name: "file.read",
        params: "path",
        run: |live, args| Ok(json!(text(live, args)?)),
    },
    Function {
        name: "file.contains",
        params: "path, text",
        run: |live, args| {
            let wanted = args.need("text")?;
            Ok(json!(
                text(live, args).is_ok_and(|text| text.contains(wanted.trim()))
            ))
        },
    },
    Function {
        name: "file.get_hash",
        params: "path, form=sha256",
        run: |live, args| {
            let path = args.need("path")?;
            let form = args.text("form").unwrap_or_else(|| "sha256".to_owned());
            if !matches!(follow(live, args)?, Value::File { .. }) {
                return Err(format!("No such file or directory: '{path}'"));
            }
            let real = live.real(&path);
            live.hash(&form, &real)
                .map(Json::String)
                .map_err(|problem| problem.text)
        },
    },
    Function {
        name: "file.stats",
        params: "path, hash_type=None, follow_symlinks=True",
        run: stats,
    },
    Function {
        name: "file.get_mode",
        params: "path, follow_symlinks=True",
        run: |live, args| Ok(json!(format!("{:04o}", meta(live, args)?.mode))),
    },
    Function {
        name: "file.get_user",
        params: "path, follow_symlinks=True",
        run: |live, args| {
            let uid = meta(live, args)?.uid;
            Ok(json!(owner(live, uid)))
        },
    },
    Function {
        name: "file.get_group",
        params: "path, follow_symlinks=True",
        run: |live, args| {
            let gid = meta(live, args)?.gid;
            Ok(json!(group(live, gid)))
        },
    },
    Function {
        name: "file.get_uid",
        params: "path, follow_symlinks=True",
        run: |live, args| Ok(json!(meta(live, args)?.uid)),
    },
    Function {
        name: "file.get_gid",
        params: "path, follow_symlinks=True",
        run: |live, args| Ok(json!(meta(live, args)?.gid)),
    },
    Function {
        name: "file.readdir",
        params: "path",
        run: |live, args| {
            let path = args.need("path")?;
            let entries = std::fs::read_dir(live.real(&path))
                .map_err(|_| format!("A valid directory was not specified: {path}"))?;
            let mut names: Vec<String> = entries
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names.splice(0..0, [".".to_owned(), "..".to_owned()]);
            Ok(json!(names))
        },
    },
    Function {
        name: "file.basename",
        params: "path",
        run: |_, args| {
            let path = args.need("path")?;
            Ok(json!(
                path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name)
            ))
        },
    },
    Function {
        name: "file.dirname",
        params: "path",
        run: |_, args| {
            let path = args.need("path")?;
            Ok(json!(match path.rsplit_once('/') {
                None => "",
                Some((folder, _)) if folder.trim_end_matches('/').is_empty() => "/",
                Some((folder, _)) => folder.trim_end_matches('/'),
            }))
        },
    },
    Function {
        name: "file.join",
        params: "*parts",
        run: |_, args| {
            let mut joined = String::new();
            for part in args.texts() {
                if part.starts_with('/') {
                    joined = part;
                } else {
                    if !joined.is_empty() && !joined.ends_with('/') {
                        joined.push('/');
                    }
                    joined.push_str(&part);
                }
            }
            Ok(json!(joined))
        },
    },
];

fn itself(live: &mut Live, args: &Args) -> Result<Value, String> {
    live.read_path(&args.need("path")?)
        .map_err(|problem| problem.text)
}

fn follow(live: &mut Live, args: &Args) -> Result<Value, String> {
    live.follow_path(&args.need("path")?)
        .map_err(|problem| problem.text)
}

fn meta(live: &mut Live, args: &Args) -> Result<Meta, String> {
    let value = if args.flag("follow_symlinks", true) {
        follow(live, args)?
    } else {
        itself(live, args)?
    };
    value
        .meta()
        .cloned()
        .ok_or_else(|| none(&args.need("path").unwrap_or_default()))
}

fn none(path: &str) -> String {
    format!("Path not found: {path}")
}

fn text(live: &mut Live, args: &Args) -> Result<String, String> {
    let path = args.need("path")?;
    match live.path_bytes(&path) {
        Ok(Some(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Ok(None) => Err(format!("[Errno 2] No such file or directory: '{path}'")),
        Err(problem) => Err(problem.text),
    }
}

fn owner(live: &Live, uid: u32) -> String {
    live.passwd_by_uid(uid)
        .map_or_else(|| uid.to_string(), |user| user.name)
}

fn group(live: &Live, gid: u32) -> String {
    live.group_name(gid).unwrap_or_else(|| gid.to_string())
}

fn stats(live: &mut Live, args: &Args) -> Result<Json, String> {
    use std::os::unix::fs::MetadataExt;
    let path = args.need("path")?;
    let real = live.real(&path);
    let found = if args.flag("follow_symlinks", true) {
        std::fs::metadata(&real)
    } else {
        std::fs::symlink_metadata(&real)
    };
    let Ok(found) = found else { return Err(none(&path)) };
    let kind = match found.file_type() {
        kind if kind.is_file() => "file",
        kind if kind.is_dir() => "dir",
        kind if kind.is_symlink() => "link",
        kind if std::os::unix::fs::FileTypeExt::is_fifo(&kind) => "pipe",
        kind if std::os::unix::fs::FileTypeExt::is_socket(&kind) => "socket",
        kind if std::os::unix::fs::FileTypeExt::is_block_device(&kind) => "block",
        _ => "char",
    };
    let seconds = |whole: i64, nanos: i64| whole as f64 + nanos as f64 / 1e9;
    let mut stats = json!({
        "inode": found.ino(),
        "uid": found.uid(),
        "gid": found.gid(),
        "group": group(live, found.gid()),
        "user": owner(live, found.uid()),
        "atime": seconds(found.atime(), found.atime_nsec()),
        "mtime": seconds(found.mtime(), found.mtime_nsec()),
        "ctime": seconds(found.ctime(), found.ctime_nsec()),
        "size": found.size(),
        "mode": format!("{:04o}", found.mode() & 0o7777),
        "type": kind,
        "target": path,
    });
    if let Some(form) = args.text("hash_type").filter(|_| found.is_file()) {
        let sum = live.hash(&form, &real).map_err(|problem| problem.text)?;
        stats["sum"] = json!(sum);
    }
    Ok(stats)
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;
    use crate::live::testing;

    #[test]
    fn files_are_told_as_salt_tells_them() {
        let mut host = testing::host();
        host.write("/etc/x", "a b c\n");
        host.mode("/etc/x", 0o640);
        host.link("x", "/etc/l");
        let none = json!({});
        let cases = [
            ("file.file_exists", json!(["/etc/l"]), json!(true)),
            ("file.file_exists", json!(["/etc"]), json!(false)),
            ("file.directory_exists", json!(["/etc"]), json!(true)),
            ("file.is_link", json!(["/etc/l"]), json!(true)),
            ("file.readlink", json!(["/etc/l"]), json!("x")),
            ("file.read", json!(["/etc/l"]), json!("a b c\n")),
            ("file.contains", json!(["/etc/x", "b c"]), json!(true)),
            ("file.get_mode", json!(["/etc/x"]), json!("0640")),
            ("file.dirname", json!(["/a/b/c"]), json!("/a/b")),
            ("file.dirname", json!(["/a"]), json!("/")),
            ("file.basename", json!(["/a/b"]), json!("b")),
            ("file.join", json!(["/a", "b", "c"]), json!("/a/b/c")),
            (
                "file.get_hash",
                json!(["/etc/x"]),
                json!(proto::Digest::of("a b c\n").hex()),
            ),
        ];
        for (fun, args, wanted) in cases {
            assert_eq!(run(&mut host, fun, args, none.clone()), Ok(wanted), "{fun}");
        }
        let stats = run(&mut host, "file.stats", json!(["/etc/x"]), none.clone()).expect("there");
        assert_eq!(
            (&stats["type"], &stats["size"], &stats["mode"]),
            (&json!("file"), &json!(6), &json!("0640"))
        );
        assert!(run(&mut host, "file.read", json!(["/none"]), none).is_err());
    }
}
