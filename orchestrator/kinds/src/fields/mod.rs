//! Field labels: what field selectors may name, and what it is in an object.

mod rows;

use coracle_apimachinery::Value;
use rows::{ROWS, Read, Row};

const NAME: &str = "metadata.name";
const NAMESPACE: &str = "metadata.namespace";

/// The labels of a resource beyond name and namespace.
#[must_use]
pub fn labels(group: &str, resource: &str) -> &'static [&'static str] {
    row(group, resource).map_or(&[], |row| row.names)
}

/// Whether a selector may name this label.
#[must_use]
pub fn supports(group: &str, resource: &str, label: &str) -> bool {
    label == NAME
        || (label == NAMESPACE && row(group, resource).is_none_or(|row| row.by_namespace))
        || labels(group, resource).contains(&label)
}

/// What a label is in an object; nothing for a label that is not supported. Absent members read as Go's zero values.
#[must_use]
pub fn value(group: &str, resource: &str, label: &str, object: &Value) -> Option<String> {
    if !supports(group, resource, label) {
        return None;
    }
    match label {
        NAME => return Some(object.text_at(&["metadata", "name"]).to_owned()),
        NAMESPACE => return Some(object.text_at(&["metadata", "namespace"]).to_owned()),
        _ => {}
    }
    let row = row(group, resource)?;
    let at = row.names.iter().position(|name| *name == label)?;
    row.reads.get(at).map(|read| read.of(object))
}

/// The words with which the real server refuses an unknown label.
#[must_use]
pub fn unsupported(group_version: &str, resource: &str, label: &str) -> String {
    let group = group_version.split_once('/').map_or("", |(group, _)| group);
    match row(group, resource).map(|row| row.refusal) {
        None => format!("\"{label}\" is not a known field selector: only \"{NAME}\", \"{NAMESPACE}\""),
        Some(rows::Refusal::Plain) => format!("field label not supported: {label}"),
        Some(rows::Refusal::OfKind(kind)) => format!("field label \"{label}\" not supported for {kind}"),
        Some(rows::Refusal::ForKind(kind)) => {
            format!("field label not supported for {group_version}, Kind={kind}: {label}")
        }
    }
}

fn row(group: &str, resource: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.group == group && row.resource == resource)
}

impl Read {
    fn of(&self, object: &Value) -> String {
        match self {
            Self::Text(paths) => {
                let texts = paths.iter().map(|path| object.text_at(path));
                texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned()
            }
            Self::Bool(path) => object.at(path).and_then(Value::as_bool).unwrap_or_default().to_string(),
            Self::Int(path) => object.at(path).and_then(Value::as_int).unwrap_or_default().to_string(),
            Self::FirstAddress => {
                let first = object.at(&["status", "podIPs"]).and_then(|all| all.items().first());
                first.map(|address| address.text_at(&["ip"])).unwrap_or_default().to_owned()
            }
            Self::Nothing => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ROWS, labels, supports, unsupported, value};
    use coracle_apimachinery::json::decode_any;

    #[test]
    fn labels_read_as_upstream_reads_them() {
        let pod = r#"{"metadata":{"name":"p","namespace":"n"},"spec":{"nodeName":"node"},"status":{"podIPs":[{"ip":"1.2.3.4"}]}}"#;
        let event = r#"{"involvedObject":{"kind":"Pod"},"source":{"component":"c"},"reportingComponent":"r"}"#;
        let bare = r#"{"reportingComponent":"r"}"#;
        let own = r#"{"regarding":{"kind":"Pod"},"reportingController":"r"}"#;
        let table = [
            ("", "pods", "metadata.name", pod, Some("p")),
            ("", "pods", "metadata.namespace", pod, Some("n")),
            ("", "pods", "spec.nodeName", pod, Some("node")),
            ("", "pods", "spec.host", pod, Some("node")),
            ("", "pods", "spec.hostNetwork", pod, Some("false")),
            ("", "pods", "status.phase", pod, Some("")),
            ("", "pods", "status.podIP", pod, Some("1.2.3.4")),
            ("", "pods", "status.podIPs", pod, Some("")),
            ("", "pods", "spec.other", pod, None),
            ("", "nodes", "spec.unschedulable", r#"{"spec":{"unschedulable":true}}"#, Some("true")),
            ("", "nodes", "metadata.namespace", "{}", None),
            ("", "events", "involvedObject.kind", event, Some("Pod")),
            ("", "events", "source", event, Some("c")),
            ("", "events", "source", bare, Some("r")),
            ("events.k8s.io", "events", "regarding.kind", event, Some("Pod")),
            ("events.k8s.io", "events", "regarding.kind", own, Some("Pod")),
            ("events.k8s.io", "events", "reportingController", event, Some("r")),
            ("", "replicationcontrollers", "status.replicas", "{}", Some("0")),
            ("batch", "jobs", "status.successful", r#"{"status":{"succeeded":3}}"#, Some("3")),
            ("", "configmaps", "data.a", "{}", None),
            ("apps", "replicasets", "status.replicas", "{}", None),
        ];
        for (group, resource, label, object, expected) in table {
            let object = decode_any(object.as_bytes()).unwrap();
            assert_eq!(value(group, resource, label, &object).as_deref(), expected, "{resource} {label}");
            assert_eq!(supports(group, resource, label), expected.is_some(), "{resource} {label}");
        }
        assert_eq!(labels("", "secrets"), ["type"]);
        assert!(labels("", "configmaps").is_empty());
        assert!(ROWS.iter().all(|row| row.names.len() == row.reads.len()));
    }

    #[test]
    fn unknown_labels_are_refused_in_the_words_of_the_real_server() {
        let table = [
            ("v1", "pods", "field label not supported: zz"),
            ("v1", "nodes", "field label not supported: zz"),
            ("events.k8s.io/v1", "events", "field label not supported: zz"),
            ("certificates.k8s.io/v1", "certificatesigningrequests", "field label not supported: zz"),
            ("batch/v1", "jobs", "field label \"zz\" not supported for Job"),
            (
                "resource.k8s.io/v1",
                "resourceslices",
                "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: zz",
            ),
            (
                "apps/v1",
                "replicasets",
                "\"zz\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            ),
        ];
        for (group_version, resource, words) in table {
            assert_eq!(unsupported(group_version, resource, "zz"), words);
        }
        let recording = include_str!("../../../oracle/recordings/error-bad-field-selector.json");
        let recording = decode_any(recording.as_bytes()).unwrap();
        let message = recording.text_at(&["answer", "http", "body", "json", "message"]);
        assert_eq!(unsupported("v1", "configmaps", "data.a"), message);
    }
}
