//! The machine that measures, by what decides the numbers and nothing that names it.

use std::fmt;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use crate::error::{Error, Result};

/// A machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Processors that this program may use.
    pub(crate) cores: usize,
    /// Memory in GiB, rounded.
    pub(crate) gibibytes: u64,
}

impl Machine {
    /// This one.
    ///
    /// # Errors
    /// The kernel does not say.
    pub(crate) fn this() -> Result<Self> {
        let path = Path::new("/proc/meminfo");
        let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
        let gibibytes = gibibytes(&text).ok_or_else(|| Error::format("/proc/meminfo", "MemTotal is missing"))?;
        let cores = available_parallelism().map_err(Error::file("count the processors in", Path::new("/proc")))?.get();
        Ok(Self { cores, gibibytes })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} cores with {} GiB of memory", self.cores, self.gibibytes)
    }
}

fn gibibytes(text: &str) -> Option<u64> {
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.split_ascii_whitespace().next()?;
    let kilobytes: u64 = kilobytes.parse().ok()?;
    Some((kilobytes + (1 << 19)) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_rounded() {
        assert_eq!(gibibytes("MemTotal:       24614232 kB\nMemFree: 1 kB\n"), Some(23));
        assert_eq!(gibibytes("MemFree: 1 kB\n"), None);
    }
}
