//! What a pod asks for as a whole: the sum of its containers, or what its initialization needs if that is more.

use std::collections::BTreeMap;

use coracle_apimachinery::{Object, Value};

use super::amount::Amount;
use super::view::Pod;

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
        slot.0 = slot.0.plus(*amount);
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
    use super::{effective, requests};
    use crate::pod::tests::{print, tree};

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
