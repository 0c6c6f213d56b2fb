//! Admission: an ordered list of rules that may change or refuse a write, for every caller alike.

mod first_contact;
mod namespace;
mod new_node;
mod node_restriction;
mod priority;
mod service_account;
mod tolerations;

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;
use coracle_store::{Expect, Key};

use crate::api::Api;
use crate::api::request::Context;
use crate::registry::Row;

/// What is done to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is removed.
    Delete,
}

/// One write under review.
#[derive(Debug)]
pub(crate) struct Review<'a> {
    pub(crate) operation: Operation,
    pub(crate) row: &'a Arc<Row>,
    pub(crate) namespace: &'a str,
    /// Empty while a name is still to be generated.
    pub(crate) name: String,
    /// What a name is to be generated from.
    pub(crate) prefix: String,
    pub(crate) subresource: &'a str,
    pub(crate) object: Option<Value>,
    pub(crate) old: Option<Arc<Value>>,
    /// What must still hold when the write is committed.
    pub(crate) conditions: Vec<(Key, Expect)>,
}

/// A rule. Both steps have the API, to read what it stores.
pub(crate) trait Plugin: Send + Sync + std::fmt::Debug {
    /// Changes the object or refuses it.
    fn admit(&self, _api: &Api, _context: &Context, _review: &mut Review<'_>) -> Result<(), Status> {
        Ok(())
    }

    /// Refuses the final object.
    fn validate(&self, _api: &Api, _context: &Context, _review: &Review<'_>) -> Result<(), Status> {
        Ok(())
    }
}

/// The rules in upstream's order, then our own.
pub(crate) fn plugins() -> Vec<Box<dyn Plugin>> {
    vec![
        Box::new(namespace::Lifecycle),
        Box::new(service_account::ServiceAccount),
        Box::new(node_restriction::NodeRestriction),
        Box::new(new_node::NodeTaint),
        Box::new(priority::Priority),
        Box::new(tolerations::DefaultTolerationSeconds),
        Box::new(first_contact::FirstContact),
    ]
}

impl Api {
    /// The changing step of all rules.
    pub(crate) fn admit(&self, context: &Context, review: &mut Review<'_>) -> Result<(), Status> {
        self.parts().admission.iter().try_for_each(|plugin| plugin.admit(self, context, review))
    }

    /// The refusing step of all rules.
    pub(crate) fn validate(&self, context: &Context, review: &Review<'_>) -> Result<(), Status> {
        self.parts().admission.iter().try_for_each(|plugin| plugin.validate(self, context, review))
    }
}

impl Review<'_> {
    /// Whether it concerns this resource itself.
    pub(crate) fn is(&self, group: &str, resource: &str) -> bool {
        self.row.group == group && self.row.resource == resource && self.subresource.is_empty()
    }

    /// A refusal in the words of the rule.
    pub(crate) fn forbidden(&self, why: impl std::fmt::Display) -> Status {
        let name = if self.name.is_empty() { &self.prefix } else { &self.name };
        Status::forbidden(&self.row.group, &self.row.resource, name, why)
    }
}
