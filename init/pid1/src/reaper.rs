//! Reaping by an ownership table: every child that ends is reaped; a known one is reported to its owner, an unknown one
//! (an orphan that the kernel gave to PID 1) is counted.

use std::collections::BTreeMap;

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, wait};

use crate::process::Ended;

/// Who is told when a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The supervision of the orchestrator.
    Orchestrator,
}

/// The processes that PID 1 started and still waits for.
#[derive(Debug, Default)]
pub(crate) struct Table {
    owners: BTreeMap<i32, Owner>,
    orphans: u64,
}

/// A known process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Its owner.
    pub(crate) owner: Owner,
    /// Its process id.
    pub(crate) pid: i32,
    /// How it ended.
    pub(crate) ended: Ended,
}

impl Table {
    /// Remembers a started process.
    pub(crate) fn adopt(&mut self, pid: Pid, owner: Owner) {
        self.owners.insert(pid.as_raw_nonzero().get(), owner);
    }

    /// Orphans reaped so far.
    pub(crate) const fn orphans(&self) -> u64 {
        self.orphans
    }

    /// Books one ended process.
    pub(crate) fn book(&mut self, pid: i32, ended: Ended) -> Option<Report> {
        if let Some(owner) = self.owners.remove(&pid) {
            return Some(Report { owner, pid, ended });
        }
        self.orphans = self.orphans.saturating_add(1);
        None
    }

    /// Reaps everything that has ended. Never blocks.
    pub(crate) fn reap(&mut self) -> Vec<Report> {
        let mut reports = Vec::new();
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if let Some(ended) = Ended::from_status(status) {
                        reports.extend(self.book(pid.as_raw_nonzero().get(), ended));
                    }
                }
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return reports,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_children_are_reported_once_and_orphans_are_counted() {
        let mut table = Table::default();
        table.adopt(Pid::from_raw(7).unwrap(), Owner::Orchestrator);
        let report = Report { owner: Owner::Orchestrator, pid: 7, ended: Ended::Signal(9) };
        assert_eq!(table.book(8, Ended::Code(0)), None);
        assert_eq!(table.book(7, Ended::Signal(9)), Some(report));
        assert_eq!(table.book(7, Ended::Code(0)), None, "a reused id is an orphan");
        assert_eq!(table.orphans(), 2);
    }
}
