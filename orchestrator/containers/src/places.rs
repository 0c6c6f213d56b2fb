//! Where things of pods lie.

use std::path::PathBuf;

use coracle_apimachinery::Value;
use coracle_client::object;

/// The folders that the node keeps pods in; `docs/containers.md` says what lies where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `/run/coracle`.
    pub run: PathBuf,
    /// `/var/lib/rancher/k3s/agent`.
    pub data: PathBuf,
    /// `/var/log`.
    pub logs: PathBuf,
    /// `/var/lib/kubelet`.
    pub kubelet: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            run: "/run/coracle".into(),
            data: "/var/lib/rancher/k3s/agent".into(),
            logs: "/var/log".into(),
            kubelet: "/var/lib/kubelet".into(),
        }
    }
}

impl Places {
    /// The folder of all pods.
    #[must_use]
    pub fn pods(&self) -> PathBuf {
        self.run.join("pods")
    }

    /// The folder of a pod.
    #[must_use]
    pub fn pod(&self, uid: &str) -> PathBuf {
        self.pods().join(uid)
    }

    /// The folder of a container.
    #[must_use]
    pub fn container(&self, uid: &str, id: &str) -> PathBuf {
        self.pod(uid).join("containers").join(id)
    }

    /// The writable layer of a container.
    #[must_use]
    pub fn upper(&self, id: &str) -> PathBuf {
        self.data.join("containers/upper").join(id)
    }

    /// The folder of a pod's volumes and files.
    #[must_use]
    pub fn kubelet_pod(&self, uid: &str) -> PathBuf {
        self.kubelet.join("pods").join(uid)
    }

    /// The folder of a pod's logs.
    #[must_use]
    pub fn pod_logs(&self, pod: &Value) -> PathBuf {
        let name = format!("{}_{}_{}", object::namespace(pod), object::name(pod), object::uid(pod));
        self.logs.join("pods").join(name)
    }
}

/// Whether a text may be one component of a path: what becomes a name of a file must not lead elsewhere.
pub(crate) fn is_component(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && text != "." && text != ".." && !text.contains(['/', '\0'])
}
