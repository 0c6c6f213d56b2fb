//! v
use coracle_apimachinery::{Value, field};
/// v
#[must_use]
pub fn create(_group: &str, _kind: &str, _object: &Value) -> Vec<field::Error> {
    Vec::new()
}
/// v
#[must_use]
pub fn update(_group: &str, _kind: &str, _new: &Value, _old: &Value) -> Vec<field::Error> {
    Vec::new()
}
/// v
#[must_use]
pub fn status(_group: &str, _kind: &str, _new: &Value, _old: &Value) -> Vec<field::Error> {
    Vec::new()
}
/// v
#[must_use]
pub fn warnings(_group: &str, _kind: &str, _object: &Value) -> Vec<String> {
    Vec::new()
}
