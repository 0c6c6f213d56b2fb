//! From the store's errors to the API's.

use coracle_apimachinery::status::Status;
use coracle_store::Error;

use crate::registry::Row;

/// The failure of a write that the store refused for another reason than a conflict.
pub(crate) fn failure(row: &Row, name: &str, error: &Error) -> Status {
    match error {
        Error::Conflict { .. } => Status::modified(&row.group, &row.resource, name),
        Error::Overloaded => {
            Status::new(429, "TooManyRequests", "too many writes are waiting, please try again later").retry_after(1)
        }
        Error::TooLarge { .. } => {
            Status::new(413, "RequestEntityTooLarge", format!("Request entity too large: {error}"))
        }
        Error::Closed => Status::new(503, "ServiceUnavailable", "the server is shutting down").retry_after(1),
        Error::Full { .. } => {
            Status::internal(format!("the store takes no new data: {error}; deleting objects makes room"))
        }
        other => Status::internal(format!("the store cannot write: {other}")),
    }
}
