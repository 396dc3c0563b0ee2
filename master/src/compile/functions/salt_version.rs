//! `salt_version.*`: the version of Salt whose semantics are followed, against names of releases.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::{Args, Function};

/// The version of Salt whose semantics are followed.
pub(super) const VERSION: &str = "3008.5";

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("get_release_number", |_, args| {
        let name = args.required("name")?;
        let name = name
            .as_str()
            .ok_or_else(|| "'name' argument must be a string".to_owned())?;
        Ok(number(name).map_or(Json::Null, Json::from))
    }),
    ("equal", |_, args| is(args, Ordering::Equal)),
    ("greater_than", |_, args| is(args, Ordering::Greater)),
    ("less_than", |_, args| is(args, Ordering::Less)),
];

/// Releases by name.
const RELEASES: &[(&str, &str)] = &[
    ("hydrogen", "2014.1"),
    ("helium", "2014.7"),
    ("lithium", "2015.5"),
    ("beryllium", "2015.8"),
    ("boron", "2016.3"),
    ("carbon", "2016.11"),
    ("nitrogen", "2017.7"),
    ("oxygen", "2018.3"),
    ("fluorine", "2019.2"),
    ("neon", "3000"),
    ("sodium", "3001"),
    ("magnesium", "3002"),
    ("aluminium", "3003"),
    ("silicon", "3004"),
    ("phosphorus", "3005"),
    ("sulfur", "3006"),
    ("chlorine", "3007"),
    ("argon", "3008"),
    ("potassium", "3009"),
    ("calcium", "3010"),
    ("scandium", "3011"),
    ("titanium", "3012"),
    ("vanadium", "3013"),
    ("chromium", "3014"),
    ("manganese", "3015"),
    ("iron", "3016"),
];

fn number(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    RELEASES
        .iter()
        .find(|(one, _)| *one == name)
        .map(|(_, number)| *number)
}

fn is(args: &mut Args, want: Ordering) -> Result<Json, String> {
    let Some(number) = number(&args.text("name")?) else {
        return Ok(false.into());
    };
    let parts = |text: &str| -> Vec<u32> { text.split('.').filter_map(|part| part.parse().ok()).collect() };
    let ours = VERSION.rsplit_once('.').map_or(VERSION, |(major, _)| major);
    Ok((parts(ours).cmp(&parts(number)) == want).into())
}
