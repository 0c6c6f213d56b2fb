//! Counters and states that the kernel announces.

use crate::files::keyed;

/// `memory.events`: how often the group and everything below it came to its bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryEvents {
    /// Memory under `memory.low` was reclaimed.
    pub low: u64,
    /// `memory.high` was passed.
    pub high: u64,
    /// `memory.max` was reached.
    pub max: u64,
    /// An allocation was about to fail.
    pub oom: u64,
    /// Processes that were killed for want of memory.
    pub oom_kill: u64,
    /// Times that all processes were killed together for want of memory.
    pub oom_group_kill: u64,
}

/// `cgroup.events`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupEvents {
    /// Live processes are in the group or below it.
    pub populated: bool,
    /// The group is frozen.
    pub frozen: bool,
}

impl MemoryEvents {
    /// Reads the file's text; counters that an older kernel lacks are 0.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let count = |key| keyed(text, key).unwrap_or(0);
        Self {
            low: count("low"),
            high: count("high"),
            max: count("max"),
            oom: count("oom"),
            oom_kill: count("oom_kill"),
            oom_group_kill: count("oom_group_kill"),
        }
    }

    /// Whether something was killed since `before`. An event also comes for `max` and `high`, which are no deaths.
    #[must_use]
    pub fn killed_since(&self, before: &Self) -> bool {
        self.oom_kill > before.oom_kill || self.oom_group_kill > before.oom_group_kill
    }
}

impl GroupEvents {
    /// Reads the file's text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { populated: keyed(text, "populated") == Some(1), frozen: keyed(text, "frozen") == Some(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_name() {
        let text = "low 1\nhigh 2\nmax 30\noom 4\noom_kill 5\noom_group_kill 6\nnew_one 7\n";
        let want = MemoryEvents { low: 1, high: 2, max: 30, oom: 4, oom_kill: 5, oom_group_kill: 6 };
        assert_eq!(MemoryEvents::parse(text), want);
        assert_eq!(MemoryEvents::parse("oom_kill 18446744073709551616\n\0"), MemoryEvents::default());
    }

    #[test]
    fn only_deaths_are_deaths() {
        let before = MemoryEvents { oom_kill: 3, ..MemoryEvents::default() };
        assert!(!MemoryEvents { max: 9, oom: 2, oom_kill: 3, ..before }.killed_since(&before));
        assert!(MemoryEvents { oom_kill: 4, ..before }.killed_since(&before));
        assert!(MemoryEvents { oom_group_kill: 1, ..before }.killed_since(&before));
    }

    #[test]
    fn states_are_read() {
        let parse = GroupEvents::parse;
        assert_eq!(parse("populated 1\nfrozen 0\n"), GroupEvents { populated: true, frozen: false });
        assert_eq!(parse("populated 0\nfrozen 1\n"), GroupEvents { populated: false, frozen: true });
        assert_eq!(parse(""), GroupEvents::default());
    }
}
