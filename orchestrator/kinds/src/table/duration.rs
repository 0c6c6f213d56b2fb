//! Durations as people read them, with two or three significant figures.

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24;
const YEAR: i64 = 365 * DAY;

/// The longest duration that Go can hold, in seconds; longer ones print as this one.
const LONGEST: i64 = 9_223_372_036;

/// Prints a duration such as `45s`, `2m30s`, `3h5m`, `6d4h` or `2y10d`. Durations below zero by more than the tolerated
/// difference between two clocks print as `<invalid>`.
pub fn human_duration(seconds: i64) -> String {
    let seconds = seconds.clamp(-LONGEST, LONGEST);
    let (minutes, hours) = (seconds / MINUTE, seconds / HOUR);
    match seconds {
        ..-1 => return "<invalid>".to_owned(),
        -1 => return "0s".to_owned(),
        0..120 => return format!("{seconds}s"),
        _ => {}
    }
    match minutes {
        ..10 => return pair(minutes, "m", seconds % 60, "s"),
        10..180 => return format!("{minutes}m"),
        _ => {}
    }
    if hours < 8 {
        pair(hours, "h", minutes % 60, "m")
    } else if hours < 2 * DAY {
        format!("{hours}h")
    } else if hours < 8 * DAY {
        pair(hours / DAY, "d", hours % DAY, "h")
    } else if hours < 2 * YEAR {
        format!("{}d", hours / DAY)
    } else if hours < 8 * YEAR {
        pair(hours / YEAR, "y", hours / DAY % 365, "d")
    } else {
        format!("{}y", hours / YEAR)
    }
}

/// Two figures, the second only when it is not zero.
fn pair(large: i64, unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{small}{small_unit}") }
}

#[cfg(test)]
mod tests {
    use super::human_duration;

    #[test]
    fn known_durations() {
        const DAY: i64 = 24 * 3600;
        for (seconds, text) in [
            (i64::MIN, "<invalid>"),
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (121, "2m1s"),
            (599, "9m59s"),
            (600, "10m"),
            (3 * 3600 - 1, "179m"),
            (3 * 3600, "3h"),
            (3 * 3600 + 65, "3h1m"),
            (8 * 3600 - 1, "7h59m"),
            (8 * 3600, "8h"),
            (2 * DAY - 1, "47h"),
            (2 * DAY, "2d"),
            (2 * DAY + 3600, "2d1h"),
            (8 * DAY - 1, "7d23h"),
            (8 * DAY, "8d"),
            (730 * DAY - 1, "729d"),
            (730 * DAY, "2y"),
            (731 * DAY, "2y1d"),
            (8 * 365 * DAY - 1, "7y364d"),
            (8 * 365 * DAY, "8y"),
            (i64::MAX, "292y"),
        ] {
            assert_eq!(human_duration(seconds), text, "{seconds}");
        }
    }
}
