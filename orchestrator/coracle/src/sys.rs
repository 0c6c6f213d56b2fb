//! The one unsafe place of this executable.

use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::path::Path;

/// Owns descriptor `number` if it is open and not a standard stream. To be called at start, once for a number.
pub(crate) fn inherited_descriptor(number: RawFd) -> Option<OwnedFd> {
    if number <= 2 || !Path::new(&format!("/proc/self/fd/{number}")).exists() {
        return None;
    }
    // SAFETY: the descriptor is open (checked above), PID 1 made it for this process alone, and this is called once,
    // at start, before anything else can have taken the number.
    #[expect(unsafe_code, reason = "an inherited descriptor can only be owned by its number")]
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC).ok()?;
    Some(descriptor)
}
