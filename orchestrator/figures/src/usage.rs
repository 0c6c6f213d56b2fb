//! What the kernel has counted for a process.

use std::fs;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::statistics::number;

/// A process as it is now.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// Processor time of all its threads, those that ended included, in milliseconds; in steps of the clock tick.
    pub(crate) cpu: f64,
    /// Resident memory in bytes.
    pub(crate) rss: f64,
    /// Resident memory in bytes, shared pages divided by those who share them.
    pub(crate) pss: f64,
}

impl Usage {
    /// Reads what `/proc` says of a process.
    ///
    /// # Errors
    /// The process has ended, or belongs to another user.
    pub(crate) fn of(process: u32) -> Result<Self> {
        let read = |name: &str| {
            let path = PathBuf::from(format!("/proc/{process}/{name}"));
            fs::read_to_string(&path).map_err(Error::file("read", &path))
        };
        let wrong = |name: &str| Error::format(format!("/proc/{process}/{name}"), "not in the known form");
        let memory = read("smaps_rollup")?;
        let kilobytes = |name| field(&memory, name).ok_or_else(|| wrong("smaps_rollup"));
        let ticks = ticks(&read("stat")?).ok_or_else(|| wrong("stat"))?;
        Ok(Self {
            cpu: number(ticks) * 1000.0 / number(rustix::param::clock_ticks_per_second()),
            rss: number(kilobytes("Rss:")?) * 1024.0,
            pss: number(kilobytes("Pss:")?) * 1024.0,
        })
    }

    /// What several processes use together.
    ///
    /// # Errors
    /// As [`Usage::of`].
    pub(crate) fn of_all(processes: impl IntoIterator<Item = u32>) -> Result<Self> {
        processes.into_iter().try_fold(Self::default(), |sum, process| Ok(sum.plus(Self::of(process)?)))
    }

    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, rss: self.rss + other.rss, pss: self.pss + other.pss }
    }
}

/// utime and stime of `/proc/PID/stat`. The name before them may hold blanks and brackets.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// The number after a name that starts a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 30 0 0 20 0 1 0 99";
        assert_eq!(ticks(stat), Some(280));
        assert_eq!(ticks("7 (a) S 1 2"), None);
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let memory = "55d0-7ffc ---p 00000000 00:00 0 [rollup]\nRss:  884 kB\nPss_Dirty:   1 kB\nPss:   385 kB\n";
        assert_eq!(
            (field(memory, "Rss:"), field(memory, "Pss:"), field(memory, "Swap:")),
            (Some(884), Some(385), None)
        );
    }

    #[test]
    fn this_process_uses_memory() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.pss > 0.0 && usage.rss >= usage.pss, "{usage:?}");
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        assert!(Usage::of(u32::MAX).is_err());
    }
}
