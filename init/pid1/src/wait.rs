//! Waiting: for descriptors, with a deadline, while the watchdog is fed. Nothing in this crate waits any other way.

use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use crate::error::{Attempt as _, Result};
use crate::watchdog::Watchdog;

/// A point on the monotonic clock in milliseconds since the kernel started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    /// The present.
    pub(crate) fn now() -> Self {
        let time = clock_gettime(ClockId::Monotonic);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
        Self(seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000))
    }

    /// This moment and `milliseconds` more.
    pub(crate) const fn after(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to this moment; zero when it is later.
    pub(crate) const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Waits until one of `descriptors` is readable (or hung up) or `deadline` passes. Returns which are ready; none at the
/// deadline. Does not feed the watchdog.
pub(crate) fn readable(descriptors: &[BorrowedFd<'_>], deadline: Moment) -> Result<Vec<bool>> {
    let mut polled: Vec<PollFd<'_>> =
        descriptors.iter().map(|descriptor| PollFd::from_borrowed_fd(*descriptor, PollFlags::IN)).collect();
    loop {
        let timeout = timespec(deadline.since(Moment::now()));
        match poll(&mut polled, Some(&timeout)) {
            Err(Errno::INTR) => {}
            outcome => {
                outcome.attempt("poll", "descriptors")?;
                return Ok(polled.iter().map(|descriptor| !descriptor.revents().is_empty()).collect());
            }
        }
    }
}

/// As [`readable`], feeding the watchdog as often as it wants: for waits whose deadline belongs to a boot stage.
pub(crate) fn readable_feeding(
    descriptors: &[BorrowedFd<'_>],
    deadline: Moment,
    watchdog: &mut Watchdog,
) -> Result<Vec<bool>> {
    loop {
        watchdog.feed();
        let until = Moment::now().after(watchdog.feed_interval_ms()).min(deadline);
        let ready = readable(descriptors, until)?;
        if ready.contains(&true) || Moment::now() >= deadline {
            return Ok(ready);
        }
    }
}

/// Stays for ever without feeding anything.
pub(crate) fn hang() -> ! {
    loop {
        rustix::event::pause();
    }
}

fn timespec(milliseconds: u64) -> Timespec {
    let seconds = i64::try_from(milliseconds / 1000).unwrap_or(i64::MAX);
    let nanoseconds = i64::try_from((milliseconds % 1000).saturating_mul(1_000_000)).unwrap_or(0);
    Timespec { tv_sec: seconds, tv_nsec: nanoseconds }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::fd::AsFd as _;

    #[test]
    fn a_written_pipe_is_ready_and_a_passed_deadline_returns() {
        let (silent, _keep) = std::io::pipe().unwrap();
        let (spoken, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let ready = readable(&[silent.as_fd(), spoken.as_fd()], Moment(u64::MAX)).unwrap();
        assert_eq!(ready, [false, true]);
        assert_eq!(readable(&[silent.as_fd()], Moment(0)).unwrap(), [false]);
    }

    #[test]
    fn moments_saturate() {
        assert_eq!(Moment(5).since(Moment(9)), 0);
        assert_eq!(Moment(u64::MAX).after(1), Moment(u64::MAX));
    }
}
