//! Which renderers a file asks for by its first line, `#!jinja|yaml`, and what to do instead of those there are none of.

use super::diagnostic::did_you_mean;
use super::lookup::Cipher;

/// A stage of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Jinja,
    Yaml,
    Json,
    /// Leaves the text as it is.
    Same,
    /// Decrypts.
    Decrypt(Cipher),
}

/// A renderer that is not there.
pub(crate) struct NoStage {
    /// As a sentence goes on after "Rendering SLS … failed: ".
    pub(crate) message: String,
    /// What to do instead.
    pub(crate) help: String,
    /// Where its name stands in the first line.
    pub(crate) column: u32,
}

/// What stands in a first line, and the stage it means.
const STAGES: [(&str, Stage); 8] = [
    ("jinja", Stage::Jinja),
    ("yaml", Stage::Yaml),
    ("yamlex", Stage::Yaml),
    ("json", Stage::Json),
    ("json5", Stage::Json),
    ("text", Stage::Same),
    ("gpg", Stage::Decrypt(Cipher::Gpg)),
    ("age", Stage::Decrypt(Cipher::Age)),
];

/// Renderers of Salt's that there are none of here, and what to do instead.
const INSTEAD: [(&str, &str); 17] = [
    ("py", PROGRAM),
    ("pyobjects", PROGRAM),
    ("pydsl", PROGRAM),
    ("mako", TEMPLATE),
    ("wempy", TEMPLATE),
    ("genshi", TEMPLATE),
    ("cheetah", TEMPLATE),
    ("stateconf", "write ids in full, and requisites on them"),
    ("dson", DATA),
    ("hjson", DATA),
    ("toml", DATA),
    ("msgpack", DATA),
    ("nacl", SECRET),
    ("aws_kms", SECRET),
    ("pass", SECRET),
    ("nix", DATA),
    ("tomlmod", DATA),
];
const PROGRAM: &str = "programs do not run while a tree is compiled: write it as jinja, or give its data as pillar by an ext_pillar program";
const TEMPLATE: &str = "write the template as jinja";
const DATA: &str = "write the data as yaml or json";
const SECRET: &str = "encrypt values with age or gpg";

/// The stages that `text` asks for in its first line, else those of `default`.
pub(crate) fn stages(text: &str, default: &str) -> Result<Vec<Stage>, NoStage> {
    let first = text.lines().next().unwrap_or_default();
    let asked = first.strip_prefix("#!").filter(|rest| !rest.starts_with('/'));
    let line = asked.unwrap_or(default);
    let mut column = if asked.is_some() { 3 } else { 1 };
    let mut stages = Vec::new();
    for part in line.split('|') {
        let name = part.split_whitespace().next().unwrap_or_default();
        match STAGES.iter().find(|(known, _)| *known == name) {
            Some((_, stage)) => stages.push(*stage),
            None => return Err(none(name, column)),
        }
        column += u32::try_from(part.chars().count() + 1).unwrap_or(0);
    }
    Ok(stages)
}

fn none(name: &str, column: u32) -> NoStage {
    let known = STAGES.iter().map(|(known, _)| *known);
    match INSTEAD.iter().find(|(one, _)| *one == name) {
        Some((_, instead)) => NoStage {
            message: format!("the renderer `{name}` is not supported"),
            help: (*instead).to_owned(),
            column,
        },
        None => NoStage {
            message: format!("there is no renderer `{name}`"),
            help: did_you_mean(name, known.clone())
                .unwrap_or_else(|| format!("there are {}", known.collect::<Vec<_>>().join(", "))),
            column,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_names_the_stages() {
        let of =
            |text: &str| stages(text, "jinja|yaml").map_err(|none| (none.message, none.help, none.column));
        assert_eq!(of("a: b"), Ok(vec![Stage::Jinja, Stage::Yaml]));
        assert_eq!(of("#!json"), Ok(vec![Stage::Json]));
        assert_eq!(of("#! jinja | json x\n"), Ok(vec![Stage::Jinja, Stage::Json]));
        assert_eq!(of("#!/bin/sh\n"), Ok(vec![Stage::Jinja, Stage::Yaml]));
        let (message, help, column) = of("#!jinja|yml").unwrap_err();
        assert_eq!(
            (message.as_str(), help.as_str(), column),
            ("there is no renderer `yml`", "did you mean `yaml`?", 9)
        );
        let (message, help, _) = of("#!py\n").unwrap_err();
        assert_eq!(message, "the renderer `py` is not supported");
        assert!(help.contains("ext_pillar"), "{help}");
    }
}
