//! Breaking hosts: frozen processes, full disks. What is wrong with their cables is in `cable`.

use std::time::Duration;

use crate::cable::Cable;
use crate::{Host, LabError, os};

/// Space that filling a file system of the host's memory may take of this machine's, in MiB.
const MOST: u64 = 4096;

impl Host {
    /// Its cable.
    pub fn cable(&self) -> &Cable {
        &self.body().cable
    }

    /// Pulls the host's cable. Open connections notice nothing until they send.
    ///
    /// # Errors
    /// When the lab's network cannot be entered.
    pub fn cut(&self) -> Result<(), LabError> {
        self.cable().cut()
    }

    /// Plugs the cable in again, and mends whatever was wrong with it.
    ///
    /// # Errors
    /// When the lab's network cannot be entered.
    pub fn heal(&self) -> Result<(), LabError> {
        self.cable().heal()
    }

    /// Loses this share of the frames from and to the host, at random; 0 ends it.
    ///
    /// # Errors
    /// When the rule cannot be set.
    pub fn lose(&self, percent: u8) -> Result<(), LabError> {
        self.cable().lose(percent)
    }

    /// Stops every process of the host where it is: the kernel still answers, nobody else does.
    ///
    /// # Errors
    /// When the host is down.
    pub fn freeze(&self) -> Result<(), LabError> {
        self.frozen("1")
    }

    /// Lets a frozen host go on.
    ///
    /// # Errors
    /// When the host is down.
    pub fn thaw(&self) -> Result<(), LabError> {
        self.frozen("0")
    }

    fn frozen(&self, state: &str) -> Result<(), LabError> {
        self.body().init()?;
        let cgroup = self.body().cgroup();
        os::control(&cgroup.join("cgroup.freeze"), state)?;
        let wanted = format!("frozen {state}");
        let reached =
            || os::read_text(&cgroup.join("cgroup.events")).is_ok_and(|text| text.contains(&wanted));
        os::wait_for(Duration::from_secs(5), || reached().then_some(()));
        Ok(())
    }

    /// Leaves no space on the file system that holds this directory, to the last block.
    ///
    /// The host's own disk is made as small as what is on it, which takes no memory; others are filled.
    ///
    /// # Errors
    /// When the directory does not exist, or filling its file system would take too much of this machine's memory.
    pub fn fill(&self, dir: &str) -> Result<(), LabError> {
        let body = self.body();
        if body.spec.disk_mb.is_none() && self.on_own_disk(dir)? {
            body.shrink_disk()?;
        } else {
            let free = self.check(&format!("df -P -m '{dir}' | awk 'NR==2 {{print $4}}'"))?;
            let free = free.parse().unwrap_or(0);
            if free > MOST {
                return Err(LabError::TooLarge {
                    host: self.name().to_owned(),
                    dir: dir.to_owned(),
                    free,
                });
            }
            // Whole blocks first, then what is left of them: the second write ends with "no space left", as it should.
            let line = format!(
                "cd '{dir}' && {{ fallocate -l $(($(df -P -k . | awk 'NR==2 {{print $4}}') - 64))K .lab-fill; \
                 cat /dev/zero >> .lab-fill; }} 2> /dev/null; test -s .lab-fill"
            );
            self.check(&line)?;
        }
        body.filled().insert(dir.to_owned());
        Ok(())
    }

    /// Gives the space back.
    ///
    /// # Errors
    /// When the host is down.
    pub fn unfill(&self, dir: &str) -> Result<(), LabError> {
        let body = self.body();
        if body.spec.disk_mb.is_none() && self.on_own_disk(dir)? {
            body.grow_disk()?;
        } else {
            self.check(&format!("rm -f '{dir}/.lab-fill'"))?;
        }
        body.filled().remove(dir);
        Ok(())
    }

    /// What was done to it and not taken back, in words.
    pub fn faults(&self) -> Vec<String> {
        let mut words = self.cable().faults();
        words.extend(self.body().filled().iter().map(|dir| format!("{dir} full")));
        words
    }

    fn on_own_disk(&self, dir: &str) -> Result<bool, LabError> {
        let device = |dir: &str| self.check(&format!("df -P '{dir}' | awk 'NR==2 {{print $6}}'"));
        Ok(device(dir)? == device("/")?)
    }
}
