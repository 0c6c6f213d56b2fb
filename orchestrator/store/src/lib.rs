//! Durable store: append log, checkpoints, replica, revisions.
