//! The table of figures. A new figure is a row here and a reading by a group; nothing else knows its name.

/// What measures a figure: one run of the tool, which may be asked for alone with `make figures GROUP=NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// Sizes of executables.
    Sizes,
    /// Sizes of the disk image, from the image builder's manifest.
    Image,
    /// Start on an empty folder until `/readyz` says ok.
    Start,
    /// Both control planes left alone.
    Idle,
    /// Reads from 5,000 pods.
    Reads,
    /// Creates through the API.
    Creates,
    /// Creates in the store and in etcd, beside bare fdatasync.
    Store,
    /// Replaces through the API.
    Updates,
    /// Pods from their creation until they run.
    Pods,
    /// What a booted guest says of itself, from the file that `make guest-figures` writes.
    Guest,
}

/// The promise that a figure is held to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Direction {
    /// Measured only.
    None,
    /// Ours is at most this, in the figure's unit.
    AtMost(f64),
    /// Ours is at most this share of the peer's.
    AtMostOfPeer(f64),
    /// Ours is at least this many times the peer's.
    AtLeastOfPeer(f64),
}

/// A figure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    /// Name in files and messages.
    pub(crate) id: &'static str,
    /// Name in the table.
    pub(crate) name: &'static str,
    /// Unit of ours and of the peer's.
    pub(crate) unit: &'static str,
    /// What measures it.
    pub(crate) group: Group,
    /// Who is measured beside us in the same run; none where the figure has no peer.
    pub(crate) peer: Option<&'static str>,
    /// What it is held to.
    pub(crate) direction: Direction,
}

/// The share of kube-apiserver's CPU that an operation may cost.
const OF_CPU: f64 = 0.3;

const PLANE: Option<&str> = Some("control plane");
const SERVER: Option<&str> = Some("kube-apiserver");
const ETCD: Option<&str> = Some("etcd");
const SYNC: Option<&str> = Some("fdatasync");

const fn row(
    group: Group,
    id: &'static str,
    name: &'static str,
    unit: &'static str,
    peer: Option<&'static str>,
    direction: Direction,
) -> Figure {
    Figure { id, name, unit, group, peer, direction }
}

/// All figures, in the order of the table.
#[rustfmt::skip]
pub(crate) const FIGURES: &[Figure] = &[
    row(Group::Sizes, "executable", "`coracle`, stripped", "MB", PLANE, Direction::None),
    row(Group::Sizes, "executable-compressed", "`coracle`, compressed with zstd", "MB", PLANE, Direction::None),
    row(Group::Sizes, "init-executable", "`coracle-init`, stripped", "MB", None, Direction::None),
    row(Group::Image, "initrd", "initrd of x86_64-vm", "MB", None, Direction::None),
    row(Group::Image, "slot", "slot of x86_64-vm, with verity", "MB", None, Direction::None),
    row(Group::Image, "disk", "disk of x86_64-vm as qcow2", "MB", None, Direction::None),
    row(Group::Image, "disk-compressed", "disk of x86_64-vm, raw, compressed with zstd", "MB", None, Direction::None),
    row(Group::Start, "start", "start on an empty folder until `/readyz`", "ms", SERVER, Direction::None),
    row(Group::Idle, "idle-pss", "memory at idle, PSS", "MB", PLANE, Direction::AtMost(40.0)),
    row(Group::Idle, "idle-rss", "memory at idle, RSS", "MB", PLANE, Direction::AtMost(40.0)),
    row(Group::Idle, "idle-cpu", "CPU in 5 minutes of idleness", "CPU-ms", PLANE, Direction::AtMostOfPeer(OF_CPU)),
    row(Group::Idle, "idle-writes", "written in a quiet minute", "kB", PLANE, Direction::AtMost(0.0)),
    row(Group::Reads, "get", "GET of a pod, per CPU-second", "/CPU-s", SERVER, Direction::AtLeastOfPeer(1.0 / OF_CPU)),
    row(Group::Reads, "list-json", "LIST of 5,000 pods as JSON, per CPU-second", "/CPU-s", SERVER, Direction::AtLeastOfPeer(1.0 / OF_CPU)),
    row(Group::Reads, "list-protobuf", "LIST of 5,000 pods as protobuf, per CPU-second", "/CPU-s", SERVER, Direction::AtLeastOfPeer(1.0 / OF_CPU)),
    row(Group::Reads, "loaded-pss", "memory with 5,000 pods after these reads, PSS", "MB", PLANE, Direction::None),
    row(Group::Creates, "create-1", "create of a 1 KiB ConfigMap, 1 client, median", "µs", SERVER, Direction::None),
    row(Group::Creates, "create-1-cpu", "CPU of a create, 1 client", "CPU-µs", SERVER, Direction::AtMostOfPeer(OF_CPU)),
    row(Group::Creates, "create-64", "creates of a 1 KiB ConfigMap, 64 clients", "/s", SERVER, Direction::None),
    row(Group::Creates, "create-64-cpu", "CPU of a create, 64 clients", "CPU-µs", SERVER, Direction::AtMostOfPeer(OF_CPU)),
    row(Group::Store, "commit-1-sync", "durable create of 1 KiB in the store, 1 writer, median, beside fdatasync", "µs", SYNC, Direction::AtMostOfPeer(1.3)),
    row(Group::Store, "commit-1", "the same, beside etcd", "µs", ETCD, Direction::None),
    row(Group::Store, "commit-64", "durable creates of 1 KiB in the store, 64 writers, beside etcd", "/s", ETCD, Direction::None),
    row(Group::Store, "commit-64-sync", "the same, beside one fdatasync after the other", "/s", SYNC, Direction::None),
    row(Group::Updates, "update-bytes", "written for each 1 KiB update over 500 ConfigMaps", "B", PLANE, Direction::None),
    row(Group::Pods, "pod-running", "pod created until Running, nodes played by kwok, median", "ms", PLANE, Direction::None),
    row(Group::Guest, "kernel-to-init", "kernel entry until PID 1", "ms", None, Direction::None),
    row(Group::Guest, "kernel-to-readyz", "kernel entry until `/readyz`", "ms", None, Direction::None),
    row(Group::Guest, "kernel-to-node-ready", "kernel entry until the Node is Ready", "ms", None, Direction::None),
    row(Group::Guest, "kernel-to-first-pod", "kernel entry until the first pod runs", "ms", None, Direction::None),
    row(Group::Guest, "guest-pod-running", "pod created until Running on the device, median", "ms", None, Direction::None),
    row(Group::Guest, "guest-coracle-pss", "`coracle` at idle on the device, PSS", "MB", None, Direction::AtMost(40.0)),
    row(Group::Guest, "guest-coracle-rss", "`coracle` at idle on the device, RSS", "MB", None, Direction::None),
    row(Group::Guest, "guest-init-pss", "PID 1 at idle, PSS", "kB", None, Direction::None),
    row(Group::Guest, "guest-init-rss", "PID 1 at idle, RSS", "kB", None, Direction::None),
    row(Group::Guest, "guest-shim-pss", "one shim, PSS", "kB", None, Direction::AtMost(400.0)),
    row(Group::Guest, "guest-shim-rss", "one shim, RSS", "kB", None, Direction::None),
    row(Group::Guest, "guest-idle-cpu", "CPU of all processes in 5 minutes of idleness on the device", "CPU-ms", None, Direction::None),
    row(Group::Guest, "guest-idle-writes", "written to the disk in a quiet minute on the device", "kB", None, Direction::AtMost(0.0)),
];

impl Group {
    /// All groups with their names, in the order in which they run.
    pub(crate) const ALL: [(&'static str, Self); 10] = [
        ("sizes", Self::Sizes),
        ("image", Self::Image),
        ("start", Self::Start),
        ("idle", Self::Idle),
        ("reads", Self::Reads),
        ("creates", Self::Creates),
        ("store", Self::Store),
        ("updates", Self::Updates),
        ("pods", Self::Pods),
        ("guest", Self::Guest),
    ];

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, group)| *group == self).map_or("", |(name, _)| name)
    }

    /// Whether it can be measured without an image.
    pub(crate) fn is_host(self) -> bool {
        !matches!(self, Self::Image | Self::Guest)
    }

    /// The command that measures its figures.
    pub(crate) fn command(self) -> String {
        match self {
            Self::Guest => "make guest-figures".to_owned(),
            _ => format!("make figures GROUP={}", self.name()),
        }
    }
}

impl Figure {
    /// The figure of an id.
    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        FIGURES.iter().find(|figure| figure.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_and_shown_names_are_unique() {
        let ids: BTreeSet<&str> = FIGURES.iter().map(|figure| figure.id).collect();
        assert_eq!(ids.len(), FIGURES.len());
        let names: BTreeSet<&str> = FIGURES.iter().map(|figure| figure.name).collect();
        assert_eq!(names.len(), FIGURES.len());
        assert!(FIGURES.iter().all(|figure| !figure.name.contains('|') && !figure.unit.contains('|')));
    }

    #[test]
    fn a_promise_against_a_peer_has_a_peer() {
        for figure in FIGURES {
            let against = matches!(figure.direction, Direction::AtMostOfPeer(_) | Direction::AtLeastOfPeer(_));
            assert!(!against || figure.peer.is_some(), "{}", figure.id);
        }
    }

    #[test]
    fn every_group_has_figures_and_a_name() {
        for (name, group) in Group::ALL {
            assert_eq!(group.name(), name);
            assert!(FIGURES.iter().any(|figure| figure.group == group), "{name}");
        }
    }
}
