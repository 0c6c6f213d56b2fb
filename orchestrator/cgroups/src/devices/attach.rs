//! Putting a device program in force at a group, and replacing it.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::io::Errno;

use super::Rule;
use super::program::assemble;
use crate::error::{Error, Result};
use crate::group::Group;
use crate::sys;

/// How our programs are known among those of others.
const NAME: &str = "coracle_devices";

/// Rules of one container. More than this is an error of the caller, not a container.
const MOST_RULES: usize = 1_000;

/// Room for what the verifier says.
const LOG: usize = 1 << 16;

impl Group {
    /// Allows `rules` in the group and all groups below it, and refuses every other device node, from now on: what is
    /// open stays open. Called again, it replaces the rules at once; there is no moment without.
    ///
    /// A group above may refuse what is allowed here.
    ///
    /// # Errors
    /// [`Error::Devices`] when the program is not in force afterwards. Then the group must not get a process.
    pub fn guard_devices(&self, rules: &[Rule]) -> Result<()> {
        let fail = |operation: &'static str| {
            move |source: io::Error| {
                let hint = hint(&source).to_owned();
                Error::Devices { path: self.path().to_owned(), operation, source, hint }
            }
        };
        if rules.len() > MOST_RULES {
            return Err(fail("too many rules")(io::ErrorKind::InvalidInput.into()));
        }
        let group = self.open()?;
        let program = self.load(rules)?;
        let old = ours(&group).map_err(fail("list the device programs of the group"))?;
        // The first is replaced in place; there are more only after a crash between two versions of this code.
        let replaced = old.first().map(|(_, program)| program.as_fd());
        sys::attach(group.as_fd(), program.as_fd(), replaced).map_err(fail("attach the device program"))?;
        for (_, other) in old.iter().skip(1) {
            sys::detach(group.as_fd(), other.as_fd()).map_err(fail("detach an old device program"))?;
        }
        let (id, _) = sys::identity(program.as_fd()).map_err(fail("read the device program"))?;
        let now = ours(&group).map_err(fail("list the device programs of the group"))?;
        match now.as_slice() {
            [(only, _)] if *only == id => Ok(()),
            _ => Err(fail("find the device program in force")(io::ErrorKind::NotFound.into())),
        }
    }

    /// Whether [`Self::guard_devices`] was called on this group, by this process or one before it.
    ///
    /// # Errors
    /// The group is gone, or the kernel has no device programs.
    pub fn has_device_guard(&self) -> Result<bool> {
        let group = self.open()?;
        let found = ours(&group).map_err(|source| Error::Devices {
            path: self.path().to_owned(),
            operation: "list the device programs of the group",
            hint: hint(&source).to_owned(),
            source,
        })?;
        Ok(!found.is_empty())
    }

    fn load(&self, rules: &[Rule]) -> Result<OwnedFd> {
        let program = assemble(rules);
        let license = c"Apache-2.0";
        let refused = match sys::load(&program, license, NAME, None) {
            Ok(loaded) => return Ok(loaded),
            Err(refused) => refused,
        };
        // Once more, to hear why. The log ends with a zero and may be cut.
        let mut log = vec![0; LOG];
        let source = match sys::load(&program, license, NAME, Some(&mut log)) {
            Ok(loaded) => return Ok(loaded),
            Err(again) if again.raw_os_error() == refused.raw_os_error() => again,
            Err(_) => refused,
        };
        let said = log.split(|byte| *byte == 0).next().unwrap_or(&[]);
        let said = String::from_utf8_lossy(said);
        let hint =
            if said.trim().is_empty() { hint(&source).to_owned() } else { format!("; the verifier says: {said}") };
        Err(Error::Devices { path: self.path().to_owned(), operation: "load the device program", source, hint })
    }
}

/// Our programs at the group itself.
fn ours(group: &OwnedFd) -> io::Result<Vec<(u32, OwnedFd)>> {
    let mut found = Vec::new();
    for id in sys::attached(group.as_fd())? {
        let program = match sys::by_id(id) {
            // It was detached since the list was made.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOENT) => continue,
            outcome => outcome?,
        };
        let (id, name) = sys::identity(program.as_fd())?;
        if name == NAME {
            found.push((id, program));
        }
    }
    Ok(found)
}

fn hint(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::NOSYS) => "; this kernel was built without bpf(2): it needs CONFIG_BPF_SYSCALL",
        Some(Errno::INVAL) => {
            "; this kernel may lack device programs: it needs CONFIG_CGROUP_BPF and CONFIG_CGROUP_DEVICE"
        }
        Some(Errno::PERM) => {
            "; it needs CAP_SYS_ADMIN (or CAP_BPF and CAP_NET_ADMIN), and a kernel that is not locked down; or a group \
             above holds a program that forbids others"
        }
        _ => "",
    }
}
