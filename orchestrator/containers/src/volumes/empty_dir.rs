//! Empty folders for pods.

use std::fs;
use std::io;
use std::path::Path;

use coracle_agent::pod::Amount;
use coracle_apimachinery::Value;
use coracle_client::object;
use rustix::fs::{CWD, Gid, Mode, OFlags, chmod, fchmod, fchown, openat};

use super::mounter::Mounter;

/// What a volume of this kind is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Medium {
    /// On the disk.
    Disk,
    /// In memory, at most of so many bytes.
    Memory(Option<u64>),
}

/// What a volume of a pod is like, on a node with so many bytes of memory for pods.
///
/// # Errors
/// The medium does not exist here.
pub(super) fn medium(pod: &Value, source: &Value, allocatable: i64) -> Result<Medium, String> {
    match source.text_at(&["medium"]) {
        "" => Ok(Medium::Disk),
        "Memory" => {
            let own = Amount::parse(source.text_at(&["sizeLimit"])).map(Amount::wholes);
            let of_pod = memory_of(pod);
            let sizes = [own, of_pod, Some(allocatable)];
            let least = sizes.into_iter().flatten().filter(|bytes| *bytes > 0).min();
            Ok(Medium::Memory(least.and_then(|bytes| u64::try_from(bytes).ok())))
        }
        other => Err(format!("unknown storage medium {other:?}")),
    }
}

/// The memory that a pod may use at most, if it is limited as a whole.
fn memory_of(pod: &Value) -> Option<i64> {
    // An absent amount reads as nothing.
    let limit = |owner: &Value| {
        let limit = Amount::parse(owner.text_at(&["resources", "limits", "memory"])).map(Amount::wholes);
        limit.filter(|bytes| *bytes > 0)
    };
    if let Some(whole) = pod.at(&["spec"]).and_then(limit) {
        return Some(whole);
    }
    let sum = |list| -> Option<i64> {
        object::items(pod, &["spec", list]).iter().map(limit).try_fold(0_i64, |sum, own| sum.checked_add(own?))
    };
    Some(sum("containers")?.max(sum("initContainers")?))
}

/// Makes the folder of a volume. `ready` is the mark that it was made before.
///
/// # Errors
/// The file system's.
pub(super) fn set_up(
    mounter: &dyn Mounter,
    folder: &Path,
    ready: &Path,
    medium: &Medium,
    group: Option<u32>,
) -> io::Result<()> {
    let mounted = matches!(medium, Medium::Memory(_)) && mounter.is_mounted(folder)?;
    let is_ready = ready.is_dir() && folder.is_dir() && (mounted || *medium == Medium::Disk);
    if is_ready {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    if let Medium::Memory(bytes) = medium
        && !mounted
    {
        mounter.memory(folder, *bytes, 0o777)?;
    }
    // Pods write in it from the first moment on: it is opened before anything is done to it by name.
    let open =
        openat(CWD, folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    match group {
        Some(group) => {
            fchown(&open, None, Some(Gid::from_raw(group)))?;
            fchmod(&open, Mode::from_raw_mode(0o2777))?;
        }
        None => fchmod(&open, Mode::from_raw_mode(0o777))?,
    }
    fs::create_dir_all(ready)?;
    chmod(ready, Mode::from_raw_mode(0o750))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn media() {
        let pod = tree(r#"{"spec":{"containers":[{"resources":{"limits":{"memory":"64Mi"}}}]}}"#);
        let free = tree(r#"{"spec":{"containers":[{}]}}"#);
        let cases = [
            (&pod, "{}", Ok(Medium::Disk)),
            (&pod, r#"{"medium":"Memory"}"#, Ok(Medium::Memory(Some(64 << 20)))),
            (&free, r#"{"medium":"Memory"}"#, Ok(Medium::Memory(Some(1 << 30)))),
            (&pod, r#"{"medium":"Memory","sizeLimit":"1Mi"}"#, Ok(Medium::Memory(Some(1 << 20)))),
            (&pod, r#"{"medium":"HugePages"}"#, Err("unknown storage medium \"HugePages\"".to_owned())),
        ];
        for (pod, source, want) in cases {
            assert_eq!(medium(pod, &tree(source), 1 << 30), want, "{source}");
        }
    }

    #[test]
    fn folders_are_made_once() {
        let scratch = tempfile::tempdir().unwrap();
        let (folder, ready) = (scratch.path().join("volume"), scratch.path().join("plugins/volume/ready"));
        let mounter = crate::volumes::mounter::double::Double::default();
        set_up(&mounter, &folder, &ready, &Medium::Disk, None).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o7777, 0o777);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        set_up(&mounter, &folder, &ready, &Medium::Disk, Some(5)).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o7777, 0o700, "what is ready is left alone");
        fs::remove_dir(&ready).unwrap();
        set_up(&mounter, &folder, &ready, &Medium::Memory(Some(7)), Some(5)).unwrap();
        let metadata = fs::metadata(&folder).unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.gid()), (0o2777, 5));
        set_up(&mounter, &folder, &ready, &Medium::Memory(Some(7)), Some(5)).unwrap();
        assert_eq!(mounter.told(), ["memory volume Some(7) 777"]);
    }
}
