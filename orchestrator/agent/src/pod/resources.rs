//! What a pod asks for as a whole: the sum of its containers, or what its initialization needs if that is more.

use std::collections::BTreeMap;

use coracle_apimachinery::{Object, Value, quantity};

use super::view::Pod;

/// An amount of a resource in billionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i128);

const UNIT: i128 = 1_000_000_000;

impl Amount {
    /// Reads a quantity; none if it is none or beyond all sense.
    pub fn parse(text: &str) -> Option<Self> {
        let split = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
        let (number, suffix) = text.split_at_checked(split)?;
        let scale = match suffix {
            "n" => 1,
            "u" => 1_000,
            "m" => 1_000_000,
            "" => UNIT,
            "k" => UNIT * 1_000,
            "M" => UNIT * 1_000_000,
            "G" => UNIT * 1_000_000_000,
            "T" => UNIT * 1_000_000_000_000,
            "P" => UNIT * 1_000_000_000_000_000,
            "E" => UNIT * 1_000_000_000_000_000_000,
            "Ki" => UNIT << 10,
            "Mi" => UNIT << 20,
            "Gi" => UNIT << 30,
            "Ti" => UNIT << 40,
            "Pi" => UNIT << 50,
            "Ei" => UNIT << 60,
            _ => {
                let exponent: u32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
                UNIT.checked_mul(10_i128.checked_pow(exponent)?)?
            }
        };
        let negative = number.starts_with('-');
        let (whole, fraction) = number.trim_start_matches(['+', '-']).split_once('.').unwrap_or((number, ""));
        let whole = whole.trim_start_matches(['+', '-']);
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let mut nano = whole.checked_mul(scale)?;
        let mut unit = scale;
        for digit in fraction.bytes() {
            unit /= 10;
            nano = nano.checked_add(i128::from(digit.checked_sub(b'0')?).checked_mul(unit)?)?;
        }
        Some(Self(if negative { -nano } else { nano }))
    }

    /// The amount in thousandths, rounded up.
    pub fn millis(self) -> i64 {
        self.in_units(UNIT / 1_000)
    }

    /// The amount in wholes, rounded up.
    pub fn wholes(self) -> i64 {
        self.in_units(UNIT)
    }

    fn in_units(self, unit: i128) -> i64 {
        i64::try_from(-((-self.0).div_euclid(unit))).unwrap_or(i64::MAX)
    }

    /// Prints it, with binary suffixes if so wanted and possible.
    fn print(self, binary: bool) -> String {
        let whole = self.0 / UNIT;
        let text = if binary && self.0 % UNIT == 0 && whole % 1_024 == 0 && whole != 0 {
            format!("{}Ki", whole / 1_024)
        } else if self.0 % UNIT == 0 {
            whole.to_string()
        } else {
            format!("{}n", self.0)
        };
        quantity::canonical(&text).unwrap_or(text)
    }
}

/// Amounts by resource, with whether they are written with binary suffixes.
pub type Amounts = BTreeMap<String, (Amount, bool)>;

/// What the pod asks for, with its overhead.
pub fn total(pod: &Value, list: &str) -> Amounts {
    let read = |owner: &Value| amounts(owner.at(&["resources", list]));
    let pod = Pod(pod);
    let mut sum = Amounts::new();
    pod.containers().for_each(|spec| add(&mut sum, &read(spec.tree)));
    let (mut sidecars, mut most) = (Amounts::new(), Amounts::new());
    for spec in pod.init_containers() {
        let own = read(spec.tree);
        if spec.is_sidecar() {
            add(&mut sum, &own);
            add(&mut sidecars, &own);
            raise(&mut most, &sidecars);
        } else {
            let mut both = own;
            add(&mut both, &sidecars);
            raise(&mut most, &both);
        }
    }
    raise(&mut sum, &most);
    let of_pod = amounts(pod.0.at(&["spec", "resources", list]));
    let is_pod_level = |name: &str| matches!(name, "cpu" | "memory") || name.starts_with("hugepages-");
    sum.extend(of_pod.into_iter().filter(|(name, _)| is_pod_level(name)));
    let overhead = amounts(pod.0.at(&["spec", "overhead"]));
    if list == "limits" {
        // The overhead only widens limits that there are.
        let widened = overhead.into_iter().filter(|(name, _)| sum.contains_key(name)).collect();
        add(&mut sum, &widened);
    } else {
        add(&mut sum, &overhead);
    }
    sum
}

/// The requests as the status shows them.
pub(crate) fn requests(pod: &Value) -> Value {
    print(&total(pod, "requests"))
}

/// The resources of the pod as a whole. A running pod only has the limits that bind it as a whole, which needs one from
/// each container or from the pod itself.
pub(crate) fn effective(pod: &Value, running: bool) -> Value {
    let mut limits = total(pod, "limits");
    if running {
        let view = Pod(pod);
        limits.retain(|name, _| {
            let of_pod = pod.at(&["spec", "resources", "limits", name]).is_some();
            of_pod || view.all().all(|spec| spec.tree.at(&["resources", "limits", name]).is_some())
        });
    }
    let members = [("limits", print(&limits)), ("requests", requests(pod))];
    let members = members.into_iter().filter(|(_, value)| !value.is_empty());
    Value::Object(members.map(|(name, value)| (name.into(), value)).collect::<Object>())
}

fn print(amounts: &Amounts) -> Value {
    let members =
        amounts.iter().map(|(name, (amount, binary))| (name.clone().into(), Value::text(amount.print(*binary))));
    Value::Object(members.collect::<Object>())
}

fn amounts(list: Option<&Value>) -> Amounts {
    let members = list.and_then(Value::as_object).into_iter().flat_map(Object::iter);
    let read = |(name, value): (&str, &Value)| {
        let text = value.as_str()?;
        Some((name.to_owned(), (Amount::parse(text)?, text.ends_with('i'))))
    };
    members.filter_map(read).collect()
}

fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, (amount, binary)) in more {
        let slot = sum.entry(name.clone()).or_insert_with(|| (Amount::default(), *binary));
        slot.0.0 = slot.0.0.saturating_add(amount.0);
    }
}

fn raise(most: &mut Amounts, other: &Amounts) {
    for (name, value) in other {
        let slot = most.entry(name.clone()).or_insert(*value);
        if value.0 > slot.0 {
            *slot = *value;
        }
    }
}

/// Adds amounts.
pub(crate) fn add_all(sum: &mut Amounts, more: &Amounts) {
    add(sum, more);
}

#[cfg(test)]
mod tests {
    use super::{Amount, effective, requests};
    use crate::pod::tests::{print, tree};

    #[test]
    fn amounts() {
        let cases = [
            ("100m", 100, 1),
            ("1.5", 1_500, 2),
            ("1Ki", 1_024_000, 1_024),
            ("2e3", 2_000_000, 2_000),
            ("-1", -1_000, -1),
            (".5", 500, 1),
        ];
        for (text, millis, wholes) in cases {
            let amount = Amount::parse(text).unwrap();
            assert_eq!((amount.millis(), amount.wholes()), (millis, wholes), "{text}");
        }
        assert_eq!(Amount::parse("x"), None);
    }

    #[test]
    fn pods() {
        let cases = [
            (r#"{"containers":[{}]}"#, "{}", "{}"),
            (
                r#"{"containers":[{"resources":{"requests":{"cpu":"100m","memory":"64Mi"},"limits":{"memory":"1Gi"}}},
                    {"resources":{"requests":{"cpu":"200m","memory":"64Mi"}}}]}"#,
                r#"{"cpu":"300m","memory":"128Mi"}"#,
                r#"{"limits":{"memory":"1Gi"},"requests":{"cpu":"300m","memory":"128Mi"}}"#,
            ),
            (
                r#"{"overhead":{"cpu":"1"},"containers":[{"resources":{"requests":{"cpu":"1"}}}],"initContainers":[
                    {"restartPolicy":"Always","resources":{"requests":{"cpu":"1"}}},
                    {"resources":{"requests":{"cpu":"5"}}}]}"#,
                r#"{"cpu":"7"}"#,
                r#"{"requests":{"cpu":"7"}}"#,
            ),
            (
                r#"{"resources":{"requests":{"cpu":"9"}},"containers":[{"resources":{"requests":{"cpu":"1"}}}]}"#,
                r#"{"cpu":"9"}"#,
                r#"{"requests":{"cpu":"9"}}"#,
            ),
        ];
        for (spec, wanted, whole) in cases {
            let pod = tree(&format!(r#"{{"spec":{spec}}}"#));
            assert_eq!(print(&requests(&pod)), wanted, "{spec}");
            assert_eq!(print(&effective(&pod, false)), whole, "{spec}");
        }
        let pod = tree(r#"{"spec":{"containers":[{"resources":{"limits":{"cpu":"1"}}},{}]}}"#);
        assert_eq!(print(&effective(&pod, true)), "{}");
    }
}
