//! The oracle: everything templates may ask, answered or written down as a question.
//!
//! Reading a grain or calling an execution function either finds the answer among those given, or records the
//! question; the pass goes on with nothing and its result is thrown away (architecture, idea A). Every answer that
//! was used is recorded as well. What the functions do is in `functions`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use proto::question::Call;
use proto::{Answer, Answers, Digest, Question};
use serde_json::{Map, Value as Json};

use super::Input;
use super::data;
use super::files::Files;
use super::functions::{self, reference};
use super::inject;
use super::lookup::{self, Cipher, Lookup};
use super::options::Options;

/// What a call says of a function that the host does not have.
pub(crate) const NOT_AVAILABLE: &str = "is not available.";

/// Deepest nesting of functions that call functions.
const CALLS: u32 = 16;

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of a host's grains.
#[derive(Debug, Clone)]
pub enum Grains {
    /// These are all; nothing is asked.
    Complete(Arc<Map<String, Json>>),
    /// The roster asserts these; others are asked of the host.
    Asserted(Arc<Map<String, Json>>),
}

impl Grains {
    /// The grains the master vouches for.
    pub(crate) fn asserted(&self) -> &Map<String, Json> {
        match self {
            Self::Complete(map) | Self::Asserted(map) => map,
        }
    }
}

/// Answers for one host and one pass.
#[derive(Debug)]
pub struct Oracle {
    pub(crate) minion: String,
    pub(crate) grains: Grains,
    pub(crate) options: Arc<Options>,
    pub(crate) files: Files,
    /// The compiled pillar; empty while the pillar itself is compiled.
    pub(crate) pillar: Arc<Json>,
    /// The configuration as templates see it.
    pub(crate) opts: Arc<Map<String, Json>>,
    answers: Arc<Answers>,
    /// For which part of the pass it answers; empty for all of it.
    part: String,
    said: Said,
    me: OnceLock<Weak<Self>>,
}

/// What an oracle was asked, and what it has to tell of that.
#[derive(Debug, Default)]
struct Said {
    asked: Mutex<BTreeSet<Question>>,
    read: Mutex<BTreeMap<Question, Digest>>,
    depth: AtomicU32,
    /// How often an answer was missing.
    missed: AtomicU32,
    /// Texts of answers that could change the structure of an sls.
    risky: Mutex<Vec<String>>,
    /// Things worth knowing, once each.
    notes: Mutex<BTreeSet<String>>,
    /// Functions that gave something by chance.
    chances: Mutex<Vec<&'static str>>,
}

impl Oracle {
    /// An oracle that has been asked nothing.
    pub(crate) fn new(input: &Input<'_>, files: Files, pillar: Json) -> Self {
        Self {
            minion: input.minion.to_owned(),
            grains: input.grains.clone(),
            options: input.options.clone(),
            files,
            pillar: Arc::new(pillar),
            opts: Arc::new(input.options.opts(input.minion)),
            answers: input.answers.clone(),
            part: String::new(),
            said: Said::default(),
            me: OnceLock::new(),
        }
    }

    /// Questions without an answer, and the digests of the answers that were used.
    pub(crate) fn finish(&self) -> (BTreeSet<Question>, BTreeMap<Question, Digest>) {
        (
            std::mem::take(&mut *locked(&self.said.asked)),
            std::mem::take(&mut *locked(&self.said.read)),
        )
    }

    /// An oracle of the same host for other files, with another pillar to see.
    pub(crate) fn on(&self, files: Files, pillar: Json) -> Self {
        Self {
            files,
            pillar: Arc::new(pillar),
            ..self.apart(&self.part)
        }
    }

    /// An oracle of the same host and the same files that has been asked nothing, for one part of the pass: parts do
    /// not see what others asked, so that they may be made in any order.
    pub(crate) fn apart(&self, part: &str) -> Self {
        Self {
            minion: self.minion.clone(),
            grains: self.grains.clone(),
            options: self.options.clone(),
            files: self.files.clone(),
            pillar: self.pillar.clone(),
            opts: self.opts.clone(),
            answers: self.answers.clone(),
            part: part.to_owned(),
            said: Said::default(),
            me: OnceLock::new(),
        }
    }

    /// Takes over what another one was asked, and what it has to tell.
    pub(crate) fn absorb(&self, other: &Self) {
        let (asked, read) = other.finish();
        locked(&self.said.asked).extend(asked);
        locked(&self.said.read).extend(read);
        locked(&self.said.notes).extend(other.notes());
        self.said.missed.fetch_add(other.unanswered(), Ordering::Relaxed);
    }

    /// What the master itself has to say; `None` when it is yet to be asked.
    pub(crate) fn look(&self, lookup: Lookup) -> Option<lookup::Answer> {
        let found = self.options.own.known.look(lookup);
        if found.is_none() {
            self.said.missed.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// The text with its encrypted messages decrypted, from now on a secret; `None` when there are none in it.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn decrypt(&self, cipher: Cipher, text: &str) -> Result<Option<String>, String> {
        let plain = cipher.plain(text, |message| {
            match self
                .look(Lookup::Decrypt(cipher, message.to_owned()))
                .transpose()?
            {
                Some(Json::String(plain)) => Ok(plain),
                _ => Ok(String::new()),
            }
        })?;
        if let Some(plain) = &plain {
            self.options.own.known.secrets.note(&plain.as_str().into());
        }
        Ok(plain)
    }

    /// Says something worth knowing of an answer that was used.
    pub(crate) fn warn(&self, note: String) {
        locked(&self.said.notes).insert(note);
    }

    /// What was said so.
    pub(crate) fn notes(&self) -> BTreeSet<String> {
        std::mem::take(&mut *locked(&self.said.notes))
    }

    /// How often an answer was missing so far: a value made while this grew is worth nothing.
    pub(crate) fn unanswered(&self) -> u32 {
        self.said.missed.load(Ordering::Relaxed)
    }

    /// The text of a host that became structure of a document, and its line.
    pub(crate) fn injected(&self, rendered: &str, written: &str) -> Option<(u32, String)> {
        let texts = locked(&self.said.risky);
        inject::found(&texts, rendered, written).map(|(line, text)| (line, text.to_owned()))
    }

    /// The pillar as a mapping, which it always is.
    pub(crate) fn pillar_map(&self) -> &Map<String, Json> {
        static NONE: LazyLock<Map<String, Json>> = LazyLock::new(Map::new);
        self.pillar.as_object().unwrap_or(&NONE)
    }

    /// Looks a question up; an unknown one is recorded.
    pub(crate) fn ask(&self, question: Question) -> Option<Answer> {
        match self.answers.get(&question) {
            Some(answer) => {
                self.note(question, answer);
                Some(answer.clone())
            }
            None => {
                locked(&self.said.asked).insert(question);
                self.said.missed.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    fn note(&self, question: Question, answer: &Answer) {
        inject::risky(answer, &mut locked(&self.said.risky));
        let text = serde_json::to_vec(answer).unwrap_or_default();
        locked(&self.said.read).insert(question, Digest::of(&text));
    }

    /// One grain by its key; `None` when the host has none, or is yet to be asked.
    pub fn grain(&self, key: &str) -> Option<Json> {
        if let Some(value) = self.grains.asserted().get(key) {
            return Some(value.clone());
        }
        match &self.grains {
            Grains::Complete(_) => return automatic(&self.minion, key),
            Grains::Asserted(_) if key == "id" => return Some(self.minion.clone().into()),
            Grains::Asserted(_) => {}
        }
        let question = Question::Grain(key.to_owned());
        if !self.answers.contains_key(&question)
            && let Some(Answer::Json(Json::Object(all))) = self.answers.get(&Question::Grains)
        {
            let answer = all
                .get(key)
                .map_or(Answer::Missing, |value| Answer::Json(value.clone()));
            self.note(question, &answer);
            return all.get(key).cloned();
        }
        match self.ask(question)? {
            Answer::Json(value) => Some(value),
            _ => None,
        }
    }

    /// A grain by a path through its value.
    pub(crate) fn grain_path(&self, path: &str, delimiter: &str) -> Option<Json> {
        let key = path.split(delimiter).next().unwrap_or_default();
        let value = self.grain(key)?;
        data::traverse(
            &Json::Object(Map::from_iter([(key.to_owned(), value)])),
            path,
            delimiter,
        )
    }

    /// All grains.
    pub fn grains(&self) -> Map<String, Json> {
        let mut all = match &self.grains {
            Grains::Complete(_) => Map::new(),
            Grains::Asserted(_) => match self.ask(Question::Grains) {
                Some(Answer::Json(Json::Object(all))) => all,
                _ => Map::new(),
            },
        };
        all.extend(self.grains.asserted().clone());
        all.entry("id").or_insert_with(|| self.minion.clone().into());
        all
    }

    /// Whether templates may call this function, or are told why not.
    pub fn has_function(&self, name: &str) -> bool {
        functions::is_known(name)
    }

    /// Whether there are execution functions of this module.
    pub fn has_module(&self, name: &str) -> bool {
        functions::is_module(name)
    }

    /// Calls an execution function: one the master can answer, or a question to the host.
    ///
    /// # Errors
    /// The text of the exception Salt would raise.
    pub fn call(&self, name: &str, args: &[Json], kwargs: &Map<String, Json>) -> Result<Json, String> {
        let Some(entry) = reference::find(name) else {
            return Err(match reference::way_out(name) {
                Some("") => format!("salt-rs has no execution function {name}"),
                Some(way) => format!("salt-rs has no execution function {name}: {way}"),
                None => format!("'salt.utils.templates.AliasedLoader object' has no attribute '{name}'"),
            });
        };
        let mut bound = functions::Args::bind(entry, args, kwargs)?;
        let Some(function) = functions::find(name) else {
            return self.call_host(name, args, kwargs);
        };
        let result = if self.said.depth.fetch_add(1, Ordering::Relaxed) > CALLS {
            Err(format!("{name} calls itself too deeply"))
        } else {
            function(self, &mut bound)
        };
        self.said.depth.fetch_sub(1, Ordering::Relaxed);
        if entry.place == reference::Place::Asks
            && let Ok(value) = &result
        {
            inject::risky(&Answer::Json(value.clone()), &mut locked(&self.said.risky));
        }
        result
    }

    /// This oracle as templates share it.
    pub(crate) fn shared(&self) -> Result<Arc<Self>, String> {
        let me = self.me.get().and_then(Weak::upgrade);
        me.ok_or_else(|| "nothing is rendered here".to_owned())
    }

    /// Lets functions render templates of their own.
    pub(crate) fn share(self: &Arc<Self>) {
        self.me.get_or_init(|| Arc::downgrade(self));
    }

    /// A number by chance for a function that gives something else at every run. Passes of one run that ask in the same
    /// order, in the same part, get the same.
    pub(crate) fn chance(&self, function: &'static str) -> u64 {
        static RUN: LazyLock<u64> = LazyLock::new(rand::random);
        let mut chances = locked(&self.said.chances);
        chances.push(function);
        let text = format!("{} {} {} {}", *RUN, self.minion, self.part, chances.len());
        let bytes = Digest::of(text.as_bytes()).hex();
        u64::from_str_radix(bytes.get(..16).unwrap_or_default(), 16).unwrap_or_default()
    }

    /// The functions among those called that [`Oracle::chance`] was asked for, from the n-th on.
    pub(crate) fn chances(&self, from: usize) -> Vec<&'static str> {
        locked(&self.said.chances)
            .get(from..)
            .unwrap_or_default()
            .to_vec()
    }

    fn call_host(&self, name: &str, args: &[Json], kwargs: &Map<String, Json>) -> Result<Json, String> {
        let call = Call {
            fun: name.to_owned(),
            args: args.iter().map(Json::to_string).collect(),
            kwargs: kwargs
                .iter()
                .map(|(key, value)| (key.clone(), value.to_string()))
                .collect(),
        };
        match self.ask(Question::Call(call)) {
            None => Ok(Json::Null),
            Some(Answer::Json(value)) => Ok(value),
            Some(Answer::Text(text)) => Ok(text.into()),
            Some(Answer::Missing) => Err(format!("'{name}' {NOT_AVAILABLE}")),
            Some(Answer::Failed(why)) => Err(why),
            Some(_) => Err(format!("{name}: the host gave an answer of another kind")),
        }
    }
}

/// Grains that hold for every host, also when only a file of grains is known.
fn automatic(minion: &str, key: &str) -> Option<Json> {
    match key {
        "id" => Some(minion.into()),
        "shell" => Some("/bin/sh".into()),
        _ => None,
    }
}

impl Oracle {
    /// The configuration as `config.get` sees it.
    pub(crate) fn options_json(&self) -> Json {
        Json::Object(self.opts.as_ref().clone())
    }
}
