//! f
use coracle_apimachinery::Value;
/// l
#[must_use]
pub fn labels(_group: &str, _resource: &str) -> &'static [&'static str] {
    &[]
}
/// v
#[must_use]
pub fn value(_group: &str, _resource: &str, _label: &str, _object: &Value) -> Option<String> {
    None
}
/// u
#[must_use]
pub fn unsupported(_group_version: &str, _resource: &str, label: &str) -> String {
    format!("\"{label}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
}
