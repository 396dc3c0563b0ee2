//! The master's own sources of data: it answers what `compile` asks of it ([`Lookup`]).
//!
//! Everything here is named in the settings. Programs get an argument list, no shell and a time limit; what they say on
//! standard error is told when they fail, what they print is data.

mod folder;
mod mine;
mod program;
mod run;

pub use run::Run;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;

use crate::compile::lookup::{Answer, Cipher, Lookup};
use crate::settings::Settings;
use mine::Mine;

/// How long a program may take unless the settings say otherwise.
const LIMIT: Duration = Duration::from_secs(60);

/// Where the master looks.
#[derive(Debug)]
pub struct Sources {
    /// Relative paths and programs start here: the directory of the settings.
    base: PathBuf,
    limit: Duration,
    /// GnuPG's home; `None` leaves that to the program.
    gpg_home: Option<PathBuf>,
    /// Files with age identities.
    identities: Vec<PathBuf>,
    mine: Mine,
}

impl Sources {
    /// As the settings say: `ext_pillar_timeout`, `gpg_keydir`, `age_identity`. Without `gpg_keydir`, keys lie in
    /// `gpgkeys` beside the settings or in /etc/salt/gpgkeys, if one of them is there.
    pub fn of(settings: &Settings) -> Self {
        let base = settings
            .file
            .as_deref()
            .and_then(Path::parent)
            .map_or_else(|| PathBuf::from("."), Path::to_owned);
        let option = |name: &str| settings.salt.get(name);
        let limit = option("ext_pillar_timeout")
            .and_then(Json::as_u64)
            .map_or(LIMIT, Duration::from_secs);
        let usual = || {
            [base.join("gpgkeys"), PathBuf::from("/etc/salt/gpgkeys")]
                .into_iter()
                .find(|dir| dir.is_dir())
        };
        let gpg_home = match option("gpg_keydir").and_then(Json::as_str) {
            Some(dir) => Some(base.join(dir)),
            None => usual(),
        };
        let identities = match option("age_identity") {
            Some(Json::String(one)) => vec![base.join(one)],
            Some(Json::Array(many)) => many
                .iter()
                .filter_map(Json::as_str)
                .map(|file| base.join(file))
                .collect(),
            _ => Vec::new(),
        };
        Self {
            base,
            limit,
            gpg_home,
            identities,
            mine: Mine {
                roster: settings.roster.clone(),
                state_dir: settings.state_dir.clone(),
            },
        }
    }

    /// Answers one question.
    ///
    /// # Errors
    /// What went wrong, without anything that was read.
    pub fn answer(&self, lookup: &Lookup) -> Answer {
        match lookup {
            Lookup::Program(words) => {
                let output = program::run(words, &self.base, self.limit, None)?;
                String::from_utf8(output)
                    .map(Json::String)
                    .map_err(|_| "it prints what is not UTF-8 text".to_owned())
            }
            Lookup::Variable(name) => match std::env::var(name) {
                Ok(value) => Ok(value.into()),
                Err(std::env::VarError::NotPresent) => Ok(Json::Null),
                Err(std::env::VarError::NotUnicode(_)) => Err(format!("${name} is not UTF-8 text")),
            },
            Lookup::File(path) => folder::text(&self.base.join(path)),
            Lookup::Folder { path, follow } => folder::read(&self.base.join(path), *follow),
            Lookup::Mine => self.mine.read(),
            Lookup::Decrypt(cipher, message) => self.decrypt(*cipher, message),
        }
    }

    /// Decryption is left to the programs people have their keys in: gpg with its agent and smart cards; and age, whose
    /// crate would bring some forty others for what one small program does.
    fn decrypt(&self, cipher: Cipher, message: &str) -> Answer {
        let mut words: Vec<String> = Vec::new();
        let mut add = |word: &str| words.push(word.to_owned());
        match cipher {
            Cipher::Gpg => {
                add("gpg");
                if let Some(home) = &self.gpg_home {
                    add("--homedir");
                    add(&home.display().to_string());
                }
                for word in ["--batch", "--no-tty", "--quiet", "--decrypt"] {
                    add(word);
                }
            }
            Cipher::Age => {
                if self.identities.is_empty() {
                    return Err("the settings name no `age_identity`".to_owned());
                }
                add("age");
                add("--decrypt");
                for file in &self.identities {
                    add("--identity");
                    add(&file.display().to_string());
                }
            }
        }
        let output = program::run(&words, &self.base, self.limit, Some(message.as_bytes()))?;
        String::from_utf8(output)
            .map(Json::String)
            .map_err(|_| "what was encrypted is not UTF-8 text".to_owned())
    }
}

#[cfg(test)]
mod tests;
