//! Waiting times that double: 10 s, 20 s, … up to 5 min. They begin anew after twice the longest wait without trouble.

use std::time::Duration;

const FIRST: i64 = 10_000;
const LONGEST: i64 = 300_000;

/// How long to wait before the next try, in milliseconds of whichever clock the caller uses throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    delay: i64,
    updated: i64,
}

impl Backoff {
    /// The wait after one more trouble that happened at `event`.
    pub(crate) fn next(previous: Option<Self>, event: i64, now: i64) -> Self {
        let delay = match previous {
            Some(previous) if !previous.is_over(event) => (previous.delay * 2).min(LONGEST),
            _ => FIRST,
        };
        Self { delay, updated: now }
    }

    /// What is left of the wait that began at `since`.
    pub(crate) fn left(self, since: i64, now: i64) -> Option<Duration> {
        let left = self.delay - (now - since).max(0);
        if self.is_over(since) || left <= 0 {
            return None;
        }
        u64::try_from(left).ok().map(Duration::from_millis)
    }

    /// The whole wait.
    pub(crate) fn delay(self) -> Duration {
        Duration::from_millis(u64::try_from(self.delay).unwrap_or(0))
    }

    fn is_over(self, event: i64) -> bool {
        event - self.updated > 2 * LONGEST
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use std::time::Duration;

    #[test]
    fn waits_double_up_to_five_minutes() {
        let mut backoff = None;
        let mut seen = Vec::new();
        for round in 0..7 {
            let next = Backoff::next(backoff, round, round);
            seen.push(next.delay().as_secs());
            backoff = Some(next);
        }
        assert_eq!(seen, [10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn a_good_run_resets() {
        let long = Backoff { delay: 160_000, updated: 0 };
        assert_eq!(Backoff::next(Some(long), 600_000, 600_000).delay(), Duration::from_secs(300));
        assert_eq!(Backoff::next(Some(long), 600_001, 600_001).delay(), Duration::from_secs(10));
        assert_eq!(long.left(600_001, 600_002), None);
    }

    #[test]
    fn what_is_left() {
        let backoff = Backoff { delay: 10_000, updated: 0 };
        assert_eq!(backoff.left(1_000, 4_000), Some(Duration::from_secs(7)));
        assert_eq!(backoff.left(1_000, 11_000), None);
        // An event that is said to lie ahead does not make the wait longer.
        assert_eq!(backoff.left(9_000, 1_000), Some(Duration::from_secs(10)));
    }
}
