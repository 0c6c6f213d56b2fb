//! Workloads.

use super::common;
use crate::defaults;
use coracle_apimachinery::{Object, Value};

/// A Job's pods carry its name and uid, and the uid selects them, unless the client selects itself. The labels of the
/// template are then the Job's own, if it has none: upstream fills in defaults again when it reads what it stored.
pub(super) fn create_job(new: &mut Value) {
    let manual = new.at(&["spec", "manualSelector"]).and_then(Value::as_bool).unwrap_or_default();
    if !manual {
        let name = new.text_at(&["metadata", "name"]).to_owned();
        let uid = new.text_at(&["metadata", "uid"]).to_owned();
        if let Some(object) = new.as_object_mut() {
            select_own_pods(object.object_mut("spec"), &name, &uid);
            defaults::job(object);
        }
    }
    common::create_first_generation_without_status(new);
}

fn select_own_pods(spec: &mut Object, name: &str, uid: &str) {
    let labels = spec.object_mut("template").object_mut("metadata").object_mut("labels");
    let own = [
        ("job-name", name),
        ("batch.kubernetes.io/job-name", name),
        ("controller-uid", uid),
        ("batch.kubernetes.io/controller-uid", uid),
    ];
    for (label, value) in own {
        labels.insert_default(label, || Value::text(value));
    }
    let selected = spec.object_mut("selector").object_mut("matchLabels");
    selected.insert_default("batch.kubernetes.io/controller-uid", || Value::text(uid));
}

/// A Deployment's generation counts its annotations too.
pub(super) fn update_deployment(new: &mut Value, old: &Value) {
    common::update_keeping_status_counting_spec(new, old);
    if !common::same(new.at(&["metadata", "annotations"]), old.at(&["metadata", "annotations"])) {
        common::next_generation(new, old);
    }
}

/// The generation counts changes of the template.
pub(super) fn update_counting_template(new: &mut Value, old: &Value) {
    common::keep_generation(new, old);
    common::count_changes(new, old, &["template"]);
}

/// The template's own generation stands in an annotation in this version of the API.
pub(super) fn create_daemon_set(new: &mut Value) {
    common::create_first_generation_without_status(new);
    if template_generation(new) < 1 {
        set_template_generation(new, 1);
    }
}

/// Counts the generation of the template too.
pub(super) fn update_daemon_set(new: &mut Value, old: &Value) {
    common::update_keeping_status_counting_spec(new, old);
    let changed = !common::same(new.at(&["spec", "template"]), old.at(&["spec", "template"]));
    set_template_generation(new, template_generation(old) + i64::from(changed));
}

const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

fn template_generation(set: &Value) -> i64 {
    set.text_at(&["metadata", "annotations", TEMPLATE_GENERATION]).parse().unwrap_or_default()
}

fn set_template_generation(set: &mut Value, generation: i64) {
    if let Some(metadata) = common::metadata(set) {
        let text = Value::text(generation.to_string());
        metadata.object_mut("annotations").insert(TEMPLATE_GENERATION.into(), text);
    }
}

#[cfg(test)]
mod tests {
    use super::{create_job, update_daemon_set, update_deployment};
    use coracle_apimachinery::json::{decode_any, encode_any};

    #[test]
    fn generations_count_what_upstream_counts() {
        let daemon = |spec: &str, metadata: &str| format!(r#"{{"metadata":{{{metadata}}},"spec":{spec}}}"#);
        let known = r#""annotations":{"deprecated.daemonset.template.generation":"4"},"generation":6"#;
        let table = [
            (r#"{"template":{"a":1}}"#, r#"{"template":{"a":2}}"#, "5", 7),
            (r#"{"template":{"a":1}}"#, r#"{"template":{"a":1},"minReadySeconds":1}"#, "4", 7),
            (r#"{"template":{"a":1}}"#, r#"{"template":{"a":1}}"#, "4", 6),
        ];
        for (before, after, template, generation) in table {
            let old = decode_any(daemon(before, known).as_bytes()).unwrap();
            let mut new = decode_any(daemon(after, "").as_bytes()).unwrap();
            update_daemon_set(&mut new, &old);
            let path = ["metadata", "annotations", super::TEMPLATE_GENERATION];
            assert_eq!(new.text_at(&path), template, "{after}");
            assert_eq!(new.at(&["metadata", "generation"]).and_then(|v| v.as_int()), Some(generation), "{after}");
        }
    }

    #[test]
    fn a_deployment_counts_annotations() {
        let old = decode_any(br#"{"metadata":{"generation":2},"spec":{}}"#).unwrap();
        let mut new = decode_any(br#"{"metadata":{"annotations":{"a":"b"}},"spec":{}}"#).unwrap();
        update_deployment(&mut new, &old);
        assert_eq!(new.at(&["metadata", "generation"]).and_then(|v| v.as_int()), Some(3));
    }

    #[test]
    fn a_job_selects_its_own_pods() {
        let mut job =
            decode_any(br#"{"metadata":{"labels":{"a":"b"},"name":"j","uid":"u"},"spec":{"template":{}}}"#).unwrap();
        create_job(&mut job);
        assert_eq!(
            String::from_utf8(encode_any(job.at(&["spec", "template", "metadata"]).unwrap())).unwrap(),
            concat!(
                r#"{"labels":{"batch.kubernetes.io/controller-uid":"u","batch.kubernetes.io/job-name":"j","#,
                r#""controller-uid":"u","job-name":"j"}}"#
            )
        );
    }
}
