//! How the demo is told: the command, what came of it, its time; and what the steps pass on to each other.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value as Json, json};

use super::figures::Figure;
use crate::cli::lab::check::{Done, Scene, rounded};
use crate::cli::lab::{Ground, down, up};
use crate::cli::options::Common;
use crate::failure::Failure;
use crate::lab::wire;
use crate::report::screen::{Screen, Tone, Volume, tame};

/// The demo that is going on.
pub(super) struct Stage<'g> {
    ground: &'g Ground,
    common: Common,
    file: Option<PathBuf>,
    since: Instant,
    scene: Option<Scene>,
    told: Vec<Json>,
    /// Measured so far.
    pub(super) figures: Vec<Figure>,
    /// Id of the run that is taken back next.
    pub(super) run: String,
}

impl<'g> Stage<'g> {
    pub(super) fn new(ground: &'g Ground, common: &Common, file: Option<PathBuf>) -> Self {
        Self {
            ground,
            common: common.clone(),
            file,
            since: Instant::now(),
            scene: None,
            told: Vec::new(),
            figures: Vec::new(),
            run: String::new(),
        }
    }

    fn screen(&self) -> Screen {
        self.ground.screen
    }

    /// A line of the demo: on stdout, or where stdout is for the document, on stderr.
    pub(super) fn say(&self, text: &str) {
        let screen = self.screen();
        if !screen.json {
            screen.out(text);
        } else if screen.volume != Volume::Quiet {
            screen.err(text);
        }
    }

    /// One step: its command, then what came of it and its time.
    ///
    /// # Errors
    /// As the step.
    pub(super) fn step(
        &mut self,
        command: &str,
        work: impl FnOnce(&mut Self) -> Result<String, Failure>,
    ) -> Result<(), Failure> {
        let screen = self.screen();
        self.say(&screen.paint(Tone::Strong, format!("$ {command}")));
        let start = Instant::now();
        let came = work(self);
        let seconds = start.elapsed().as_secs_f64();
        let (ok, text) = match &came {
            Ok(text) => (true, text.clone()),
            Err(failure) => {
                let causes = failure.diagnostics.iter().map(|one| one.message.clone());
                (false, causes.collect::<Vec<_>>().join("; "))
            }
        };
        let text = tame(&text);
        let shown = if ok {
            text.clone()
        } else {
            screen.paint(Tone::Bad, format!("FAILED: {text}"))
        };
        self.say(&format!(
            "  {shown}  {}",
            screen.paint(Tone::Faint, format!("{seconds:.1}s"))
        ));
        self.told
            .push(json!({ "command": command, "outcome": text, "ok": ok, "seconds": rounded(seconds) }));
        came.map(drop)
    }

    /// Has image and packages in the cache.
    pub(super) fn prepare(&self) -> Result<(), Failure> {
        up::prepare_all(self.file.as_deref(), &self.quiet())
    }

    /// Boots the hosts; how many.
    pub(super) fn up(&mut self) -> Result<usize, Failure> {
        let quiet = self.quiet();
        up::make_all(self.file.as_deref(), &quiet)?;
        self.scene = Some(Scene::open(&self.ground.folder, &self.common, self.screen())?);
        Ok(self.scene()?.hosts().len())
    }

    /// A check as the demo tells it.
    pub(super) fn told_check(&self, done: &Done) -> String {
        format!("  {}", done.line(&self.screen()))
    }

    /// Whether this demo has a lab up.
    pub(super) const fn is_up(&self) -> bool {
        self.scene.is_some()
    }

    /// Takes the lab down.
    pub(super) fn down(&mut self) -> Result<String, Failure> {
        self.scene = None;
        down::take_down(&self.quiet())?;
        Ok("nothing is left: no process, mount, namespace, link or file".to_owned())
    }

    /// The lab.
    pub(super) fn scene(&self) -> Result<&Scene, Failure> {
        self.scene
            .as_ref()
            .ok_or_else(|| Failure::bug("a step of the demo before `lab up`"))
    }

    /// Memory all hosts take, in GiB.
    pub(super) fn memory(&self) -> Result<f64, Failure> {
        Ok(wire::status(&self.ground.folder)?.memory_mib as f64 / 1024.0)
    }

    /// Takes note of a figure.
    pub(super) fn figure(&mut self, name: &'static str, value: f64, limit: f64, unit: &'static str) {
        self.figures.push(Figure {
            name,
            value,
            limit,
            unit,
        });
    }

    /// The figures beside their limits.
    pub(super) fn table(&self) {
        let lines = self.figures.iter().map(|figure| figure.line(&self.screen()));
        let seconds = self.since.elapsed().as_secs_f64();
        self.say(&format!("\nFigures, after {seconds:.0} s:"));
        lines.for_each(|line| self.say(&line));
        self.say("");
    }

    /// Steps and figures for scripts.
    pub(super) fn document(&self) -> Json {
        let figures: Vec<_> = self.figures.iter().map(Figure::document).collect();
        json!({
            "steps": self.told, "figures": figures,
            "ok": self.told.iter().all(|step| step["ok"] == true),
            "seconds": rounded(self.since.elapsed().as_secs_f64()),
        })
    }

    /// The ground for commands whose own output is not part of the telling.
    fn quiet(&self) -> Ground {
        Ground {
            folder: self.ground.folder.clone(),
            around: self.ground.around.clone(),
            screen: Screen {
                json: false,
                volume: Volume::Quiet,
                live: false,
                ..self.screen()
            },
        }
    }
}
