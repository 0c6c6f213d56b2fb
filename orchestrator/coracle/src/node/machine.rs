//! What this machine says of itself to the cluster.

use std::fs;
use std::path::Path;

use coracle_agent::node::{Machine, OwnCondition, Taint};
use coracle_configuration::MachineConfiguration;
use rustix::fs::statvfs;
use rustix::system::uname;
use tokio::sync::watch;

use crate::addresses::{Addresses, Changing, change};
use crate::control_plane::Tasks;
use crate::version;

/// Memory that pods cannot have, as the kubelet holds back: 100 MiB.
const MEMORY_RESERVED: u64 = 100 << 20;

/// Pods a node takes, as the kubelet has it.
const PODS: u32 = 110;

/// What is known of the machine before it is looked at.
#[derive(Debug)]
pub(super) struct Read<'a> {
    /// Name of the node.
    pub(super) name: &'a str,
    /// A folder on the file system of images and writable layers.
    pub(super) storage: &'a Path,
    /// What the user says of the node.
    pub(super) configuration: &'a MachineConfiguration,
}

impl Read<'_> {
    /// Reads the facts of this machine. What cannot be read is left empty: a node without a machine id is still a node.
    pub(super) fn machine(&self, addresses: Vec<String>, conditions: Vec<OwnCondition>) -> Machine {
        let kernel = uname();
        let memory = memory(&text("/proc/meminfo"));
        let bytes = statvfs(self.storage).map_or(0, |found| found.f_blocks.saturating_mul(found.f_frsize));
        Machine {
            name: self.name.to_owned(),
            labels: self.configuration.node_labels.clone(),
            taints: taints(&self.configuration.node_taints),
            hostname: kernel.nodename().to_string_lossy().into_owned(),
            addresses,
            architecture: version::go_architecture().to_owned(),
            kernel_version: kernel.release().to_string_lossy().into_owned(),
            os_image: os_image(&text("/etc/os-release")),
            container_runtime_version: concat!("coracle://", env!("CARGO_PKG_VERSION")).to_owned(),
            kubelet_version: version::kubelet(),
            machine_id: text("/etc/machine-id"),
            // As upstream: a machine whose firmware says none is known by its other id.
            system_uuid: first([text("/sys/class/dmi/id/product_uuid"), text("/etc/machine-id")]),
            boot_id: text("/proc/sys/kernel/random/boot_id"),
            cpus: std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX)),
            memory: memory.total,
            memory_reserved: MEMORY_RESERVED,
            storage: bytes,
            storage_reserved: bytes / 10,
            swap: memory.swap,
            huge_pages: huge_pages(Path::new("/sys/kernel/mm/hugepages")),
            pods: PODS,
            conditions,
            ..Machine::default()
        }
    }
}

fn taints(configured: &[coracle_configuration::Taint]) -> Vec<Taint> {
    let taint = |taint: &coracle_configuration::Taint| {
        let coracle_configuration::Taint { key, value, effect } = taint.clone();
        Taint { key, value, effect }
    };
    configured.iter().map(taint).collect()
}

/// The addresses that a node reports: the primary one, as a kubelet does without a cloud.
pub(super) fn texts(addresses: &Addresses) -> Vec<String> {
    addresses.primary.iter().map(ToString::to_string).collect()
}

/// The machine now, and each time its addresses change.
pub(super) fn follow(tasks: &mut Tasks, machine: Machine, mut addresses: Changing) -> watch::Receiver<Machine> {
    let (sender, changing) = watch::channel(machine);
    tasks.spawn(async move {
        loop {
            let now = texts(&addresses.borrow_and_update());
            sender.send_if_modified(|machine| {
                let is_new = machine.addresses != now;
                machine.addresses = now;
                is_new
            });
            change(&mut addresses).await;
        }
    });
    changing
}

/// Bytes of memory and swap.
#[derive(Debug, PartialEq, Eq)]
struct Memory {
    total: u64,
    swap: u64,
}

fn memory(meminfo: &str) -> Memory {
    let kibibytes = |wanted: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    Memory { total: kibibytes("MemTotal").saturating_mul(1024), swap: kibibytes("SwapTotal").saturating_mul(1024) }
}

fn os_image(release: &str) -> String {
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("unknown").trim_matches('"').to_owned()
}

/// Sizes as resources name them, and bytes set aside.
fn huge_pages(folder: &Path) -> Vec<(String, u64)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut pages: Vec<(u64, u64)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let size = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse::<u64>().ok()?.checked_mul(1024)?;
            let count = fs::read_to_string(entry.path().join("nr_hugepages")).ok()?.trim().parse::<u64>().ok()?;
            Some((size, count.saturating_mul(size)))
        })
        .collect();
    pages.sort_unstable();
    pages.into_iter().map(|(size, bytes)| (binary(size), bytes)).collect()
}

/// A size with the largest binary unit that divides it.
fn binary(bytes: u64) -> String {
    for (shift, unit) in [(30, "Gi"), (20, "Mi"), (10, "Ki")] {
        if bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

fn first(texts: [String; 2]) -> String {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_from_the_kernels_texts() {
        let found = memory("MemTotal:        1014148 kB\nMemFree: 1 kB\nSwapTotal:       2 kB\n");
        assert_eq!(found, Memory { total: 1_014_148 * 1024, swap: 2048 });
        assert_eq!(memory("MemTotal: many kB\n"), Memory { total: 0, swap: 0 });
        assert_eq!(os_image("ID=coracle\nPRETTY_NAME=\"Coracle 0.1.0\"\n"), "Coracle 0.1.0");
        assert_eq!(os_image(""), "unknown");
        for (bytes, expected) in [(2 << 20, "2Mi"), (1 << 30, "1Gi"), (64 << 10, "64Ki"), (3, "3")] {
            assert_eq!(binary(bytes), expected);
        }
    }

    #[test]
    fn this_machine_has_processors_and_memory() {
        let configuration = MachineConfiguration::default();
        let read = Read { name: "n", storage: Path::new("/"), configuration: &configuration };
        let machine = read.machine(Vec::new(), Vec::new());
        assert!(machine.cpus > 0 && machine.memory > 0 && machine.storage > 0);
        assert!(!machine.kernel_version.is_empty() && !machine.boot_id.is_empty());
    }
}
