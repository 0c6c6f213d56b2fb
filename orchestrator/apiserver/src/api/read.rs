//! Reading one object.

use coracle_apimachinery::status::Status;

use super::Api;
use crate::registry::Row;
use crate::stored::Object;

impl Api {
    /// The newest state of an object.
    ///
    /// # Errors
    /// It does not exist.
    pub fn get(&self, row: &Row, namespace: &str, name: &str) -> Result<Object, Status> {
        let key = Self::key(row, namespace, name)?;
        self.store().get(&key).map(|entry| Object::of_entry(&entry)).ok_or_else(|| row.not_found(name))
    }
}
