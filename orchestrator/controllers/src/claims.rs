//! Which objects a controller owns: adopting what it selects, releasing what it does not, and finding the owner of a
//! changed object.

use std::sync::Arc;

use coracle_apimachinery::selector::label::Selector;
use coracle_apimachinery::{Object, Value};
use coracle_client::object::{controlled_by, controller, is_ending, namespace, uid};
use coracle_client::{Change, PatchKind, Resource, View, Write};

use crate::controller::{Key, Step};
use crate::trees::labels;

/// How an object relates to a controller that might own it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is owned.
    Owned,
    /// It has no controller and is selected.
    Adopt,
    /// It is owned but not selected any more.
    Release,
    /// It is none of the controller's business.
    Foreign,
}

/// How `object` relates to `owner`. An owner that is being deleted neither adopts nor releases.
pub(crate) fn claim(owner: &Value, selector: &Selector, object: &Value) -> Claim {
    let selected = selector.matches(labels(object));
    match controller(object) {
        Some(other) if other.text_at(&["uid"]) != uid(owner) => Claim::Foreign,
        Some(_) if selected => Claim::Owned,
        Some(_) if is_ending(owner) => Claim::Foreign,
        Some(_) => Claim::Release,
        None if !selected || is_ending(owner) || is_ending(object) => Claim::Foreign,
        None if namespace(owner) != namespace(object) => Claim::Foreign,
        None => Claim::Adopt,
    }
}

/// Makes `owner` the controller of an object, if that still is the one that was seen.
pub(crate) fn adopt(of: &'static Resource, object: &Value, owner: &Value, kind: &Resource) -> Step {
    Step::new(patch_owners(of, object, controlled_by(kind, owner))).fine(&["NotFound"])
}

/// Takes `owner` out of the owners of an object.
pub(crate) fn release(of: &'static Resource, object: &Value, owner: &Value) -> Step {
    let mut reference = Object::new();
    reference.insert("$patch".into(), Value::text("delete"));
    reference.insert("uid".into(), Value::text(uid(owner)));
    // `Invalid` says that the object has no owners or is another one of the same name.
    Step::new(patch_owners(of, object, Value::Object(reference))).fine(&["NotFound", "Invalid"])
}

fn patch_owners(of: &'static Resource, object: &Value, reference: Value) -> Write {
    let mut patch = Object::new();
    let metadata = patch.object_mut("metadata");
    metadata.insert("ownerReferences".into(), Value::List(vec![reference]));
    metadata.insert("uid".into(), Value::text(uid(object)));
    Write::patch(of, object, PatchKind::Strategic, Value::Object(patch))
}

/// The selector of an object's spec; nothing where it cannot be read.
pub(crate) fn selector(object: &Value) -> Option<Selector> {
    Selector::from_label_selector(object.at(&["spec", "selector"]).unwrap_or(&Value::Null)).ok()
}

/// The keys of the controllers of this kind that a changed object concerns: those that controlled it before and after,
/// and for a new orphan, or one that has changed sides, all that select it.
pub(crate) fn concerned(view: &View, change: &Change, kind: &Resource) -> Vec<Key> {
    let mut keys: Vec<Key> = change.sides().filter_map(|side| controlling(view, side, kind)).collect();
    if let Some(orphan) = change.new.as_deref().filter(|new| controller(new).is_none() && !is_ending(new)) {
        let sided = |old: &Value| labels(old) == labels(orphan) && controller(old).is_none();
        if !change.old.as_deref().is_some_and(sided) {
            keys.extend(selecting(view, orphan, kind));
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

/// The key of the controller of an object, if it is of this kind and still there.
fn controlling(view: &View, object: &Value, kind: &Resource) -> Option<Key> {
    let owner = owner(view, object, kind)?;
    Some(Key::of(&owner))
}

/// The controller of an object, if it is of this kind and still there.
pub(crate) fn owner(view: &View, object: &Value, kind: &Resource) -> Option<Arc<Value>> {
    let reference = controller(object).filter(|owner| owner.text_at(&["kind"]) == kind.kind)?;
    let owner = view.get(kind, namespace(object), reference.text_at(&["name"]))?;
    (uid(&owner) == reference.text_at(&["uid"])).then_some(owner)
}

fn selecting(view: &View, object: &Value, kind: &Resource) -> Vec<Key> {
    // An object without labels has no controllers that could want it.
    let Some(labels) = labels(object).filter(|labels| !labels.is_empty()) else { return Vec::new() };
    let wants = |owner: &Value| selector(owner).is_some_and(|it| !it.is_empty() && it.matches(Some(labels)));
    view.list(kind, namespace(object)).iter().filter(|owner| wants(owner)).map(|owner| Key::of(owner)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::tests::tree;
    use coracle_client::memory::Objects;
    use coracle_client::resources::{PODS, REPLICA_SETS};

    const OWNER: &str =
        r#"{"metadata":{"namespace":"n","name":"o","uid":"u"},"spec":{"selector":{"matchLabels":{"a":"1"}}}}"#;
    const ENDING: &str = r#"{"metadata":{"namespace":"n","name":"o","uid":"u","deletionTimestamp":"2026-01-01T00:00:00Z"},"spec":{"selector":{"matchLabels":{"a":"1"}}}}"#;
    const MINE: &str = r#""ownerReferences":[{"kind":"ReplicaSet","name":"o","uid":"u","controller":true}]"#;
    const OTHER: &str = r#""ownerReferences":[{"kind":"ReplicaSet","name":"o","uid":"v","controller":true}]"#;
    const PLAIN: &str = r#""ownerReferences":[{"kind":"ReplicaSet","name":"o","uid":"v"}]"#;

    fn pod(labels: &str, more: &str) -> Value {
        tree(&format!(r#"{{"metadata":{{"namespace":"n","name":"p","labels":{labels},{more}}}}}"#))
    }

    #[test]
    fn claims_are_told_apart() {
        let ends = r#""deletionTimestamp":"2026-01-01T00:00:00Z""#;
        let (yes, no) = (r#"{"a":"1"}"#, r#"{"a":"2"}"#);
        for (owner, labels, more, claimed) in [
            (OWNER, yes, MINE, Claim::Owned),
            (OWNER, no, MINE, Claim::Release),
            (OWNER, yes, OTHER, Claim::Foreign),
            (OWNER, yes, PLAIN, Claim::Adopt),
            (OWNER, no, PLAIN, Claim::Foreign),
            (OWNER, yes, ends, Claim::Foreign),
            (ENDING, yes, MINE, Claim::Owned),
            (ENDING, no, MINE, Claim::Foreign),
            (ENDING, yes, PLAIN, Claim::Foreign),
        ] {
            let owner = tree(owner);
            let selector = selector(&owner).unwrap();
            assert_eq!(claim(&owner, &selector, &pod(labels, more)), claimed, "{labels} {more}");
        }
    }

    #[test]
    fn changes_wake_owners_and_those_that_select() {
        let view = Objects::new()
            .with_json(&REPLICA_SETS, OWNER)
            .with_json(
                &REPLICA_SETS,
                r#"{"metadata":{"namespace":"n","name":"w","uid":"w"},"spec":{"selector":{"matchLabels":{"a":"2"}}}}"#,
            )
            .with_json(
                &REPLICA_SETS,
                r#"{"metadata":{"namespace":"m","name":"x","uid":"x"},"spec":{"selector":{"matchLabels":{"a":"2"}}}}"#,
            )
            .view();
        let (one, two) = (r#"{"a":"1"}"#, r#"{"a":"2"}"#);
        let table: [(Option<Value>, Option<Value>, &[&str]); 9] = [
            (None, Some(pod(one, MINE)), &["o"]),
            (None, Some(pod(one, OTHER)), &[]),
            (None, Some(pod(two, PLAIN)), &["w"]),
            (Some(pod(one, MINE)), Some(pod(two, PLAIN)), &["o", "w"]),
            (Some(pod(two, MINE)), Some(pod(two, PLAIN)), &["o", "w"]),
            (Some(pod(one, PLAIN)), Some(pod(two, PLAIN)), &["w"]),
            (Some(pod(two, PLAIN)), Some(pod(two, PLAIN)), &[]),
            (Some(pod(two, PLAIN)), None, &[]),
            (Some(pod(two, MINE)), None, &["o"]),
        ];
        for (old, new, names) in table {
            let shown = format!("{old:?} {new:?}");
            let change = Change { resource: Arc::new(PODS.clone()), old: old.map(Arc::new), new: new.map(Arc::new) };
            let keys = concerned(&view, &change, &REPLICA_SETS);
            assert_eq!(keys, names.iter().map(|name| Key::new("n", name)).collect::<Vec<_>>(), "{shown}");
        }
    }

    #[test]
    fn patches_name_the_uid_that_was_seen() {
        let object = tree(r#"{"metadata":{"namespace":"n","name":"p","uid":"pu"}}"#);
        let patch = |step: Step| match step.write.operation {
            coracle_client::Operation::Patch(PatchKind::Strategic, patch) => patch,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            patch(adopt(&PODS, &object, &tree(OWNER), &REPLICA_SETS)),
            tree(
                r#"{"metadata":{"uid":"pu","ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"o","uid":"u","controller":true,"blockOwnerDeletion":true}]}}"#
            )
        );
        assert_eq!(
            patch(release(&PODS, &object, &tree(OWNER))),
            tree(r#"{"metadata":{"uid":"pu","ownerReferences":[{"$patch":"delete","uid":"u"}]}}"#)
        );
    }
}
