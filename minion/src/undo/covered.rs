//! Paths below a mount: while something is mounted over them they cannot be seen.

use std::collections::BTreeMap;

use proto::{Address, Value};

use super::{Fold, Touched, below};

impl Fold {
    /// Whether something that goes again is mounted over a path we had touched before: what is seen there now is not
    /// what we touched.
    pub(super) fn covered(&self, touched: &Touched, live: &BTreeMap<Address, Value>) -> bool {
        self.touched.iter().any(|mount| {
            let Address::Mount(point) = &mount.ours.at else {
                return false;
            };
            let top = Address::Path(point.clone());
            (touched.ours.at == top || below(&touched.ours.at, &top))
                && touched.first < mount.first
                && mount.ours.before.is_absent()
                && live.get(&mount.ours.at).is_some_and(|there| !there.is_absent())
        })
    }
}
