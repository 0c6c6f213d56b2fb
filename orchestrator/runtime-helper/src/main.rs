//! `coracle-runtime`: a pod's shim starts it for one operation on a container. It only dispatches; the work is in the
//! library of the same package.

use std::io::Write as _;
use std::process::ExitCode;

use coracle_shim_protocol::helper::{ARGUMENT, NAME};

fn main() -> ExitCode {
    let argument = std::env::args_os().nth(1);
    match argument.as_deref().and_then(|argument| argument.to_str()) {
        Some(ARGUMENT) => coracle_runtime::main(),
        Some("--version") => print(&format!("{NAME} {}\n", env!("CARGO_PKG_VERSION")), ExitCode::SUCCESS),
        _ => print(&format!("{NAME} is started by shims of pods; see docs/containers.md\n"), ExitCode::from(2)),
    }
}

fn print(text: &str, code: ExitCode) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
