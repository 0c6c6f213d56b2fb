//! Jobs.

use coracle_apimachinery::{Object, Value};

/// What in a Job depends on its other members. Jobs inside a CronJob do not get this before they are made.
pub(crate) fn job(job: &mut Object) {
    let spec = job.object_mut("spec");
    if spec.get("completions").is_none() && spec.get("parallelism").is_none() {
        spec.insert("completions".into(), Value::Int(1));
    }
    spec.insert_default("parallelism", || Value::Int(1));
    let per_index = spec.get("backoffLimitPerIndex").is_some();
    spec.insert_default("backoffLimit", || Value::Int(if per_index { i32::MAX.into() } else { 6 }));
    spec.insert_default("completionMode", || Value::text("NonIndexed"));
    spec.insert_default("suspend", || Value::Bool(false));
    let has_policy = spec.get("podFailurePolicy").is_some();
    spec.insert_default("podReplacementPolicy", || {
        Value::text(if has_policy { "Failed" } else { "TerminatingOrFailed" })
    });
    spec.insert_default("manualSelector", || Value::Bool(false));
    let labels = spec.get("template").and_then(|template| template.at(&["metadata", "labels"])).cloned();
    let metadata = job.object_mut("metadata");
    if let Some(labels) = labels
        && metadata.get("labels").is_none_or(Value::is_empty)
    {
        metadata.insert("labels".into(), labels);
    }
}
