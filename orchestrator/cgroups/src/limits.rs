//! What a group is limited to. A member that is absent is left as the kernel has it.

use std::collections::BTreeMap;
use std::fmt;

/// A bound on something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// No bound.
    Max,
    /// At most this.
    At(u64),
}

impl fmt::Display for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => formatter.write_str("max"),
            Self::At(number) => number.fmt(formatter),
        }
    }
}

/// CPU time within each period, both in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuMax {
    /// Time that may be used.
    pub quota: Bound,
    /// Length of a period.
    pub period: u64,
}

/// Limits of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// `cpu.weight`, 1 to 10000.
    pub cpu_weight: Option<u64>,
    /// `cpu.max`.
    pub cpu_max: Option<CpuMax>,
    /// `cpuset.cpus`, a list such as `0-2,5`.
    pub cpuset_cpus: Option<String>,
    /// `cpuset.mems`, a list of memory nodes.
    pub cpuset_mems: Option<String>,
    /// `memory.min`: memory that is never reclaimed.
    pub memory_min: Option<u64>,
    /// `memory.low`: memory that is reclaimed last.
    pub memory_low: Option<u64>,
    /// `memory.high`: from here on the group is slowed down.
    pub memory_high: Option<Bound>,
    /// `memory.max`.
    pub memory_max: Option<Bound>,
    /// `memory.swap.max`: swap alone, not memory and swap together as in an OCI document.
    pub memory_swap_max: Option<Bound>,
    /// `memory.oom.group`: whether all processes die together.
    pub memory_oom_group: Option<bool>,
    /// `pids.max`.
    pub pids_max: Option<Bound>,
    /// `hugetlb.SIZE.max` (and the same for reservations) by page size in bytes.
    pub hugetlb: BTreeMap<u64, Bound>,
    /// `misc.max` by name of the resource.
    pub misc: BTreeMap<String, Bound>,
}

impl CpuMax {
    /// No quota.
    pub const UNLIMITED: Self = Self { quota: Bound::Max, period: crate::weight::PERIOD };

    /// For a limit in thousandths of a CPU; 0 is none.
    #[must_use]
    pub fn of_millis(millis: u64) -> Self {
        let quota = crate::weight::quota(millis, crate::weight::PERIOD).map_or(Bound::Max, Bound::At);
        Self { quota, period: crate::weight::PERIOD }
    }
}

impl fmt::Display for CpuMax {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.quota, self.period)
    }
}

/// The part of a file's name that stands for a size of huge pages: `2MB`, `1GB`, `64KB`.
pub(crate) fn page_size_name(bytes: u64) -> String {
    match bytes {
        _ if bytes >= 1 << 30 => format!("{}GB", bytes >> 30),
        _ if bytes >= 1 << 20 => format!("{}MB", bytes >> 20),
        _ => format!("{}KB", bytes >> 10),
    }
}

/// The size in the name of a folder of `/sys/kernel/mm/hugepages`: `hugepages-2048kB`.
pub(crate) fn page_size_of_folder(name: &str) -> Option<u64> {
    let kilobytes: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_sizes_have_the_kernels_names() {
        for (folder, name) in [
            ("hugepages-2048kB", "2MB"),
            ("hugepages-1048576kB", "1GB"),
            ("hugepages-64kB", "64KB"),
            ("hugepages-32768kB", "32MB"),
            ("hugepages-16777216kB", "16GB"),
        ] {
            assert_eq!(page_size_name(page_size_of_folder(folder).unwrap()), name, "{folder}");
        }
        for bad in ["", "hugepages-", "hugepages-xkB", "hugepages-2048MB", "hugepages-18446744073709551615kB"] {
            assert_eq!(page_size_of_folder(bad), None, "{bad}");
        }
    }

    #[test]
    fn cpu_time_reads_as_the_kernel_writes_it() {
        assert_eq!(CpuMax::of_millis(1500).to_string(), "150000 100000");
        assert_eq!(CpuMax::of_millis(0).to_string(), "max 100000");
        assert_eq!(CpuMax::of_millis(0), CpuMax::UNLIMITED);
    }
}
