//! The Node object of a machine and its lease, as a kubelet 1.37 registers and keeps them.
//!
//! [`plan_node`] and [`plan_lease`] decide from what the API has; nothing in here does any input or output. The taint
//! `node.kubernetes.io/not-ready` of a new node comes from admission, the pod CIDR from the address controller.

mod capacity;
mod conditions;
mod lease;
mod plan;

pub use lease::{LEASE_NAMESPACE, LEASE_SECONDS, RENEW_AFTER, plan_lease};
pub use plan::{News, Plan, REPORT_AFTER, plan_node, schedulable_news};

use coracle_apimachinery::{Key, Object, Value};

/// What a machine says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// The name of the node.
    pub name: String,
    /// The name of the host; the same as the node's for most.
    pub hostname: String,
    /// Its addresses, the primary one first.
    pub addresses: Vec<String>,
    /// The architecture as Go names it, for example `amd64`.
    pub architecture: String,
    /// The version of the kernel.
    pub kernel_version: String,
    /// The name of the system.
    pub os_image: String,
    /// The runtime with its scheme, for example `coracle://0.1.0`.
    pub container_runtime_version: String,
    /// The version that is reported as the kubelet's.
    pub kubelet_version: String,
    /// `/etc/machine-id` or what stands for it.
    pub machine_id: String,
    /// The firmware's id of the machine.
    pub system_uuid: String,
    /// The kernel's id of this boot.
    pub boot_id: String,
    /// Number of processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of memory that pods cannot have. The kubelet holds back 100 MiB if nothing else is configured.
    pub memory_reserved: u64,
    /// Bytes for images, writable layers and logs.
    pub storage: u64,
    /// Bytes of these that pods cannot have. The kubelet holds back a tenth if nothing else is configured.
    pub storage_reserved: u64,
    /// Bytes of swap.
    pub swap: u64,
    /// Sizes of huge pages as resources name them (`2Mi`) and bytes set aside for each.
    pub huge_pages: Vec<(String, u64)>,
    /// How many pods it takes.
    pub pods: u32,
    /// The port of the node's own API; 0 for none.
    pub port: u16,
    /// More labels than those that every node has.
    pub labels: Vec<(String, String)>,
    /// Taints that a new node registers with.
    pub taints: Vec<Taint>,
    /// What the node declares beyond what every node of this version does.
    pub declared_features: Vec<String>,
    /// Whether the runtime knows `supplementalGroupsPolicy`, where it says.
    pub supplemental_groups_policy: Option<bool>,
    /// What the node lacks.
    pub pressure: Pressure,
    /// Why it cannot run pods now; empty when it can.
    pub problems: Vec<String>,
    /// Conditions of this kind of machine, beyond those that every node has.
    pub conditions: Vec<OwnCondition>,
}

/// What keeps pods away that do not tolerate it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value; may be empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// A condition that only this kind of machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCondition {
    /// Its type, for example `ConfigInvalid`.
    pub of: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// Machine-readable reason.
    pub reason: &'static str,
    /// Words for people.
    pub message: String,
}

/// What a node lacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Memory.
    pub memory: bool,
    /// Space on the disk.
    pub disk: bool,
    /// Process ids.
    pub pids: bool,
}

/// An object of texts.
fn texts<'a>(members: impl IntoIterator<Item = (&'static str, &'a str)>) -> Object {
    let filled = members.into_iter().filter(|(_, text)| !text.is_empty());
    filled.map(|(name, text)| (Key::Borrowed(name), Value::text(text))).collect()
}
