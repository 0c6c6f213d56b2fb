//! STATE and DATA: the partition table grown, file systems made once, checked at every boot, mounted.

pub(crate) mod execute;
pub(crate) mod fill;
pub(crate) mod plan;
pub(crate) mod probe;
pub(crate) mod superblock;
