//! Kinds that are on their way out, and what every client that asks for them is told.
//!
//! Source: k8s.io/api v0.37.2, core/v1/lifecycle.go; the served versions of no other group have one.

/// Group, kind and the words. They are sorted.
const DEPRECATED: [(&str, &str, &str); 2] = [
    ("", "ComponentStatus", "v1 ComponentStatus is deprecated in v1.19+"),
    ("", "Endpoints", "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"),
];

/// What a client that asks for the kind is told; `None` for kinds that stay.
#[must_use]
pub fn warning(group: &str, kind: &str) -> Option<&'static str> {
    DEPRECATED.iter().find(|row| (row.0, row.1) == (group, kind)).map(|row| row.2)
}
