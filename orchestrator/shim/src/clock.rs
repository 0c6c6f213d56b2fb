//! Time: deadlines on the monotonic clock, stamps on the other, and how they are written.

use std::time::{SystemTime, UNIX_EPOCH};

use coracle_shim_protocol::Nanoseconds;
use rustix::time::{ClockId, clock_gettime};

const SECOND: u64 = 1_000_000_000;

/// Milliseconds on the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) u64);

impl Moment {
    /// The present.
    pub(super) fn now() -> Self {
        let time = clock_gettime(ClockId::Monotonic);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
        Self(seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000))
    }

    /// So many milliseconds later.
    pub(super) const fn after(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

/// The present as the world counts it.
pub(super) fn now() -> Nanoseconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().saturating_mul(SECOND).saturating_add(since.subsec_nanos().into())
}

/// Year, month, day, hour, minute, second.
struct Calendar([u64; 6]);

impl Calendar {
    fn of(time: Nanoseconds) -> Self {
        let seconds = time / SECOND;
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        // Days are counted in eras of 400 years that start on a first of March, so that a leap day is a year's last.
        let shifted = days.saturating_add(719_468);
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let leaps = (day_of_era / 1_460).saturating_add(day_of_era / 146_096);
        let year_of_era = day_of_era.saturating_add(day_of_era / 36_524).saturating_sub(leaps) / 365;
        let before = year_of_era.saturating_mul(365).saturating_add(year_of_era / 4).saturating_sub(year_of_era / 100);
        let day_of_year = day_of_era.saturating_sub(before);
        let march_month = day_of_year.saturating_mul(5).saturating_add(2) / 153;
        let day = day_of_year.saturating_sub(march_month.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
        let (month, carry) =
            if march_month < 10 { (march_month.saturating_add(3), 0) } else { (march_month.saturating_sub(9), 1) };
        let year = era.saturating_mul(400).saturating_add(year_of_era).saturating_add(carry);
        Self([year, month, day, rest / 3600, rest / 60 % 60, rest % 60])
    }
}

/// `2026-11-25T09:01:02.000000003Z`. Always nine digits, so that lines sort.
pub(super) fn stamp(time: Nanoseconds) -> String {
    let Calendar([year, month, day, hour, minute, second]) = Calendar::of(time);
    let fraction = time % SECOND;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z")
}

/// `20261125-090102`, how the kubelet names rotated logs.
pub(super) fn suffix(time: Nanoseconds) -> String {
    let Calendar([year, month, day, hour, minute, second]) = Calendar::of(time);
    format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_the_calendars() {
        for (seconds, want) in [
            (0, "1970-01-01T00:00:00.000000007Z"),
            (951_782_399, "2000-02-28T23:59:59.000000007Z"),
            (951_782_400, "2000-02-29T00:00:00.000000007Z"),
            (951_868_800, "2000-03-01T00:00:00.000000007Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000000007Z"),
            (1_795_597_262, "2026-11-25T09:01:02.000000007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000007Z"),
        ] {
            assert_eq!(stamp(seconds * SECOND + 7), want);
        }
        assert_eq!(suffix(1_795_597_262 * SECOND), "20261125-090102");
    }
}
