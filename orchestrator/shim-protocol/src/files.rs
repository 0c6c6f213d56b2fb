//! The files of a pod's folder.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Nanoseconds;

/// What the shim is started with; the orchestrator writes it before.
pub const POD: &str = "pod.json";
/// The listening socket.
pub const SOCKET: &str = "shim.sock";
/// Written when the shim is ready.
pub const READY: &str = "shim.json";
/// Folder of the containers' folders.
pub const CONTAINERS: &str = "containers";
/// Name of the exit file in a container's folder.
pub const EXIT: &str = "exit.json";
/// Folder of libcontainer's state.
pub const STATE: &str = "state";

/// The content of `pod.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// Version of this document, [`crate::VERSION`].
    pub version: u32,
    /// The pod's UID, for messages.
    pub uid: String,
    /// The host name in the pod's own UTS namespace.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Which namespaces the pod has for itself.
    #[serde(default)]
    pub namespaces: Own,
    /// Kernel settings (`net.ipv4.tcp_syncookies`) of the pod's own namespaces.
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
    /// Folder of the control group that the shim moves itself to.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
    /// Folder of the control group for the first process of a shared process namespace.
    #[serde(default)]
    pub pause_cgroup: Option<PathBuf>,
    /// How long one call of the runtime helper may last.
    #[serde(default = "helper_milliseconds")]
    pub helper_milliseconds: u64,
}

/// Which namespaces a pod has for itself; the others are the host's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Own {
    /// Network (no `hostNetwork`).
    pub network: bool,
    /// System V IPC and message queues (no `hostIPC`).
    pub ipc: bool,
    /// Host name (no `hostNetwork`).
    pub uts: bool,
    /// One process namespace shared by all containers (`shareProcessNamespace`).
    pub process: bool,
}

/// The content of `shim.json`, and the shim's answer to `hello`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// The newest protocol version that the shim speaks.
    pub version: u32,
    /// Its process id.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`; with the id it names one process for ever.
    pub start_ticks: u64,
    /// Where its namespaces can be reached.
    pub namespaces: Namespaces,
    /// First process of the shared process namespace.
    #[serde(default)]
    pub pause: Option<i32>,
}

/// Numbers of the shim's descriptors of the pod's own namespaces: `/proc/PID/fd/N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Namespaces {
    /// Network.
    pub network: Option<i32>,
    /// IPC.
    pub ipc: Option<i32>,
    /// Host name.
    pub uts: Option<i32>,
    /// Shared process namespace.
    pub process: Option<i32>,
}

/// How a container's first process, or a process of exec, ended: `exit.json` and the event `exited`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exit {
    /// The container.
    pub id: String,
    /// The exec, if it was one; absent for the container itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<String>,
    /// Exit code as Kubernetes shows it: 128 + signal if a signal ended it.
    pub code: i32,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Whether the kernel killed a process of the container for want of memory.
    #[serde(default)]
    pub oom: bool,
    /// When it was started; absent if it ended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Nanoseconds>,
    /// When it ended.
    pub finished: Nanoseconds,
}

const fn helper_milliseconds() -> u64 {
    60_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_pod_document_is_enough() {
        let start: Start = serde_json::from_str(r#"{"version":1,"uid":"u","namespaces":{"network":true}}"#).unwrap();
        assert_eq!(start.helper_milliseconds, 60_000);
        assert!(start.namespaces.network && !start.namespaces.ipc && start.hostname.is_none());
    }
}
