//! Parts of volumes. Pods write in their volumes, so a part is opened step by step without ever leaving the volume.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use coracle_apimachinery::Value;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, fchmod, fstat, mkdirat, openat, openat2};
use rustix::io::Errno;

use crate::spec::expand_references;

/// The part of a volume that a mount asks for; none for the whole.
///
/// # Errors
/// It names variables that there are not, or leads out of the volume.
pub(super) fn wanted(mount: &Value, env: &[(String, String)]) -> Result<Option<String>, String> {
    let plain = mount.text_at(&["subPath"]);
    let expression = mount.text_at(&["subPathExpr"]);
    let path = if expression.is_empty() {
        plain.to_owned()
    } else {
        let path = expand_references(expression, env);
        if has_reference(expression, env) {
            return Err(format!("missing value for {:?}", missing(expression, env)));
        }
        path
    };
    if path.is_empty() {
        return Ok(None);
    }
    if path.starts_with('/') {
        return Err(format!("error SubPath `{path}` must not be an absolute path"));
    }
    if path.split('/').any(|item| item == "..") {
        return Err(format!("unable to provision SubPath `{path}`: must not contain '..'"));
    }
    Ok(Some(path))
}

fn has_reference(expression: &str, env: &[(String, String)]) -> bool {
    !missing(expression, env).is_empty()
}

/// The first variable of an expression that there is not.
fn missing(expression: &str, env: &[(String, String)]) -> String {
    let mut rest = expression;
    while let Some((_, after)) = rest.split_once('$') {
        if let Some(escaped) = after.strip_prefix('$') {
            rest = escaped;
            continue;
        }
        rest = after;
        if let Some((name, behind)) = after.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            if !env.iter().any(|(known, _)| known == name) {
                return name.to_owned();
            }
            rest = behind;
        }
    }
    String::new()
}

/// Opens a part of a volume for mounting; folders that are missing are made like the volume.
///
/// # Errors
/// It leads out of the volume, or the file system refuses.
pub(super) fn open(volume: &Path, part: &str) -> io::Result<OwnedFd> {
    let root = openat(CWD, volume, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    match open_beneath(&root, part) {
        Err(Errno::NOENT) => make(&root, part)?,
        outcome => return Ok(outcome?),
    }
    Ok(open_beneath(&root, part)?)
}

fn open_beneath(folder: &OwnedFd, path: &str) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    openat2(folder, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

fn make(root: &OwnedFd, part: &str) -> io::Result<()> {
    let mode = fstat(root)?.st_mode & 0o777;
    let mut folder = root.try_clone()?;
    for name in part.split('/').filter(|name| !name.is_empty() && *name != ".") {
        let (resolve, flags) =
            (ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS, OFlags::DIRECTORY | OFlags::CLOEXEC);
        folder = match openat2(folder.as_fd(), name, OFlags::PATH | flags, Mode::empty(), resolve) {
            Err(Errno::NOENT) => {
                mkdirat(&folder, name, Mode::from_raw_mode(mode))?;
                let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW;
                let made = openat2(folder.as_fd(), name, flags, Mode::empty(), resolve | ResolveFlags::NO_SYMLINKS)?;
                // The process may have a mask of its own.
                fchmod(&made, Mode::from_raw_mode(mode))?;
                made
            }
            outcome => outcome?,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;
    use std::fs;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn parts_are_named() {
        let env = [("A".to_owned(), "x".to_owned()), ("UP".to_owned(), "../y".to_owned())];
        let cases = [
            ("{}", Ok(None)),
            (r#"{"subPath":"a/b"}"#, Ok(Some("a/b"))),
            (r#"{"subPathExpr":"$(A)/$$(B)"}"#, Ok(Some("x/$(B)"))),
            (r#"{"subPathExpr":"$(B)"}"#, Err("missing value for \"B\"")),
            (r#"{"subPath":"/a"}"#, Err("error SubPath `/a` must not be an absolute path")),
            (r#"{"subPathExpr":"$(UP)"}"#, Err("unable to provision SubPath `../y`: must not contain '..'")),
        ];
        for (mount, want) in cases {
            let got = wanted(&tree(mount), &env);
            assert_eq!(got.as_ref().map(|part| part.as_deref()).map_err(String::as_str), want, "{mount}");
        }
    }

    #[test]
    fn no_part_leads_out() {
        let scratch = tempfile::tempdir().unwrap();
        let (volume, outside) = (scratch.path().join("v"), scratch.path().join("outside"));
        fs::create_dir(&volume).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::set_permissions(&volume, fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(volume.join("file"), "").unwrap();
        symlink("file", volume.join("inner")).unwrap();
        symlink("../outside", volume.join("up")).unwrap();
        symlink(&outside, volume.join("absolute")).unwrap();
        let place = |part: &str| {
            open(&volume, part).map(|fd| fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap())
        };
        assert_eq!(place("inner").unwrap(), volume.join("file"));
        assert_eq!(place("new/deep").unwrap(), volume.join("new/deep"));
        assert_eq!(fs::metadata(volume.join("new/deep")).unwrap().permissions().mode() & 0o777, 0o777);
        for part in ["up", "absolute", "up/x", "absolute/x", "../outside"] {
            assert!(place(part).is_err(), "{part}");
        }
        assert!(fs::read_dir(&outside).unwrap().next().is_none());
    }
}
