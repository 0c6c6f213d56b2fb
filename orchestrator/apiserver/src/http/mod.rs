//! The rules of the HTTP front that need no connection: what a path and a query mean, which representation an answer has,
//! how watch events are framed, and which headers an answer carries.
//!
//! Source of the rules and the wording: k8s.io/apiserver v0.37.2, pkg/endpoints, and k8s.io/apimachinery v0.37.2.

pub mod accept;
pub mod body;
pub mod frames;
pub mod headers;
pub mod path;
pub mod query;
#[cfg(test)]
mod recorded;
pub(crate) mod text;
