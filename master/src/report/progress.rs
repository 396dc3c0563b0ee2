//! Live progress: one line per host with a bar and the current state on a terminal, plain lines when piped.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc::Receiver;

use super::screen::{Screen, Volume, tame};

/// Something that happened to a host, on the way.
#[derive(Debug, Clone)]
pub enum Event {
    /// It is at this step (`connecting`, `compiling`, `sending the agent`).
    Step(String, &'static str),
    /// Its catalog has so many states.
    States(String, usize),
    /// It waits for something that may take long: what, and why.
    Waits(String, String),
    /// A state ended: its name and whether it changed something or failed.
    State(String, String, Mark),
    /// The host is done; the word is its outcome.
    Ended(String, &'static str),
}

/// What became of a state, for the plain lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Nothing to do.
    Ok,
    /// Changed, or would.
    Changed,
    /// Failed.
    Failed,
}

/// Draws events until the last sender is gone. The channel is bounded: a slow terminal slows the fleet.
pub async fn follow(screen: Screen, mut events: Receiver<Event>) {
    let mut view = View::new(screen);
    while let Some(event) = events.recv().await {
        view.show(event);
    }
    view.clear();
}

struct View {
    screen: Screen,
    bars: MultiProgress,
    hosts: BTreeMap<String, ProgressBar>,
}

impl View {
    fn new(screen: Screen) -> Self {
        let target = if screen.live {
            ProgressDrawTarget::stderr_with_hz(12)
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            screen,
            bars: MultiProgress::with_draw_target(target),
            hosts: BTreeMap::new(),
        }
    }

    fn bar(&mut self, host: &str) -> &ProgressBar {
        self.hosts.entry(host.to_owned()).or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new(0));
            if let Ok(style) =
                ProgressStyle::with_template("{prefix:16} {bar:20} {pos}/{len} {elapsed} {wide_msg}")
            {
                bar.set_style(style.progress_chars("━╸ "));
            }
            bar.set_prefix(host.to_owned());
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        })
    }

    fn show(&mut self, event: Event) {
        if !self.screen.live {
            self.line(&event);
            return;
        }
        match event {
            Event::Step(host, step) => self.bar(&host).set_message(step),
            Event::Waits(host, why) => self.bar(&host).set_message(tame(&why)),
            Event::States(host, count) => self.bar(&host).set_length(count as u64),
            Event::State(host, name, _) => {
                let bar = self.bar(&host);
                bar.inc(1);
                bar.set_message(tame(&name));
            }
            Event::Ended(host, word) => self.bar(&host).finish_with_message(word),
        }
    }

    fn line(&self, event: &Event) {
        if self.screen.volume == Volume::Quiet {
            return;
        }
        match event {
            Event::Step(host, step) if self.screen.volume == Volume::Verbose => {
                self.screen.err(format!("{host}: {step}"))
            }
            Event::Waits(host, why) => self.screen.err(format!("{host}: {}", tame(why))),
            Event::State(host, name, Mark::Changed) => {
                self.screen.err(format!("{host}: changed {}", tame(name)))
            }
            Event::State(host, name, Mark::Failed) => {
                self.screen.err(format!("{host}: failed {}", tame(name)))
            }
            _ => {}
        }
    }

    fn clear(&self) {
        for bar in self.hosts.values() {
            bar.finish_and_clear();
        }
    }
}
