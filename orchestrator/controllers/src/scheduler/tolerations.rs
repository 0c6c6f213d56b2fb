//! Taints of nodes and what a pod tolerates of them.

use coracle_apimachinery::Value;
use coracle_client::object::items;

/// The taint that stands for a node that takes no new pods.
pub const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// The effects that keep a pod from being placed.
pub const HARD: &[&str] = &["NoSchedule", "NoExecute"];
/// The effect that only makes a node less welcome.
pub const SOFT: &[&str] = &["PreferNoSchedule"];

/// The tolerations of a pod.
#[must_use]
pub fn tolerations(pod: &Value) -> &[Value] {
    items(pod, &["spec", "tolerations"])
}

/// The taints of a node with one of some effects that a pod does not tolerate.
pub fn untolerated<'a>(
    tolerations: &'a [Value],
    node: &'a Value,
    effects: &'a [&str],
) -> impl Iterator<Item = &'a Value> {
    let taints = items(node, &["spec", "taints"]).iter().filter(|taint| effects.contains(&taint.text_at(&["effect"])));
    taints.filter(|taint| {
        let part = |name| taint.text_at(&[name]);
        !tolerate(tolerations, part("key"), part("value"), part("effect"))
    })
}

/// Whether some toleration covers a taint.
#[must_use]
pub fn tolerate(tolerations: &[Value], key: &str, value: &str, effect: &str) -> bool {
    tolerations.iter().any(|toleration| {
        let part = |name| toleration.text_at(&[name]);
        let fits = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
        fits(part("effect"), effect)
            && fits(part("key"), key)
            && match part("operator") {
                "" | "Equal" => part("value") == value,
                "Exists" => true,
                // Comparing operators are behind a feature gate that is off.
                _ => false,
            }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_apimachinery::json;

    #[test]
    fn taints_are_tolerated() {
        let node = r#"{"spec":{"taints":[{"key":"a","value":"1","effect":"NoSchedule"},{"key":"b","effect":"PreferNoSchedule"}]}}"#;
        let node = json::decode_any(node.as_bytes()).unwrap();
        let table = [
            ("[]", 1, 1),
            (r#"[{"operator":"Exists"}]"#, 0, 0),
            (r#"[{"operator":"Exists","effect":"NoSchedule"}]"#, 0, 1),
            (r#"[{"key":"a","operator":"Exists","effect":"NoExecute"}]"#, 1, 1),
            (r#"[{"key":"a","value":"1"}]"#, 0, 1),
            (r#"[{"key":"a","operator":"Equal","value":"2"}]"#, 1, 1),
            (r#"[{"key":"b"}]"#, 1, 0),
            (r#"[{"key":"a","operator":"Gt","value":"0"}]"#, 1, 1),
        ];
        for (tolerations, hard, soft) in table {
            let read = json::decode_any(tolerations.as_bytes()).unwrap();
            let count = |effects| untolerated(read.items(), &node, effects).count();
            assert_eq!((count(HARD), count(SOFT)), (hard, soft), "{tolerations}");
        }
    }
}
