//! Builds slots and disk images from locked Debian packages and this repository's executables, without root, mounts or
//! loop devices. Same inputs (keys included), same bytes.
//!
//! A build is a chain of values: packages ([`packages`]) become file trees ([`tree`]), trees become an initrd
//! ([`initrd`], [`cpio`]) and a root ([`root`]), the root becomes a signed slot ([`slot`]), the slot a disk ([`disk`]).
//! Only [`process`] starts programs, only [`packages`] talks to the network, and nothing reads the clock: every time in
//! an image is [`IMAGE_TIME`]. This crate runs on build hosts only; no other crate depends on it.
#![forbid(unsafe_code)]

pub mod bios;
pub mod board;
pub mod build;
pub mod cpio;
pub mod digest;
pub mod disk;
pub mod elf;
pub mod esp;
pub mod fat;
pub mod files;
pub mod images;
pub mod initrd;
pub mod keys;
pub mod libraries;
pub mod manifest;
pub mod modules;
pub mod packages;
pub mod process;
pub mod progress;
pub mod qcow2;
pub mod root;
pub mod slot;
pub mod tree;

/// The time of every file in an image, in seconds since 1970: 2026-01-01T00:00:00Z.
pub const IMAGE_TIME: u32 = 1_767_225_600;

/// Version of the OS that this builder makes.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
