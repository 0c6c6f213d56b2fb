//! Builds the x86_64-vm image twice and looks at the result with tools that this repository did not write.
//!
//! Needs the network (Debian's archive through the host's apt) and, from Debian, the packages that the failures name.
//! The executables of the image are inputs here; this builder's own executable stands in for them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers outside of test functions fail the test")]

mod built;
mod containers;
mod host_tools;
mod reproducible;
mod verified;
