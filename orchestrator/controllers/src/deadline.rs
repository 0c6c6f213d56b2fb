//! Times that lie ahead.

use std::time::Duration;

use coracle_apimachinery::time::Instant;

/// How long it is until a second since the epoch begins; zero once it has.
pub(crate) fn until(seconds: i64, now: Instant) -> Duration {
    let whole = seconds.saturating_sub(now.seconds);
    u64::try_from(whole).map_or(Duration::ZERO, |whole| {
        Duration::from_secs(whole).saturating_sub(Duration::from_micros(now.micros.into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_reached_when_its_second_begins() {
        let table = [(10, 9, 0, 1_000_000), (10, 9, 999_999, 1), (10, 10, 0, 0), (10, 11, 5, 0), (10, 10, 5, 0)];
        for (at, seconds, micros, left) in table {
            assert_eq!(until(at, Instant { seconds, micros }), Duration::from_micros(left), "{at} {seconds}.{micros}");
        }
    }
}
