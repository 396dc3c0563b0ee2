//! A cable of the lab, and what is wrong with it: pulled, slow, or losing frames.
//!
//! Each ends at the lab's bridge. What is wrong with it stays wrong when its host reboots, as with a real one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::delay::Delay;
use crate::network::{BRIDGE, inside};
use crate::process::Pid;
use crate::{LabError, machine};

/// A cable between the lab's bridge and a host, or this machine.
#[derive(Debug)]
pub struct Cable {
    anchor: Pid,
    /// Its end at the bridge.
    name: String,
    /// The number of the address at its other end.
    number: u32,
    wrong: Mutex<Wrong>,
}

/// What is wrong with a cable.
#[derive(Debug, Default)]
struct Wrong {
    cut: bool,
    /// Percent of the frames.
    loss: u8,
    delay: Option<Delay>,
}

impl Cable {
    pub(crate) fn new(anchor: Pid, name: impl Into<String>, number: u32) -> Self {
        Cable {
            anchor,
            name: name.into(),
            number,
            wrong: Mutex::default(),
        }
    }

    /// Its end at the bridge.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Plugs an end that is new into what it leads to, as far as it is not cut.
    pub(crate) fn plug(&self) -> Result<(), LabError> {
        let wrong = self.lock();
        let (name, state) = (&self.name, if wrong.cut { "down" } else { "up" });
        let to = if wrong.delay.is_some() {
            self.between()
        } else {
            BRIDGE.to_owned()
        };
        self.script(&format!("ip link set {name} master {to} {state}"))
    }

    /// Pulls it. Open connections notice nothing until they send.
    ///
    /// # Errors
    /// When the lab's network cannot be entered.
    pub fn cut(&self) -> Result<(), LabError> {
        let mut wrong = self.lock();
        self.script(&format!("ip link set {} down", self.name))?;
        wrong.cut = true;
        Ok(())
    }

    /// Whether nothing comes through.
    pub(crate) fn is_cut(&self) -> bool {
        let wrong = self.lock();
        wrong.cut || wrong.loss == 100
    }

    /// Mends it: it is plugged in, quick, and loses nothing.
    ///
    /// # Errors
    /// When the lab's network cannot be entered.
    pub fn heal(&self) -> Result<(), LabError> {
        self.delay(Duration::ZERO)?;
        self.lose(0)?;
        let mut wrong = self.lock();
        self.script(&format!("ip link set {} up", self.name))?;
        wrong.cut = false;
        Ok(())
    }

    /// Makes every frame take this long in each direction; nothing ends it.
    ///
    /// # Errors
    /// When the lab's network cannot be entered, or the kernel has no TAP interfaces.
    pub fn delay(&self, way: Duration) -> Result<(), LabError> {
        let mut wrong = self.lock();
        let (name, between) = (&self.name, self.between());
        let (near, far) = (format!("x{}", self.number), format!("y{}", self.number));
        match &wrong.delay {
            Some(delay) if !way.is_zero() => {
                delay.set(way);
                return Ok(());
            }
            None if way.is_zero() => return Ok(()),
            Some(_) => {
                // A host that is off has no cable.
                self.script(&format!(
                    "ip link set {name} master {BRIDGE} 2> /dev/null
                     set -e; ip link del {near}; ip link del {far}; ip link del {between}"
                ))?;
                wrong.delay = None;
            }
            None => {
                let delay = Delay::between(self.anchor, &near, &far, way)?;
                self.script(&format!(
                    "set -e; ip link add {between} type bridge mcast_snooping 0
                     for tap in {near} {far}; do
                       ip link set $tap txqueuelen 4000
                       echo 1 > /proc/sys/net/ipv6/conf/$tap/disable_ipv6 || true
                     done 2> /dev/null
                     ip link set {near} master {between} up; ip link set {far} master {BRIDGE} up
                     ip link set {between} up
                     [ ! -e /proc/sys/net/ipv4/conf/{name} ] || ip link set {name} master {between}"
                ))?;
                wrong.delay = Some(delay);
            }
        }
        Ok(())
    }

    /// Loses this share of the frames, at random, in both directions; 0 ends it.
    ///
    /// # Errors
    /// When the rule cannot be set.
    pub fn lose(&self, percent: u8) -> Result<(), LabError> {
        let mut wrong = self.lock();
        if percent == wrong.loss {
            return Ok(());
        }
        if !machine::has(machine::NFT.program) {
            return Err(LabError::Missing(vec![machine::NFT]));
        }
        let cable = &self.name;
        let mut script = format!("nft delete table bridge {cable} 2> /dev/null; set -e\n");
        if percent > 0 {
            script.push_str(&format!("nft add table bridge {cable}\n"));
            // What passes a bridge from port to port is forwarded: both directions go through this hook.
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
        self.script(&script)?;
        wrong.loss = percent;
        Ok(())
    }

    /// What is wrong with it, in words.
    pub fn faults(&self) -> Vec<String> {
        let wrong = self.lock();
        let mut words = Vec::new();
        if wrong.cut {
            words.push("cut".to_owned());
        }
        if let Some(delay) = &wrong.delay {
            words.push(format!("delay {} ms", delay.way().as_millis()));
        }
        if wrong.loss > 0 {
            words.push(format!("loss {} %", wrong.loss));
        }
        words
    }

    /// The bridge between a slow cable and its delay.
    fn between(&self) -> String {
        format!("r{}", self.number)
    }

    fn script(&self, text: &str) -> Result<(), LabError> {
        inside(self.anchor, text)
    }

    fn lock(&self) -> MutexGuard<'_, Wrong> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
