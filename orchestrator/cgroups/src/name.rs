//! Names that become folders. They come from the API, so they are checked here once and carried as types.

use coracle_contract::cgroups;

use crate::error::{Error, Result};

/// Longest name: UIDs have 36 characters, container ids 64.
const LONGEST: usize = 128;

/// Quality of service of a pod, which is also its place in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quality {
    /// Every container has equal requests and limits.
    Guaranteed,
    /// Some container has a request or a limit.
    Burstable,
    /// No container has either.
    BestEffort,
}

impl Quality {
    /// The folder between `kubepods` and the pod; Guaranteed pods have none.
    #[must_use]
    pub const fn folder(self) -> Option<&'static str> {
        match self {
            Self::Guaranteed => None,
            Self::Burstable => Some(cgroups::BURSTABLE),
            Self::BestEffort => Some(cgroups::BEST_EFFORT),
        }
    }
}

/// UID of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PodUid(String);

/// Id of a container.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContainerId(String);

impl PodUid {
    /// Checks a UID.
    ///
    /// # Errors
    /// It cannot be part of a folder's name.
    pub fn new(uid: &str) -> Result<Self> {
        checked("pod UID", uid).map(Self)
    }

    /// Name of the pod's folder.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{}{}", cgroups::POD_PREFIX, self.0)
    }

    /// The UID in the name of a pod's folder.
    #[must_use]
    pub fn from_folder(folder: &str) -> Option<Self> {
        folder.strip_prefix(cgroups::POD_PREFIX).and_then(|uid| Self::new(uid).ok())
    }

    /// The UID itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ContainerId {
    /// Checks an id.
    ///
    /// # Errors
    /// It cannot be a folder's name.
    pub fn new(id: &str) -> Result<Self> {
        checked("container id", id).map(Self)
    }

    /// The id, which is also its folder's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Without dots and slashes a name can neither leave its folder nor collide with a file of the kernel, all of which
/// have a dot.
fn checked(kind: &'static str, name: &str) -> Result<String> {
    let bad = |reason| Err(Error::BadName { kind, name: name.chars().take(LONGEST).collect(), reason });
    if name.is_empty() {
        return bad("it is empty");
    }
    if name.len() > LONGEST {
        return bad("it is too long");
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return bad("only letters, digits, '-' and '_' may stand in it");
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_folder() {
        for bad in ["", ".", "..", "a/b", "/", "cgroup.procs", "a\0b", "a\nb", "ä", &"x".repeat(129)] {
            assert!(PodUid::new(bad).is_err(), "{bad:?}");
            assert!(ContainerId::new(bad).is_err(), "{bad:?}");
        }
        let uid = PodUid::new("0b6f5d1c-1c9e-4d7b-a9a6-0d7e6e1f0a11").unwrap();
        assert_eq!(uid.folder(), "pod0b6f5d1c-1c9e-4d7b-a9a6-0d7e6e1f0a11");
        assert_eq!(PodUid::from_folder(&uid.folder()), Some(uid));
        assert_eq!(PodUid::from_folder("burstable"), None);
        assert_eq!(PodUid::from_folder("pod"), None);
    }
}
