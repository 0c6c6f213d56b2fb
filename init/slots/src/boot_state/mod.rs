//! Boot state: which slot GRUB tries next, and how many boots are left before it takes the other one.
//!
//! The state lives in two GRUB environment blocks, each a file of 1,024 bytes on the ESP. Readers take the valid block
//! with the greater sequence number; writers (GRUB and the OS) write only the other one, so a torn write is one step
//! back and never a wrong state. Final; `docs/formats.md` says all of it in prose, `image-builder/grub/grub.cfg` is
//! the other implementation, and the chooser suite compares both.

mod block;
mod chooser;
pub mod environment_block;
mod state;
mod transitions;

pub use block::{Position, Reading, Write, read, repair_plan, write_plan};
pub use chooser::{Boot, Outcome, SlotContent, choose, run};
pub use coracle_contract::kernel_arguments::Slot;
pub use state::State;
pub use transitions::{commit, healthy, reject, set_id, settle, stage};

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 1024;

/// The bytes of a block.
pub type Block = [u8; BLOCK_BYTES];

/// Names of the block files on the ESP, by [`Position`].
pub const FILES: [&str; 2] = ["/CORACLE/STATE1.ENV", "/CORACLE/STATE2.ENV"];

/// Least distance of the two files on the disk in bytes: flash fails by erase blocks.
pub const LEAST_DISTANCE: u64 = 8 << 20;

/// Boots that a slot gets before it counts as failed.
pub const TRIES: u8 = 4;

/// The one ten-digit number that no valid block has: it has no successor.
const NO_SEQ: u64 = 9_999_999_999;
