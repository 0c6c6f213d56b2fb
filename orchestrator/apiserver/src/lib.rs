//! The HTTPS front of the Kubernetes API: TLS identity, connections, health checks and `/version`.
//!
//! It must never start a process, open a disk or know how a device boots. The generic verbs join here; until then every
//! path that is not served is answered with the Status that Kubernetes gives, so that a client says what is missing.

pub mod health;
pub mod http;
pub mod identity;
mod responses;
mod routes;
pub mod server;
pub mod version;
