//! How long to wait after failures.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(200);
const LAST: Duration = Duration::from_secs(7);

/// Waits that double from one failure to the next.
#[derive(Debug, Default)]
pub(super) struct BackOff(Option<Duration>);

impl BackOff {
    /// When to try again after one more failure.
    pub(super) fn failed(&mut self) -> Instant {
        let wait = self.0.map_or(FIRST, |before| (before * 2).min(LAST));
        self.0 = Some(wait);
        Instant::now() + wait
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        self.0 = None;
    }
}

/// Waits until a moment, or for ever.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
