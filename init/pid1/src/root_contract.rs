//! The root contract: the files, directories and mounts that programs find. `docs/root-contract.md` is its text.

use std::fs;
use std::path::Path;

use coracle_contract::marker::Marker;
use rustix::mount::{MountFlags, MountPropagationFlags, mount_bind, mount_change};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::context::Context;
use crate::error::{Attempt as _, Result};
use crate::files;
use crate::mounts::mount_file_system;
use crate::storage::execute::Status;

/// Where the files lie that `/etc` links to.
const ETC: &str = "/run/coracle/etc";

/// The device's own settings below STATE.
const SYSTEM: &str = "/state/system";
const MACHINE_ID: &str = "/state/system/machine-id";
const HOSTNAME: &str = "/state/system/hostname";

/// Directories of STATE. Final.
const STATE_DIRECTORIES: [(&str, u32); 5] = [
    (SYSTEM, 0o700),
    ("/state/config", 0o700),
    ("/state/records", 0o700),
    ("/state/server", 0o700),
    ("/state/log", 0o700),
];

/// Directories of `/var` that other software knows.
const VAR_DIRECTORIES: [(&str, u32); 9] = [
    ("/var/lib", 0o755),
    ("/var/lib/kubelet", 0o750),
    ("/var/lib/rancher", 0o755),
    ("/var/lib/rancher/k3s", 0o755),
    ("/var/log", 0o755),
    ("/var/log/pods", 0o755),
    ("/var/log/containers", 0o755),
    ("/var/cache", 0o755),
    ("/var/tmp", 0o1777),
];

/// What the probe prints: everything that the contract promises.
const PROMISED: [&str; 19] = [
    "/",
    "/data",
    "/dev",
    "/dev/pts",
    "/dev/shm",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/machine-id",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/lib/modules",
    "/proc",
    "/run",
    "/sys",
    "/sys/fs/cgroup",
    "/tmp",
    "/usr/share/zoneinfo",
    "/var",
    "/state",
];

/// Makes what the contract promises. STATE and DATA are mounted, or not, as their status says.
pub(crate) fn establish(context: &mut Context, state: Status, data: Status) -> Result<()> {
    if state.is_writable() {
        make_directories(context, &STATE_DIRECTORIES);
    }
    if mount_var(context, data)? == Access::Write {
        make_directories(context, &VAR_DIRECTORIES);
    }
    let machine_id = machine_id(context, state.is_writable())?;
    let hostname = hostname(&machine_id);
    rustix::system::sethostname(hostname.as_bytes()).attempt("set", "hostname")?;
    files::make_directory(ETC)?;
    let hosts = format!("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 {hostname}\n");
    for (name, text) in [
        ("machine-id", format!("{machine_id}\n")),
        ("hostname", format!("{hostname}\n")),
        ("hosts", hosts),
        ("resolv.conf", "# No resolver is known yet.\n".to_owned()),
    ] {
        files::write(Path::new(ETC).join(name), text.as_bytes())?;
    }
    // Mounts made later on one side are seen on the other: containers and the programs that make their volumes need it.
    mount_change("/", MountPropagationFlags::SHARED | MountPropagationFlags::REC).attempt("share mounts below", "/")
}

/// Prints every promise with the mount that keeps it.
pub(crate) fn probe(context: &mut Context) {
    let mounts = files::read_text("/proc/self/mountinfo", 1 << 20).unwrap_or_default();
    for path in PROMISED {
        let real = fs::canonicalize(path).map_or_else(|_| path.to_owned(), |real| real.display().to_string());
        let exists = Path::new(&real).exists();
        let marker = match holder(&mounts, &real) {
            Some((mount, options)) => {
                Marker::new("contract").with("path", path).with("mount", mount).with("options", options)
            }
            None => Marker::new("contract").with("path", path).with("mount", "none"),
        };
        context.console.marker(&marker.with("exists", exists));
    }
}

/// The mount that holds a path: its mount point, and its file system, options, propagation and the file system's own
/// options, with commas between.
fn holder(mountinfo: &str, path: &str) -> Option<(String, String)> {
    let inside = |mount: &str| {
        mount == "/" || path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let lines = mountinfo.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut fields = left.split(' ').skip(4);
        let (mount, options) = (fields.next()?, fields.next()?);
        let propagation = fields.find(|field| field.starts_with("shared:")).map_or("private", |_| "shared");
        let mut right = right.split(' ');
        let (kind, own) = (right.next()?, right.nth(1)?);
        inside(mount).then(|| (mount.to_owned(), format!("{kind},{options},{propagation},{own}")))
    });
    // A later mount on the same point hides an earlier one.
    lines.fold(None, |best: Option<(String, String)>, found| match best {
        Some(best) if best.0.len() > found.0.len() => Some(best),
        _ => Some(found),
    })
}

/// Whether files can be made in `/var`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// `/var` lives on DATA, read-only if DATA is; without one it is memory, and lost at power-off.
fn mount_var(context: &mut Context, data: Status) -> Result<Access> {
    let source = Path::new("/data/var");
    if data.is_writable()
        && let Err(error) = files::make_directory(source)
    {
        context.warn(&error);
    }
    let mounted = data != Status::Lost && data != Status::NoRoom && source.is_dir();
    if mounted {
        mount_bind(source, "/var").attempt("bind", "/var")?;
        return Ok(if data.is_writable() { Access::Write } else { Access::Read });
    }
    mount_file_system("tmpfs", "/var", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, "mode=0755,size=25%")?;
    Ok(Access::Write)
}

/// Makes directories with their modes. Best effort: a full file system must not stop a boot.
fn make_directories(context: &mut Context, table: &[(&str, u32)]) {
    use std::os::unix::fs::PermissionsExt as _;
    for (path, mode) in table {
        let made = fs::create_dir_all(path)
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(*mode)))
            .attempt("make directory", path);
        if let Err(error) = made {
            context.warn(&error);
        }
    }
}

/// The machine id: made once, kept in STATE; without STATE one for this boot only.
fn machine_id(context: &mut Context, writable: bool) -> Result<String> {
    let stored = files::read_text(MACHINE_ID, 64).ok().filter(|_| writable);
    if let Some(id) = stored.map(|text| text.trim().to_owned()).filter(|id| is_machine_id(id)) {
        return Ok(id);
    }
    let mut random = [0_u8; 16];
    getrandom(&mut random[..], GetRandomFlags::INSECURE).attempt("make", "machine id")?;
    let id = coracle_slots::gpt::Guid::from_random(random).to_string().replace('-', "");
    if writable && let Err(error) = files::replace_durably(MACHINE_ID, format!("{id}\n").as_bytes()) {
        context.warn(&error);
    }
    Ok(id)
}

fn is_machine_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The stored host name if it is one, otherwise one made of the machine id.
fn hostname(machine_id: &str) -> String {
    let stored = files::read_text(HOSTNAME, 256).unwrap_or_default();
    let stored = stored.trim();
    if is_hostname(stored) {
        return stored.to_owned();
    }
    format!("coracle-{}", machine_id.get(..8).unwrap_or("device"))
}

fn is_hostname(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.len() <= 63 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for (name, want) in [("node-1", true), ("a.b", true), ("", false), ("-a", false), ("A", false), ("a b", false)]
        {
            assert_eq!(is_hostname(name), want, "{name}");
        }
        assert!(is_machine_id(&"0f".repeat(16)));
        assert!(!is_machine_id(&"0F".repeat(16)));
        assert!(!is_machine_id("0f"));
        assert_eq!(hostname(&"0f".repeat(16)), "coracle-0f0f0f0f");
    }

    #[test]
    fn the_deepest_and_latest_mount_holds_a_path() {
        let mounts = "1 0 0:1 / / ro,relatime shared:1 - squashfs /dev/dm-0 ro\n\
                      2 1 0:2 / /var rw - tmpfs tmpfs rw\n\
                      3 1 0:3 /var /var rw,nosuid shared:2 - ext4 /dev/vda6 rw,prjquota\n\
                      4 1 0:4 / /variant rw - tmpfs t rw\n";
        let (mount, options) = holder(mounts, "/var/lib").unwrap();
        assert_eq!((mount.as_str(), options.as_str()), ("/var", "ext4,rw,nosuid,shared,rw,prjquota"));
        assert_eq!(holder(mounts, "/etc/x").unwrap().0, "/");
        assert_eq!(holder(mounts, "/variant").unwrap().1, "tmpfs,rw,private,rw");
        assert_eq!(holder("", "/"), None);
    }
}
