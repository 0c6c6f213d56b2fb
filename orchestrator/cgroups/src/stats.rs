//! What groups used. Every figure that the kernel does not offer is absent, never an error and never 0: a controller
//! that is off, pressure figures with `psi=0`, a kernel without swap.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::files::keyed;

/// CPU time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cpu {
    /// Microseconds in all.
    pub usage_usec: u64,
    /// Microseconds in programs.
    pub user_usec: u64,
    /// Microseconds in the kernel.
    pub system_usec: u64,
    /// Periods with a quota in force; absent without the controller.
    pub periods: Option<u64>,
    /// Periods in which the quota was used up.
    pub throttled_periods: Option<u64>,
    /// Microseconds of standing still.
    pub throttled_usec: Option<u64>,
}

/// Memory in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// In use, the page cache included.
    pub usage: u64,
    /// In use, without file pages that were not touched for long: what eviction and `kubectl top` look at.
    pub working_set: u64,
    /// `memory.max`; absent for no bound.
    pub limit: Option<u64>,
    /// Most that was ever in use.
    pub peak: Option<u64>,
    /// Swap in use.
    pub swap: Option<u64>,
    /// Anonymous memory, which Kubernetes calls rss.
    pub rss: u64,
    /// Page cache.
    pub cache: u64,
    /// File pages mapped by programs.
    pub mapped_file: u64,
    /// File pages that were not touched for long.
    pub inactive_file: u64,
    /// Page faults.
    pub page_faults: u64,
    /// Page faults that had to read from a disk.
    pub major_page_faults: u64,
}

/// Processes and threads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pids {
    /// How many there are.
    pub current: u64,
    /// `pids.max`; absent for no bound.
    pub limit: Option<u64>,
}

/// Traffic with one block device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IoDevice {
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Bytes discarded.
    pub discarded_bytes: u64,
    /// Read requests.
    pub reads: u64,
    /// Write requests.
    pub writes: u64,
    /// Discard requests.
    pub discards: u64,
}

/// Huge pages of one size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hugetlb {
    /// Bytes in use.
    pub usage: u64,
    /// `hugetlb.SIZE.max`; absent for no bound.
    pub limit: Option<u64>,
}

/// How much time was lost by waiting for a resource.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pressure {
    /// At least one task waited.
    pub some: PressureLine,
    /// All tasks waited; older kernels do not have it for CPU.
    pub full: Option<PressureLine>,
}

/// Shares of time in percent, and the sum.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PressureLine {
    /// Over 10 seconds.
    pub avg10: f64,
    /// Over 60 seconds.
    pub avg60: f64,
    /// Over 300 seconds.
    pub avg300: f64,
    /// Microseconds since the group was made.
    pub total_usec: u64,
}

/// All figures of a group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// CPU time.
    pub cpu: Option<Cpu>,
    /// Memory.
    pub memory: Option<Memory>,
    /// Processes and threads.
    pub pids: Option<Pids>,
    /// Traffic by device.
    pub io: Option<Vec<IoDevice>>,
    /// Huge pages by size, as the kernel names it: `2MB`.
    pub hugetlb: BTreeMap<String, Hugetlb>,
    /// Pressure on CPU.
    pub cpu_pressure: Option<Pressure>,
    /// Pressure on memory.
    pub memory_pressure: Option<Pressure>,
    /// Pressure on disks.
    pub io_pressure: Option<Pressure>,
}

impl Stats {
    /// Asks `read` for the files of a group and understands them.
    pub(crate) fn gather(read: impl Fn(&str) -> Result<Option<String>>, page_sizes: &[String]) -> Result<Self> {
        let number = |file: &str| -> Result<Option<u64>> { Ok(read(file)?.and_then(|text| text.trim().parse().ok())) };
        let pressure = |file: &str| -> Result<Option<Pressure>> { Ok(read(file)?.and_then(|text| pressure(&text))) };
        let memory = match (number("memory.current")?, read("memory.stat")?) {
            (Some(usage), Some(text)) => Some(Memory {
                limit: number("memory.max")?,
                peak: number("memory.peak")?,
                swap: number("memory.swap.current")?,
                ..memory(usage, &text)
            }),
            _ => None,
        };
        let pids = match number("pids.current")? {
            Some(current) => Some(Pids { current, limit: number("pids.max")? }),
            None => None,
        };
        let mut hugetlb = BTreeMap::new();
        for size in page_sizes {
            if let Some(usage) = number(&format!("hugetlb.{size}.current"))? {
                hugetlb.insert(size.clone(), Hugetlb { usage, limit: number(&format!("hugetlb.{size}.max"))? });
            }
        }
        Ok(Self {
            cpu: read("cpu.stat")?.as_deref().and_then(cpu),
            memory,
            pids,
            io: read("io.stat")?.as_deref().map(io),
            hugetlb,
            cpu_pressure: pressure("cpu.pressure")?,
            memory_pressure: pressure("memory.pressure")?,
            io_pressure: pressure("io.pressure")?,
        })
    }
}

fn cpu(text: &str) -> Option<Cpu> {
    Some(Cpu {
        usage_usec: keyed(text, "usage_usec")?,
        user_usec: keyed(text, "user_usec").unwrap_or(0),
        system_usec: keyed(text, "system_usec").unwrap_or(0),
        periods: keyed(text, "nr_periods"),
        throttled_periods: keyed(text, "nr_throttled"),
        throttled_usec: keyed(text, "throttled_usec"),
    })
}

fn memory(usage: u64, text: &str) -> Memory {
    let value = |key| keyed(text, key).unwrap_or(0);
    let inactive_file = value("inactive_file");
    Memory {
        usage,
        working_set: usage.saturating_sub(inactive_file),
        rss: value("anon"),
        cache: value("file"),
        mapped_file: value("file_mapped"),
        inactive_file,
        page_faults: value("pgfault"),
        major_page_faults: value("pgmajfault"),
        ..Memory::default()
    }
}

/// Lines `MAJOR:MINOR KEY=VALUE…`; a device without traffic has no pairs, newer kernels have more of them.
fn io(text: &str) -> Vec<IoDevice> {
    let device = |line: &str| {
        let (number, pairs) = line.split_once(' ')?;
        let (major, minor) = number.split_once(':')?;
        let value = |key: &str| {
            let pair = pairs.split(' ').filter_map(|pair| pair.split_once('=')).find(|pair| pair.0 == key);
            pair.and_then(|pair| pair.1.parse().ok()).unwrap_or(0)
        };
        Some(IoDevice {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
            read_bytes: value("rbytes"),
            written_bytes: value("wbytes"),
            discarded_bytes: value("dbytes"),
            reads: value("rios"),
            writes: value("wios"),
            discards: value("dios"),
        })
    };
    text.lines().filter_map(device).collect()
}

fn pressure(text: &str) -> Option<Pressure> {
    let line = |kind: &str| {
        let pairs = text.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(' '))?;
        let value = |key: &str| pairs.split(' ').filter_map(|pair| pair.split_once('=')).find(|pair| pair.0 == key);
        let share = |key: &str| value(key)?.1.parse::<f64>().ok();
        Some(PressureLine {
            avg10: share("avg10")?,
            avg60: share("avg60")?,
            avg300: share("avg300")?,
            total_usec: value("total")?.1.parse().ok()?,
        })
    };
    Some(Pressure { some: line("some")?, full: line("full") })
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
