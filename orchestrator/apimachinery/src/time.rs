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

/// The text is no point in time of the format; the wording is Go's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// An element of the layout does not fit.
    #[error("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {element:?}")]
    Element {
        /// The whole text.
        text: String,
        /// The layout.
        layout: &'static str,
        /// The text from the element on.
        rest: String,
        /// The element.
        element: &'static str,
    },
    /// The elements fit, but not together.
    #[error("parsing time {text:?}: {problem}")]
    Value {
        /// The whole text.
        text: String,
        /// What is wrong.
        problem: String,
    },
}

/// Where reading stopped.
enum Stop {
    Element(&'static str, usize),
    Value(String),
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
        let layout = match precision {
            Precision::Seconds => "2006-01-02T15:04:05Z07:00",
            Precision::Micros => "2006-01-02T15:04:05.000000Z07:00",
        };
        read(text.as_bytes(), precision).map_err(|stop| match stop {
            Stop::Element(element, left) => {
                let rest = text.as_bytes().get(text.len() - left..).unwrap_or_default();
                let rest = String::from_utf8_lossy(rest).into_owned();
                Invalid::Element { text: text.to_owned(), layout, rest, element }
            }
            Stop::Value(problem) => Invalid::Value { text: text.to_owned(), problem },
        })
    }
}

/// A cursor over the bytes of the text.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn stop(&self, element: &'static str) -> Stop {
        Stop::Element(element, self.0.len())
    }

    fn literal(&mut self, text: &'static str) -> Result<(), Stop> {
        self.0 = self.0.strip_prefix(text.as_bytes()).ok_or_else(|| self.stop(text))?;
        Ok(())
    }

    /// A number of exactly `count` digits.
    fn digits(&mut self, count: usize, element: &'static str) -> Result<i64, Stop> {
        let (digits, rest) = self.0.split_at_checked(count).ok_or_else(|| self.stop(element))?;
        let mut value = 0;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return Err(self.stop(element));
            }
            value = value * 10 + i64::from(digit - b'0');
        }
        self.0 = rest;
        Ok(value)
    }

    /// A number of two digits up to `limit`.
    fn pair(&mut self, element: &'static str, limit: i64, name: &str) -> Result<i64, Stop> {
        let value = self.digits(2, element)?;
        if value <= limit { Ok(value) } else { Err(out_of_range(name)) }
    }

    /// The hour, which Go also takes with one digit.
    fn hour(&mut self) -> Result<i64, Stop> {
        match self.0 {
            [digit @ b'0'..=b'9', rest @ ..] if !rest.first().is_some_and(u8::is_ascii_digit) => {
                self.0 = rest;
                Ok(i64::from(digit - b'0'))
            }
            _ => self.pair("15", 23, "hour"),
        }
    }

    /// Decimals behind the seconds, in microseconds.
    fn decimals(&mut self, precision: Precision) -> Result<i64, Stop> {
        let length = match self.0.split_first() {
            Some((b'.' | b',', rest)) => rest.iter().take_while(|byte| byte.is_ascii_digit()).count(),
            _ => 0,
        };
        match precision {
            Precision::Micros if length < 6 => Err(self.stop(".000000")),
            Precision::Micros => {
                self.0 = self.0.get(1..).unwrap_or_default();
                self.digits(6, ".000000")
            }
            Precision::Seconds => {
                if length > 0 {
                    self.0 = self.0.get(length + 1..).unwrap_or_default();
                }
                Ok(0)
            }
        }
    }

    /// The distance from UTC in seconds.
    fn offset(&mut self) -> Result<i64, Stop> {
        const ELEMENT: &str = "Z07:00";
        if let Some(rest) = self.0.strip_prefix(b"Z") {
            self.0 = rest;
            return Ok(0);
        }
        let whole = Reader(self.0);
        let negative = match self.0.split_first() {
            Some((sign @ (b'+' | b'-'), rest)) => {
                self.0 = rest;
                *sign == b'-'
            }
            _ => return Err(self.stop(ELEMENT)),
        };
        let malformed = |_| whole.stop(ELEMENT);
        let hours = self.digits(2, ELEMENT).map_err(malformed)?;
        self.literal(":").map_err(malformed)?;
        let minutes = self.digits(2, ELEMENT).map_err(malformed)?;
        if hours > 24 {
            return Err(out_of_range("time zone offset hour"));
        }
        if minutes > 60 {
            return Err(out_of_range("time zone offset minute"));
        }
        let size = hours * 3600 + minutes * 60;
        Ok(if negative { -size } else { size })
    }
}

fn out_of_range(name: &str) -> Stop {
    Stop::Value(format!("{name} out of range"))
}

fn read(text: &[u8], precision: Precision) -> Result<Instant, Stop> {
    let mut reader = Reader(text);
    let year = reader.digits(4, "2006")?;
    reader.literal("-")?;
    let month = reader.pair("01", 12, "month")?;
    if month == 0 {
        return Err(out_of_range("month"));
    }
    reader.literal("-")?;
    let day = reader.digits(2, "02")?;
    reader.literal("T")?;
    let hour = reader.hour()?;
    reader.literal(":")?;
    let minute = reader.pair("04", 59, "minute")?;
    reader.literal(":")?;
    let second = reader.pair("05", 59, "second")?;
    let micros = reader.decimals(precision)?;
    let offset = reader.offset()?;
    if !reader.0.is_empty() {
        return Err(Stop::Value(format!("extra text: {:?}", String::from_utf8_lossy(reader.0))));
    }
    if day < 1 || day > days_in_month(year, month) {
        return Err(out_of_range("day"));
    }
    let seconds = days_of(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    let micros = u32::try_from(micros).map_err(|_| out_of_range("microsecond"))?;
    Instant::new(seconds, micros).ok_or_else(|| out_of_range("year"))
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
