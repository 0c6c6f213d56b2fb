//! Removes what has lost its owners.
