//! What was broken on purpose is put back: when the check says so, and else when it ends in whatever way.

use super::Trouble;
use crate::report::screen::Screen;

/// Something broken, and how it is put back.
pub(in crate::cli::lab) struct Broken<'a> {
    screen: Screen,
    what: String,
    mend: Option<Box<dyn FnOnce() -> Result<(), Trouble> + 'a>>,
}

impl<'a> Broken<'a> {
    /// `what` is broken now; `mend` puts it back. It must work on a host that is cut off, down or coming up.
    pub(super) fn new(
        screen: Screen,
        what: impl Into<String>,
        mend: impl FnOnce() -> Result<(), Trouble> + 'a,
    ) -> Self {
        Self {
            screen,
            what: what.into(),
            mend: Some(Box::new(mend)),
        }
    }

    /// Puts it back now.
    ///
    /// # Errors
    /// It cannot be put back.
    pub(super) fn mend(mut self) -> Result<(), Trouble> {
        self.mend.take().map_or(Ok(()), |mend| mend())
    }

    /// It was put back in another way.
    pub(super) fn forget(mut self) {
        self.mend = None;
    }
}

impl Drop for Broken<'_> {
    fn drop(&mut self) {
        let Some(mend) = self.mend.take() else {
            return;
        };
        if let Err(Trouble::Said(cause)) = mend() {
            self.screen
                .err(format!("warning: {} could not be put back: {cause}", self.what));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::report::screen::Volume;

    const SCREEN: Screen = Screen {
        json: false,
        color: false,
        volume: Volume::Quiet,
        live: false,
    };

    #[test]
    fn it_is_put_back_once_whatever_happens() {
        let count = Cell::new(0);
        let broken = || {
            Broken::new(SCREEN, "a cable", || {
                count.set(count.get() + 1);
                Ok(())
            })
        };
        assert!(broken().mend().is_ok());
        assert_eq!(count.get(), 1);
        let fails = || -> Result<(), Trouble> {
            let _broken = broken();
            Err("the check failed")?;
            Ok(())
        };
        assert!(fails().is_err());
        assert_eq!(count.get(), 2);
    }
}
