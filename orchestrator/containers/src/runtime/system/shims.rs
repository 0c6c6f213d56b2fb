//! Shims as processes.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle_shim_protocol::files::{READY, Ready, SOCKET};
use coracle_shim_protocol::process;

use super::shim::connect;
use crate::runtime::parts::{Later, Link, Sandboxes};
use crate::runtime::record::read;
use crate::volumes::blocking;

/// Starts shims from their executable, with that of their helpers.
#[derive(Debug, Clone)]
pub struct Shims(Arc<Executables>);

#[derive(Debug)]
struct Executables {
    shim: OwnedFd,
    helper: OwnedFd,
}

impl Shims {
    /// `shim` is coracle-init, `helper` coracle-runtime; the latter must be
    /// [sealed](coracle_shim_protocol::executable::sealed).
    #[must_use]
    pub fn new(shim: OwnedFd, helper: OwnedFd) -> Self {
        Self(Arc::new(Executables { shim, helper }))
    }
}

impl Executables {
    fn start(&self, folder: &Path) -> Result<Ready, String> {
        let path = PathBuf::from(format!("/proc/self/fd/{}", self.shim.as_raw_fd()));
        process::start(folder, &path, self.helper.as_fd()).map_err(|error| format!("failed to start the shim: {error}"))
    }
}

impl Sandboxes for Shims {
    fn start<'a>(&'a self, folder: &'a Path) -> Later<'a, Link> {
        Box::pin(async move {
            let (owned, executables) = (folder.to_owned(), Arc::clone(&self.0));
            blocking(move || executables.start(&owned)).await?;
            connect(&folder.join(SOCKET)).await
        })
    }

    fn adopt<'a>(&'a self, folder: &'a Path) -> Later<'a, Option<Link>> {
        Box::pin(async move {
            let file = folder.join(READY);
            let told = blocking(move || read::<Ready>(&file).map_err(|error| error.to_string())).await?;
            let Some(told) = told.filter(lives) else { return Ok(None) };
            let link = connect(&folder.join(SOCKET)).await?;
            let found = link.shim.ready();
            if (found.pid, found.start_ticks) == (told.pid, told.start_ticks) {
                Ok(Some(link))
            } else {
                Err("another process listens at the shim's socket".to_owned())
            }
        })
    }
}

/// Whether the process with that number is the one that wrote it down: numbers are used again.
fn lives(ready: &Ready) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", ready.pid)).unwrap_or_default();
    start_ticks(&stat) == Some(ready.start_ticks)
}

/// Field 22 of a process' `stat`. The name in field 2 can hold anything, also parentheses.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_told_apart() {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let ticks = start_ticks(&stat).unwrap();
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(lives(&Ready { pid, start_ticks: ticks, ..Ready::default() }));
        assert!(!lives(&Ready { pid, start_ticks: ticks + 1, ..Ready::default() }));
        assert_eq!(start_ticks("1 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 77 20"), Some(77));
        assert_eq!(start_ticks(""), None);
    }

    #[tokio::test]
    async fn nobody_is_adopted_where_nobody_is() {
        let scratch = tempfile::tempdir().unwrap();
        let open = |path| OwnedFd::from(std::fs::File::open(path).unwrap());
        let shims = Shims::new(open("/bin/true"), open("/dev/null"));
        assert!(shims.adopt(scratch.path()).await.unwrap().is_none());
        assert!(shims.start(scratch.path()).await.unwrap_err().starts_with("failed to start the shim: "));
    }
}
