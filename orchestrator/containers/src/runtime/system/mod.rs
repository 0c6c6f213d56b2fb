//! The parts as they are on a machine: thin layers over the crates that do the work.

mod cgroups;
mod images;
mod network;
mod roots;
mod shim;
mod shims;

pub use cgroups::GroupTree;
pub use images::Images;
pub use network::PodNetwork;
pub use roots::Overlays;
pub use shims::Shims;
