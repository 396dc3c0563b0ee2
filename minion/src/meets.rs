//! Whether what is there is what was wanted. Wanted values leave some things open ("the next free id"), seen ones do not.

use proto::{Account, Checkout, Group, Mount, Package, Value};

/// Whether `live` is what an assignment of `wanted` leaves behind.
pub fn meets(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Package(wanted), Value::Package(live)) => package(wanted, live),
        (Value::User(wanted), Value::User(live)) => account(wanted, live),
        (Value::Group(wanted), Value::Group(live)) => group(wanted, live),
        (Value::Checkout(wanted), Value::Checkout(live)) => checkout(wanted, live),
        (Value::MysqlDatabase(wanted), Value::MysqlDatabase(live)) => {
            let fits = |wanted: &str, live: &str| wanted.is_empty() || wanted == live;
            fits(&wanted.charset, &live.charset) && fits(&wanted.collation, &live.collation)
        }
        (Value::Mount(wanted), Value::Mount(live)) => mount(wanted, live),
        (Value::MysqlSource(one), Value::MysqlSource(other)) if one.running != other.running => false,
        (wanted, live) => wanted.same(live),
    }
}

fn open<T: PartialEq>(wanted: &Option<T>, live: &Option<T>) -> bool {
    wanted.is_none() || wanted == live
}

fn package(wanted: &Package, live: &Package) -> bool {
    (wanted.version.is_empty() || wanted.version == live.version)
        && (wanted.arch.is_empty() || wanted.arch == live.arch)
        && wanted.hold == live.hold
        && wanted.config_only == live.config_only
}

fn account(wanted: &Account, live: &Account) -> bool {
    open(&wanted.uid, &live.uid)
        && open(&wanted.gid, &live.gid)
        && open(&wanted.shadow, &live.shadow)
        && (&wanted.home, &wanted.shell, &wanted.fullname, &wanted.groups)
            == (&live.home, &live.shell, &live.fullname, &live.groups)
}

fn group(wanted: &Group, live: &Group) -> bool {
    open(&wanted.gid, &live.gid) && wanted.members == live.members
}

fn checkout(wanted: &Checkout, live: &Checkout) -> bool {
    (&wanted.url, &wanted.remote, &wanted.commit, &wanted.branch)
        == (&live.url, &live.remote, &live.commit, &live.branch)
        && wanted.dirty == live.dirty
}

/// A wanted mount names what mount(8) shall be told; what the kernel makes of it is seen afterwards.
fn mount(wanted: &Mount, live: &Mount) -> bool {
    wanted.asked == live.asked && (wanted.options.is_empty() || wanted == live)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_fields_take_anything() {
        let wanted = Value::User(Account {
            home: "/home/a".into(),
            create_home: true,
            ..Account::default()
        });
        let live = Value::User(Account {
            home: "/home/a".into(),
            uid: Some(1000),
            gid: Some(1000),
            ..Account::default()
        });
        assert!(meets(&wanted, &live));
        assert!(!meets(
            &live,
            &Value::User(Account {
                home: "/home/a".into(),
                uid: Some(7),
                ..Account::default()
            })
        ));
        assert!(!meets(&wanted, &Value::Absent));
        let candidate = Value::Package(Package::default());
        let installed = Value::Package(Package {
            version: "1.2".into(),
            arch: "amd64".into(),
            ..Package::default()
        });
        assert!(meets(&candidate, &installed) && !meets(&installed, &candidate));
    }
}
