//! What authentication needs of stored objects.

use coracle_apimachinery::Value;
use coracle_apimachinery::time::{Instant, Precision};

/// Reads stored objects for checks of credentials.
pub trait Objects: Send + Sync {
    /// The object of the core group, for example `("serviceaccounts", "default", "web")`; the namespace of a Node is
    /// empty. An object that cannot be read counts as absent, which refuses the credential that needs it.
    fn object(&self, resource: &str, namespace: &str, name: &str) -> Option<Value>;
}

/// Whether deletion of `object` began before `time`. A time that cannot be read counts as long ago.
pub(crate) fn deleted_before(object: &Value, time: i64) -> bool {
    match object.text_at(&["metadata", "deletionTimestamp"]) {
        "" => false,
        text => Instant::parse(text, Precision::Seconds).map_or(true, |at| at.seconds < time),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use coracle_apimachinery::json;
    use std::collections::HashMap;

    /// Objects of a test by resource, namespace and name.
    #[derive(Default)]
    pub(crate) struct Fixed(HashMap<(String, String, String), Value>);

    impl Fixed {
        pub(crate) fn with(mut self, resource: &str, namespace: &str, name: &str, json: &str) -> Self {
            let value = json::decode_any(json.as_bytes()).unwrap();
            self.0.insert((resource.into(), namespace.into(), name.into()), value);
            self
        }
    }

    impl Objects for Fixed {
        fn object(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
            self.0.get(&(resource.into(), namespace.into(), name.into())).cloned()
        }
    }

    #[test]
    fn deletion_is_read_from_the_metadata() {
        let table = [
            (r#"{"metadata":{}}"#, false),
            (r#"{"metadata":{"deletionTimestamp":"1970-01-01T00:00:09Z"}}"#, true),
            (r#"{"metadata":{"deletionTimestamp":"1970-01-01T00:00:10Z"}}"#, false),
            (r#"{"metadata":{"deletionTimestamp":"soon"}}"#, true),
        ];
        for (text, deleted) in table {
            assert_eq!(deleted_before(&json::decode_any(text.as_bytes()).unwrap(), 10), deleted, "{text}");
        }
    }
}
