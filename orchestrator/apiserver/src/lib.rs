//! The Kubernetes API: generic verbs over schema rows and the store, and their HTTPS front.
//!
//! `api` does requests, for HTTP and for callers in this process alike; `registry` says what is served; `front` and `http`
//! are the way in from the network. It must never start a process, open a disk or know how a device boots.

mod admission;
pub mod allocate;
pub mod api;
pub mod audit;
pub mod bootstrap;
mod custom;
mod definitions;
mod facts;
pub mod first_contact;
pub mod front;
pub mod health;
pub mod http;
mod local;
mod names;
pub mod registry;
pub mod server;
mod stored;
mod streams;
mod terms;
pub mod tokens;
mod trees;
pub mod version;

pub use facts::StoredObjects;
pub use local::LocalClient;
pub use stored::Object;
pub use terms::Terms;

use std::time::{SystemTime, UNIX_EPOCH};

use coracle_apimachinery::time::{Instant, Precision};

/// Seconds since 1970.
pub(crate) fn now_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A point in time as metadata has it.
pub(crate) fn print_time(seconds: i64) -> String {
    Instant::new(seconds, 0).map(|instant| instant.print(Precision::Seconds)).unwrap_or_default()
}

/// Now, as a point in time.
pub(crate) fn now_instant() -> Instant {
    Instant { seconds: now_seconds(), micros: 0 }
}

/// Now, as metadata has it.
pub(crate) fn now() -> String {
    print_time(now_seconds())
}

/// In some seconds, as metadata has it.
pub(crate) fn now_after(seconds: i64) -> String {
    print_time(now_seconds().saturating_add(seconds))
}
