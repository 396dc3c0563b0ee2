//! Breaking hosts: cables, frozen processes, full disks, lost frames.

use crate::os;
use crate::{Host, LabError, machine, network};

impl Host {
    /// Pulls the host's cable. Open connections notice nothing until they send.
    ///
    /// # Errors
    /// When the lab's network cannot be entered.
    pub fn cut(&self) -> Result<(), LabError> {
        self.cable("down")
    }

    /// Plugs the cable in again.
    ///
    /// # Errors
    /// When the lab's network cannot be entered.
    pub fn heal(&self) -> Result<(), LabError> {
        self.cable("up")
    }

    fn cable(&self, state: &str) -> Result<(), LabError> {
        let body = self.body();
        network::inside(body.site.anchor, &format!("ip link set {} {state}", body.cable()))
    }

    /// Loses this share of the frames from and to the host, at random; 0 ends it.
    ///
    /// # Errors
    /// When the rule cannot be set.
    pub fn lose(&self, percent: u8) -> Result<(), LabError> {
        if percent > 0 && !machine::has(machine::NFT.program) {
            return Err(LabError::Missing(vec![machine::NFT]));
        }
        let body = self.body();
        let cable = body.cable();
        let mut script = format!("nft delete table bridge {cable} 2> /dev/null; set -e\n");
        if percent > 0 {
            script.push_str(&format!("nft add table bridge {cable}\n"));
            // What passes the bridge from port to port is forwarded: both directions go through this hook.
            script.push_str(&format!(
                "nft 'add chain bridge {cable} f {{ type filter hook forward priority 0; }}'\n"
            ));
            let lot = if percent < 100 {
                format!("numgen random mod 100 < {percent}")
            } else {
                String::new()
            };
            for side in ["iifname", "oifname"] {
                script.push_str(&format!(
                    "nft 'add rule bridge {cable} f {side} {cable} {lot} drop'\n"
                ));
            }
        }
        network::inside(body.site.anchor, &script)
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
        os::wait_for(std::time::Duration::from_secs(5), || reached().then_some(()));
        Ok(())
    }

    /// Fills the file system that holds this directory, to the last block. Meant for a host with a small disk.
    ///
    /// # Errors
    /// When the directory does not exist.
    pub fn fill(&self, dir: &str) -> Result<(), LabError> {
        // Whole blocks first, then what is left of them: the second write ends with "no space left", as it should.
        let line = format!(
            "cd '{dir}' && {{ fallocate -l $(($(df -P -k . | awk 'NR==2 {{print $4}}') - 64))K .lab-fill; \
             cat /dev/zero >> .lab-fill; }} 2> /dev/null; test -s .lab-fill"
        );
        self.check(&line).map(drop)
    }

    /// Gives the space back.
    ///
    /// # Errors
    /// When the host is down.
    pub fn unfill(&self, dir: &str) -> Result<(), LabError> {
        self.check(&format!("rm -f '{dir}/.lab-fill'")).map(drop)
    }
}
