//! Whether a container that ended is to be started again: its rules by exit code, then its own policy, then the pod's.

use coracle_apimachinery::Value;

/// The rule that restarts all containers of the pod.
pub(crate) const RESTART_ALL: &str = "RestartAllContainers";

/// Whether a container that ended with this exit code is started again.
pub(crate) fn restarts(container: &Value, pod_policy: &str, exit_code: i32) -> bool {
    let own = container.text_at(&["restartPolicy"]);
    if !own.is_empty() && matches!(rule(container, exit_code), Some("Restart" | RESTART_ALL)) {
        return true;
    }
    match if own.is_empty() { pod_policy } else { own } {
        "OnFailure" => exit_code != 0,
        "Never" => false,
        _ => true,
    }
}

/// The action of the first rule that an exit code fits.
pub(crate) fn rule(container: &Value, exit_code: i32) -> Option<&str> {
    let rules = container.at(&["restartPolicyRules"]).map(Value::items).unwrap_or_default();
    let fits = |rule: &&Value| {
        let values = rule.at(&["exitCodes", "values"]).map(Value::items).unwrap_or_default();
        let listed = values.iter().any(|value| value.as_int() == Some(i64::from(exit_code)));
        match rule.text_at(&["exitCodes", "operator"]) {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        }
    };
    rules.iter().find(fits).map(|rule| rule.text_at(&["action"]))
}

/// Whether any rule can restart all containers of a pod.
pub(crate) fn can_restart_all(container: &Value) -> bool {
    let rules = container.at(&["restartPolicyRules"]).map(Value::items).unwrap_or_default();
    rules.iter().any(|rule| rule.text_at(&["action"]) == RESTART_ALL)
}

#[cfg(test)]
mod tests {
    use super::{restarts, rule};
    use crate::pod::tests::tree;

    #[test]
    fn policies_and_rules() {
        let rules = r#""restartPolicyRules":[
            {"action":"Restart","exitCodes":{"operator":"In","values":[42,43]}},
            {"action":"RestartAllContainers","exitCodes":{"operator":"NotIn","values":[0,1]}}]"#;
        let cases = [
            ("{}".to_owned(), "Always", 0, true),
            ("{}".to_owned(), "OnFailure", 0, false),
            ("{}".to_owned(), "OnFailure", 3, true),
            ("{}".to_owned(), "Never", 3, false),
            (r#"{"restartPolicy":"Always"}"#.to_owned(), "Never", 0, true),
            (r#"{"restartPolicy":"OnFailure"}"#.to_owned(), "Never", 1, true),
            (r#"{"restartPolicy":"Never"}"#.to_owned(), "Always", 1, false),
            (format!(r#"{{"restartPolicy":"Never",{rules}}}"#), "Always", 42, true),
            (format!(r#"{{"restartPolicy":"Never",{rules}}}"#), "Always", 1, false),
            (format!(r#"{{"restartPolicy":"Never",{rules}}}"#), "Always", 9, true),
        ];
        for (container, policy, code, expected) in cases {
            assert_eq!(restarts(&tree(&container), policy, code), expected, "{container} {policy} {code}");
        }
        let container = tree(&format!("{{{rules}}}"));
        assert_eq!(rule(&container, 43), Some("Restart"));
        assert_eq!(rule(&container, 9), Some("RestartAllContainers"));
        assert_eq!(rule(&container, 0), None);
    }
}
