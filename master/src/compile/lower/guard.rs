//! Guards in function form: what the master knows is decided here, what the host knows is left to it.

use proto::Guard;
use serde_json::Value as Json;

use crate::compile::data;
use crate::compile::functions::Args;
use crate::compile::functions::reference::{self, Place};
use crate::compile::oracle::Oracle;
use crate::compile::python;

/// Functions made of answers here which the agent has as well, for guards.
const ON_THE_HOST: [&str; 5] = [
    "mount.active",
    "network.hw_addr",
    "network.interface_ip",
    "network.interfaces",
    "timezone.get_zone",
];

/// The guard as the host is told it.
///
/// # Errors
/// A function there is none of, wrong arguments, or one that a guard cannot call; and the way out where one is known.
pub(super) fn settled(oracle: &Oracle, guard: Guard) -> Result<Guard, (String, Option<String>)> {
    let Guard::Function {
        fun,
        args,
        kwargs,
        get_return,
    } = &guard
    else {
        return Ok(guard);
    };
    let Some(entry) = reference::find(fun) else {
        let message = format!("salt-rs has no execution function {fun}");
        let near = || reference::near(fun).map(|near| format!("did you mean `{near}`?"));
        let way = reference::way_out(fun).filter(|way| !way.is_empty());
        return Err((message, way.map(str::to_owned).or_else(near)));
    };
    Args::bind(entry, args, kwargs).map_err(|why| (why, None))?;
    match entry.place {
        Place::Host => Ok(guard),
        Place::Asks if ON_THE_HOST.contains(&entry.name) => Ok(guard),
        Place::Asks => Err((
            format!("{fun} is made of answers from before the run, which a guard must not rely on"),
            Some("write the guard as a command".to_owned()),
        )),
        Place::Master => {
            let before = oracle.unanswered();
            let found = oracle.call(fun, args, kwargs);
            if oracle.unanswered() != before {
                // The pass is thrown away.
                return Ok(Guard::Known(false));
            }
            let value = found.map_err(|why| (format!("{fun}: {why}"), None))?;
            let value = match get_return {
                Some(path) => data::traverse(&value, path, ":").unwrap_or(Json::Null),
                None => value,
            };
            Ok(Guard::Known(python::truth(&value)))
        }
    }
}
