//! From limits to writes: `plan(desired, current) -> writes`, without touching a file.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};
use crate::files;
use crate::hierarchy::{Controllers, Mode};
use crate::limits::{Bound, Limits, page_size_name};

/// One write(2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The file in the group's folder.
    pub file: String,
    /// What is written.
    pub value: String,
}

/// What has to be written, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Writes for what differs.
    pub writes: Vec<Write>,
    /// Settings that cannot be made here and are no promise to anybody: see [`plan`].
    pub left_out: Vec<Write>,
}

/// What [`crate::Group::apply`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Files that were written.
    pub written: usize,
    /// As [`Plan::left_out`].
    pub left_out: Vec<Write>,
}

/// Texts of the files that limits touch; a file that the kernel lacks is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Current(BTreeMap<String, String>);

impl Current {
    /// From texts.
    #[must_use]
    pub fn new<const N: usize>(files: [(&str, &str); N]) -> Self {
        Self(files.into_iter().map(|(file, text)| (file.to_owned(), text.to_owned())).collect())
    }

    /// Reads what `limits` touch from the group at `path`.
    ///
    /// # Errors
    /// A limit is nonsense, or a file exists and cannot be read.
    pub(crate) fn read(path: &Path, limits: &Limits) -> Result<Self> {
        let mut texts = BTreeMap::new();
        for setting in settings(limits)? {
            if let Some(text) = files::read(&path.join(&setting.file))? {
                texts.insert(setting.file, text);
            }
        }
        Ok(Self(texts))
    }
}

/// How bad it is when a setting cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Somebody was promised this cap.
    Promise,
    /// A share, a protection or a cap of nothing: where the tree has no such thing it changes nothing that a user asked
    /// for.
    Share,
}

struct Setting {
    file: String,
    value: String,
    controller: &'static str,
    need: Need,
}

/// Decides which files of a group have to be written so that it has the `desired` limits.
///
/// A cap (`cpu.max` with a quota, `memory.max`, `pids.max`, a CPU set, …) that cannot be set is refused. A share or a cap
/// of nothing (`cpu.weight`, `memory.oom.group`, `memory.swap.max` = 0, no bound) is what a node sets for pods that asked
/// for nothing: without its controller it goes to [`Plan::left_out`], so that the caller can say so.
///
/// # Errors
/// A limit is nonsense, or a cap cannot be set: the mode has no limits, or the controller or the file is missing.
pub fn plan(desired: &Limits, current: &Current, mode: Mode, controllers: &Controllers) -> Result<Plan> {
    let mut plan = Plan::default();
    for Setting { file, value, controller, need } in settings(desired)? {
        let present = current.0.get(&file);
        if mode == Mode::Full && controllers.has(controller) && present.is_some() {
            if !present.is_some_and(|text| text.lines().any(|line| line.trim_end() == value)) {
                plan.writes.push(Write { file, value });
            }
        } else if need == Need::Promise {
            return Err(match mode {
                Mode::GroupOnly => Error::GroupOnly { file, value },
                Mode::Full if controllers.has(controller) => Error::NoFile { file, value },
                Mode::Full => Error::NoController { file, value, controller: controller.to_owned() },
            });
        } else if !file.contains(".rsvd.") {
            // A reservation is guarded by its sibling, of which something is said; older kernels lack it.
            plan.left_out.push(Write { file, value });
        }
    }
    Ok(plan)
}

/// Every setting of `limits`, checked, in the order in which they are written: swap before memory, so that a lower
/// `memory.max` never pushes pages into swap that is about to be forbidden.
fn settings(limits: &Limits) -> Result<Vec<Setting>> {
    let mut list = Vec::new();
    let mut add = |file: &str, value: String, controller: &'static str, need: Need| {
        list.push(Setting { file: file.to_owned(), value, controller, need });
    };
    if let Some(weight) = limits.cpu_weight {
        check("cpu.weight", (1..=10_000).contains(&weight), "a weight lies between 1 and 10000")?;
        add("cpu.weight", weight.to_string(), "cpu", Need::Share);
    }
    if let Some(max) = limits.cpu_max {
        check("cpu.max", (1_000..=1_000_000).contains(&max.period), "a period lies between 1000 and 1000000")?;
        check("cpu.max", !matches!(max.quota, Bound::At(..1_000)), "a quota is at least 1000")?;
        add("cpu.max", max.to_string(), "cpu", cap(max.quota));
    }
    for (file, list) in [("cpuset.cpus", &limits.cpuset_cpus), ("cpuset.mems", &limits.cpuset_mems)] {
        if let Some(list) = list {
            check(file, is_list(list), "a list has the form 0-2,5")?;
            add(file, list.clone(), "cpuset", Need::Promise);
        }
    }
    for (file, bytes) in [("memory.min", limits.memory_min), ("memory.low", limits.memory_low)] {
        if let Some(bytes) = bytes {
            add(file, bytes.to_string(), "memory", if bytes == 0 { Need::Share } else { Need::Promise });
        }
    }
    if let Some(high) = limits.memory_high {
        add("memory.high", high.to_string(), "memory", cap(high));
    }
    if let Some(swap) = limits.memory_swap_max {
        // A kernel without swap has no such file, and then nothing swaps.
        let need = if matches!(swap, Bound::At(1..)) { Need::Promise } else { Need::Share };
        add("memory.swap.max", swap.to_string(), "memory", need);
    }
    if let Some(max) = limits.memory_max {
        add("memory.max", max.to_string(), "memory", cap(max));
    }
    if let Some(together) = limits.memory_oom_group {
        add("memory.oom.group", u8::from(together).to_string(), "memory", Need::Share);
    }
    if let Some(max) = limits.pids_max {
        // A group that may hold no process is of no use; runtimes read 0 as 1, too.
        let max = if max == Bound::At(0) { Bound::At(1) } else { max };
        add("pids.max", max.to_string(), "pids", cap(max));
    }
    for (&size, &max) in &limits.hugetlb {
        let name = page_size_name(size);
        let is_size = size >= 1024 && size.is_power_of_two();
        check(&format!("hugetlb.{name}.max"), is_size, "a page size is a power of two")?;
        let need = if matches!(max, Bound::At(1..)) { Need::Promise } else { Need::Share };
        add(&format!("hugetlb.{name}.max"), max.to_string(), "hugetlb", need);
        add(&format!("hugetlb.{name}.rsvd.max"), max.to_string(), "hugetlb", Need::Share);
    }
    for (name, max) in &limits.misc {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        check("misc.max", !name.is_empty() && name.bytes().all(known), "a resource's name has letters, digits and _")?;
        add("misc.max", format!("{name} {max}"), "misc", cap(*max));
    }
    Ok(list)
}

fn cap(bound: Bound) -> Need {
    if bound == Bound::Max { Need::Share } else { Need::Promise }
}

fn check(file: &str, holds: bool, reason: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::BadLimit { file: file.to_owned(), reason: reason.to_owned() }) }
}

/// `0-2,5`: ranges of numbers, bounded so that no text of megabytes reaches the kernel.
fn is_list(list: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    list.len() <= 4096
        && list.split(',').all(|range| match range.split_once('-') {
            None => number(range).is_some(),
            Some((first, last)) => matches!((number(first), number(last)), (Some(first), Some(last)) if first <= last),
        })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
