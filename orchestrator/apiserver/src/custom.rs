//! c
use crate::api::request::{Context, Media};
use crate::http::query::FieldValidation;
use crate::registry::Row;
use coracle_apimachinery::at_rest::AtRest;
use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Value, field};
/// v
#[derive(Debug)]
pub struct Version;
/// c
#[derive(Debug)]
pub struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    pub(crate) priority: i64,
}
impl Version {
    pub(crate) fn read(&self, _b: &[u8]) -> Result<Value, String> {
        Err(String::new())
    }
    pub(crate) fn sends_stored_bytes(&self) -> bool {
        false
    }
    pub(crate) fn at_rest(&self, _v: &Value) -> Result<AtRest, String> {
        Err(String::new())
    }
    pub(crate) fn decode(&self, _c: &Context, _m: Media, _b: &[u8], _f: FieldValidation) -> Result<Value, Status> {
        Err(Status::unknown_resource())
    }
    pub(crate) fn default(&self, _v: &mut Value) {}
    pub(crate) fn validate_create(&self, _v: &Value, _n: bool) -> Vec<field::Error> {
        Vec::new()
    }
    pub(crate) fn validate_update(&self, _n: &Value, _o: &Value, _ns: bool) -> Vec<field::Error> {
        Vec::new()
    }
    pub(crate) fn scale(&self, _v: &Value) -> Option<Value> {
        None
    }
    pub(crate) fn set_scale(&self, _v: &mut Value, _r: i64) {}
    pub(crate) fn cells(&self, _v: &Value, _n: i64) -> Vec<Value> {
        Vec::new()
    }
    pub(crate) fn columns(&self) -> Vec<Column> {
        Vec::new()
    }
    pub(crate) fn prepare_create(&self, _v: &mut Value) {}
    pub(crate) fn prepare_update(&self, _n: &mut Value, _o: &Value) {}
    pub(crate) fn prepare_status(&self, _n: &mut Value, _o: &Value) {}
    pub(crate) fn selects_by(&self, _f: &str) -> bool {
        false
    }
    pub(crate) fn field(&self, _f: &str, _v: &Value) -> Option<String> {
        None
    }
}
pub(crate) fn rows(_tree: &Value) -> Vec<Row> {
    Vec::new()
}

/// Group-versions of run-time kinds.
pub(crate) fn served(_registry: &crate::registry::Registry) -> Vec<coracle_discovery::GroupVersion> {
    Vec::new()
}
