//! The terminal of a process: made in the container's own devpts, its controlling end sent to the shim.

use std::os::fd::{AsFd as _, OwnedFd};

use coracle_shim_protocol::message::Size;
use coracle_shim_protocol::socket;
use rustix::fs::{CWD, Mode, OFlags, fstat, fstatfs, major, minor, open, openat};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use rustix::process::ioctl_tiocsctty;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::termios::{Winsize, tcsetwinsize};

use super::failure::Problem;
use super::process::ConsoleSize;

/// Magic number of devpts.
const DEVPTS: u64 = 0x1cd1;

/// Device number of the multiplexer.
const MULTIPLEXER: (u32, u32) = (5, 2);

/// Makes a terminal, sends its controlling end over `console`, and makes the other end the input, output and errors of
/// this process, and its controlling terminal. This process must lead a session.
pub(super) fn attach(console: &OwnedFd, size: Option<Size>) -> Result<OwnedFd, Problem> {
    let failed = |errno| Problem::step("failed to set up the terminal", errno);
    let multiplexer =
        open("/dev/ptmx", OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    // The image may have put anything there.
    let status = fstat(&multiplexer).map_err(failed)?;
    let kind = fstatfs(&multiplexer).map_err(failed)?.f_type;
    let device = (major(status.st_rdev), minor(status.st_rdev));
    if u64::try_from(kind).ok() != Some(DEVPTS) || device != MULTIPLEXER {
        return Err(Problem::new("failed to set up the terminal: /dev/ptmx is not a terminal multiplexer"));
    }
    unlockpt(&multiplexer).map_err(failed)?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = ioctl_tiocgptpeer(&multiplexer, flags).map_err(failed)?;
    if let Some(Size { columns, rows }) = size.filter(|size| size.columns > 0 && size.rows > 0) {
        tcsetwinsize(&terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })
            .map_err(failed)?;
    }
    socket::send_all(console, &[0], &[multiplexer.as_fd()])
        .map_err(|error| Problem::io("failed to send the terminal", &error))?;
    ioctl_tiocsctty(&terminal).map_err(failed)?;
    dup2_stdin(&terminal).map_err(failed)?;
    dup2_stdout(&terminal).map_err(failed)?;
    dup2_stderr(&terminal).map_err(failed)?;
    Ok(terminal)
}

/// Puts the terminal at `/dev/console`.
pub(super) fn mount_console(terminal: &OwnedFd) -> Result<(), Problem> {
    let failed = |errno| Problem::step("failed to mount /dev/console", errno);
    let flags = OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::RDONLY;
    match openat(CWD, "/dev/console", flags | OFlags::EXCL, Mode::from_raw_mode(0o600)) {
        Ok(_) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed(errno)),
    }
    let target =
        open("/dev/console", OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    let tree = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let mount = open_tree(terminal, "", tree).map_err(failed)?;
    let moved = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(&mount, "", &target, "", moved).map_err(failed)
}

/// Size in the notation of the protocol.
pub(super) const fn size(console: ConsoleSize) -> Size {
    Size { columns: console.width, rows: console.height }
}
