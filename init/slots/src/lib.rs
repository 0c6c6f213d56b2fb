//! On-disk formats of a device: partition layout, GPT, slot footer, dm-verity tree, boot state, look-up of files
//! on FAT and ISO 9660, and the files of STATE.
//!
//! Everything here turns bytes into values and values into bytes; `docs/formats.md` is the description for people. The
//! crate must never open a device, start a program, know Kubernetes or depend on async code: PID 1 links it, so it has
//! no reachable panic and every allocation has a bound that does not come from the bytes it reads.
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unreachable,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    unsafe_code
)]

pub mod boot_state;
pub mod envelope;
pub mod fat;
pub mod footer;
pub mod gpt;
pub mod iso9660;
pub mod layout;
pub mod read_at;
pub mod verity;

mod bytes;

pub use read_at::{Part, ReadAt};
