//! What every stage needs: console, watchdog, arguments. And the one way in which a stage runs.

use coracle_contract::marker::Marker;
use coracle_contract::paths;

use crate::arguments::Arguments;
use crate::console::Console;
use crate::error::{Error, Result};
use crate::fault::{Fault, Kind};
use crate::stages::{Part, Stage};
use crate::storage::fill::fill;
use crate::wait::{self, Moment};
use crate::watchdog::Watchdog;

/// The state that the startup chain carries from stage to stage.
#[derive(Debug)]
pub(crate) struct Context {
    /// Messages and markers.
    pub(crate) console: Console,
    /// The watchdog, or its absence.
    pub(crate) watchdog: Watchdog,
    /// The kernel command line.
    pub(crate) arguments: Arguments,
    /// Whether faults and probes are honoured: the slot (or, before its footer is read, every key of the initrd) is a
    /// development one.
    pub(crate) development: bool,
}

/// A stage that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Where.
    pub(crate) stage: Stage,
    /// Why.
    pub(crate) error: Error,
}

/// Result of a startup chain.
pub(crate) type Chain<T> = std::result::Result<T, Failure>;

impl Context {
    /// Runs one stage: its work, food for the watchdog, its marker, and its fault if one is asked for.
    pub(crate) fn stage<T>(&mut self, stage: Stage, work: impl FnOnce(&mut Self) -> Result<T>) -> Chain<T> {
        let outcome = work(self).map_err(|error| Failure { stage, error })?;
        self.end_of(stage);
        Ok(outcome)
    }

    /// The end of a stage whose work was done elsewhere.
    pub(crate) fn end_of(&mut self, stage: Stage) {
        self.watchdog.feed();
        let part = match stage.part() {
            Part::Initrd => "initrd",
            Part::System => "system",
        };
        let marker = Marker::new("stage").with("name", stage.name()).with("at-ms", Moment::now().0);
        self.console.marker(&marker.with("part", part));
        if let Some(kind) = self.fault().and_then(|fault| fault.at_end_of(stage)) {
            self.inject(kind, stage);
        }
    }

    /// The requested fault, if this slot may have one.
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.arguments.fault.filter(|_| self.development)
    }

    /// Prints a failure that does not stop the boot.
    pub(crate) fn warn(&mut self, error: &Error) {
        self.console.say(&format!("warning: {}", crate::error::chain(error)));
    }

    fn inject(&mut self, kind: Kind, stage: Stage) {
        self.console.marker(&Marker::new("fault").with("kind", kind.name()).with("stage", stage.name()));
        match kind {
            Kind::Hang => wait::hang(),
            Kind::Crash => exit_like_a_crash(),
            Kind::Fill => {
                let mount_point = if stage == Stage::State { paths::STATE } else { paths::DATA };
                if let Err(error) = fill(mount_point) {
                    self.warn(&error);
                }
            }
        }
    }
}

/// The end of PID 1 is a kernel panic, which is what the fault is for.
#[expect(clippy::exit, clippy::disallowed_methods, reason = "a fault for tests: PID 1 has to end without unwinding")]
fn exit_like_a_crash() {
    std::process::exit(99);
}
