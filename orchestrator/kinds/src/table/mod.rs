//! t
use coracle_apimachinery::Value;
/// c
#[derive(Debug)]
pub struct Column {
    /// n
    pub name: &'static str,
    /// k
    pub kind: &'static str,
    /// f
    pub format: &'static str,
    /// p
    pub priority: i64,
    /// d
    pub description: &'static str,
}
/// c
#[must_use]
pub fn columns(_group: &str, _resource: &str) -> &'static [Column] {
    &[]
}
/// c
#[must_use]
pub fn cells(_group: &str, _resource: &str, _object: &Value, _now: i64) -> Vec<Value> {
    Vec::new()
}
