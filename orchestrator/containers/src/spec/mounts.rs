//! The mounts that every container has.

use std::path::{Path, PathBuf};

use coracle_apimachinery::Value;
use coracle_client::object;
use oci_spec::runtime::Mount;

use super::security::{has_readonly_root, is_privileged};

/// Files and folders of the host that every container of a pod shares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    /// The hosts file; none when a volume stands there.
    pub hosts: Option<PathBuf>,
    /// The file with the name.
    pub hostname: PathBuf,
    /// How names are resolved.
    pub resolv_conf: PathBuf,
    /// Shared memory.
    pub shm: PathBuf,
}

/// A mount with a type of its own.
fn kernel(destination: &str, typ: &str, source: &str, options: &[&str]) -> Mount {
    let mut mount = Mount::default();
    mount.set_destination(PathBuf::from(destination)).set_typ(Some(typ.to_owned()));
    mount.set_source(Some(PathBuf::from(source)));
    mount.set_options(Some(options.iter().map(|option| (*option).to_owned()).collect()));
    mount
}

/// A file or folder of the host.
pub(crate) fn bind(source: &Path, destination: &str, options: &[&str]) -> Mount {
    let mut mount = kernel(destination, "bind", "", options);
    mount.set_source(Some(source.to_owned()));
    mount
}

/// The mounts in front of the volumes.
pub(super) fn kernel_mounts(container: &Value) -> Vec<Mount> {
    let access = if is_privileged(container) { "rw" } else { "ro" };
    vec![
        kernel("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
        kernel("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        kernel(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        kernel("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        kernel("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", access]),
        kernel("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", access]),
    ]
}

/// The mounts of what the pod shares, unless the container mounts something of its own there.
pub(super) fn shared_mounts(pod: &Value, container: &Value, shared: &Shared) -> Vec<Mount> {
    let access = if has_readonly_root(container) { "ro" } else { "rw" };
    let taken = |place: &str| {
        let own = object::items(container, &["volumeMounts"]).iter().map(|mount| mount.text_at(&["mountPath"]));
        own.into_iter().any(|path| path.trim_end_matches('/') == place)
    };
    let host_ipc = object::flag(pod, &["spec", "hostIPC"]);
    let shm = if host_ipc { Path::new("/dev/shm") } else { &shared.shm };
    let hosts = shared.hosts.as_deref().map(|hosts| (hosts, "/etc/hosts", vec!["rbind", "rprivate", "rw"]));
    let rest = [
        (shared.hostname.as_path(), "/etc/hostname", vec!["rbind", "rprivate", access]),
        (shared.resolv_conf.as_path(), "/etc/resolv.conf", vec!["rbind", "rprivate", access]),
        (shm, "/dev/shm", vec!["rbind", "rprivate", "nosuid", "noexec", "nodev", "rw"]),
    ];
    let all = rest.into_iter().chain(hosts).filter(|(_, place, _)| !taken(place));
    all.map(|(source, place, options)| bind(source, place, &options)).collect()
}
