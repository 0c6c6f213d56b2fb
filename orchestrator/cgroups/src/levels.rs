//! Which limits a level gets, as kubelet of Kubernetes 1.37 and runc set them on cgroup v2.
//!
//! Values of nothing are written out (`max`, 0), so that taking a limit away from a running pod takes effect.

use std::collections::BTreeMap;

use crate::limits::{Bound, CpuMax, Limits};
use crate::name::Quality;
use crate::weight;

/// What all pods together may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allocatable {
    /// CPU in thousandths.
    pub cpu_millis: Option<u64>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Bytes by size of huge pages.
    pub hugepages: BTreeMap<u64, u64>,
}

/// What a pod asked for, summed over its containers as the scheduler sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodResources {
    /// Quality of service.
    pub quality: Quality,
    /// Requested CPU in thousandths.
    pub cpu_request_millis: u64,
    /// Limit of CPU in thousandths; only when the pod or every container has one.
    pub cpu_limit_millis: Option<u64>,
    /// Limit of memory in bytes; only when the pod or every container has one.
    pub memory_limit: Option<u64>,
    /// Processes and threads that a pod may have on this node.
    pub pids: Option<u64>,
    /// Bytes by size of huge pages.
    pub hugepages: BTreeMap<u64, u64>,
}

/// What a container asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerResources {
    /// Requested CPU in thousandths; the limit, when there is a limit and no request.
    pub cpu_request_millis: u64,
    /// Limit of CPU in thousandths.
    pub cpu_limit_millis: Option<u64>,
    /// Limit of memory in bytes.
    pub memory_limit: Option<u64>,
    /// CPUs of its own.
    pub cpus: Option<String>,
    /// Memory nodes of its own.
    pub memory_nodes: Option<String>,
    /// Bytes by size of huge pages.
    pub hugepages: BTreeMap<u64, u64>,
    /// `singleProcessOOMKill`: out of memory ends one process instead of the container.
    pub single_process_oom_kill: bool,
}

/// `kubepods`.
#[must_use]
pub fn node(allocatable: &Allocatable, page_sizes: &[u64]) -> Limits {
    Limits {
        cpu_weight: allocatable.cpu_millis.map(|millis| weight::of_level(weight::shares(millis))),
        memory_max: allocatable.memory.map(Bound::At),
        memory_min: Some(0),
        memory_low: Some(0),
        pids_max: allocatable.pids.map(Bound::At),
        hugetlb: huge(&allocatable.hugepages, page_sizes),
        ..Limits::default()
    }
}

/// `kubepods/burstable`: a weight for the sum of what its pods requested.
#[must_use]
pub fn burstable(sum_of_requests_millis: u64, page_sizes: &[u64]) -> Limits {
    Limits {
        cpu_weight: Some(weight::of_level(weight::shares(sum_of_requests_millis))),
        memory_low: Some(0),
        hugetlb: unbounded(page_sizes),
        ..Limits::default()
    }
}

/// `kubepods/besteffort`: the least weight there is.
#[must_use]
pub fn best_effort(page_sizes: &[u64]) -> Limits {
    Limits { cpu_weight: Some(1), hugetlb: unbounded(page_sizes), ..Limits::default() }
}

/// A pod.
#[must_use]
pub fn pod(resources: &PodResources, page_sizes: &[u64]) -> Limits {
    let (request, cpu, memory) = match resources.quality {
        Quality::BestEffort => (0, None, None),
        Quality::Burstable | Quality::Guaranteed => {
            (resources.cpu_request_millis, resources.cpu_limit_millis, resources.memory_limit)
        }
    };
    Limits {
        cpu_weight: Some(weight::of_level(weight::shares(request))),
        cpu_max: Some(CpuMax::of_millis(cpu.unwrap_or(0))),
        memory_max: Some(bound(memory)),
        pids_max: Some(bound(resources.pids)),
        hugetlb: huge(&resources.hugepages, page_sizes),
        ..Limits::default()
    }
}

/// A container.
#[must_use]
pub fn container(resources: &ContainerResources, page_sizes: &[u64]) -> Limits {
    Limits {
        cpu_weight: Some(weight::of_container(weight::shares(resources.cpu_request_millis))),
        cpu_max: Some(CpuMax::of_millis(resources.cpu_limit_millis.unwrap_or(0))),
        cpuset_cpus: resources.cpus.clone(),
        cpuset_mems: resources.memory_nodes.clone(),
        memory_min: Some(0),
        memory_low: Some(0),
        memory_max: Some(bound(resources.memory_limit)),
        memory_swap_max: Some(Bound::At(0)),
        memory_oom_group: Some(!resources.single_process_oom_kill),
        hugetlb: huge(&resources.hugepages, page_sizes),
        ..Limits::default()
    }
}

/// Absent and 0 are no bound, as in the API.
fn bound(limit: Option<u64>) -> Bound {
    limit.filter(|limit| *limit > 0).map_or(Bound::Max, Bound::At)
}

/// Huge pages of sizes that nobody asked for are forbidden; a size that the kernel lacks stays in, so that it is refused.
fn huge(asked: &BTreeMap<u64, u64>, page_sizes: &[u64]) -> BTreeMap<u64, Bound> {
    let mut limits: BTreeMap<u64, Bound> = page_sizes.iter().map(|size| (*size, Bound::At(0))).collect();
    limits.extend(asked.iter().map(|(size, bytes)| (*size, Bound::At(*bytes))));
    limits
}

fn unbounded(page_sizes: &[u64]) -> BTreeMap<u64, Bound> {
    page_sizes.iter().map(|size| (*size, Bound::Max)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [u64; 2] = [2 << 20, 1 << 30];

    #[test]
    fn the_node_level_is_bounded_by_what_is_allocatable() {
        let allocatable = Allocatable {
            cpu_millis: Some(2000),
            memory: Some(1 << 30),
            pids: Some(4000),
            hugepages: BTreeMap::from([(2 << 20, 8 << 20)]),
        };
        let limits = node(&allocatable, &SIZES);
        assert_eq!((limits.cpu_weight, limits.cpu_max), (Some(79), None));
        assert_eq!((limits.memory_max, limits.pids_max), (Some(Bound::At(1 << 30)), Some(Bound::At(4000))));
        assert_eq!(limits.hugetlb, BTreeMap::from([(2 << 20, Bound::At(8 << 20)), (1 << 30, Bound::At(0))]));
    }

    #[test]
    fn quality_levels_share_cpu_and_leave_huge_pages_to_the_pods() {
        for (limits, weight) in [
            (burstable(0, &SIZES), 1),
            (burstable(1500, &SIZES), 59),
            (burstable(u64::MAX, &SIZES), 10_000),
            (best_effort(&SIZES), 1),
        ] {
            assert_eq!(limits.cpu_weight, Some(weight));
            assert!(limits.memory_max.is_none());
            assert_eq!(limits.hugetlb.values().collect::<Vec<_>>(), [&Bound::Max, &Bound::Max]);
        }
    }

    #[test]
    fn pods_by_quality() {
        for (quality, cpu, memory, want) in [
            (Quality::Guaranteed, Some(500), Some(1 << 20), (20, "50000 100000", "1048576")),
            (Quality::Burstable, None, None, (20, "max 100000", "max")),
            (Quality::Burstable, Some(1000), None, (20, "100000 100000", "max")),
            (Quality::BestEffort, None, None, (1, "max 100000", "max")),
            // Whatever a caller hands in, a BestEffort pod has no share.
            (Quality::BestEffort, Some(1000), Some(1), (1, "max 100000", "max")),
        ] {
            let resources = PodResources {
                quality,
                cpu_request_millis: 500,
                cpu_limit_millis: cpu,
                memory_limit: memory,
                pids: None,
                hugepages: BTreeMap::new(),
            };
            let limits = pod(&resources, &SIZES);
            let got = (limits.cpu_weight.unwrap(), limits.cpu_max.unwrap(), limits.memory_max.unwrap());
            assert_eq!((got.0, got.1.to_string().as_str(), got.2.to_string().as_str()), want, "{quality:?}");
            assert_eq!((limits.memory_swap_max, limits.memory_oom_group), (None, None), "of containers only");
            assert_eq!(limits.pids_max, Some(Bound::Max));
        }
    }

    #[test]
    fn containers_never_swap_and_die_together() {
        let resources = ContainerResources {
            cpu_request_millis: 500,
            cpu_limit_millis: Some(1000),
            memory_limit: Some(64 << 20),
            hugepages: BTreeMap::from([(1 << 30, 1 << 30)]),
            ..ContainerResources::default()
        };
        let limits = container(&resources, &SIZES);
        assert_eq!(limits.cpu_weight, Some(59));
        assert_eq!(limits.cpu_max, Some(CpuMax::of_millis(1000)));
        assert_eq!(limits.memory_max, Some(Bound::At(64 << 20)));
        assert_eq!(limits.memory_swap_max, Some(Bound::At(0)));
        assert_eq!(limits.memory_oom_group, Some(true));
        assert_eq!(limits.hugetlb, BTreeMap::from([(2 << 20, Bound::At(0)), (1 << 30, Bound::At(1 << 30))]));
        let alone = ContainerResources { single_process_oom_kill: true, ..ContainerResources::default() };
        let limits = container(&alone, &[]);
        assert_eq!((limits.cpu_weight, limits.memory_oom_group), (Some(1), Some(false)));
        assert_eq!((limits.memory_max, limits.cpu_max), (Some(Bound::Max), Some(CpuMax::UNLIMITED)));
    }
}
