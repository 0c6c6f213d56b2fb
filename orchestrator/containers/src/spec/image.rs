//! What an image says about the containers that are made from it.

/// The part of an image's configuration that a container takes over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// `USER`, as `name`, `uid`, or either with `:group`.
    pub user: String,
    /// Variables as `NAME=VALUE`.
    pub env: Vec<String>,
    /// `ENTRYPOINT`.
    pub entrypoint: Vec<String>,
    /// `CMD`.
    pub cmd: Vec<String>,
    /// `WORKDIR`.
    pub working_dir: String,
    /// `STOPSIGNAL`, by name or number.
    pub stop_signal: String,
}
