//! Seccomp profiles of containers: the OCI form, the runtime's default profile as data, and a compiler to classic BPF.
//!
//! The compiler gives rules the meaning that runc gives them through libseccomp: the mask of `SCMP_CMP_MASKED_EQ` is
//! `value`, a rule without conditions beats every rule with conditions for its call, conditions on the same argument
//! are alternatives, names that an architecture does not have are skipped, and calls that are newer than every call
//! of the profile fail with `ENOSYS`, so that a C library falls back to what it knows.

mod architecture;
mod assembler;
mod compile;
mod default_profile;
#[cfg(test)]
mod interpreter;
mod profile;

pub use architecture::Architecture;
pub use assembler::Instruction;
pub use compile::{CompileError, Program, compile};
pub use default_profile::runtime_default;
pub use profile::{Action, Condition, Flag, Operator, Profile, Rule};
