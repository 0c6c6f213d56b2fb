//! Names of the cgroup v2 tree, relative to its mount point. Frozen: monitoring and a newer OS version read them.

/// Mount point of the cgroup v2 hierarchy.
pub const ROOT: &str = "/sys/fs/cgroup";

/// PID 1 and its short-lived helpers.
pub const INIT: &str = "init";

/// The orchestrator process.
pub const ORCHESTRATOR: &str = "orchestrator";

/// DNS and ingress, separate so that their load starves neither the orchestrator nor PID 1.
pub const DATAPLANE: &str = "dataplane";

/// All pods, below the name that kubelet's cgroupfs driver uses.
pub const PODS: &str = "kubepods";

/// Below [`PODS`]: pods of quality of service Burstable. Guaranteed pods lie directly in [`PODS`].
pub const BURSTABLE: &str = "burstable";

/// Below [`PODS`]: pods of quality of service BestEffort.
pub const BEST_EFFORT: &str = "besteffort";

/// Below [`PODS`]: all shims, outside the limits of their pods.
pub const SHIMS: &str = "shims";

/// Before the UID in the name of a pod's group.
pub const POD_PREFIX: &str = "pod";

/// Every top-level group, in the order in which PID 1 makes them.
pub const ALL: [&str; 4] = [INIT, ORCHESTRATOR, DATAPLANE, PODS];

/// Controllers that PID 1 enables for the top-level groups. One that the kernel lacks is reported and left out.
pub const CONTROLLERS: [&str; 6] = ["cpuset", "cpu", "io", "memory", "hugetlb", "pids"];
