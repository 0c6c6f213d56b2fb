//! Where a server keeps what it keeps.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use coracle_contract::paths;

use crate::cli;

/// Folders and files of a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// All of it: authorities and keys lie below `server/tls`.
    pub(crate) data: PathBuf,
    /// Images and volumes of the node: on a device on DATA, since they are large and can be had again.
    pub(crate) agent: PathBuf,
    /// The store.
    pub(crate) store: PathBuf,
    /// The administrator's kubeconfig, if one is written.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Whether this machine is a device, whose uplink and other facts are this server's to keep.
    pub(crate) is_device: bool,
}

/// A folder cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot create {folder}", folder = .0.display())]
pub(crate) struct Error(PathBuf, #[source] io::Error);

/// What decides the defaults.
struct Machine<'a> {
    is_device: bool,
    is_root: bool,
    home: &'a Path,
}

impl Places {
    /// The places that the flags and this machine give, made where they are missing.
    ///
    /// # Errors
    /// A folder cannot be made.
    pub(crate) fn of(arguments: &cli::Server) -> Result<Self, Error> {
        let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let machine = Machine {
            is_device: Path::new(paths::BOOT_FACTS).exists(),
            is_root: rustix::process::geteuid().is_root(),
            home: &home,
        };
        let places = Self::choose(arguments.data_dir.as_deref(), arguments.write_kubeconfig.as_deref(), &machine);
        places.made()
    }

    /// The places below one folder, without a kubeconfig.
    ///
    /// # Errors
    /// A folder cannot be made.
    pub(crate) fn below(folder: &Path) -> Result<Self, Error> {
        let is_device = Path::new(paths::BOOT_FACTS).exists();
        let agent = agent(folder, is_device);
        Self { data: folder.to_owned(), agent, store: folder.join("server/db"), kubeconfig: None, is_device }.made()
    }

    fn made(self) -> Result<Self, Error> {
        let places = self;
        let kubeconfig = places.kubeconfig.as_deref().and_then(Path::parent);
        for folder in [places.data.as_path(), places.store.as_path()].into_iter().chain(kubeconfig) {
            fs::create_dir_all(folder).map_err(|source| Error(folder.to_owned(), source))?;
        }
        Ok(places)
    }

    fn choose(data: Option<&Path>, kubeconfig: Option<&Path>, machine: &Machine<'_>) -> Self {
        let (default_data, default_kubeconfig) = match machine {
            // Keys and objects belong on STATE; the certificate of an administrator is made off the device.
            Machine { is_device: true, .. } => (Path::new(paths::STATE).join("cluster"), None),
            Machine { is_root: true, .. } => {
                (PathBuf::from("/var/lib/rancher/k3s"), Some(PathBuf::from("/etc/rancher/k3s/k3s.yaml")))
            }
            Machine { home, .. } => (home.join(".rancher/k3s"), Some(home.join(".kube/k3s.yaml"))),
        };
        let data = data.map_or(default_data, Path::to_owned);
        let kubeconfig = kubeconfig.map(Path::to_owned).or(default_kubeconfig);
        let agent = agent(&data, machine.is_device);
        Self { store: data.join("server/db"), agent, data, kubeconfig, is_device: machine.is_device }
    }
}

fn agent(data: &Path, is_device: bool) -> PathBuf {
    if is_device { PathBuf::from("/var/lib/rancher/k3s/agent") } else { data.join("agent") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_machine_unless_flags_say_otherwise() {
        let home = Path::new("/home/u");
        let machine = |is_device, is_root| Machine { is_device, is_root, home };
        let device = Places::choose(None, None, &machine(true, true));
        assert_eq!((device.store, device.kubeconfig), (PathBuf::from("/state/cluster/server/db"), None));
        assert_eq!(device.agent, Path::new("/var/lib/rancher/k3s/agent"));
        let root = Places::choose(None, None, &machine(false, true));
        assert_eq!(root.agent, Path::new("/var/lib/rancher/k3s/agent"));
        assert_eq!(root.data, Path::new("/var/lib/rancher/k3s"));
        assert_eq!(root.kubeconfig.as_deref(), Some(Path::new("/etc/rancher/k3s/k3s.yaml")));
        let user = Places::choose(Some(Path::new("/d")), None, &machine(false, false));
        assert_eq!(user.store, Path::new("/d/server/db"));
        assert_eq!(user.kubeconfig.as_deref(), Some(Path::new("/home/u/.kube/k3s.yaml")));
    }
}
