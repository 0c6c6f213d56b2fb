//! Debian packages: which ones (`packages.toml`, boards), exactly which files (`packages.lock`), from where (the host's
//! mirror, under the pinned keys), and what is in them.

pub mod apt;
pub mod deb;
pub mod lock;
pub mod mirror;
pub mod request;
pub mod store;
