//! The node's cgroup v2 tree: `/kubepods[/burstable|/besteffort]/podUID/CONTAINER-ID` and `/kubepods/shims`.
//!
//! Synchronous, without Kubernetes objects: plain structs come in, files of the kernel are written. What is decided
//! (formulas, the files a set of limits needs, what a machine's hierarchy offers, the device program) is pure and tested
//! in tables; what touches the kernel is dumb.
//!
//! - [`Tree`] opens a hierarchy in a [`Mode`], makes the levels and hands out [`Group`]s.
//! - [`levels`] says which [`Limits`] a level gets; [`Group::apply`] writes them, also in place on a running group.
//! - [`Group`] joins, kills, freezes, waits, removes, and reads [`Stats`] and [`MemoryEvents`].
//! - [`devices`] allows and refuses device nodes by a BPF program at the group.
//! - [`Watcher`] tells of changes of many groups through one descriptor.

pub mod devices;
mod error;
mod events;
mod files;
mod group;
pub mod hierarchy;
pub mod levels;
mod limits;
mod membership;
mod name;
mod plan;
mod remove;
mod stats;
mod sys;
mod tree;
mod watch;
pub mod weight;

pub use error::{Error, Result};
pub use events::{GroupEvents, MemoryEvents};
pub use group::Group;
pub use hierarchy::{Controllers, Mode};
pub use limits::{Bound, CpuMax, Limits};
pub use name::{ContainerId, PodUid, Quality};
pub use plan::{Applied, Current, Plan, Write, plan};
pub use stats::{Cpu, Hugetlb, IoDevice, Memory, Pids, Pressure, PressureLine, Stats};
pub use tree::Tree;
pub use watch::{Watched, Watcher};
