//! The user and group ids that the OS keeps for its own processes.

use std::ops::RangeInclusive;

/// Reserved for processes of the OS; nothing else on a device may run under them.
pub const RESERVED: RangeInclusive<u32> = 900..=999;

/// User and group of the dataplane (DNS and ingress).
pub const DATAPLANE: u32 = 900;
