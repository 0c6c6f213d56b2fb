//! Short ways to write trees.

use coracle_apimachinery::{Object, Value};

/// An object of the members that there are.
pub(crate) fn tree<const N: usize>(members: [(&'static str, Option<Value>); N]) -> Value {
    let members = members.into_iter().filter_map(|(name, value)| Some((name.into(), value?)));
    Value::Object(members.collect::<Object>())
}

/// A text that is not empty.
pub(crate) fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| Value::text(text))
}

/// A list that is not empty.
pub(crate) fn list(items: Vec<Value>) -> Option<Value> {
    (!items.is_empty()).then_some(Value::List(items))
}
