//! `listen` and `listen_in`: who acts at the end of a run when what has changed (salt-semantics section 8).

use proto::Listen;
use serde_json::Value as Json;

use crate::compile::low::Low;
use crate::compile::order::Ordered;
use crate::compile::python;

/// All references in the order in which Salt looks at them. Every chunk that an id stands for listens.
pub(super) fn listens(ordered: &Ordered) -> Vec<Listen> {
    let steps = || ordered.steps.iter().enumerate();
    // A dry run counts as its chunk, at the first place of the two.
    let mut lows: Vec<usize> = Vec::new();
    for (_, step) in steps() {
        if !lows.contains(&step.low) && has_any(&ordered.lows[step.low]) {
            lows.push(step.low);
        }
    }
    if lows.is_empty() {
        return Vec::new();
    }
    let mut places: Vec<(usize, &Low)> = Vec::new();
    for (_, step) in steps() {
        let low = &ordered.lows[step.low];
        if !places.iter().any(|(_, one)| std::ptr::eq(*one, low)) {
            let own = steps().find(|(_, other)| other.low == step.low && !other.check);
            places.extend(own.map(|(place, _)| (place, low)));
        }
    }
    let named = |module: &str, name: &str| -> Vec<usize> {
        let fits =
            |low: &Low| low.state == module && (low.id == name || low.name_text() == name || module == name);
        places
            .iter()
            .filter(|(_, low)| fits(low))
            .map(|(place, _)| *place)
            .collect()
    };
    let listen = |on: (&str, &str), call: (&str, &str)| {
        let (on, call, whom) = (
            named(on.0, on.1),
            named(call.0, call.1),
            if named(on.0, on.1).is_empty() { on } else { call },
        );
        let missing = (on.is_empty() || call.is_empty()).then(|| (whom.0.to_owned(), whom.1.to_owned()));
        Listen { on, call, missing }
    };
    let mut found = Vec::new();
    for low in lows.into_iter().map(|low| &ordered.lows[low]) {
        let own = (low.state.as_str(), low.id.as_str());
        for (module, name) in references(low.args.get("listen"), &places) {
            found.push(listen((&module, &name), own));
        }
        for (module, name) in references(low.args.get("listen_in"), &places) {
            found.push(listen(own, (&module, &name)));
        }
    }
    found
}

fn has_any(low: &Low) -> bool {
    low.args.contains_key("listen") || low.args.contains_key("listen_in")
}

/// Module and name of every entry; a bare text is the first chunk of that id or name.
fn references(value: Option<&Json>, places: &[(usize, &Low)]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in value.and_then(Json::as_array).into_iter().flatten() {
        match entry {
            Json::Object(map) => found.extend(
                map.iter()
                    .map(|(module, name)| (module.clone(), python::text(name))),
            ),
            Json::String(text) => {
                let named = places
                    .iter()
                    .find(|(_, low)| low.id == *text || low.name_text() == *text);
                found.extend(named.map(|(_, low)| (low.state.clone(), low.id.clone())));
            }
            _ => {}
        }
    }
    found
}
