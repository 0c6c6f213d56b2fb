//! Logs, commands and forwarded ports, from kubectl to a node, over a real connection.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod cluster;
mod exec;
mod logs;
mod node;
mod ports;
mod raw;
