//! Kernel modules: which of a kernel package a board needs, with everything they depend on, and the index files that
//! PID 1 and its module helper read. Debian's kernel packages carry no `modules.dep`, so dependencies come from the
//! modules' own `.modinfo`.

mod index;
mod modinfo;
mod select;

pub use index::Index;
pub use modinfo::{Info, name_of};
pub use select::{Error, Kernel, Selection};
