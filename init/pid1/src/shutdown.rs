//! The orderly end: processes are asked, then killed; STATE gets its last records; mounts go; the machine goes. Each
//! phase has a bound, and past the last one the watchdog is no longer fed.

use std::os::fd::AsFd as _;

use coracle_contract::marker::Marker;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::mount::{MountFlags, UnmountFlags, mount_remount, unmount};
use rustix::system::{RebootCommand, reboot};

use crate::clock_floor;
use crate::context::Context;
use crate::entropy;
use crate::files;
use crate::signals::Signals;
use crate::wait::{self, Moment};

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Reboot.
    Reboot,
    /// Power off.
    PowerOff,
}

/// Who is signalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// The orchestrator, which ends its pods' work first.
    Orchestrator,
    /// Every process.
    All,
}

/// One phase of ending the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Phase {
    target: Target,
    signal: Signal,
    /// How long to wait for the end of the target, in milliseconds.
    bound_ms: u64,
}

const PHASES: [Phase; 3] = [
    Phase { target: Target::Orchestrator, signal: Signal::SIGTERM, bound_ms: 20_000 },
    Phase { target: Target::All, signal: Signal::SIGTERM, bound_ms: 10_000 },
    Phase { target: Target::All, signal: Signal::SIGKILL, bound_ms: 5_000 },
];

impl Ending {
    /// The word in markers.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Reboot => "reboot",
            Self::PowerOff => "poweroff",
        }
    }
}

/// An end to carry out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shutdown {
    /// The supervised process, if it runs.
    pub(crate) orchestrator: Option<i32>,
    /// Whether STATE takes the last records.
    pub(crate) state_writable: bool,
    /// Whether the mounts are ours to undo.
    pub(crate) owns_mounts: bool,
    /// Reboot or power off.
    pub(crate) ending: Ending,
}

impl Shutdown {
    /// Ends everything.
    pub(crate) fn perform(self, context: &mut Context, signals: &Signals, reason: &str) -> ! {
        context.console.marker(&Marker::new("power").with("action", self.ending.name()).with("reason", reason));
        let mut orchestrator = self.orchestrator;
        for phase in PHASES {
            end_processes(context, signals, &mut orchestrator, phase);
        }
        if self.state_writable {
            store_records(context);
        }
        context.watchdog.feed();
        if self.owns_mounts {
            unmount_all(context);
        }
        rustix::fs::sync();
        let _ = reboot(match self.ending {
            Ending::Reboot => RebootCommand::Restart,
            Ending::PowerOff => RebootCommand::PowerOff,
        });
        // A machine that cannot power off stays here; one that cannot restart is reset by its watchdog.
        wait::hang()
    }
}

fn store_records(context: &mut Context) {
    for outcome in [entropy::store_fresh_seed(), clock_floor::store()] {
        if let Err(error) = outcome {
            context.warn(&error);
        }
    }
}

fn end_processes(context: &mut Context, signals: &Signals, orchestrator: &mut Option<i32>, phase: Phase) {
    let target = match phase.target {
        Target::All => Some(-1),
        Target::Orchestrator => *orchestrator,
    };
    let Some(target) = target else { return };
    // ESRCH: nobody is left, which the loop below finds out as well.
    let _ = kill(Pid::from_raw(target), phase.signal);
    let deadline = Moment::now().after(phase.bound_ms);
    while Moment::now() < deadline {
        if reap(orchestrator) == Left::Nobody || (phase.target == Target::Orchestrator && orchestrator.is_none()) {
            return;
        }
        let _ = wait::readable_feeding(&[signals.as_fd()], deadline, &mut context.watchdog);
        signals.take();
    }
}

#[derive(PartialEq, Eq)]
enum Left {
    Somebody,
    Nobody,
}

/// Reaps all that have ended. Orphans come to PID 1, so that no child means no process.
fn reap(orchestrator: &mut Option<i32>) -> Left {
    use rustix::process::{WaitOptions, wait};
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, _))) => {
                if *orchestrator == Some(pid.as_raw_nonzero().get()) {
                    *orchestrator = None;
                }
            }
            Ok(None) => return Left::Somebody,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Left::Nobody,
        }
    }
}

fn unmount_all(context: &mut Context) {
    let mounts = files::read_text("/proc/self/mountinfo", 4 << 20).unwrap_or_default();
    for target in unmount_order(&mounts) {
        if unmount(&target, UnmountFlags::NOFOLLOW).is_ok() {
            continue;
        }
        // Busy: read-only is as good for the disk.
        if let Err(error) = mount_remount(&target, MountFlags::RDONLY, "") {
            context.console.say(&format!("warning: {target} stays mounted: {error}"));
        }
    }
}

/// File systems that hold nothing over a reboot, and the root.
const LEFT_ALONE: [&str; 11] =
    ["proc", "sysfs", "devtmpfs", "devpts", "tmpfs", "cgroup2", "bpf", "securityfs", "mqueue", "squashfs", "rootfs"];

/// Mount points of `/proc/self/mountinfo` in the order of unmounting: the last made first.
fn unmount_order(mountinfo: &str) -> Vec<String> {
    let mut targets: Vec<String> = mountinfo
        .lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let kind = right.split(' ').next()?;
            let target = left.split(' ').nth(4)?;
            (!LEFT_ALONE.contains(&kind) && target != "/").then(|| unescape(target))
        })
        .collect();
    targets.reverse();
    targets
}

/// The kernel writes space, tab, newline and backslash as `\` and three octal digits.
fn unescape(target: &str) -> String {
    let mut text = target.to_owned();
    for (escaped, plain) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        text = text.replace(escaped, plain);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mounted_goes_first_and_kernel_file_systems_stay() {
        let mounts = "1 0 0:1 / / ro - squashfs /dev/dm-0 ro\n2 1 0:2 / /proc rw - proc proc rw\n\
                      3 1 0:3 / /data rw shared:1 - ext4 /dev/vda6 rw\n4 1 0:3 /var /var rw - ext4 /dev/vda6 rw\n\
                      5 4 0:4 / /var/lib/a\\040b rw - overlay overlay rw\n";
        assert_eq!(unmount_order(mounts), ["/var/lib/a b", "/var", "/data"]);
    }

    #[test]
    fn every_process_is_killed_in_the_end_and_the_bounds_are_finite() {
        assert_eq!(PHASES.last().map(|phase| (phase.target, phase.signal)), Some((Target::All, Signal::SIGKILL)));
        assert!(PHASES.iter().map(|phase| phase.bound_ms).sum::<u64>() <= 40_000);
    }
}
