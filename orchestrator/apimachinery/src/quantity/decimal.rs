//! A non-negative decimal number of any length, with just the operations that a quantity needs.

/// `digits × 10^exponent`.
pub(super) struct Decimal {
    /// Most significant first; empty for zero.
    digits: Vec<u8>,
    pub(super) exponent: i64,
}

impl Decimal {
    /// From the digits around the point; the caller sets the exponent.
    pub(super) fn new(whole: &str, fraction: &str) -> Self {
        let digits = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0').skip_while(|digit| *digit == 0);
        Self { digits: digits.collect(), exponent: 0 }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub(super) fn multiply_by_power_of_two(&mut self, power: i64) {
        for _ in 0..power {
            let mut carry = 0;
            for digit in self.digits.iter_mut().rev() {
                let doubled = *digit * 2 + carry;
                *digit = doubled % 10;
                carry = doubled / 10;
            }
            if carry > 0 {
                self.digits.insert(0, carry);
            }
        }
    }

    /// Drops digits below `10^smallest`, rounding anything dropped up.
    pub(super) fn round_up_to(&mut self, smallest: i64) {
        if self.exponent >= smallest || self.is_zero() {
            return;
        }
        let drop = usize::try_from(smallest - self.exponent).unwrap_or(usize::MAX);
        let keep = self.digits.len().saturating_sub(drop);
        let inexact = self.digits.iter().skip(keep).any(|digit| *digit != 0);
        self.digits.truncate(keep);
        self.exponent = smallest;
        if inexact {
            self.increment();
        }
    }

    fn increment(&mut self) {
        for digit in self.digits.iter_mut().rev() {
            if *digit < 9 {
                *digit += 1;
                return;
            }
            *digit = 0;
        }
        self.digits.insert(0, 1);
    }

    /// Replaces a larger value by `limit`.
    pub(super) fn cap_at(&mut self, limit: u64) {
        let bound: Vec<u8> = limit.to_string().bytes().map(|digit| digit - b'0').collect();
        let whole = self.whole_digits();
        // Any fraction on top of the limit is above it, too.
        let above = whole.len() > bound.len()
            || (whole.len() == bound.len() && (whole > bound || (whole == bound && self.as_integer().is_none())));
        if above {
            self.digits = bound;
            self.exponent = 0;
        }
    }

    /// The digits before the point.
    fn whole_digits(&self) -> Vec<u8> {
        let mut whole = self.digits.clone();
        if self.exponent < 0 {
            let cut = usize::try_from(-self.exponent).unwrap_or(usize::MAX);
            whole.truncate(whole.len().saturating_sub(cut));
        } else {
            whole.extend(std::iter::repeat_n(0, usize::try_from(self.exponent).unwrap_or(0)));
        }
        whole
    }

    /// The value if it is an integer of 64 bits.
    pub(super) fn as_integer(&self) -> Option<u64> {
        let cut = usize::try_from(-self.exponent.min(0)).ok()?;
        if self.digits.iter().rev().take(cut).any(|digit| *digit != 0) {
            return None;
        }
        let whole = self.whole_digits();
        whole.iter().try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(*digit)))
    }

    /// Digits and a power of ten that is a multiple of three and as large as it can be.
    pub(super) fn in_thousands(&self) -> (String, i64) {
        let zeros = self.digits.iter().rev().take_while(|digit| **digit == 0).count();
        let mut digits: Vec<u8> = self.digits.clone();
        digits.truncate(digits.len() - zeros);
        let mut power = self.exponent + i64::try_from(zeros).unwrap_or(0);
        while power % 3 != 0 {
            digits.push(0);
            power -= 1;
        }
        (digits.iter().map(|digit| char::from(b'0' + digit)).collect(), power)
    }
}
