//! What the security contexts of a pod and of a container come to.

use coracle_apimachinery::Value;
use coracle_client::object;

/// The member of the container's security context, or of the pod's where the container has none.
pub(crate) fn effective<'a>(pod: &'a Value, container: &'a Value, name: &str) -> Option<&'a Value> {
    own(container, name).or_else(|| pod.at(&["spec", "securityContext", name]))
}

/// The member of the container's own security context.
pub(crate) fn own<'a>(container: &'a Value, name: &str) -> Option<&'a Value> {
    container.at(&["securityContext", name])
}

/// Whether the container may do everything.
pub(crate) fn is_privileged(container: &Value) -> bool {
    own(container, "privileged").and_then(Value::as_bool).unwrap_or(false)
}

/// Whether the container's root is read-only.
pub(crate) fn has_readonly_root(container: &Value) -> bool {
    object::flag(container, &["securityContext", "readOnlyRootFilesystem"])
}

/// Whether processes may not gain privileges. A privileged container always may.
pub(crate) fn no_new_privileges(container: &Value) -> bool {
    !is_privileged(container) && own(container, "allowPrivilegeEscalation").and_then(Value::as_bool) == Some(false)
}

/// A pod as messages name it.
pub(crate) fn described(pod: &Value) -> String {
    format!("{}_{}({})", object::name(pod), object::namespace(pod), object::uid(pod))
}
