//! s
use super::Error;
use crate::Value;
use crate::schema::Type;
/// s
///
/// # Errors
/// e
pub fn strategic_merge(_of: Type<'_>, document: Value, patch: &Value) -> Result<Value, Error> {
    Ok(super::merge_patch(document, patch))
}
