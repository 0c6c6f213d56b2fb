//! What a pod can read about itself in a volume.

use std::fmt::Write as _;

use coracle_agent::pod::Amount;
use coracle_apimachinery::{Object, Value};
use coracle_client::object;

/// What pods can have of a node, as `limits.cpu` of a container without limits shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allocatable {
    /// Thousandths of processors.
    pub cpu_millis: i64,
    /// Bytes of memory.
    pub memory: i64,
    /// Bytes of storage.
    pub storage: i64,
}

/// The text of a field of the pod.
///
/// # Errors
/// There is no such field in volumes.
pub(super) fn field(pod: &Value, path: &str) -> Result<String, String> {
    let map = |name: &'static str| pod.at(&["metadata", name]).and_then(Value::as_object);
    if let Some((name, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        return match name {
            "metadata.annotations" => Ok(pod.text_at(&["metadata", "annotations", key]).to_owned()),
            "metadata.labels" => Ok(pod.text_at(&["metadata", "labels", key]).to_owned()),
            _ => Err(format!("fieldPath {path:?} does not support subscript")),
        };
    }
    match path {
        "metadata.annotations" => Ok(lines(map("annotations"))),
        "metadata.labels" => Ok(lines(map("labels"))),
        "metadata.name" => Ok(object::name(pod).to_owned()),
        "metadata.namespace" => Ok(object::namespace(pod).to_owned()),
        "metadata.uid" => Ok(object::uid(pod).to_owned()),
        _ => Err(format!("unsupported fieldPath: {path}")),
    }
}

fn lines(map: Option<&Object>) -> String {
    let members = map.into_iter().flat_map(Object::iter);
    let lines = members.map(|(name, value)| format!("{name}={}", quoted(value.as_str().unwrap_or_default())));
    lines.collect::<Vec<_>>().join("\n")
}

/// A text in double quotes as Go writes it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_ascii_control() => {
                // Writing to a text cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The text of an amount of a resource of one of the pod's containers.
///
/// # Errors
/// There is no such container or resource.
pub(super) fn resource(pod: &Value, reference: &Value, node: &Allocatable) -> Result<String, String> {
    let name = reference.text_at(&["containerName"]);
    let lists = ["containers", "initContainers"];
    let container = lists.iter().find_map(|list| object::named(object::items(pod, &["spec", list]), "name", name));
    let container = container.ok_or_else(|| format!("container {name} not found"))?;
    let asked = reference.text_at(&["resource"]);
    let unsupported = || format!("unsupported container resource : {asked}");
    let (list, name) = asked.split_once('.').ok_or_else(unsupported)?;
    if !matches!(list, "limits" | "requests") {
        return Err(unsupported());
    }
    let of_node = match name {
        "cpu" => node.cpu_millis,
        "memory" => node.memory,
        "ephemeral-storage" => node.storage,
        huge if huge.starts_with("hugepages-") => 0,
        _ => return Err(unsupported()),
    };
    let own = amount(container.text_at(&["resources", list, name]), name);
    let whole = if own == 0 && list == "limits" { of_node } else { own };
    let divisor = match amount(reference.text_at(&["divisor"]), name) {
        0 => amount("1", name),
        divisor => divisor,
    };
    let divisor = divisor.max(1);
    Ok((whole / divisor + i64::from(whole % divisor != 0)).to_string())
}

/// In thousandths for processors, in wholes for all else.
fn amount(text: &str, name: &str) -> i64 {
    let amount = Amount::parse(text).unwrap_or_default();
    if name == "cpu" { amount.millis() } else { amount.wholes() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::tree;

    #[test]
    fn fields_and_resources() {
        let pod = tree(
            r#"{"metadata":{"name":"p","namespace":"n","uid":"u","labels":{"b":"2","a":"x\"\n\u0001é"}},
                "spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"250m"}}}]}}"#,
        );
        assert_eq!(field(&pod, "metadata.labels").unwrap(), "a=\"x\\\"\\n\\x01é\"\nb=\"2\"");
        assert_eq!(field(&pod, "metadata.labels['b']").unwrap(), "2");
        assert_eq!(field(&pod, "metadata.annotations").unwrap(), "");
        assert_eq!(field(&pod, "metadata.uid").unwrap(), "u");
        assert_eq!(field(&pod, "spec.nodeName").unwrap_err(), "unsupported fieldPath: spec.nodeName");
        let node = Allocatable { cpu_millis: 3500, memory: 1 << 30, storage: 9 };
        let of = |text: &str| resource(&pod, &tree(text), &node);
        assert_eq!(of(r#"{"containerName":"c","resource":"requests.cpu"}"#).unwrap(), "1");
        assert_eq!(of(r#"{"containerName":"c","resource":"requests.cpu","divisor":"1m"}"#).unwrap(), "250");
        assert_eq!(of(r#"{"containerName":"c","resource":"limits.cpu"}"#).unwrap(), "4");
        assert_eq!(of(r#"{"containerName":"c","resource":"limits.memory","divisor":"1Mi"}"#).unwrap(), "1024");
        assert_eq!(of(r#"{"containerName":"d","resource":"limits.cpu"}"#).unwrap_err(), "container d not found");
        assert_eq!(
            of(r#"{"containerName":"c","resource":"limits.x"}"#).unwrap_err(),
            "unsupported container resource : limits.x"
        );
    }
}
