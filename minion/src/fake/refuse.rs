//! What the host in memory refuses before anything changes.

use proto::{Act, Address, MysqlAt, MysqlKind, Problem, ProblemKind, Value};

use super::Fake;

impl Fake {
    fn holds_mount(&self, path: &str) -> bool {
        let top = Address::Path(path.to_owned());
        self.hidden.keys().any(|point| {
            let point = Address::Path(point.clone());
            point == top || crate::undo::below(&point, &top)
        })
    }

    /// Why an assignment cannot be done.
    pub(super) fn refusal(&self, acts: &[Act], at: &Address, to: &Value) -> Option<Problem> {
        let refuse = |text: String| Some(Problem::new(ProblemKind::Refused, text));
        match at {
            Address::Path(path) if !matches!(to, Value::Dir { .. }) && self.holds_mount(path) => {
                refuse(format!("something is mounted at {path} or inside it"))
            }
            Address::Path(path) if !to.is_absent() => {
                let parent = crate::undo::parent(path)?;
                let fine = matches!(self.path(parent), Value::Dir { .. });
                if fine || crate::dry::made(acts, path) {
                    None
                } else {
                    refuse(format!("{parent} is not a directory"))
                }
            }
            Address::Unit(name) if !matches!(self.at(at), Value::Unit(unit) if unit.known) => {
                refuse(format!("The named service {name} is not available"))
            }
            Address::Package(name) if !to.is_absent() && !self.repo.contains_key(name) => {
                refuse(format!("Package {name} not found in the repository."))
            }
            Address::Sysctl(key) if self.at(at).is_absent() || to.is_absent() => {
                refuse(format!("the kernel has no setting {key}"))
            }
            Address::Firewall if to.is_absent() => refuse("rules can only become other rules".to_owned()),
            Address::Mount(path) if !to.is_absent() && !matches!(self.path(path), Value::Dir { .. }) => {
                refuse(format!("{path} is not a directory"))
            }
            Address::Mysql(at) if at.kind == MysqlKind::Grants && !to.is_absent() => {
                let user = Address::Mysql(MysqlAt {
                    kind: MysqlKind::User,
                    ..at.clone()
                });
                let missing = self.at(&user).is_absent();
                missing.then(|| Problem::new(ProblemKind::Refused, format!("there is no {user}")))
            }
            _ => None,
        }
    }
}
