//! The firewall: nftables' whole rule set as `nft` lists it, without counters. It is only ever loaded whole, in one
//! transaction of the kernel, so there is no moment without rules and none with half of them.

use proto::{Address, Change, Command, Fidelity, Meta, Performed, PreImage, Problem, Value};

use super::{Live, as_expected, failed, refused};
use crate::system::Botched;

impl Live {
    /// The rule set, as an object; absent where there is no `nft`.
    pub(crate) fn read_firewall(&self) -> Result<Value, Problem> {
        if !self.has_program("nft") {
            return Ok(Value::Absent);
        }
        let mut text = self.must(&["nft", "-s", "list", "ruleset"])?;
        if !text.is_empty() {
            text.push('\n');
        }
        let content = self.objects.put(text.as_bytes());
        let content =
            content.map_err(|error| refused(format!("cannot keep the firewall's rules: {error}")))?;
        Ok(Value::File {
            content,
            size: text.len() as u64,
            meta: Meta::default(),
        })
    }

    pub(crate) fn observe_firewall(&self, expect: &Value, to: &Value) -> Result<Vec<PreImage>, Problem> {
        let was = self.read_firewall()?;
        as_expected("the firewall", &was, expect, to)?;
        Ok(vec![PreImage {
            at: Address::Firewall,
            was,
            fidelity: Fidelity::Exact,
        }])
    }

    pub(crate) fn assign_firewall(&self, expect: &Value, to: &Value) -> Result<Performed, Box<Botched>> {
        let was = self.read_firewall()?;
        as_expected("the firewall", &was, expect, to)?;
        let Value::File { content, .. } = to else {
            return Err(refused("the firewall's rules can only become other rules").into());
        };
        let rules = self.objects.get(content);
        let rules = rules.map_err(|error| refused(format!("cannot read the firewall's rules: {error}")))?;
        self.must_run(&Command {
            stdin: Some(format!("flush ruleset\n{}", String::from_utf8_lossy(&rules))),
            timeout: Some(60),
            ..Command::program(&["nft", "-f", "-"])
        })?;
        let after = self.read_firewall()?;
        if !after.same(to) {
            return Err(failed(format!(
                "the firewall's rules are not what was loaded: {}",
                super::path::told(&after)
            ))
            .into());
        }
        Ok(Performed {
            changes: vec![Change {
                at: Address::Firewall,
                before: was,
                after,
            }],
            output: None,
        })
    }
}
