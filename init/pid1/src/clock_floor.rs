//! The clock never stands before what is known to be past: the build of the slot, and the last time stored in STATE.

use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

use crate::error::{Attempt as _, Result};
use crate::files;

/// Seconds since 1970 below the STATE mount point, rewritten at an orderly shutdown and once a day.
pub(crate) const STORED: &str = "/state/system/clock";

/// How often the stored time is renewed while the system runs, in milliseconds.
pub(crate) const STORE_EVERY_MS: u64 = 24 * 60 * 60 * 1000;

/// Where the slot says when it was built.
const OS_RELEASE: &str = "/etc/os-release";

/// Key of the build time (seconds since 1970) in os-release.
const BUILD_KEY: &str = "CORACLE_BUILD_TIME";

/// What was done to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was past the floor already.
    Kept,
    /// It was set to the floor.
    Raised {
        /// Seconds since 1970.
        to: u64,
    },
}

/// Raises the clock to its floor.
pub(crate) fn apply() -> Result<Outcome> {
    let build = build_time(&files::read_text(OS_RELEASE, 64 * 1024).unwrap_or_default());
    let stored = files::read_text(STORED, 64).ok().and_then(|text| text.trim().parse().ok());
    let outcome = plan(now(), build, stored);
    if let Outcome::Raised { to } = outcome {
        let time = Timespec { tv_sec: i64::try_from(to).unwrap_or(i64::MAX), tv_nsec: 0 };
        clock_settime(ClockId::Realtime, time).attempt("set", "clock")?;
    }
    Ok(outcome)
}

/// Stores the present as the floor of the next boot.
pub(crate) fn store() -> Result<()> {
    files::replace_durably(STORED, format!("{}\n", now()).as_bytes())
}

fn now() -> u64 {
    u64::try_from(clock_gettime(ClockId::Realtime).tv_sec).unwrap_or(0)
}

fn plan(now: u64, build: Option<u64>, stored: Option<u64>) -> Outcome {
    let floor = build.into_iter().chain(stored).max().unwrap_or(0);
    if now < floor { Outcome::Raised { to: floor } } else { Outcome::Kept }
}

fn build_time(os_release: &str) -> Option<u64> {
    let line = os_release.lines().find_map(|line| line.strip_prefix(BUILD_KEY)?.strip_prefix('='))?;
    line.trim().trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_known_past_is_the_floor() {
        for (now, build, stored, want) in [
            (0, None, None, Outcome::Kept),
            (0, Some(10), None, Outcome::Raised { to: 10 }),
            (0, Some(10), Some(20), Outcome::Raised { to: 20 }),
            (15, Some(10), Some(20), Outcome::Raised { to: 20 }),
            (15, Some(30), Some(20), Outcome::Raised { to: 30 }),
            (40, Some(30), Some(20), Outcome::Kept),
            (20, Some(20), None, Outcome::Kept),
        ] {
            assert_eq!(plan(now, build, stored), want, "{now} {build:?} {stored:?}");
        }
    }

    #[test]
    fn the_build_time_is_found() {
        assert_eq!(build_time("NAME=x\nCORACLE_BUILD_TIME=1700000000\n"), Some(1_700_000_000));
        assert_eq!(build_time("CORACLE_BUILD_TIME=\"17\"\n"), Some(17));
        assert_eq!(build_time("CORACLE_BUILD_TIMES=17\n"), None);
        assert_eq!(build_time("CORACLE_BUILD_TIME=soon\n"), None);
    }
}
