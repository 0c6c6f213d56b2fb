//! Builds slots and disk images without root.
