//! The machine configuration: one YAML document for everything that differs between two devices of one image.
//!
//! [`parse`] reads it and names every problem with its line; [`load`] takes what the sources held at this boot, keeps
//! what is new as a generation on STATE and says which configuration holds. `docs/configuration.md` is the text for
//! people. Nothing here applies a configuration, talks to a network or waits for anything.

mod check;
mod document;
pub mod generations;
mod keys;
mod load;
mod machine;
mod network;
mod parse;
mod pem;
mod problem;

pub use keys::COMPONENTS;
pub use load::{Folders, Loaded, load};
pub use machine::{BootstrapToken, MachineConfiguration, Taint};
pub use parse::{HEADER, MOST_BYTES, Origin, parse};
pub use problem::{Problem, Problems};
