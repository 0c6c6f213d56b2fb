//! What becomes of an event: a new object, a change of one, or nothing.

use std::time::Duration;

use coracle_apimachinery::Value;

use super::counted::Counted;
use super::series::Series;
use crate::event::{Event, NORMAL, WARNING};

/// Entries that each memory of a correlator holds.
pub(super) const LIMIT: usize = 4096;

/// How a component writes events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Style {
    /// As the core group knows them: with a source and a count. All but the scheduler do so.
    Core {
        /// The component.
        component: String,
        /// The node that it runs on; may be empty.
        host: String,
    },
    /// As `events.k8s.io` knows them: with a time in microseconds and a series.
    New {
        /// The controller that reports, such as `default-scheduler`.
        controller: String,
        /// Which one of them; not empty.
        instance: String,
    },
}

/// The time of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds since the Unix epoch; no two events may have the same, as it makes their names differ.
    pub unix_nanos: u64,
    /// Time by a clock that is never set.
    pub since_start: Duration,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Make an event.
    Create(Value),
    /// Change an event.
    Patch {
        /// The event as it will be, to be made anew if it is gone.
        event: Value,
        /// The change.
        patch: Value,
    },
    /// Nothing: too many, or counted only.
    Drop,
}

/// Remembers events that were told and decides what becomes of new ones.
#[derive(Debug)]
pub struct Correlator(Memory);

#[derive(Debug)]
enum Memory {
    Counted(Box<Counted>),
    Series(Box<Series>),
}

impl Correlator {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self(match style {
            Style::Core { component, host } => Memory::Counted(Box::new(Counted::new(component, host))),
            Style::New { controller, instance } => Memory::Series(Box::new(Series::new(controller, instance))),
        })
    }

    /// What becomes of an event.
    pub fn decide(&mut self, event: &Event, now: Now) -> Decision {
        if event.kind != NORMAL && event.kind != WARNING {
            return Decision::Drop;
        }
        match &mut self.0 {
            Memory::Counted(counted) => counted.decide(event, now),
            Memory::Series(series) => series.decide(event, now),
        }
    }

    /// When [`Correlator::due`] has to be asked, by the clock that is never set.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        match &self.0 {
            Memory::Counted(_) => None,
            Memory::Series(series) => series.next_due(),
        }
    }

    /// What is to be written because time has passed: the counts of series.
    pub fn due(&mut self, since_start: Duration) -> Vec<Decision> {
        match &mut self.0 {
            Memory::Counted(_) => Vec::new(),
            Memory::Series(series) => series.due(since_start),
        }
    }
}
