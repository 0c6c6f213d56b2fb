//! One record for each request, whoever asks and however it ends.

use crate::api::request::{Context, Request};

/// What is known of a request when it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who asked.
    pub user: String,
    /// What was done.
    pub verb: &'static str,
    /// API group, resource and subresource, joined by slashes.
    pub resource: String,
    /// Namespace; may be empty.
    pub namespace: String,
    /// Name; may be empty.
    pub name: String,
    /// HTTP status code of the answer.
    pub code: u16,
}

/// Who takes the records.
pub trait Audit: Send + Sync + std::fmt::Debug {
    /// Takes the one record of a request.
    fn record(&self, record: Record);
}

/// Writes records to the log at debug level.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogAudit;

impl Audit for LogAudit {
    fn record(&self, record: Record) {
        let Record { user, verb, resource, namespace, name, code } = record;
        tracing::debug!(target: "audit", user, verb, resource, namespace, name, code);
    }
}

impl Record {
    pub(crate) fn of(context: &Context, request: &Request) -> Self {
        let parts = [&*request.group, &*request.resource, &*request.subresource];
        Self {
            user: context.identity.name.clone(),
            verb: request.verb.as_str(),
            resource: parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/"),
            namespace: request.namespace.clone(),
            name: request.name.clone(),
            code: 0,
        }
    }
}
