//! What clocks on the wall show.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use coracle_apimachinery::time::Instant;

/// Tells the time. It may be set at any moment, so it is for showing only; deadlines go by tokio's clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Instant + Send + Sync>);

impl Clock {
    /// The clock of the system.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            instant(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_micros())
        }))
    }

    /// A clock that shows `start` now and goes as tokio's does.
    #[must_use]
    pub fn from(start: Instant) -> Self {
        let began = tokio::time::Instant::now();
        Self(Arc::new(move || {
            let since = began.elapsed();
            let micros = start.micros.saturating_add(since.subsec_micros());
            let seconds =
                i64::try_from(since.as_secs()).unwrap_or(i64::MAX).saturating_add(i64::from(micros / 1_000_000));
            instant(start.seconds.saturating_add(seconds), micros % 1_000_000)
        }))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Instant {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// The point in time, or the epoch for one that cannot be written down.
fn instant(seconds: i64, micros: u32) -> Instant {
    Instant::new(seconds, micros).unwrap_or(Instant { seconds: 0, micros: 0 })
}
