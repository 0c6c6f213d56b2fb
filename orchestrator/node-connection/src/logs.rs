//! Which part of a container's log is asked for.

use std::time::SystemTime;

use crate::Pod;

/// Which part of a container's log is asked for. The numbers have been checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogQuery {
    /// The pod.
    pub pod: Pod,
    /// Name of the container.
    pub container: String,
    /// Go on with what is written from now on, until the container ends.
    pub follow: bool,
    /// The log of the container that ran before the present one.
    pub previous: bool,
    /// Begin each line with its time.
    pub timestamps: bool,
    /// Begin so many lines before the end.
    pub tail_lines: Option<u64>,
    /// Leave out what is older; `sinceSeconds` has been turned into a time.
    pub since: Option<SystemTime>,
    /// End after so many bytes.
    pub limit_bytes: Option<u64>,
}
