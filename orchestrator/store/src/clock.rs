//! Monotonic time, injected so that tests move it themselves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A point of monotonic time, in milliseconds since the clock's own start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(u64);

/// Where the store takes the time from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The time now. Never goes back.
    fn now(&self) -> Tick;

    /// How long to wait for a deadline, or `None` when somebody else wakes the waiter (a clock moved by hand).
    fn wait_for(&self, deadline: Tick) -> Option<Duration>;
}

/// The operating system's monotonic clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

/// A clock that stands still until a test moves it.
#[derive(Debug, Default)]
pub struct ManualClock {
    millis: AtomicU64,
}

impl Tick {
    /// The tick of a number of milliseconds after the clock's start.
    #[must_use]
    pub fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// This time plus a span, saturating.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// How long ago `earlier` was; zero if it is in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Tick {
        Tick(millis(self.start.elapsed()))
    }

    fn wait_for(&self, deadline: Tick) -> Option<Duration> {
        Some(deadline.since(self.now()))
    }
}

impl ManualClock {
    /// Moves the clock. A running store notices at its next command; `LocalStore::tick` is one.
    pub fn advance(&self, span: Duration) {
        self.millis.fetch_add(millis(span), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Tick {
        Tick(self.millis.load(Ordering::SeqCst))
    }

    fn wait_for(&self, _deadline: Tick) -> Option<Duration> {
        None
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
