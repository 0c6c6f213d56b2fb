//! Objects in memory, for tables that test planners.

use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::{Value, json};

use crate::resource::Resource;
use crate::view::{Read, Term, View};

/// Objects with what is known of them.
#[derive(Debug, Clone, Default)]
pub struct Objects(Vec<Held>);

#[derive(Debug, Clone)]
struct Held {
    resource: Arc<Resource>,
    object: Arc<Value>,
    age: Duration,
}

impl Objects {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same objects and one more.
    #[must_use]
    pub fn with(self, resource: &Resource, object: Value) -> Self {
        self.with_age(resource, object, Duration::ZERO)
    }

    /// The same objects and one more, written as JSON.
    ///
    /// # Panics
    /// It is no JSON: for tests only.
    #[must_use]
    pub fn with_json(self, resource: &Resource, object: &str) -> Self {
        #[expect(clippy::panic, reason = "a mistake in a test's table ends the test")]
        let object = json::decode_any(object.as_bytes()).unwrap_or_else(|error| panic!("{error}: {object}"));
        self.with(resource, object)
    }

    /// The same objects and one more, seen for this long.
    #[must_use]
    pub fn with_age(mut self, resource: &Resource, object: Value, age: Duration) -> Self {
        self.0.push(Held { resource: Arc::new(resource.clone()), object: Arc::new(object), age });
        self
    }

    /// The view of these objects.
    #[must_use]
    pub fn view(self) -> View {
        View::new(Arc::new(self))
    }

    fn of<'a>(&'a self, of: &'a Resource) -> impl Iterator<Item = &'a Held> {
        self.0.iter().filter(|held| held.resource.is(of))
    }

    fn sorted<'a>(objects: impl Iterator<Item = &'a Held>) -> Vec<Arc<Value>> {
        let place = |object: &Value| {
            let text = |name| object.text_at(&["metadata", name]).to_owned();
            (text("namespace"), text("name"))
        };
        let mut objects: Vec<_> = objects.map(|held| Arc::clone(&held.object)).collect();
        objects.sort_by_key(|object| place(object));
        objects
    }
}

impl Held {
    fn is_at(&self, namespace: &str, name: &str) -> bool {
        self.object.text_at(&["metadata", "namespace"]) == namespace
            && self.object.text_at(&["metadata", "name"]) == name
    }

    fn has(&self, term: Term<'_>) -> bool {
        match term {
            Term::Node(node) => self.object.text_at(&["spec", "nodeName"]) == node,
            Term::Owner(uid) => {
                let owners = self.object.at(&["metadata", "ownerReferences"]).map_or(&[][..], Value::items);
                owners.iter().any(|owner| owner.text_at(&["uid"]) == uid)
            }
        }
    }
}

impl Read for Objects {
    fn revision(&self) -> u64 {
        1
    }

    fn resources(&self) -> Vec<Arc<Resource>> {
        let mut resources: Vec<_> = self.0.iter().map(|held| Arc::clone(&held.resource)).collect();
        resources.sort();
        resources.dedup();
        resources
    }

    fn get(&self, of: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.of(of).find(|held| held.is_at(namespace, name)).map(|held| Arc::clone(&held.object))
    }

    fn list(&self, of: &Resource, namespace: &str) -> Vec<Arc<Value>> {
        let inside =
            |held: &&Held| namespace.is_empty() || held.object.text_at(&["metadata", "namespace"]) == namespace;
        Self::sorted(self.of(of).filter(inside))
    }

    fn find(&self, of: &Resource, term: Term<'_>) -> Vec<Arc<Value>> {
        Self::sorted(self.of(of).filter(|held| held.has(term)))
    }

    fn age(&self, of: &Resource, namespace: &str, name: &str) -> Option<Duration> {
        self.of(of).find(|held| held.is_at(namespace, name)).map(|held| held.age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::{NODES, PODS};

    #[test]
    fn objects_are_found() {
        let view = Objects::new()
            .with_json(&PODS, r#"{"metadata":{"namespace":"b","name":"2"},"spec":{"nodeName":"n"}}"#)
            .with_json(&PODS, r#"{"metadata":{"namespace":"a","name":"1","ownerReferences":[{"uid":"u"}]}}"#)
            .with_json(&NODES, r#"{"metadata":{"name":"n"}}"#)
            .view();
        let names = |objects: Vec<Arc<Value>>| {
            objects.iter().map(|object| object.text_at(&["metadata", "name"]).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(view.list(&PODS, "")), ["1", "2"]);
        assert_eq!(names(view.list(&PODS, "b")), ["2"]);
        assert_eq!(names(view.pods_on("n")), ["2"]);
        assert_eq!(names(view.owned_by(&PODS, "u")), ["1"]);
        assert!(view.get(&NODES, "", "n").is_some() && view.get(&NODES, "", "m").is_none());
        assert_eq!(view.resources().len(), 2);
    }
}
