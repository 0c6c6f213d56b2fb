//! What stored objects can be found by besides their name: owners, and the node of a pod.

use coracle_apimachinery::{Value, json};
use coracle_client::Term;
use coracle_store::{Indexer, Key, Value as StoreValue};

use crate::stored::pieces;

/// Names the terms of objects from their stored bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms;

impl Indexer for Terms {
    fn terms(&self, key: &Key, value: &StoreValue) -> Vec<String> {
        let Some((bytes, spans)) = pieces(value) else { return Vec::new() };
        let mut terms = Vec::new();
        // Most objects have neither: a look at the bytes saves reading them.
        let metadata = bytes.get(spans.metadata).unwrap_or_default();
        if contains(metadata, b"\"ownerReferences\"")
            && let Ok(metadata) = json::decode_any(metadata)
        {
            let owners = metadata.at(&["ownerReferences"]).map_or(&[][..], Value::items);
            terms.extend(owners.iter().map(|owner| term(Term::Owner(owner.text_at(&["uid"])))));
        }
        if key.kind().as_str() == "core/pods" {
            let pod = contains(bytes, b"\"nodeName\"").then(|| json::decode_any(bytes).ok()).flatten();
            let node = pod.as_ref().map_or("", |pod| pod.text_at(&["spec", "nodeName"]));
            terms.push(term(Term::Node(node)));
        }
        terms.sort();
        terms.dedup();
        terms
    }
}

/// A term as the store keeps it.
pub(crate) fn term(term: Term<'_>) -> String {
    match term {
        Term::Owner(uid) => format!("owner={uid}"),
        Term::Node(name) => format!("node={name}"),
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored::to_store;
    use coracle_apimachinery::at_rest::AtRest;
    use coracle_apimachinery::schema;

    #[test]
    fn owners_and_nodes_are_terms() {
        for (kind, key, object, expected) in [
            (
                "Pod",
                "core/pods/a/p",
                r#"{"metadata":{"name":"p","namespace":"a"},"spec":{"nodeName":"n"}}"#,
                vec!["node=n"],
            ),
            (
                "Pod",
                "core/pods/a/p",
                r#"{"metadata":{"name":"p","namespace":"a","ownerReferences":[{"apiVersion":"v1","kind":"X","name":"x","uid":"1"},{"apiVersion":"v1","kind":"X","name":"y","uid":"2"}]}}"#,
                vec!["node=", "owner=1", "owner=2"],
            ),
            (
                "ConfigMap",
                "core/configmaps/a/c",
                r#"{"metadata":{"name":"c"},"data":{"x":"\"ownerReferences\""}}"#,
                vec![],
            ),
        ] {
            let kind = schema::kind("v1", kind).unwrap();
            let value = json::decode(kind, object.as_bytes(), json::FieldValidation::Ignore).unwrap().value;
            let stored = to_store(&AtRest::encode(kind, &value).unwrap()).unwrap();
            assert_eq!(Terms.terms(&Key::parse(key).unwrap(), &stored), expected, "{object}");
        }
    }
}
