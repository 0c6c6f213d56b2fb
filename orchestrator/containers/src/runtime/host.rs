//! What the machine is like for containers, and reading inside their roots.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, LinuxSeccomp};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, major, minor, openat, openat2};
use rustix::process::{Resource, getrlimit};

/// No file of a root that is read here is longer.
const LONGEST: u64 = 1 << 20;
/// Folders of `/dev` that a container has its own of.
const OWN: [&str; 5] = ["fd", "mqueue", "pts", "shm", "console"];

/// What does not change while the machine runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) last_capability: usize,
    /// How many files a process may open at most: raising it needs a capability that a host may have withheld.
    pub(super) open_files: u64,
    /// Paths that are hidden from containers besides the usual ones.
    pub(super) masked: Vec<String>,
}

impl Facts {
    /// Reads them. Blocks.
    pub(super) fn read() -> Self {
        let last = fs::read_to_string("/proc/sys/kernel/cap_last_cap").ok().and_then(|text| text.trim().parse().ok());
        let cpus = fs::read_dir("/sys/devices/system/cpu").into_iter().flatten().flatten();
        let throttles = cpus.filter_map(|cpu| {
            let name = cpu.file_name().into_string().ok()?;
            name.strip_prefix("cpu")?.parse::<u32>().ok()?;
            let path = format!("/sys/devices/system/cpu/{name}/thermal_throttle");
            Path::new(&path).exists().then_some(path)
        });
        let mut masked: Vec<String> = throttles.collect();
        masked.sort();
        let open_files = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        Self { last_capability: last.unwrap_or(40), open_files, masked }
    }
}

/// The devices of the machine, for privileged containers.
pub(super) fn devices() -> Vec<LinuxDevice> {
    let mut found = Vec::new();
    collect(Path::new("/dev"), 0, &mut found);
    found
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<LinuxDevice>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let path = entry.path();
        if depth == 0 && OWN.iter().any(|own| entry.file_name() == *own) {
            continue;
        }
        if kind.is_dir() && depth < 8 {
            collect(&path, depth + 1, found);
        }
        let typ = match () {
            () if kind.is_char_device() => LinuxDeviceType::C,
            () if kind.is_block_device() => LinuxDeviceType::B,
            () => continue,
        };
        let Ok(metadata) = entry.metadata() else { continue };
        let mut device = LinuxDevice::default();
        device
            .set_path(path)
            .set_typ(typ)
            .set_major(i64::from(major(metadata.rdev())))
            .set_minor(i64::from(minor(metadata.rdev())))
            .set_file_mode(Some(metadata.permissions().mode() & 0o777))
            .set_uid(Some(metadata.uid()))
            .set_gid(Some(metadata.gid()));
        found.push(device);
    }
}

/// A file of a container's root, whose links lead nowhere else; empty where there is none.
pub(super) fn read_inside(root: &Path, path: &str) -> io::Result<String> {
    let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = match openat2(root, path, flags, Mode::empty(), resolve) {
        Ok(file) => fs::File::from(file),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(String::new()),
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The filter of `RuntimeDefault` for a container with these capabilities.
pub(super) fn default_seccomp(capabilities: &[&str]) -> Result<LinuxSeccomp, String> {
    let machine = coracle_seccomp::Architecture::native().ok_or("there is no seccomp profile for this machine")?;
    let profile = coracle_seccomp::runtime_default(machine, capabilities);
    let value = serde_json::to_value(profile).map_err(|error| error.to_string())?;
    serde_json::from_value(value).map_err(|error| format!("the default seccomp profile is broken: {error}"))
}

/// The filter of a file below the node's folder of profiles.
pub(super) fn local_seccomp(profiles: &Path, name: &str) -> Result<LinuxSeccomp, String> {
    let folder = openat(CWD, profiles, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let open = folder.and_then(|folder| {
        openat2(folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::BENEATH)
    });
    let place = profiles.join(name);
    let file =
        open.map_err(|error| format!("cannot load seccomp profile {:?}: {error}", place.display().to_string()))?;
    let read = serde_json::from_reader(io::BufReader::new(fs::File::from(file)).take(LONGEST));
    read.map_err(|error| format!("cannot load seccomp profile {:?}: {error}", place.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn roots_are_not_left() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("root");
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(scratch.path().join("secret"), "secret").unwrap();
        fs::write(root.join("etc/group"), "g").unwrap();
        symlink("/etc/group", root.join("etc/inner")).unwrap();
        symlink("../../../secret", root.join("etc/passwd")).unwrap();
        symlink(scratch.path().join("secret"), root.join("etc/absolute")).unwrap();
        assert_eq!(read_inside(&root, "etc/inner").unwrap(), "g");
        for path in ["etc/passwd", "etc/absolute", "etc/none", "etc", "../secret"] {
            assert_eq!(read_inside(&root, path).unwrap(), "", "{path}");
        }
    }

    #[test]
    fn filters_are_understood() {
        let profile = default_seccomp(&["CAP_CHOWN"]).unwrap();
        assert!(profile.syscalls().as_ref().is_some_and(|calls| !calls.is_empty()));
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("a.json"), r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).unwrap();
        assert!(local_seccomp(scratch.path(), "a.json").is_ok());
        for name in ["b.json", "../a.json"] {
            assert!(local_seccomp(scratch.path(), name).unwrap_err().starts_with("cannot load seccomp profile"));
        }
    }

    #[test]
    fn facts() {
        assert!(Facts::read().last_capability >= 37);
        assert!(devices().iter().any(|device| device.path() == Path::new("/dev/null")));
    }
}
