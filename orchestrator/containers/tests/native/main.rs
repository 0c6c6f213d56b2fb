//! The runtime on a real kernel: real shims, runtime helpers, overlays, control groups and volumes; the image is the
//! host's own root and the network is none. Needs root and makes its own mount namespace.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test binary without libtest: these are how it fails and speaks"
)]

mod cases;
mod rig;

use std::process::ExitCode;

use coracle_shim_protocol::helper::ARGUMENT;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(ARGUMENT) => return coracle_runtime::main(),
        Some("shim") => return coracle_shim::main(arguments.get(1..).unwrap_or_default()),
        Some("pause") => return coracle_shim::pause_main(),
        _ => {}
    }
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let rig = rig::Rig::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (mut passed, mut failed, mut out) = (0, 0, 0);
    let mut run = |name: &str, outcome: &dyn Fn() -> bool| {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            out += 1;
            return;
        }
        let ok = outcome();
        *(if ok { &mut passed } else { &mut failed }) += 1;
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
    };
    for (name, case) in cases::ALL {
        run(name, &|| {
            let work = std::panic::AssertUnwindSafe(|| runtime.block_on(case(&rig)));
            let ok = std::panic::catch_unwind(work).is_ok();
            let left = rig.clear();
            if !left.is_empty() {
                println!("left behind: {left:?}");
            }
            ok && left.is_empty()
        });
    }
    rig.end();
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {out} filtered out\n");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
