//! Kernel modules: which file an alias or name means, in which order files are loaded, and loading them.

pub(crate) mod index;
pub(crate) mod load;
pub(crate) mod pattern;
