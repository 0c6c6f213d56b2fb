//! The groups: each starts what it measures, measures in turn, and ends it.

mod bodies;
mod creates;
mod guest;
mod idle;
mod image;
mod pods;
mod reads;
mod sizes;
mod start;
mod store;
mod updates;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::planes::Setup;
use crate::rows::Group;
use crate::statistics::Series;

/// What was measured of one figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    /// Ours.
    pub(crate) ours: Series,
    /// The peer's.
    pub(crate) peer: Option<Series>,
}

/// Readings by the ids of their figures, and what else is worth telling.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    /// By id.
    pub(crate) by_id: BTreeMap<&'static str, Reading>,
    /// The processes of both control planes at idle, one a line.
    pub(crate) processes: Vec<Process>,
}

/// A process at idle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Process {
    /// Its name.
    pub(crate) name: &'static str,
    /// Proportional and resident memory in MB, and CPU-ms in five minutes.
    pub(crate) pss: f64,
    /// Resident memory in MB.
    pub(crate) rss: f64,
    /// CPU-ms in the measured span.
    pub(crate) cpu: f64,
}

/// How long and how often is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// One repetition of a load.
    pub(crate) span: Duration,
    /// Repetitions.
    pub(crate) repetitions: u32,
    /// From the start of both control planes until they count as idle.
    pub(crate) settle: Duration,
    /// One of the five windows of idleness.
    pub(crate) window: Duration,
    /// Pods that are listed.
    pub(crate) pods: u64,
}

impl Pace {
    /// The pace of `make figures`.
    pub(crate) const FULL: Self = Self {
        span: Duration::from_secs(2),
        repetitions: 5,
        settle: Duration::from_secs(120),
        window: Duration::from_secs(60),
        pods: 5_000,
    };

    /// For work on this program: its numbers mean nothing.
    pub(crate) const QUICK: Self = Self {
        span: Duration::from_millis(300),
        repetitions: 2,
        settle: Duration::from_secs(5),
        window: Duration::from_secs(2),
        pods: 300,
    };
}

/// Everything that groups need.
#[derive(Debug)]
pub(crate) struct Bench {
    /// Executables and folders.
    pub(crate) setup: Setup,
    /// How long and how often.
    pub(crate) pace: Pace,
    /// Folder of the image builder's output for x86_64-vm.
    pub(crate) image: PathBuf,
    /// The file that `make guest-figures` writes.
    pub(crate) guest: PathBuf,
}

impl Bench {
    /// Measures a group.
    ///
    /// # Errors
    /// Something cannot be started or measured.
    pub(crate) async fn measure(&self, group: Group, readings: &mut Readings) -> Result<()> {
        match group {
            Group::Sizes => sizes::measure(self, readings),
            Group::Image => image::measure(self, readings),
            Group::Start => start::measure(self, readings).await,
            Group::Idle => idle::measure(self, readings).await,
            Group::Reads => reads::measure(self, readings).await,
            Group::Creates => creates::measure(self, readings).await,
            Group::Store => store::measure(self, readings).await,
            Group::Updates => updates::measure(self, readings).await,
            Group::Pods => pods::measure(self, readings).await,
            Group::Guest => guest::measure(self, readings),
        }
    }
}

impl Readings {
    /// Takes the repetitions of a figure, ours and its peer's.
    ///
    /// # Errors
    /// One is empty or holds what is no number.
    pub(crate) fn put(&mut self, id: &'static str, ours: Vec<f64>, peer: Vec<f64>) -> Result<()> {
        let series = |values| Series::new(values).ok_or(Error::Unread(id));
        self.by_id.insert(id, Reading { ours: series(ours)?, peer: Some(series(peer)?) });
        Ok(())
    }

    /// Takes the repetitions of a figure without a peer.
    ///
    /// # Errors
    /// As [`Readings::put`].
    pub(crate) fn put_alone(&mut self, id: &'static str, ours: Vec<f64>) -> Result<()> {
        let ours = Series::new(ours).ok_or(Error::Unread(id))?;
        self.by_id.insert(id, Reading { ours, peer: None });
        Ok(())
    }
}

/// The repetitions of a measurement on ours and on the peer.
#[derive(Debug, Default)]
struct Both([Vec<f64>; 2]);

impl Both {
    /// Takes a value of one side: 0 is ours.
    fn push(&mut self, side: usize, value: f64) {
        if let Some(values) = self.0.get_mut(side) {
            values.push(value);
        }
    }

    fn put(self, readings: &mut Readings, id: &'static str) -> Result<()> {
        let [ours, peer] = self.0;
        readings.put(id, ours, peer)
    }
}

const MEGA: f64 = 1e6;
