//! Trees that controllers write.

use coracle_apimachinery::{Key, Value};
use coracle_client::Resource;

/// An object with these members.
pub(crate) fn object<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (Key::Borrowed(name), value)).collect())
}

/// A new object of a resource with a name and these members more.
pub(crate) fn named<const N: usize>(
    resource: &Resource,
    namespace: &str,
    name: &str,
    members: [(&'static str, Value); N],
) -> Value {
    let mut tree = object(members);
    if let Some(tree) = tree.as_object_mut() {
        tree.insert("apiVersion".into(), Value::text(resource.api_version()));
        tree.insert("kind".into(), Value::text(&*resource.kind));
        let metadata = tree.object_mut("metadata");
        metadata.insert("name".into(), Value::text(name));
        if !namespace.is_empty() {
            metadata.insert("namespace".into(), Value::text(namespace));
        }
    }
    tree
}
