//! Resources that are another view of the same stored objects.
use coracle_apimachinery::Value;
/// Where a resource's objects lie.
#[derive(Debug, Clone, Copy)]
pub struct Storage {
    /// g
    pub group: &'static str,
    /// r
    pub resource: &'static str,
    /// gv
    pub group_version: &'static str,
    /// k
    pub kind: &'static str,
}
/// s
#[must_use]
pub fn storage_of(_group: &str, _resource: &str) -> Option<Storage> {
    None
}
/// c
#[must_use]
pub fn convert(_kind: &str, _from: &str, _to: &str, value: Value) -> Value {
    value
}
