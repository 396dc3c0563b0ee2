//! The static agent as it is shipped: what it may call, that it needs nothing of the host, how large it is.

use harness::os;
use harness::program::static_agent;

/// Goal of the architecture, in bytes of the stripped file.
const BUDGET: usize = 4 << 20;

fn agent() -> &'static str {
    static_agent().to_str().unwrap()
}

#[test]
fn it_asks_no_name_service() {
    // A static glibc loads the host's own name service modules for these, and dies where they do not fit. `dlopen` itself
    // is in every static program; without these nobody calls it.
    let banned = [
        "getpwnam",
        "getpwuid",
        "getpwent",
        "getgrnam",
        "getgrgid",
        "getgrent",
        "getgrouplist",
        "initgroups",
        "getaddrinfo",
        "getnameinfo",
        "gethostby",
        "getservby",
        "__nss_",
    ];
    let symbols = os::run("nm", &[agent()]).unwrap();
    assert!(symbols.contains(" main"), "the symbols are stripped");
    let names = symbols.lines().filter_map(|line| line.split_whitespace().last());
    // `fork` itself tells the (unused) database of name services about it.
    let found: Vec<_> = names
        .filter(|name| !name.starts_with("__nss_database_fork_"))
        .filter(|name| banned.iter().any(|word| name.starts_with(word)))
        .collect();
    assert!(
        found.is_empty(),
        "parse /etc/passwd and /etc/group, or ask `getent`, instead of {found:?}"
    );
}

#[test]
fn it_needs_nothing_of_the_host() {
    let headers = os::run("readelf", &["--program-headers", agent()]).unwrap();
    assert!(headers.contains("LOAD"));
    assert!(!headers.contains("INTERP"), "a loader is asked for: not static");
}

#[test]
fn it_is_small_enough_to_travel() {
    let stripped = format!("{}.stripped", agent());
    os::run("strip", &["-o", &stripped, agent()]).unwrap();
    let size = os::read(stripped.as_ref()).unwrap().len();
    assert!(size <= BUDGET, "{size} bytes, at most {BUDGET} are the goal");
}
