//! What a container is made from, as an OCI runtime specification. Nothing in here does any input or output.
//!
//! Every member is set explicitly: the types' own defaults (`noNewPrivileges`, `sh`, three capabilities, resources) are
//! not those of Kubernetes. Limits are not in it, they are [`resources`] for whoever writes control groups.

mod capabilities;
mod command;
pub mod dns;
mod expand;
pub mod hostname;
pub mod hosts;
mod image;
pub(crate) mod mounts;
pub mod oom;
mod process;
pub mod resources;
pub mod seccomp;
pub(crate) mod security;
pub mod user;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use coracle_apimachinery::Value;
use coracle_client::object;
use oci_spec::runtime::{Linux, LinuxDevice, LinuxNamespace, LinuxNamespaceType, LinuxSeccomp, Mount, Root, Spec};

pub(crate) use capabilities::capabilities;
pub(crate) use expand::expand as expand_references;
pub use image::ImageConfig;
pub use mounts::Shared;
pub use process::process;

/// The version of the specification that is written.
const VERSION: &str = "1.2.0";

/// What a container is made from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The pod.
    pub pod: &'a Value,
    /// The container's entry in the pod's spec.
    pub container: &'a Value,
    /// What its image says.
    pub image: &'a ImageConfig,
    /// Its environment with references resolved.
    pub env: &'a [(String, String)],
    /// Whom it runs as.
    pub user: &'a user::Identity,
    /// The name that the kernel is told.
    pub hostname: &'a str,
    /// Mounts of its volumes, and others that stand behind the pod's own.
    pub mounts: &'a [Mount],
    /// What the pod's containers share.
    pub shared: &'a Shared,
    /// Where its namespaces are.
    pub namespaces: &'a Namespaces,
    /// Its root.
    pub rootfs: &'a Path,
    /// Its control group, absolute below the mount point.
    pub cgroup: &'a Path,
    /// How readily it is killed for want of memory.
    pub oom_score_adj: i32,
    /// Its filter of system calls.
    pub seccomp: Option<&'a LinuxSeccomp>,
    /// Devices of the host, which a privileged container gets.
    pub devices: &'a [LinuxDevice],
    /// The number of the last capability that the kernel knows.
    pub last_capability: usize,
    /// How many files a process of the machine may open at most.
    pub open_files: u64,
    /// Paths of the machine that are hidden besides the usual ones.
    pub masked: &'a [String],
    /// Notes for whoever reads the specification.
    pub annotations: &'a [(&'a str, &'a str)],
}

/// Where the namespaces of a container are; one without a path is the host's, or for processes its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Network.
    pub network: Option<PathBuf>,
    /// IPC.
    pub ipc: Option<PathBuf>,
    /// Host name.
    pub uts: Option<PathBuf>,
    /// Processes that the pod's containers share.
    pub process: Option<PathBuf>,
}

const MASKED: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];
const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The specification of a container.
///
/// # Errors
/// The pod or its image asks for what cannot be.
pub fn specification(inputs: &Inputs<'_>) -> Result<Spec, String> {
    let mut root = Root::default();
    root.set_path(inputs.rootfs.to_owned()).set_readonly(Some(security::has_readonly_root(inputs.container)));
    let mut mounts = mounts::kernel_mounts(inputs.container);
    mounts.extend(mounts::shared_mounts(inputs.pod, inputs.container, inputs.shared));
    mounts.extend_from_slice(inputs.mounts);
    let annotations: HashMap<String, String> =
        inputs.annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut spec = Spec::default();
    spec.set_version(VERSION.to_owned())
        .set_root(Some(root))
        .set_mounts(Some(mounts))
        .set_process(Some(process(inputs)?))
        // The name stands in the pod's namespace already.
        .set_hostname(None)
        .set_domainname(None)
        .set_hooks(None)
        .set_annotations((!annotations.is_empty()).then_some(annotations))
        .set_linux(Some(linux(inputs)))
        .set_solaris(None)
        .set_windows(None)
        .set_vm(None)
        .set_uid_mappings(None)
        .set_gid_mappings(None);
    Ok(spec)
}

fn linux(inputs: &Inputs<'_>) -> Linux {
    let privileged = security::is_privileged(inputs.container);
    let unmasked = security::own(inputs.container, "procMount").and_then(Value::as_str) == Some("Unmasked");
    let open = privileged || unmasked;
    let own = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    let mut masked = if open { Vec::new() } else { own(&MASKED) };
    if !open {
        masked.extend_from_slice(inputs.masked);
    }
    let propagation = if wants_shared_root(inputs.mounts) { "shared" } else { "slave" };
    let mut linux = Linux::default();
    linux
        .set_net_devices(None)
        .set_uid_mappings(None)
        .set_gid_mappings(None)
        // The pod's settings were made with its namespaces.
        .set_sysctl(None)
        .set_resources(None)
        .set_cgroups_path(Some(inputs.cgroup.to_owned()))
        .set_namespaces(Some(namespaces(inputs, privileged)))
        .set_devices(privileged.then(|| inputs.devices.to_vec()))
        .set_seccomp(inputs.seccomp.cloned())
        .set_rootfs_propagation(Some(propagation.to_owned()))
        .set_masked_paths(Some(masked))
        .set_readonly_paths(Some(if open { Vec::new() } else { own(&READONLY) }))
        .set_mount_label(None)
        .set_intel_rdt(None)
        .set_memory_policy(None)
        .set_personality(None)
        .set_time_offsets(None);
    linux
}

/// A mount that is to be seen on the host needs a root that shares with it.
fn wants_shared_root(mounts: &[Mount]) -> bool {
    mounts.iter().flat_map(|mount| mount.options().iter().flatten()).any(|option| option == "rshared")
}

fn namespaces(inputs: &Inputs<'_>, privileged: bool) -> Vec<LinuxNamespace> {
    let one = |typ, path: Option<&PathBuf>| {
        let mut namespace = LinuxNamespace::default();
        namespace.set_typ(typ).set_path(path.cloned());
        namespace
    };
    let Namespaces { network, ipc, uts, process } = inputs.namespaces;
    let mut all = vec![one(LinuxNamespaceType::Mount, None)];
    for (typ, path) in
        [(LinuxNamespaceType::Network, network), (LinuxNamespaceType::Ipc, ipc), (LinuxNamespaceType::Uts, uts)]
    {
        all.extend(path.as_ref().map(|path| one(typ, Some(path))));
    }
    if !object::flag(inputs.pod, &["spec", "hostPID"]) {
        all.push(one(LinuxNamespaceType::Pid, process.as_ref()));
    }
    if !privileged {
        all.push(one(LinuxNamespaceType::Cgroup, None));
    }
    all
}
