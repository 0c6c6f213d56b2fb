//! The runtime helper on real containers. This binary is shim, helper and the containers' program; it needs
//! root and a control group of the second version, and makes its own mount namespace.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test binary without libtest: these are how its cases fail"
)]

mod cases;
mod payload;
mod rig;
mod sys;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use coracle_shim_protocol::helper::ARGUMENT;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let name = arguments.first().map(String::as_str).unwrap_or_default();
    if arguments.get(1).is_some_and(|argument| argument == ARGUMENT) {
        return coracle_runtime::main();
    }
    if name.ends_with(payload::NAME) {
        return payload::main(arguments.get(1..).unwrap_or_default());
    }
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return ExitCode::SUCCESS;
    }
    if !cfg!(target_env = "musl") {
        println!("skipped: the container's program must be static; build for a musl target");
        return ExitCode::SUCCESS;
    }
    let rig = rig::Rig::new();
    let wanted: Vec<&String> = arguments.iter().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let (mut passed, mut failed, mut out) = (0, 0, 0);
    for (name, case) in cases::ALL {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            out += 1;
            continue;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            case(&rig);
            rig.check_clean(name);
        }));
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        *(if outcome.is_ok() { &mut passed } else { &mut failed }) += 1;
        println!("test {name} ... {word}");
        if outcome.is_err() {
            rig.clear();
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {out} filtered out\n");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
