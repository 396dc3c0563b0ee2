//! The kinds of change that are tried: how a host is before, and what is applied to it.

use std::collections::BTreeMap;

use proto::chunk::{SourcedEntry, SourcedKind};
use proto::{Catalog, Chunk, ChunkId, Creates, Digest, Options, Sourced};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::Torn;
use super::agent::Bundle;

/// One kind of change.
#[derive(Debug)]
pub struct Kind {
    /// Its name on the command line.
    pub name: &'static str,
    /// Needs systemd: a host of a lab rather than a cheap one.
    pub whole: bool,
    /// A shell script that makes the host what it is before.
    pub before: &'static str,
    /// A shell script for what does not survive a boot, run on every host that comes up.
    pub start: &'static str,
    /// Chunks as a JSON list, without requisites. Sources are texts by name, or by name of a directory texts by path.
    pub chunks: &'static str,
    /// A shell command whose output is state beside the file system.
    pub live: &'static str,
    /// Paths that programs write at every turn.
    pub noise: &'static [&'static str],
    /// Paths that are made only together with something else: where only they went, the next run does not make them again.
    pub once: &'static [&'static str],
    /// Points at most in a whole sweep of calls, where each takes long; 0 is all.
    pub most: usize,
    /// What it changes are files that are each there whole, as before or as wanted, at every moment.
    pub files: bool,
}

/// What is never compared: the agent's own things.
const OWN: &[&str] = &["/var/lib/salt-rs", "/var/lib/salt-rs/*"];

/// What dpkg, apt and ldconfig write whenever they run.
const APT: &[&str] = &[
    "/var/lib/salt-rs",
    "/var/lib/salt-rs/*",
    "/var/log/apt/*",
    "/var/log/dpkg.log",
    "/var/log/alternatives.log",
    "/var/cache/apt/*",
    "/var/cache/debconf/*",
    "/var/cache/ldconfig/aux-cache",
    "/etc/ld.so.cache",
    "/var/lib/dpkg/*-old",
    "/var/lib/dpkg/lock*",
    "/var/lib/dpkg/triggers/*",
    "/var/lib/dpkg/available",
    "/var/lib/apt/*",
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/info/*",
    "/run/*",
    "/var/lib/systemd/*",
    "/var/log/journal*",
];

impl Kind {
    /// Paths that are left out of every comparison.
    pub const fn noise(&self) -> &'static [&'static str] {
        if self.noise.is_empty() { OWN } else { self.noise }
    }

    /// The catalog and what it needs.
    ///
    /// # Errors
    /// The chunks are no JSON of the shape told above.
    pub fn bundle(&self) -> Result<Bundle, Torn> {
        let told: Vec<Told> = serde_json::from_str(self.chunks)?;
        let mut bundle = Bundle::default();
        for told in told {
            let chunk = told.chunk(&mut bundle.blobs);
            bundle.catalog.chunks.push(chunk);
        }
        bundle.catalog = Catalog { ..bundle.catalog };
        Ok(bundle)
    }
}

#[derive(Debug, Deserialize)]
struct Told {
    state: String,
    fun: String,
    name: String,
    #[serde(default)]
    args: Map<String, Json>,
    #[serde(default)]
    sources: BTreeMap<String, Json>,
    #[serde(default)]
    undo: Option<String>,
}

impl Told {
    fn chunk(mut self, blobs: &mut BTreeMap<Digest, Vec<u8>>) -> Chunk {
        let mut keep = |text: &Json| {
            let bytes = text.as_str().unwrap_or_default().as_bytes();
            let digest = Digest::of(bytes);
            blobs.insert(digest, bytes.to_vec());
            (digest, bytes.len() as u64)
        };
        let creates = self.args.shift_remove("creates");
        let mut sources = BTreeMap::new();
        for (name, what) in &self.sources {
            let sourced = match what {
                Json::Object(files) => Sourced::Dir(
                    files
                        .iter()
                        .map(|(path, text)| {
                            let (content, size) = keep(text);
                            SourcedEntry {
                                path: path.clone(),
                                what: SourcedKind::File {
                                    content,
                                    size,
                                    mode: 0o644,
                                },
                            }
                        })
                        .collect(),
                ),
                text => {
                    let (content, size) = keep(text);
                    Sourced::File {
                        content,
                        size,
                        mode: 0o644,
                    }
                }
            };
            sources.insert(name.clone(), sourced);
        }
        Chunk {
            id: ChunkId {
                state: self.state,
                id: self.name.clone(),
                name: self.name,
                fun: self.fun,
            },
            sls: "torture".to_owned(),
            args: self.args,
            needs: Vec::new(),
            options: Options {
                undo: self.undo,
                creates: creates.and_then(|path| path.as_str().map(|path| Creates::One(path.to_owned()))),
                ..Options::default()
            },
            sources,
            check_only: false,
            slots: Vec::new(),
        }
    }
}

/// All kinds.
pub static KINDS: &[Kind] = &[
    Kind {
        name: "file",
        whole: false,
        before: "mkdir -p /srv/f; cd /srv/f
            for n in a c d e; do echo \"old $n\" > $n; touch -d '2001-02-03 04:05:06.789' $n; done
            chmod 4750 a; chown 33:33 a; setfattr -n user.note -v ours a; setfacl -m u:www-data:rw a c
            chmod 600 c; ln d hard; rm hard",
        start: "",
        chunks: r#"[
            {"state":"file","fun":"managed","name":"/srv/f/a","args":{"contents":"new a\nnew a\n","mode":"0640"}},
            {"state":"file","fun":"managed","name":"/srv/f/deep/er/b","args":{"contents":"new b\n","makedirs":true,"user":"www-data"}},
            {"state":"file","fun":"absent","name":"/srv/f/c"},
            {"state":"file","fun":"managed","name":"/srv/f/d","args":{"replace":false,"mode":"0604","group":"www-data"}},
            {"state":"file","fun":"append","name":"/srv/f/e","args":{"text":"more"}},
            {"state":"file","fun":"managed","name":"/srv/f/s","args":{"source":"salt://s"},"sources":{"salt://s":"sourced\n"}}
        ]"#,
        live: "",
        noise: &[],
        once: &[],
        most: 0,
        files: true,
    },
    Kind {
        name: "symlink",
        whole: false,
        before: "mkdir -p /srv/l/dir; cd /srv/l; ln -s /old moved; ln -s x gone; chown -h 33:33 moved; echo text > over; chmod 600 over",
        start: "",
        chunks: r#"[
            {"state":"file","fun":"symlink","name":"/srv/l/new/er","args":{"target":"/srv/l/dir","makedirs":true}},
            {"state":"file","fun":"symlink","name":"/srv/l/moved","args":{"target":"/new"}},
            {"state":"file","fun":"symlink","name":"/srv/l/over","args":{"target":"dir","force":true}},
            {"state":"file","fun":"absent","name":"/srv/l/gone"}
        ]"#,
        live: "",
        noise: &[],
        once: &[],
        most: 0,
        files: true,
    },
    Kind {
        name: "tree",
        whole: false,
        before: "mkdir -p /srv/t/sub/old /srv/t/empty /srv/gone/a/b /srv/clean/x; cd /srv
            for p in t/one t/sub/two t/sub/old/three gone/a/1 gone/a/b/2 clean/keep clean/x/y; do echo $p > $p; touch -d 2002-02-02 $p; done
            chmod 700 gone/a; chown -R 33:33 gone/a/b; ln -s nowhere gone/link; chmod 1777 t/sub",
        start: "",
        chunks: r#"[
            {"state":"file","fun":"recurse","name":"/srv/t","args":{"source":"salt://t","clean":true,"dir_mode":"0750","file_mode":"0640"},
             "sources":{"salt://t":{"one":"new one\n","sub/two":"new two\n","sub/deep/four":"four\n"}}},
            {"state":"file","fun":"absent","name":"/srv/gone"},
            {"state":"file","fun":"managed","name":"/srv/clean/keep","args":{"contents":"kept\n"}},
            {"state":"file","fun":"directory","name":"/srv/clean","args":{"clean":true,"user":"www-data","exclude_pat":"keep"}}
        ]"#,
        live: "",
        noise: &[],
        once: &[],
        most: 0,
        files: false,
    },
    Kind {
        name: "user",
        whole: false,
        before: "groupadd -g 2000 old; useradd -u 2001 -g old -G www-data -m -c 'the old' old; useradd -u 2002 moved; echo 'old:$6$x$y' | chpasswd -e",
        start: "",
        chunks: r#"[
            {"state":"group","fun":"present","name":"crew","args":{"gid":3000}},
            {"state":"user","fun":"present","name":"new","args":{"uid":3001,"gid":3000,"shell":"/bin/bash","home":"/home/new","groups":["www-data"]}},
            {"state":"user","fun":"present","name":"moved","args":{"fullname":"Moved","shell":"/bin/false"}},
            {"state":"user","fun":"absent","name":"old"}
        ]"#,
        live: "",
        noise: &[],
        once: &["/home/new/*", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid"],
        most: 0,
        files: false,
    },
    Kind {
        name: "cron",
        whole: false,
        before: "printf '# mine\\n0 1 * * * /usr/local/bin/mine\\n5 5 * * * gone\\n' | crontab -",
        start: "",
        chunks: r#"[
            {"state":"cron","fun":"present","name":"/usr/local/sbin/backup","args":{"identifier":"backup","minute":"7","hour":"3"}},
            {"state":"cron","fun":"env_present","name":"MAILTO","args":{"value":"root"}},
            {"state":"cron","fun":"present","name":"report","args":{"user":"admin","special":"@daily"}},
            {"state":"cron","fun":"absent","name":"gone"}
        ]"#,
        live: "",
        noise: &[],
        once: &[],
        most: 0,
        files: false,
    },
    Kind {
        name: "sysctl",
        whole: false,
        before: "mkdir -p /etc/sysctl.d; printf 'net.ipv4.ip_forward = 0\\n' > /etc/sysctl.d/10-own.conf",
        start: "",
        chunks: r#"[
            {"state":"sysctl","fun":"present","name":"net.ipv4.ip_forward","args":{"value":1,"config":"/etc/sysctl.d/10-own.conf"}},
            {"state":"sysctl","fun":"present","name":"net.ipv4.conf.all.rp_filter","args":{"value":2}}
        ]"#,
        live: "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/all/rp_filter",
        noise: &[],
        once: &[],
        most: 0,
        files: false,
    },
    Kind {
        name: "mount",
        whole: false,
        before: "mkdir -p /mnt/old /mnt/data; echo below > /mnt/old/below; printf 'old /mnt/old tmpfs size=1m,mode=0700 0 0\\n' >> /etc/fstab",
        start: "mount /mnt/old",
        chunks: r#"[
            {"state":"mount","fun":"mounted","name":"/srv/scratch","args":{"device":"scratch","fstype":"tmpfs","opts":"size=1m,mode=0750","mkmnt":true}},
            {"state":"mount","fun":"mounted","name":"/mnt/part","args":{"device":"/usr/share","fstype":"none","opts":"bind,ro","mkmnt":true}},
            {"state":"mount","fun":"unmounted","name":"/mnt/old","args":{"persist":true}},
            {"state":"mount","fun":"fstab_present","name":"/dev/none","args":{"fs_file":"/mnt/later","fs_vfstype":"ext4","fs_mntops":"noauto","mount":false}}
        ]"#,
        live: "awk '$2 ~ /^.(mnt|srv.scratch)/ { gsub(/(lower|upper|work)dir=[^ ,]*/, \"\", $4); print $1, $2, $3, $4 }' /proc/mounts | sort",
        noise: &[],
        once: &["/etc/fstab"],
        most: 0,
        files: false,
    },
    Kind {
        name: "package",
        whole: false,
        before: "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install lab-tool=1.0-1 && echo 'level = mine' > /etc/lab-tool.conf",
        start: "",
        chunks: r#"[
            {"state":"pkg","fun":"installed","name":"tools","args":{"pkgs":["lab-extra",{"lab-tool":"2.0-1"}]}}
        ]"#,
        live: "dpkg-query -W -f '${Package} ${Version} ${Status}\\n' 'lab*' 2> /dev/null; apt-mark showauto 'lab*' | sort; apt-mark showhold; dpkg --audit",
        noise: APT,
        once: &["/etc/lab-tool.conf.dpkg-dist"],
        most: 24,
        files: false,
    },
    Kind {
        name: "checkout",
        whole: false,
        before: "export GIT_CONFIG_GLOBAL=/tmp/g; git config --global user.email a@b; git config --global user.name a
            git init -q -b main /srv/origin; cd /srv/origin; echo 1 > f; git add f; git commit -qm 1
            git clone -q /srv/origin /srv/moved; echo 2 > f; echo new > g; git add .; git commit -qm 2; echo mine > /srv/moved/untracked",
        start: "",
        chunks: r#"[
            {"state":"git","fun":"latest","name":"file:///srv/origin","args":{"target":"/srv/app","branch":"main","rev":"main"}},
            {"state":"git","fun":"latest","name":"/srv/origin","args":{"target":"/srv/moved","branch":"main","rev":"main"}}
        ]"#,
        live: "for d in /srv/app /srv/moved; do [ -e $d ] && git -C $d rev-parse HEAD && git -C $d status --porcelain; done; true",
        // What git keeps of a repository's own past is git's affair; the commit and the tree are compared.
        noise: &["/var/lib/salt-rs", "/var/lib/salt-rs/*", "/srv/moved/.git/*", "/srv/moved/.git", "/srv/app/.git/*", "/srv/moved/f"],
        once: &[],
        most: 40,
        files: false,
    },
    Kind {
        name: "archive",
        whole: false,
        before: "mkdir -p /srv/a/app/bin /srv/x/app; cd /srv/a; for n in 1 2 3; do echo $n > app/f$n; done; echo run > app/bin/run; chmod 755 app/bin/run
            ln -s f1 app/link; tar czf /srv/app.tar.gz app; rm -r /srv/a; echo mine > /srv/x/app/mine; echo old > /srv/x/app/f2; chmod 600 /srv/x/app/f2; touch -d 2003-03-03 /srv/x/app/f2",
        start: "",
        chunks: r#"[
            {"state":"archive","fun":"extracted","name":"/srv/x","args":{"source":"/srv/app.tar.gz","skip_verify":true,"enforce_toplevel":false,"overwrite":true,"user":"www-data"}},
            {"state":"archive","fun":"extracted","name":"/srv/fresh","args":{"source":"/srv/app.tar.gz","skip_verify":true}}
        ]"#,
        live: "",
        noise: &[],
        once: &[],
        most: 0,
        files: false,
    },
    Kind {
        name: "alternatives",
        whole: false,
        before: "for one in less more most; do printf '#!/bin/sh\\n' > /usr/local/bin/lab-$one; chmod 755 /usr/local/bin/lab-$one; done
            p() { update-alternatives --quiet --install /usr/local/bin/$1 $1 /usr/local/bin/lab-$2 $3; }
            p lab-pager less 10; p lab-pager more 20; update-alternatives --quiet --set lab-pager /usr/local/bin/lab-less; p lab-old less 10; p lab-old more 5",
        start: "",
        chunks: r#"[
            {"state":"alternatives","fun":"install","name":"lab-choice","args":{"link":"/usr/local/bin/lab-choice","path":"/usr/local/bin/lab-most","priority":5}},
            {"state":"alternatives","fun":"auto","name":"lab-pager","args":{}},
            {"state":"alternatives","fun":"remove","name":"lab-old","args":{"path":"/usr/local/bin/lab-less"}}
        ]"#,
        live: "",
        noise: &["/var/lib/salt-rs", "/var/lib/salt-rs/*", "/var/log/alternatives.log"],
        once: &["/etc/alternatives/*", "/var/lib/dpkg/alternatives/*"],
        most: 0,
        files: false,
    },
    Kind {
        name: "firewall",
        whole: false,
        before: "apt-get -qq update && apt-get -qqy install nftables",
        start: "nft add table ip mine; nft add chain ip mine c; nft add rule ip mine c tcp dport 80 accept",
        chunks: r#"[
            {"state":"nftables","fun":"table_present","name":"guard","args":{"family":"inet"}},
            {"state":"nftables","fun":"chain_present","name":"input","args":{"table":"guard","family":"inet","table_type":"filter","hook":"input","priority":0}},
            {"state":"nftables","fun":"append","name":"ssh","args":{"table":"guard","chain":"input","family":"inet","proto":"tcp","dport":22,"jump":"accept"}}
        ]"#,
        live: "nft -s list ruleset",
        noise: APT,
        once: &[],
        most: 40,
        files: false,
    },
    Kind {
        name: "pip",
        whole: false,
        before: r#"set -e; apt-get -qq update && apt-get -qqy install python3-venv
            python3 -m venv /opt/v; mkdir -p /srv/wheels
            python3 - <<'END'
import zipfile
for name, version in [('labpkg', '1.0'), ('labpkg', '2.0'), ('lab_gone', '1.0')]:
    info = f'{name}-{version}.dist-info'
    with zipfile.ZipFile(f'/srv/wheels/{name}-{version}-py3-none-any.whl', 'w') as wheel:
        wheel.writestr(f'{name}.py', f'version = "{version}"\n')
        wheel.writestr(f'{info}/METADATA', f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
        wheel.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        wheel.writestr(f'{info}/RECORD', '')
END
            /opt/v/bin/pip install -q --no-index --find-links /srv/wheels lab_gone labpkg==1.0"#,
        start: "",
        chunks: r#"[
            {"state":"pip","fun":"installed","name":"labpkg","args":{"pkgs":["labpkg==2.0"],"bin_env":"/opt/v","no_index":true,"find_links":"/srv/wheels"}},
            {"state":"pip","fun":"removed","name":"lab-gone","args":{"bin_env":"/opt/v"}}
        ]"#,
        live: "/opt/v/bin/pip freeze",
        // Python compiles whatever it runs.
        noise: &["/var/lib/salt-rs", "/var/lib/salt-rs/*", "*.pyc", "*/__pycache__", "/root/.cache*"],
        once: &[],
        most: 8,
        files: false,
    },
    Kind {
        name: "command",
        whole: false,
        before: "mkdir -p /srv/c; echo old > /srv/c/kept; echo one > /srv/c/one",
        start: "",
        chunks: r#"[
            {"state":"cmd","fun":"run","name":"echo made > /srv/c/made","args":{"creates":"/srv/c/made"},"undo":"rm -f /srv/c/made"},
            {"state":"cmd","fun":"run","name":"echo new > /srv/c/kept; rm /srv/c/one; mkdir /srv/c/d; echo x > /srv/c/d/x",
             "args":{"touches":["/srv/c"],"creates":"/srv/c/d/x"}}
        ]"#,
        live: "",
        noise: &[],
        once: &[],
        most: 0,
        files: false,
    },
    Kind {
        name: "service",
        whole: true,
        before: "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install labd=1.0-1 && echo 'greeting = mine' > /etc/labd.conf && systemctl reload labd && systemctl disable -q cron",
        start: "",
        chunks: r#"[
            {"state":"file","fun":"managed","name":"/etc/labd.conf","args":{"contents":"greeting = ours\n"}},
            {"state":"service","fun":"dead","name":"labd","args":{"enable":false}},
            {"state":"service","fun":"running","name":"cron","args":{"enable":true}},
            {"state":"service","fun":"masked","name":"fstrim"}
        ]"#,
        live: "for u in labd cron fstrim; do echo $u $(systemctl is-active $u) $(systemctl is-enabled $u 2> /dev/null); done",
        noise: APT,
        once: &[],
        most: 16,
        files: false,
    },
    Kind {
        name: "daemon",
        whole: true,
        before: "apt-get -qq update",
        start: "",
        chunks: r#"[
            {"state":"pkg","fun":"installed","name":"labd","args":{"version":"1.0-1"}},
            {"state":"file","fun":"managed","name":"/etc/labd.conf","args":{"contents":"greeting = ours\n"}},
            {"state":"service","fun":"running","name":"labd","args":{"enable":true}}
        ]"#,
        live: "echo $(systemctl is-active labd) $(systemctl is-enabled labd 2> /dev/null); dpkg-query -W labd 2> /dev/null; dpkg --audit",
        noise: APT,
        once: &[],
        most: 16,
        files: false,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_catalog() {
        for kind in KINDS {
            let bundle = kind.bundle().unwrap_or_else(|err| panic!("{}: {err}", kind.name));
            assert!(!bundle.catalog.chunks.is_empty(), "{}", kind.name);
        }
    }
}
