//! Validation of the core group, one file for each family of struct types.
//!
//! Source of rules and wording: k8s.io/kubernetes v1.37.2, pkg/apis/core/validation.

mod claim;
pub(crate) mod config;
mod container;
mod difference;
mod environment;
mod internal;
pub(crate) mod namespace;
pub(crate) mod node;
mod old_volume;
pub(crate) mod pod;
pub(crate) mod pod_status;
pub(crate) mod pod_update;
pub(crate) mod pod_warnings;
mod probe;
mod projected;
mod resources;
mod scheduling;
mod security;
pub(crate) mod service;
mod volume;
