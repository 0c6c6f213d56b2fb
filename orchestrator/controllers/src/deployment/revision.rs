//! Revisions of a Deployment, in annotations of its ReplicaSets.

use std::num::ParseIntError;

use coracle_apimachinery::{Object, Value};

use super::bounds::{desired, most};
use crate::trees::annotation;

/// The number of a rollout.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
/// The numbers of all rollouts that a ReplicaSet has served before.
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// How many pods the Deployment asked for when the ReplicaSet was scaled.
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// How many pods the Deployment could have then.
pub(super) const MOST: &str = "deployment.kubernetes.io/max-replicas";
/// The annotation of a wish to go back.
pub(super) const ROLLBACK_TO: &str = "deprecated.deployment.rollback.to";

/// Annotations that belong to either a Deployment or a ReplicaSet and are not copied.
const OWN: [&str; 6] =
    ["kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MOST, ROLLBACK_TO];

/// The longest history, in characters.
const LONGEST_HISTORY: usize = 2000;

/// The revision of a ReplicaSet; 0 if it has none.
pub(super) fn of(set: &Value) -> Result<i64, ParseIntError> {
    annotation(set, REVISION).map_or(Ok(0), str::parse)
}

/// The highest revision.
pub(super) fn highest<'a>(sets: impl Iterator<Item = &'a Value>) -> i64 {
    sets.filter_map(|set| of(set).ok()).max().unwrap_or(0).max(0)
}

/// The highest revision but one; 0 if there is none.
pub(super) fn last<'a>(sets: impl Iterator<Item = &'a Value>) -> i64 {
    let mut revisions: Vec<i64> = sets.filter_map(|set| of(set).ok()).collect();
    revisions.sort_unstable();
    revisions.iter().rev().nth(1).copied().unwrap_or(0).max(0)
}

/// Whether an annotation is copied between a Deployment and its ReplicaSets.
pub(super) fn is_shared(key: &str) -> bool {
    !OWN.contains(&key)
}

/// Gives the newest ReplicaSet the annotations of its Deployment and a revision, unless it has a higher one. A set that
/// was the newest before remembers that.
pub(super) fn annotate(deployment: &Value, annotations: &mut Object, revision: i64) {
    let text = |annotations: &Object, key| annotations.get(key).and_then(Value::as_str).map(str::to_owned);
    let old = text(annotations, REVISION);
    let number = match old.as_deref() {
        None | Some("") => 0,
        // A number that nobody can read stops everything, as it may be anybody's.
        Some(old) => match old.parse::<i64>() {
            Ok(number) => number,
            Err(_) => return,
        },
    };
    let given = deployment.at(&["metadata", "annotations"]).and_then(Value::as_object);
    for (key, value) in given.into_iter().flat_map(Object::iter).filter(|(key, _)| is_shared(key)) {
        annotations.insert(key.to_owned().into(), value.clone());
    }
    if number >= revision {
        return;
    }
    annotations.insert(REVISION.into(), Value::text(revision.to_string()));
    if let Some(old) = old
        && let Some(history) = extended(&text(annotations, HISTORY).unwrap_or_default(), &old)
    {
        annotations.insert(HISTORY.into(), Value::text(history));
    }
}

/// A history with one more number; the oldest numbers make room. `None` if there is no room at all.
fn extended(history: &str, revision: &str) -> Option<String> {
    if history.is_empty() || history.starts_with(',') {
        return Some(revision.to_owned());
    }
    let mut whole = format!("{history},{revision}");
    while whole.len() > LONGEST_HISTORY {
        whole = whole.split_once(',')?.1.to_owned();
    }
    Some(whole)
}

/// Notes the size of the Deployment at a ReplicaSet.
pub(super) fn note_size(deployment: &Value, annotations: &mut Object) {
    annotations.insert(DESIRED.into(), Value::text(desired(deployment).to_string()));
    annotations.insert(MOST.into(), Value::text(most(deployment).to_string()));
}

/// A size that was noted at a ReplicaSet.
pub(super) fn noted(set: &Value, key: &str) -> Option<i64> {
    annotation(set, key)?.parse::<u32>().ok().and_then(|size| i32::try_from(size).ok()).map(i64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::tests::tree;

    fn set(annotations: &str) -> Value {
        tree(&format!(r#"{{"metadata":{{"annotations":{annotations}}}}}"#))
    }

    #[test]
    fn annotations_follow_the_deployment() {
        let deployment = set(
            r#"{"a":"1","deployment.kubernetes.io/revision":"9","kubectl.kubernetes.io/last-applied-configuration":"x"}"#,
        );
        for (before, revision, after) in [
            ("{}", 1, r#"{"a":"1","deployment.kubernetes.io/revision":"1"}"#),
            (
                r#"{"deployment.kubernetes.io/revision":"1"}"#,
                3,
                r#"{"a":"1","deployment.kubernetes.io/revision":"3","deployment.kubernetes.io/revision-history":"1"}"#,
            ),
            (
                r#"{"deployment.kubernetes.io/revision":"3","deployment.kubernetes.io/revision-history":"1"}"#,
                5,
                r#"{"a":"1","deployment.kubernetes.io/revision":"5","deployment.kubernetes.io/revision-history":"1,3"}"#,
            ),
            (
                r#"{"a":"0","deployment.kubernetes.io/revision":"7"}"#,
                5,
                r#"{"a":"1","deployment.kubernetes.io/revision":"7"}"#,
            ),
            (r#"{"deployment.kubernetes.io/revision":"x"}"#, 5, r#"{"deployment.kubernetes.io/revision":"x"}"#),
        ] {
            let mut annotations = tree(before);
            annotate(&deployment, annotations.as_object_mut().unwrap(), revision);
            assert_eq!(annotations, tree(after), "{before}");
        }
    }

    #[test]
    fn histories_stay_short() {
        let long = vec!["1234567"; 250].join(",");
        let extended = extended(&long, "99").unwrap();
        assert_eq!((long.len(), extended.len()), (1999, 1994));
        assert!(extended.ends_with(",99"));
        assert_eq!(super::extended("", "1"), Some("1".to_owned()));
        assert_eq!(super::extended("1", &"9".repeat(2001)), None);
    }

    #[test]
    fn revisions_are_counted() {
        let sets = ["3", "x", "1", "2"].map(|revision| set(&format!(r#"{{"{REVISION}":"{revision}"}}"#)));
        assert_eq!((highest(sets.iter()), last(sets.iter())), (3, 2));
        assert_eq!((highest([].iter()), last(sets.iter().take(1))), (0, 0));
        assert_eq!(noted(&set(r#"{"deployment.kubernetes.io/max-replicas":"-1"}"#), MOST), None);
    }
}
