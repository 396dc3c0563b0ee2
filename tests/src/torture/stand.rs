//! What the sweeps need of a host, cheap or whole.

use std::path::PathBuf;

use lab::Host;

use super::ground::Ground;
use super::layers::{self, Written};
use super::{Torn, torn};

/// A host to be tried.
pub trait Stand {
    /// Its file system as this machine sees it.
    fn root(&self) -> PathBuf;

    /// Runs a shell command line as root; exit status, output and complaints.
    ///
    /// # Errors
    /// It cannot be entered.
    fn shell(&self, line: &str) -> Result<(i32, String), Torn>;

    /// What was written on it since it was the bare image.
    ///
    /// # Errors
    /// It cannot be read.
    fn written(&self, noise: &[&str]) -> Result<Written, Torn>;

    /// Runs a shell command line that must succeed.
    ///
    /// # Errors
    /// It does not.
    fn must(&self, line: &str) -> Result<String, Torn> {
        match self.shell(line)? {
            (0, said) => Ok(said),
            (code, said) => Err(Torn(format!("{line}\nended with {code}: {said}"))),
        }
    }
}

impl Stand for Ground {
    fn root(&self) -> PathBuf {
        Self::root(self)
    }

    fn shell(&self, line: &str) -> Result<(i32, String), Torn> {
        let out = self.exec(line)?;
        let said = [out.stdout, out.stderr].concat();
        let code = out.status.code().unwrap_or(-1);
        Ok((code, String::from_utf8_lossy(&said).into_owned()))
    }

    fn written(&self, noise: &[&str]) -> Result<Written, Torn> {
        Self::written(self, noise)
    }
}

/// A real host of a lab, with systemd and all.
#[derive(Debug)]
pub struct Whole<'a> {
    /// The host.
    pub host: &'a Host,
    /// The image below it.
    pub base: PathBuf,
}

impl Stand for Whole<'_> {
    fn root(&self) -> PathBuf {
        self.host.root()
    }

    fn shell(&self, line: &str) -> Result<(i32, String), Torn> {
        let out = self.host.exec(line).map_err(torn("cannot enter the host"))?;
        Ok((out.code, format!("{}{}", out.stdout, out.stderr)))
    }

    fn written(&self, noise: &[&str]) -> Result<Written, Torn> {
        layers::written(&self.host.upper(), &self.base, &self.host.root(), noise)
    }
}
