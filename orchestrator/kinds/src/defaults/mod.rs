//! d
use coracle_apimachinery::Value;
/// d
pub fn apply(_group_version: &str, _kind: &str, _object: &mut Value) {}
