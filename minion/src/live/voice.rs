//! What a run waits for, told while it waits.

use super::Live;

/// Tells people what a run waits for, if anybody listens.
#[derive(Default)]
pub(super) struct Voice(Option<Box<Hear>>);

/// Hears one line.
type Hear = dyn Fn(&str) + Send;

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "heard" } else { "unheard" })
    }
}

impl Live {
    /// Has told to `hear` what is waited for, one line each.
    #[must_use]
    pub fn heard_by(mut self, hear: impl Fn(&str) + Send + 'static) -> Self {
        self.voice = Voice(Some(Box::new(hear)));
        self
    }

    pub(super) fn say(&self, text: &str) {
        if let Voice(Some(hear)) = &self.voice {
            hear(text);
        }
    }
}
