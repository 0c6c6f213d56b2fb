//! Another network namespace: reached by a path or descriptor, entered by a thread that does nothing else.

use std::{
    fs::File,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    sync::Arc,
    thread,
};

use rustix::{
    fs::{fstat, stat},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use crate::Error;

/// Where a pod's network namespace can be found.
#[derive(Debug, Clone)]
pub enum Namespace {
    /// A file of the namespace, such as `/proc/PID/fd/N` or `/proc/PID/ns/net`.
    Path(PathBuf),
    /// An open one.
    Descriptor(Arc<OwnedFd>),
}

/// A network namespace that is held open.
pub(crate) struct Held {
    file: Arc<OwnedFd>,
}

impl Namespace {
    /// Opens it. The caller's own namespace is refused: a pod of the host's network has nothing to be set up.
    pub(crate) fn hold(&self, uid: &str) -> Result<Held, Error> {
        let file = match self {
            Self::Path(path) => {
                Arc::new(File::open(path).map_err(Error::io(format!("opening {}", path.display())))?.into())
            }
            Self::Descriptor(file) => Arc::clone(file),
        };
        let identity = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino);
        let theirs = fstat(&file).map(identity).map_err(Error::io("looking at a network namespace"))?;
        let own = stat("/proc/thread-self/ns/net").map(identity).map_err(Error::io("looking at the own namespace"))?;
        if theirs == own {
            return Err(Error::Pod { uid: uid.to_owned(), problem: "its network namespace is the host's".to_owned() });
        }
        Ok(Held { file })
    }
}

impl Held {
    /// Its descriptor.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Does something inside: in a thread of its own, which ends with it, so that no other thread ever changes its place.
    pub(crate) fn inside<T: Send>(&self, act: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
        let enter = || {
            move_into_link_name_space(self.fd(), Some(LinkNameSpaceType::Network))
                .map_err(Error::io("entering a network namespace"))?;
            act()
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("pod-namespace".to_owned()).spawn_scoped(scope, enter);
            thread.map_err(Error::io("starting a thread"))?.join().map_err(|_| Error::Ended)?
        })
    }
}
