//! Validation: what an object must obey before it is stored, in the words and the order of the real API server.
//!
//! A kind is a row of [`rows`] that names its functions. They read the canonical tree after defaulting; every function
//! covers one struct type. Declarative rules upstream that only shadow handwritten ones are not repeated here.

mod address;
mod apps;
mod coordination;
mod core;
mod format;
mod labels;
#[cfg(test)]
mod measured;
pub mod metadata;
mod quantity;
#[cfg(test)]
mod recordings;
mod report;
mod rows;

pub use format::{Complaints, NameRule};

use coracle_apimachinery::Value;
use coracle_apimachinery::field::Error;
use report::{At, Report};
use std::collections::HashSet;

/// What is wrong with a new object.
#[must_use]
pub fn create(group: &str, kind: &str, object: &Value) -> Vec<Error> {
    let row = rows::of(group, kind, object);
    let mut report = Report::default();
    let new = At::root(object);
    row.check_metadata(&mut report, &new);
    (row.create)(&mut report, &new);
    if report.len() == 0 {
        // Upstream ends with the names that any path can hold, which only matters to kinds without a name rule.
        metadata::check(&mut report, &new.get("metadata"), row.namespaced, NameRule::PathSegment);
    }
    distinct(report)
}

/// What is wrong with a changed object.
#[must_use]
pub fn update(group: &str, kind: &str, new: &Value, old: &Value) -> Vec<Error> {
    let row = rows::of(group, kind, new);
    let mut report = Report::default();
    let (new, old) = (At::root(new), At::root(old));
    row.check_metadata_update(&mut report, &new, &old);
    row.check_own_metadata_update(&mut report, &new);
    (row.update)(&mut report, &new, &old);
    distinct(report)
}

/// What is wrong with an object whose status was changed.
#[must_use]
pub fn status(group: &str, kind: &str, new: &Value, old: &Value) -> Vec<Error> {
    let row = rows::of(group, kind, new);
    let mut report = Report::default();
    let (new, old) = (At::root(new), At::root(old));
    row.check_metadata_update(&mut report, &new, &old);
    if row.core_finalizers {
        metadata::core_finalizers(&mut report, &new.get("metadata"));
    }
    (row.status)(&mut report, &new, &old);
    distinct(report)
}

/// What is wrong with a namespace whose own finalizers were changed.
#[must_use]
pub fn finalize(new: &Value, old: &Value) -> Vec<Error> {
    let row = rows::of("", "Namespace", new);
    let mut report = Report::default();
    let (new, old) = (At::root(new), At::root(old));
    row.check_metadata_update(&mut report, &new, &old);
    metadata::core_finalizers(&mut report, &new.get("metadata"));
    core::namespace::finalize(&mut report, &new);
    distinct(report)
}

/// What a client is told about a new object that is taken although something about it is odd.
#[must_use]
pub fn warnings(group: &str, kind: &str, object: &Value) -> Vec<String> {
    let row = rows::of(group, kind, object);
    let mut out = Vec::new();
    (row.warnings)(&mut out, &At::root(object));
    out
}

/// Problems that read alike are told once.
fn distinct(report: Report) -> Vec<Error> {
    let mut errors = report.into_errors();
    let mut seen: HashSet<String> = HashSet::new();
    errors.retain(|error| seen.insert(error.to_string()));
    errors
}

#[cfg(test)]
mod tests {
    use super::{create, update};
    use coracle_apimachinery::json;
    use std::fmt::Write as _;

    /// Lists as long as a request can hold; anything quadratic would take minutes here.
    #[test]
    fn hostile_objects_take_bounded_work() {
        let repeat = |item: &str, count: usize| {
            let mut list = String::from("[");
            for at in 0..count {
                let _ = write!(list, "{}{}", if at > 0 { "," } else { "" }, item.replace('#', &at.to_string()));
            }
            list + "]"
        };
        let table = [
            ("tolerations", r#"{"key":"k#","operator":"Exists"}"#),
            ("topologySpreadConstraints", r#"{"topologyKey":"k#"}"#),
            ("schedulingGates", r#"{"name":"a/b#"}"#),
            ("volumes", r#"{"name":"v#","persistentVolumeClaim":{"claimName":"x"}}"#),
            ("resourceClaims", r#"{"name":"c#"}"#),
            ("containers", r#"{"name":"c","env":[{}],"ports":[{"containerPort":#}]}"#),
        ];
        for (member, item) in table {
            let text = format!(r#"{{"metadata":{{}},"spec":{{"{member}":{}}}}}"#, repeat(item, 20_000));
            let pod = json::decode_any(text.as_bytes()).unwrap();
            assert!(!create("", "Pod", &pod).is_empty());
            let old = json::decode_any(br#"{"spec":{"containers":[]}}"#).unwrap();
            assert!(!update("", "Pod", &pod, &old).is_empty());
            assert!(!update("", "Pod", &pod, &pod).is_empty());
        }
        // The same containers in another order make the longest diff.
        let pod = |order: &[usize]| {
            let containers = order.iter().map(|at| format!(r#"{{"name":"c{at}","image":"i"}}"#)).collect::<Vec<_>>();
            let text = format!(r#"{{"spec":{{"containers":[{}]}}}}"#, containers.join(","));
            json::decode_any(text.as_bytes()).unwrap()
        };
        let forth: Vec<usize> = (0..3_000).collect();
        let back: Vec<usize> = forth.iter().rev().copied().collect();
        assert!(!update("", "Pod", &pod(&forth), &pod(&back)).is_empty());
        let owner = r#"{"kind":"a","controller":true}"#;
        let text = format!(r#"{{"metadata":{{"ownerReferences":{}}}}}"#, repeat(owner, 20_000));
        let object = json::decode_any(text.as_bytes()).unwrap();
        assert!(create("", "ConfigMap", &object).len() < 5_000);
    }
}
