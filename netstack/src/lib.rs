//! Links, addresses, service programs, DNS and ingress, from plain structs that are handed in.
//!
//! It must never know Kubernetes objects or the store: callers translate. It is empty until the pod network of one node
//! joins (docs/vertical-line.md, landing 8).
