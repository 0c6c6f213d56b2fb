//! Amounts of resources as whole numbers: thousandths of a CPU, bytes, pieces.

use std::collections::BTreeMap;

use coracle_apimachinery::Value;

/// Name of the resource that is counted in thousandths.
pub const CPU: &str = "cpu";
/// Memory in bytes.
pub const MEMORY: &str = "memory";
/// Room on the node's disk in bytes.
pub const EPHEMERAL_STORAGE: &str = "ephemeral-storage";
/// Number of pods.
pub const PODS: &str = "pods";

/// An amount for each resource that is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amounts(BTreeMap<String, i64>);

impl Amounts {
    /// The amounts of a resource list, such as `status.allocatable` of a node.
    #[must_use]
    pub fn of(list: Option<&Value>) -> Self {
        let members = list.and_then(Value::as_object).into_iter().flat_map(|list| list.iter());
        Self(members.map(|(name, quantity)| (name.to_owned(), amount(name, quantity))).collect())
    }

    /// The amount of a resource; zero if it is not named.
    #[must_use]
    pub fn get(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Whether a resource is named.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Sets one amount.
    pub fn set(&mut self, name: &str, amount: i64) {
        self.0.insert(name.to_owned(), amount);
    }

    /// Adds other amounts.
    pub fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*amount);
        }
    }

    /// Raises each amount to at least the other one.
    pub fn raise(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let largest = self.0.entry(name.clone()).or_insert(*amount);
            *largest = (*largest).max(*amount);
        }
    }

    /// The resources in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }
}

/// Whether a resource is counted besides CPU, memory, disk and pods: extended ones, huge pages, attached volumes.
#[must_use]
pub fn is_scalar(name: &str) -> bool {
    name.contains('/') || name.starts_with("hugepages-") || name.starts_with("attachable-volumes-")
}

fn amount(name: &str, quantity: &Value) -> i64 {
    let shift = if name == CPU { 3 } else { 0 };
    match quantity {
        Value::String(text) => scaled(text, shift),
        Value::Int(number) => scaled(&number.to_string(), shift),
        _ => 0,
    }
}

/// A quantity times a power of ten, rounded up, cut off at the ends of the number range.
fn scaled(text: &str, shift: i64) -> i64 {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let digits: i128 = digits.parse().unwrap_or(if digits.is_empty() { 0 } else { i128::MAX });
    let (factor, power) = unit(suffix);
    let power = power + shift - i64::try_from(fraction.len()).unwrap_or(0);
    let value = digits.saturating_mul(factor);
    let ten = u32::try_from(power.unsigned_abs()).ok().and_then(|power| 10_i128.checked_pow(power));
    let value = match (power >= 0, ten) {
        (true, ten) => value.saturating_mul(ten.unwrap_or(i128::MAX)),
        (false, Some(ten)) => value / ten + i128::from(value % ten != 0),
        (false, None) => i128::from(value != 0),
    };
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    if negative { -value } else { value }
}

fn unit(suffix: &str) -> (i128, i64) {
    match suffix {
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        exponent => (1, exponent.get(1..).and_then(|digits| digits.parse().ok()).unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_become_whole_numbers() {
        let table = [
            ("1", 1_000, 1),
            ("100m", 100, 1),
            ("0.1", 100, 1),
            ("1.5", 1_500, 2),
            ("1500u", 2, 1),
            ("2k", 2_000_000, 2_000),
            ("1Ki", 1_024_000, 1_024),
            ("1.5Gi", 1_610_612_736_000, 1_610_612_736),
            ("1e3", 1_000_000, 1_000),
            ("5E-1", 500, 1),
            ("8Ei", i64::MAX, i64::MAX),
            ("0", 0, 0),
            ("-2", -2_000, -2),
        ];
        for (text, milli, units) in table {
            assert_eq!((scaled(text, 3), scaled(text, 0)), (milli, units), "{text}");
        }
    }

    #[test]
    fn amounts_add_and_rise() {
        let mut one = Amounts::default();
        one.set("cpu", 5);
        let mut two = Amounts::default();
        two.set("cpu", 3);
        two.set("memory", 7);
        let mut sum = one.clone();
        sum.add(&two);
        assert_eq!((sum.get("cpu"), sum.get("memory")), (8, 7));
        one.raise(&two);
        assert_eq!((one.get("cpu"), one.get("memory"), one.has("pods")), (5, 7, false));
    }
}
