//! ReplicaSets.
