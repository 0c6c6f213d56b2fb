//! Values that come from the pod itself.

use coracle_apimachinery::Value;
use coracle_client::object;

use super::Place;
use crate::pod::amount::Amount;

/// The value of a field of the pod.
pub(super) fn field(place: &Place<'_>, path: &str) -> Result<String, String> {
    let pod = place.pod;
    let on_host = object::flag(pod, &["spec", "hostNetwork"]);
    let ips = if on_host { place.host_ips } else { place.ips };
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        return match map {
            "metadata.annotations" => Ok(pod.text_at(&["metadata", "annotations", key]).to_owned()),
            "metadata.labels" => Ok(pod.text_at(&["metadata", "labels", key]).to_owned()),
            _ => Err(format!("fieldPath {path:?} does not support subscript")),
        };
    }
    Ok(match path {
        "metadata.name" => object::name(pod).to_owned(),
        "metadata.namespace" => object::namespace(pod).to_owned(),
        "metadata.uid" => object::uid(pod).to_owned(),
        "metadata.annotations" => lines(pod.at(&["metadata", "annotations"])),
        "metadata.labels" => lines(pod.at(&["metadata", "labels"])),
        "spec.nodeName" => pod.text_at(&["spec", "nodeName"]).to_owned(),
        "spec.serviceAccountName" => pod.text_at(&["spec", "serviceAccountName"]).to_owned(),
        "status.hostIP" => place.host_ips.first().cloned().unwrap_or_default(),
        "status.hostIPs" => place.host_ips.join(","),
        "status.podIP" => ips.first().cloned().unwrap_or_default(),
        "status.podIPs" => ips.join(","),
        _ => return Err(format!("unsupported fieldPath: {path}")),
    })
}

/// A map, one member a line.
fn lines(map: Option<&Value>) -> String {
    let members = map.and_then(Value::as_object).into_iter().flat_map(|map| map.iter());
    let lines = members.map(|(name, value)| format!("{name}={:?}", value.as_str().unwrap_or_default()));
    lines.collect::<Vec<_>>().join("\n")
}

/// How much of a resource a container asks for or is limited to; without a limit, what the node has.
pub(super) fn resource(place: &Place<'_>, container: &Value, reference: &Value) -> Result<String, String> {
    let named = reference.text_at(&["containerName"]);
    let other = ["containers", "initContainers"]
        .iter()
        .find_map(|list| object::named(object::items(place.pod, &["spec", list]), "name", named));
    let container = match (named, other) {
        ("", _) => container,
        (_, Some(other)) => other,
        _ => return Err(format!("container {named} not found")),
    };
    let asked = reference.text_at(&["resource"]);
    let unsupported = || format!("unsupported container resource : {asked}");
    let (list, name) = asked.split_once('.').ok_or_else(unsupported)?;
    let known = matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
    if !known || !matches!(list, "limits" | "requests") {
        return Err(unsupported());
    }
    let own = amount(container.text_at(&["resources", list, name]), name);
    let amount_of = |text: String| amount(&text, name);
    let whole = if own == 0 && list == "limits" { place.machine.allocatable(name).map_or(0, amount_of) } else { own };
    let divisor = match amount(reference.text_at(&["divisor"]), name) {
        0 => amount("1", name),
        divisor => divisor,
    };
    let up = i64::from(whole % divisor.max(1) != 0);
    Ok((whole / divisor.max(1) + up).to_string())
}

/// A quantity in the unit in which the resource is counted: thousandths of processors, whole bytes.
fn amount(quantity: &str, name: &str) -> i64 {
    let amount = Amount::parse(quantity).unwrap_or_default();
    if name == "cpu" { amount.millis() } else { amount.wholes() }
}
