//! A host with something of every address family, and random assignments to it.

use super::*;
use proto::{
    Account, Asked, Checkout, Digest, Group, Mount, MysqlAt, MysqlKind, Package, Schema, Source, Value,
};

pub(super) type World = BTreeMap<Address, Value>;

/// Numbers that look random and are the same every time.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % sides as u64) as usize
    }

    pub(super) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

/// A crontab that belongs to several.
pub(super) const TABLE: &str = "/var/spool/cron/crontabs/root";
/// Lines that may stand in it.
const LINES: &[&str] = &[
    "",
    "0 1 * * * one\n",
    "0 1 * * * one\n0 2 * * * two\n",
    "0 2 * * * two\n0 9 * * * nine\n",
];

pub(super) fn host() -> Fake {
    let mut fake = Fake::new();
    for text in ["one", "two", "three", "by hand", "rules a", "rules b"]
        .iter()
        .chain(LINES)
    {
        fake.file(text);
    }
    fake.write("/etc/old", "one");
    for folder in [
        "/srv/tree",
        "/srv/data",
        "/var",
        "/var/spool",
        "/var/spool/cron",
        "/var/spool/cron/crontabs",
    ] {
        fake.world.insert(path(folder), dir());
    }
    fake.write("/srv/tree/leaf", "two");
    fake.write("/srv/data/under", "one");
    let offer = |needs: &[&str], files: &[&str], unit: Option<&str>| Offer {
        version: "1".into(),
        needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        files: files
            .iter()
            .map(|file| ((*file).to_owned(), "packaged".to_owned()))
            .collect(),
        unit: unit.map(str::to_owned),
    };
    let web = offer(&["lib"], &["/etc/web.conf"], Some("web.service"));
    fake.repo.insert("web".into(), web);
    fake.repo
        .insert("lib".into(), offer(&[], &["/etc/lib.conf"], None));
    fake.world
        .insert(Address::Unit("ssh.service".into()), unit(true, "enabled"));
    fake.world.insert(sysctl("vm.swappiness"), text("60"));
    fake.world.insert(sysctl("net.ipv4.ip_forward"), text("0"));
    fake.world.insert(Address::Firewall, rules("rules a"));
    fake
}

pub(super) fn unit(active: bool, enablement: &str) -> Value {
    Value::Unit(Unit {
        known: true,
        active,
        enablement: enablement.into(),
    })
}

fn sysctl(key: &str) -> Address {
    Address::Sysctl(key.into())
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn rules(text: &str) -> Value {
    let Value::File { content, size, .. } = file(text) else {
        panic!("a file");
    };
    Value::File {
        content,
        size,
        meta: Meta::default(),
    }
}

fn mysql(kind: MysqlKind, name: &str) -> Address {
    Address::Mysql(MysqlAt {
        kind,
        name: name.into(),
        server: String::new(),
    })
}

fn dressed(value: Value, mode: u32, uid: u32, label: Option<&str>) -> Value {
    let dress = |meta: Meta| Meta {
        mode,
        uid,
        xattrs: label
            .map(|label| ("user.label".to_owned(), label.to_owned()))
            .into_iter()
            .collect(),
        ..meta
    };
    match value {
        Value::File { content, size, meta } => Value::File {
            content,
            size,
            meta: dress(meta),
        },
        Value::Dir { meta } => Value::Dir { meta: dress(meta) },
        other => other,
    }
}

const PATHS: &[&str] = &[
    "/etc/old",
    "/etc/new",
    "/etc/web.conf",
    "/etc/lib.conf",
    "/srv/tree",
    "/srv/tree/leaf",
    "/srv/tree/sub",
    "/srv/tree/sub/x",
    "/home/app",
    "/home/app/.profile",
];

/// Some assignment a tree could ask for, over all families.
pub(super) fn assignment(dice: &mut Dice) -> (Address, Value) {
    match dice.roll(20) {
        0 => {
            let (name, version) = dice.one(&[("web", ""), ("web", "2"), ("lib", ""), ("lib", "2")]);
            let package = Package {
                version: version.into(),
                hold: dice.roll(4) == 0,
                ..Package::default()
            };
            (Address::Package(name.into()), Value::Package(package))
        }
        1 => (
            Address::Package((dice.one(&["web", "lib"])).into()),
            Value::Absent,
        ),
        2 | 3 => {
            let name = dice.one(&["web.service", "ssh.service"]);
            let (active, enablement) = dice.one(&[
                (true, "enabled"),
                (false, "disabled"),
                (false, "masked"),
                (true, "disabled"),
            ]);
            (Address::Unit(name.into()), unit(active, enablement))
        }
        4 => {
            let account = Account {
                home: "/home/app".into(),
                shell: (dice.one(&["/bin/sh", "/bin/false"])).into(),
                create_home: dice.roll(2) == 0,
                ..Account::default()
            };
            (Address::User("app".into()), Value::User(account))
        }
        5 => (Address::User("app".into()), Value::Absent),
        6 => {
            let members = match dice.roll(3) {
                0 => return (Address::Group("ops".into()), Value::Absent),
                1 => Vec::new(),
                _ => vec!["root".to_owned()],
            };
            let group = Group {
                members,
                ..Group::default()
            };
            (Address::Group("ops".into()), Value::Group(group))
        }
        7 => {
            let key = dice.one(&["vm.swappiness", "net.ipv4.ip_forward"]);
            (sysctl(key), text(dice.one(&["0", "1", "10"])))
        }
        8 => (Address::Mount("/srv/data".into()), mount(dice)),
        9 => {
            let value = if dice.roll(2) == 0 {
                Value::Absent
            } else {
                text("")
            };
            (Address::Swap("/swapfile".into()), value)
        }
        10 => (Address::Checkout("/srv/app".into()), checkout(dice)),
        11 | 12 => database(dice),
        13 => (Address::Firewall, rules(dice.one(&["rules a", "rules b"]))),
        14 => (
            path(TABLE),
            if dice.roll(5) == 0 {
                Value::Absent
            } else {
                file(dice.one(LINES))
            },
        ),
        _ => (path(dice.one(PATHS)), entry(dice)),
    }
}

fn mount(dice: &mut Dice) -> Value {
    let device = match dice.roll(3) {
        0 => return Value::Absent,
        1 => "/dev/one",
        _ => "/dev/two",
    };
    Value::Mount(Mount {
        device: device.into(),
        fstype: "ext4".into(),
        asked: Some(Asked {
            device: device.into(),
            fstype: "ext4".into(),
            opts: (dice.one(&["noatime", "defaults"])).into(),
            user: String::new(),
        }),
        ..Mount::default()
    })
}

fn checkout(dice: &mut Dice) -> Value {
    if dice.roll(3) == 0 {
        return Value::Absent;
    }
    Value::Checkout(Checkout {
        url: (dice.one(&["ssh://git/app", "https://git/app"])).into(),
        remote: "origin".into(),
        commit: (dice.one(&["aaaa", "bbbb"])).into(),
        branch: (dice.roll(2) == 0).then(|| "main".to_owned()),
        ..Checkout::default()
    })
}

fn database(dice: &mut Dice) -> (Address, Value) {
    let gone = dice.roll(3) == 0;
    let or = |value: Value| if gone { Value::Absent } else { value };
    match dice.roll(4) {
        0 => {
            let statement = Digest::of(dice.one(&["secret one", "secret two"]));
            (
                mysql(MysqlKind::User, "app@%"),
                or(Value::MysqlUser(Some(statement))),
            )
        }
        1 => {
            let grants = dice.one(&["SELECT ON a.*", "ALL PRIVILEGES ON a.*"]).to_owned();
            (
                mysql(MysqlKind::Grants, "app@%"),
                or(Value::MysqlGrants(vec![grants])),
            )
        }
        2 => {
            let schema = Schema {
                charset: (dice.one(&["utf8mb4", "latin1"])).into(),
                ..Schema::default()
            };
            (mysql(MysqlKind::Database, "a"), or(Value::MysqlDatabase(schema)))
        }
        _ => {
            let source = Source {
                host: (dice.one(&["db1", "db2"])).into(),
                port: 3306,
                user: "repl".into(),
                ..Source::default()
            };
            (mysql(MysqlKind::Source, ""), or(Value::MysqlSource(source)))
        }
    }
}

fn entry(dice: &mut Dice) -> Value {
    let value = match dice.roll(7) {
        0 => return Value::Absent,
        1 | 2 => dir(),
        3 => {
            return Value::Link {
                to: "/etc/old".into(),
                meta: Meta::default(),
            };
        }
        4 => file("one"),
        5 => file("two"),
        _ => file("three"),
    };
    if dice.roll(3) > 0 {
        return value;
    }
    let mode = dice.one(&[0o600, 0o755, 0o640]);
    let label = dice.one(&[None, Some("00ff")]);
    dressed(value, mode, dice.one(&[0, 0, 33]), label)
}

pub(super) fn differ(a: &World, b: &World) -> Vec<Address> {
    let keys: BTreeSet<&Address> = a.keys().chain(b.keys()).collect();
    keys.into_iter()
        .filter(|at| a.get(at) != b.get(at))
        .cloned()
        .collect()
}

/// Differences in full, for messages.
pub(super) fn told(a: &World, b: &World) -> String {
    let lines = differ(a, b).into_iter().map(|at| {
        let (a, b) = (a.get(&at), b.get(&at));
        format!("  {at}:\n    {a:?}\n    {b:?}\n")
    });
    lines.collect()
}
