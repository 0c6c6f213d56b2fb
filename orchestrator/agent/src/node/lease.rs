//! The lease by which a node shows that it lives.

use std::time::Duration;

use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value};
use coracle_client::resources::LEASES;
use coracle_client::{Write, object};

/// Where the leases of nodes are.
pub const LEASE_NAMESPACE: &str = "kube-node-lease";
/// How long a lease is good for.
pub const LEASE_SECONDS: i64 = 40;
/// How long after a renewal the next one is due.
pub const RENEW_AFTER: Duration = Duration::from_secs(10);

/// The write that makes or renews the lease of a node. A lease is not made before its node is there, since the node has
/// to own it; one that belongs to an earlier node of this name gets the new owner.
#[must_use]
pub fn plan_lease(name: &str, node: Option<&Value>, existing: Option<&Value>, now: Instant) -> Option<Write> {
    let mut lease = match (existing, node) {
        (Some(existing), _) => existing.as_object()?.clone(),
        (None, Some(_)) => made(name),
        (None, None) => return None,
    };
    let spec = lease.object_mut("spec");
    spec.insert("leaseDurationSeconds".into(), Value::Int(LEASE_SECONDS));
    spec.insert("renewTime".into(), Value::text(now.print(Precision::Micros)));
    if let Some(node) = node {
        let owners = lease.get("metadata").map_or(&[][..], |metadata| object::items(metadata, &["ownerReferences"]));
        if !owners.iter().any(|owner| owner.text_at(&["uid"]) == object::uid(node)) {
            let owner =
                super::texts([("apiVersion", "v1"), ("kind", "Node"), ("name", name), ("uid", object::uid(node))]);
            let owners = Value::List(vec![Value::Object(owner)]);
            lease.object_mut("metadata").insert("ownerReferences".into(), owners);
        }
    }
    let lease = Value::Object(lease);
    Some(if existing.is_some() { Write::update(&LEASES, lease) } else { Write::create(&LEASES, lease) })
}

fn made(name: &str) -> Object {
    let mut lease = super::texts([("apiVersion", "coordination.k8s.io/v1"), ("kind", "Lease")]);
    let metadata = super::texts([("name", name), ("namespace", LEASE_NAMESPACE)]);
    lease.insert("metadata".into(), Value::Object(metadata));
    lease.insert("spec".into(), Value::Object(super::texts([("holderIdentity", name)])));
    lease
}

#[cfg(test)]
mod tests {
    use coracle_apimachinery::json::{decode_any, encode_any};
    use coracle_client::Operation;

    use super::*;

    const NOW: Instant = Instant { seconds: 1_000_000_000, micros: 5 };

    fn tree(text: &str) -> Value {
        decode_any(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_lease_is_made_and_renewed() {
        let node = tree(r#"{"metadata":{"name":"n","uid":"u1"}}"#);
        let made = concat!(
            r#"{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"n","#,
            r#""namespace":"kube-node-lease","ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"n","uid":"u1"}]},"#,
            r#""spec":{"holderIdentity":"n","leaseDurationSeconds":40,"renewTime":"2001-09-09T01:46:40.000005Z"}}"#
        );
        let renewed = |owner: &str| made.replace("u1", owner);
        let old = made.replace("01:46:40", "01:46:30");
        let cases = [
            (None, None, None),
            (Some("u1"), None, Some(made.to_owned())),
            (Some("u1"), Some(old.clone()), Some(renewed("u1"))),
            (Some("u2"), Some(old.clone()), Some(renewed("u2"))),
            (None, Some(old), Some(renewed("u1"))),
        ];
        for (uid, existing, expected) in cases {
            let node = uid.map(|uid| {
                let mut node = node.clone();
                let metadata = node.as_object_mut().unwrap().object_mut("metadata");
                metadata.insert("uid".into(), Value::text(uid));
                node
            });
            let existing = existing.map(|text| tree(&text));
            let write = plan_lease("n", node.as_ref(), existing.as_ref(), NOW);
            let lease = write.map(|write| {
                assert_eq!((write.namespace.as_str(), write.name.as_str()), ("kube-node-lease", "n"));
                match write.operation {
                    Operation::Create(lease) if existing.is_none() => lease,
                    Operation::Update(lease) if existing.is_some() => lease,
                    other => panic!("{other:?}"),
                }
            });
            assert_eq!(lease.map(|lease| String::from_utf8(encode_any(&lease)).unwrap()), expected);
        }
    }
}
