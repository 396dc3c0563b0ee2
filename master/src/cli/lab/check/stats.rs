//! What a balancer says of the servers behind it: HAProxy's statistics as CSV.

use std::collections::BTreeMap;

/// Status by server, for the servers of one backend.
pub(super) type Servers = BTreeMap<String, String>;

/// Reads HAProxy's CSV: servers by backend, each with its status (`UP`, `DOWN`, `MAINT` …).
///
/// # Errors
/// It has no line that names the columns.
pub(super) fn parse(csv: &str) -> Result<BTreeMap<String, Servers>, String> {
    let mut lines = csv.lines();
    let head = lines
        .next()
        .and_then(|line| line.strip_prefix("# "))
        .ok_or("HAProxy's statistics begin with no line of column names")?;
    let column = |name: &str| {
        let found = head.split(',').position(|column| column == name);
        found.ok_or_else(|| format!("HAProxy's statistics have no column {name}"))
    };
    let (backend, server, status) = (column("pxname")?, column("svname")?, column("status")?);
    let mut all: BTreeMap<String, Servers> = BTreeMap::new();
    for line in lines {
        let words: Vec<&str> = line.split(',').collect();
        let (Some(backend), Some(server), Some(status)) =
            (words.get(backend), words.get(server), words.get(status))
        else {
            continue;
        };
        if *server != "FRONTEND" && *server != "BACKEND" {
            all.entry((*backend).to_owned())
                .or_default()
                .insert((*server).to_owned(), (*status).to_owned());
        }
    }
    Ok(all)
}

/// Whether a server takes requests. While it goes down or comes up its status counts: `UP 1/2`.
pub(super) fn is_up(status: &str) -> bool {
    status == "UP" || status == "no check"
}

/// Whether a server takes none any more.
pub(super) fn is_out(status: &str) -> bool {
    status.starts_with("DOWN") || status.starts_with("MAINT") || status.starts_with("DRAIN")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_by_column_name() {
        let csv = "# pxname,svname,qcur,status,weight,\nwww,FRONTEND,,OPEN,,\nweb,web1,0,UP,1,\nweb,web2,0,DOWN 1/2,1,\nweb,BACKEND,0,UP,1,\n";
        let all = parse(csv).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all["web"]["web1"], "UP");
        assert!(is_up(&all["web"]["web1"]) && !is_out(&all["web"]["web1"]));
        assert!(is_out(&all["web"]["web2"]) && !is_up(&all["web"]["web2"]));
        assert!(!is_up("UP 1/2") && !is_out("UP 1/2"));
        assert!(parse("<html>").is_err());
        assert!(parse("# pxname,svname\n").unwrap_err().contains("status"));
    }
}
