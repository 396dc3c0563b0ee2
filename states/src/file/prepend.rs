//! `file.prepend`: lines at the beginning of a file.

use super::append::{self, End};
use crate::{Call, Host, Plan, Spec, State, Stop, Undo};

/// `file.prepend`.
#[derive(Debug)]
pub struct Prepend;

static SPEC: Spec = Spec {
    state: "file",
    fun: "prepend",
    doc: "Make sure that some lines are in a file, adding those that are missing at its beginning.\n\nThe file is made when \
          it is not there. With `header: True` they must be the first lines of the file.",
    params: append::PREPEND,
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Prepend {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        append::extend(call, host, End::Before)
    }
}
