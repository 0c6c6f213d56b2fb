//! Comparing resource quantities in their canonical text form.

use std::cmp::Ordering;

/// `±0.d₁d₂… × 10^point`, without leading or trailing zero digits; zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Quantity {
    negative: bool,
    digits: String,
    point: i64,
}

impl Quantity {
    /// From its text; one that is no quantity, which the decoders let through nowhere, counts as zero.
    pub(crate) fn new(text: &str) -> Self {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let mut digits = format!("{whole}{fraction}");
        let mut point = i64::try_from(whole.len()).unwrap_or(i64::MAX);
        if let Some(power) = binary_power(suffix) {
            // Canonical binary quantities are below 2^63 and have at most 18 digits.
            let scaled = digits.parse::<u128>().unwrap_or_default().saturating_mul(1 << power).to_string();
            let fraction = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
            point = i64::try_from(scaled.len()).unwrap_or(i64::MAX).saturating_sub(fraction);
            digits = scaled;
        } else {
            point = point.saturating_add(decimal_power(suffix));
        }
        let leading = digits.len() - digits.trim_start_matches('0').len();
        digits.drain(..leading);
        point = point.saturating_sub(i64::try_from(leading).unwrap_or(i64::MAX));
        digits.truncate(digits.trim_end_matches('0').len());
        if digits.is_empty() {
            return Self::default();
        }
        Self { negative, digits, point }
    }

    /// Whether it is below zero.
    pub(crate) fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether it is zero.
    pub(crate) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Thousandths, rounded away from zero; beyond 64 bits the largest number.
    pub(crate) fn milli(&self) -> i64 {
        self.scaled(3)
    }

    /// The whole number, rounded away from zero; beyond 64 bits the largest number.
    pub(crate) fn value(&self) -> i64 {
        self.scaled(0)
    }

    /// Billionths; beyond 38 digits the largest number.
    pub(crate) fn nanos(&self) -> i128 {
        self.wide(9)
    }

    fn scaled(&self, power: i64) -> i64 {
        let limit = if self.negative { i64::MIN } else { i64::MAX };
        i64::try_from(self.wide(power)).unwrap_or(limit)
    }

    fn wide(&self, power: i64) -> i128 {
        let limit = if self.negative { i128::MIN } else { i128::MAX };
        let point = self.point.saturating_add(power);
        if self.is_zero() {
            return 0;
        }
        if point > 38 {
            return limit;
        }
        let keep = usize::try_from(point).unwrap_or(0);
        let mut whole: String = self.digits.chars().take(keep).collect();
        while whole.len() < keep {
            whole.push('0');
        }
        let mut amount: i128 = whole.parse().unwrap_or_default();
        if self.digits.len() > keep {
            amount += 1;
        }
        if self.negative { -amount } else { amount }
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |quantity: &Self| match (quantity.is_zero(), quantity.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let magnitude = self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
        sign(self).cmp(&sign(other)).then(if self.negative { magnitude.reverse() } else { magnitude })
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn binary_power(suffix: &str) -> Option<u32> {
    let prefix = suffix.strip_suffix('i')?;
    let at = ["K", "M", "G", "T", "P", "E"].iter().position(|known| *known == prefix)?;
    u32::try_from((at + 1) * 10).ok()
}

fn decimal_power(suffix: &str) -> i64 {
    match suffix {
        "n" => -9,
        "u" => -6,
        "m" => -3,
        "k" => 3,
        "M" => 6,
        "G" => 9,
        "T" => 12,
        "P" => 15,
        "E" => 18,
        _ => suffix.strip_prefix(['e', 'E']).and_then(|power| power.parse().ok()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::Quantity;

    #[test]
    fn quantities_compare_by_amount() {
        let ascending = [
            "-2", "-1500m", "-1", "0", "1n", "1m", "0.5", "1", "1001m", "1k", "1Ki", "1.5Ki", "1M", "1Mi", "1e7", "8E",
        ];
        for (at, left) in ascending.iter().enumerate() {
            for (other, right) in ascending.iter().enumerate() {
                assert_eq!(Quantity::new(left).cmp(&Quantity::new(right)), at.cmp(&other), "{left} {right}");
            }
        }
        for (left, right) in [("1", "1000m"), ("1Ki", "1024"), ("0", "-0"), ("1e3", "1k"), ("00.50", "500m")] {
            assert_eq!(Quantity::new(left), Quantity::new(right));
        }
    }

    #[test]
    fn numbers_round_away_from_zero() {
        for (text, milli, value) in [
            ("1500m", 1500, 2),
            ("1n", 1, 1),
            ("-1n", -1, -1),
            ("-1500m", -1500, -2),
            ("0", 0, 0),
            ("9E", i64::MAX, 9_000_000_000_000_000_000),
            ("1Ki", 1_024_000, 1024),
        ] {
            let quantity = Quantity::new(text);
            assert_eq!((quantity.milli(), quantity.value()), (milli, value), "{text}");
        }
    }
}
