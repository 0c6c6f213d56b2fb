//! The class of service. The API gives every pod one; it is only worked out for a pod that came without.

use coracle_apimachinery::Value;

use super::amount::Amount;
use super::view::Pod;

/// The class of a pod.
pub(crate) fn class(pod: Pod<'_>) -> &str {
    let given = pod.0.text_at(&["status", "qosClass"]);
    if !given.is_empty() {
        return given;
    }
    let mut classes = pod.all().map(|spec| of(spec.tree.at(&["resources"])));
    let Some(first) = classes.next() else { return "BestEffort" };
    if classes.all(|class| class == first) { first } else { "Burstable" }
}

fn of(resources: Option<&Value>) -> &'static str {
    let amount = |list: &str, name: &str| {
        let text = resources.map(|all| all.text_at(&[list, name])).unwrap_or_default();
        Amount::parse(text).unwrap_or_default()
    };
    let classes = ["cpu", "memory"].map(|name| match (amount("requests", name), amount("limits", name)) {
        (request, limit) if request != limit => "Burstable",
        (request, _) if request == Amount::default() => "BestEffort",
        _ => "Guaranteed",
    });
    let [cpu, memory] = classes;
    if cpu == memory { cpu } else { "Burstable" }
}
