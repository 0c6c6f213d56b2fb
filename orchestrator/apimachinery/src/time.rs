//! Points in time as `metav1.Time` and `metav1.MicroTime` read and print them: RFC 3339 in UTC, to the second or with six
//! decimals. The zero time of Go, the first second of the year 1, stands for absent and prints as null.

/// Seconds from the Unix epoch to Go's zero time.
pub const ZERO_SECONDS: i64 = -62_135_596_800;
/// One past the last second of the year 9999.
const END_SECONDS: i64 = 253_402_300_800;
/// The first second of the year 0, the earliest that the format can hold.
const START_SECONDS: i64 = -62_167_219_200;
const DAY: i64 = 86_400;

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    /// Seconds since the Unix epoch, not negative beyond the year 0.
    pub seconds: i64,
    /// Microseconds within the second.
    pub micros: u32,
}

/// Which of the two formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// `metav1.Time`: seconds; decimals in the input are read and dropped.
    Seconds,
    /// `metav1.MicroTime`: exactly six decimals.
    Micros,
}

/// The text is no point in time of the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parsing time {text:?} as {layout:?}: {detail}")]
pub struct Invalid {
    text: String,
    layout: &'static str,
    detail: String,
}

impl Instant {
    /// A point in time, unless it lies outside the years that the format can hold.
    pub fn new(seconds: i64, micros: u32) -> Option<Self> {
        let fits = (START_SECONDS..END_SECONDS).contains(&seconds) && micros < 1_000_000;
        fits.then_some(Self { seconds, micros })
    }

    /// Whether it is Go's zero time.
    pub fn is_zero(self) -> bool {
        self.seconds == ZERO_SECONDS && self.micros == 0
    }

    /// Prints it in UTC.
    pub fn print(self, precision: Precision) -> String {
        let days = self.seconds.div_euclid(DAY);
        let rest = self.seconds.rem_euclid(DAY);
        let (year, month, day) = date_of(days);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        let decimals = match precision {
            Precision::Seconds => String::new(),
            Precision::Micros => format!(".{:06}", self.micros),
        };
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{decimals}Z")
    }

    /// Reads RFC 3339 text.
    pub fn parse(text: &str, precision: Precision) -> Result<Self, Invalid> {
        read(text.as_bytes(), precision).map_err(|detail| {
            let layout = match precision {
                Precision::Seconds => "2006-01-02T15:04:05Z07:00",
                Precision::Micros => "2006-01-02T15:04:05.000000Z07:00",
            };
            Invalid { text: text.to_owned(), layout, detail: detail.to_owned() }
        })
    }
}

/// A cursor over the bytes of the text.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn literal(&mut self, byte: u8) -> Result<(), &'static str> {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                Ok(())
            }
            _ => Err("cannot parse"),
        }
    }

    fn digits(&mut self, count: usize) -> Result<i64, &'static str> {
        let (digits, rest) = self.0.split_at_checked(count).ok_or("cannot parse")?;
        let mut value = 0;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return Err("cannot parse");
            }
            value = value * 10 + i64::from(digit - b'0');
        }
        self.0 = rest;
        Ok(value)
    }

    fn bounded(
        &mut self,
        range: std::ops::RangeInclusive<i64>,
        out_of_range: &'static str,
    ) -> Result<i64, &'static str> {
        let value = self.digits(2)?;
        if range.contains(&value) { Ok(value) } else { Err(out_of_range) }
    }
}

fn read(text: &[u8], precision: Precision) -> Result<Instant, &'static str> {
    let mut reader = Reader(text);
    let year = reader.digits(4)?;
    reader.literal(b'-')?;
    let month = reader.bounded(1..=12, "month out of range")?;
    reader.literal(b'-')?;
    let day = reader.bounded(1..=31, "day out of range")?;
    if day > days_in_month(year, month) {
        return Err("day out of range");
    }
    reader.literal(b'T')?;
    let hour = reader.bounded(0..=23, "hour out of range")?;
    reader.literal(b':')?;
    let minute = reader.bounded(0..=59, "minute out of range")?;
    reader.literal(b':')?;
    let second = reader.bounded(0..=59, "second out of range")?;
    let micros = match (precision, reader.0.first()) {
        (Precision::Micros, Some(b'.' | b',')) => {
            reader.0 = reader.0.get(1..).unwrap_or_default();
            reader.digits(6)?
        }
        (Precision::Micros, _) => return Err("cannot parse"),
        (Precision::Seconds, Some(b'.' | b',')) => {
            let rest = reader.0.get(1..).unwrap_or_default();
            let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if length == 0 {
                return Err("cannot parse");
            }
            reader.0 = rest.get(length..).unwrap_or_default();
            0
        }
        (Precision::Seconds, _) => 0,
    };
    let offset = match reader.0.split_first() {
        Some((b'Z', rest)) => {
            reader.0 = rest;
            0
        }
        Some((sign @ (b'+' | b'-'), rest)) => {
            reader.0 = rest;
            let hours = reader.bounded(0..=24, "time zone offset hour out of range")?;
            reader.literal(b':')?;
            let minutes = reader.bounded(0..=60, "time zone offset minute out of range")?;
            let size = hours * 3600 + minutes * 60;
            if *sign == b'-' { -size } else { size }
        }
        _ => return Err("cannot parse"),
    };
    if !reader.0.is_empty() {
        return Err("extra text");
    }
    let seconds = days_of(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    let micros = u32::try_from(micros).map_err(|_| "cannot parse")?;
    Instant::new(seconds, micros).ok_or("year out of range")
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since the Unix epoch of a date, counted in years that begin in March so that the leap day comes last.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_of`].
fn date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{END_SECONDS, Instant, Precision, START_SECONDS, ZERO_SECONDS};
    use proptest::prelude::*;

    #[test]
    fn known_texts() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2008-01-01T01:01:01Z", 1_199_149_261),
            ("2024-02-29T23:59:59Z", 1_709_251_199),
            ("0001-01-01T00:00:00Z", ZERO_SECONDS),
            ("9999-12-31T23:59:59Z", END_SECONDS - 1),
            ("0000-01-01T00:00:00Z", START_SECONDS),
        ];
        for (text, seconds) in cases {
            let instant = Instant::parse(text, Precision::Seconds).unwrap();
            assert_eq!(instant, Instant { seconds, micros: 0 });
            assert_eq!(instant.print(Precision::Seconds), text);
        }
        let offset = Instant::parse("2008-01-01T03:31:01.999+02:30", Precision::Seconds).unwrap();
        assert_eq!(offset.print(Precision::Seconds), "2008-01-01T01:01:01Z");
        let micro = Instant::parse("2008-01-01T01:01:01.000010Z", Precision::Micros).unwrap();
        assert_eq!(micro.print(Precision::Micros), "2008-01-01T01:01:01.000010Z");
    }

    #[test]
    fn wrong_texts() {
        for text in [
            "",
            "2023-02-29T00:00:00Z",
            "2023-01-01t00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:00:00",
            "2023-01-01T00:00:00Zx",
            "0000-01-01T00:00:00+00:01",
            "2023-01-01T00:00:60Z",
            "2023-01-01T00:00:00.Z",
        ] {
            assert!(Instant::parse(text, Precision::Seconds).is_err(), "{text}");
        }
        assert!(Instant::parse("2023-01-01T00:00:00Z", Precision::Micros).is_err());
    }

    proptest! {
        #[test]
        fn round_trip(seconds in START_SECONDS..END_SECONDS, micros in 0u32..1_000_000) {
            let instant = Instant { seconds, micros };
            prop_assert_eq!(Instant::parse(&instant.print(Precision::Micros), Precision::Micros).unwrap(), instant);
        }

        #[test]
        fn any_text(text: String) {
            let _ = Instant::parse(&text, Precision::Seconds);
        }
    }
}
