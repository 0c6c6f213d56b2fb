//! Removes pods of nodes that are gone, and old finished pods.
