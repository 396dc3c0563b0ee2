//! A request goes through every tier and back.

use serde_json::json;

use lab::http::Request;

use super::{Finding, Scene, Trouble};

pub(super) fn run(scene: &Scene) -> Result<Finding, Trouble> {
    let page = scene.ask(&Request::get("/"))?;
    if page.status != 200 {
        return Err(format!("the site answered {}", page.status).into());
    }
    // The page itself may come out of the cache; who is asked for a note is asked through all tiers.
    let (written, read, _) = scene.there_and_back("there and back")?;
    let response = scene.ask(&Request::get(format!("/api/notes/{}", written.id)))?;
    let mut through = Vec::new();
    for (header, role) in [("X-LB", "haproxy"), ("X-Web", "web"), ("X-App", "was")] {
        let name = response
            .header(header)
            .ok_or_else(|| format!("an answer without {header}"))?;
        if !scene.role(role).iter().any(|host| host.name == name) {
            return Err(format!("{header} says {name}, which is no {role} host").into());
        }
        through.push(name.to_owned());
    }
    let databases = scene.role("db");
    let (primary, replicas) = databases.split_first().ok_or("the lab has no database")?;
    let right = written.to == primary.name && replicas.iter().any(|host| host.name == read.from);
    let measured = format!(
        "{}, written to {}, read from {}",
        through.join(" → "),
        written.to,
        read.from
    );
    Ok(Finding::new(
        right,
        measured,
        "every tier, writes on the primary, reads on a replica",
        json!({ "through": through, "written_to": written.to, "read_from": read.from }),
    ))
}
