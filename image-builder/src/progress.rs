//! What a build shows while it runs: one line per stage on standard error, bars where the number of steps is known.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows progress on a terminal; off a terminal each stage is one line.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    shown: bool,
}

/// A stage of a known number of steps; disappears when dropped.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Progress {
    /// Progress on standard error.
    #[must_use]
    pub const fn shown() -> Self {
        Self { shown: true }
    }

    /// No output, for tests.
    #[must_use]
    pub const fn silent() -> Self {
        Self { shown: false }
    }

    /// Announces a stage.
    pub fn stage(&self, what: &str) {
        if self.shown {
            eprintln!("==> {what}");
        }
    }

    /// Says something that must not be overlooked.
    pub fn warn(&self, what: &str) {
        if self.shown {
            eprintln!("*** WARNING: {what}");
        }
    }

    /// Announces a stage of `steps` steps.
    #[must_use]
    pub fn counted(&self, what: &str, steps: usize) -> Bar {
        self.stage(&format!("{what} ({steps})"));
        let target = if self.shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style =
            ProgressStyle::with_template("    {bar:40} {pos}/{len}").unwrap_or_else(|_| ProgressStyle::default_bar());
        Bar(ProgressBar::with_draw_target(Some(steps as u64), target).with_style(style))
    }
}

impl Bar {
    /// One step is done.
    pub fn step(&self) {
        self.0.inc(1);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
