//! Which filter of system calls a container gets.

use coracle_apimachinery::Value;

use super::security::{effective, is_privileged};

/// A filter of system calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seccomp {
    /// None.
    Unconfined,
    /// The runtime's own.
    RuntimeDefault,
    /// A file below the kubelet's folder of profiles.
    Localhost(String),
}

/// The filter that a container asks for; none unless it does, as the kubelet has it unless it is configured otherwise.
#[must_use]
pub fn wanted(pod: &Value, container: &Value) -> Seccomp {
    if is_privileged(container) {
        return Seccomp::Unconfined;
    }
    let Some(profile) = effective(pod, container, "seccompProfile") else { return Seccomp::Unconfined };
    match profile.text_at(&["type"]) {
        "RuntimeDefault" => Seccomp::RuntimeDefault,
        "Localhost" => Seccomp::Localhost(profile.text_at(&["localhostProfile"]).to_owned()),
        _ => Seccomp::Unconfined,
    }
}
