//! The real shim with a fake helper: this binary is test runner, shim, helper and container of its tests.
#![expect(
    clippy::unwrap_used,
    clippy::exit,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test: it may fail loudly, starts its own helpers and prints results as libtest does"
)]

mod containers;
mod execs;
mod fake;
mod hardship;
mod logs;
mod rig;
mod setup;
mod sys;

use std::panic::catch_unwind;
use std::process::ExitCode;

use coracle_shim_protocol::helper::ARGUMENT;

/// A name and what runs under it.
type Case = (&'static str, fn());

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("shim") => coracle_shim::main(&arguments[1..]),
        Some("pause") => coracle_shim::pause_main(),
        Some(ARGUMENT) => fake::main(),
        Some(setup::GIVER) => setup::give(&arguments[1]),
        _ => run(&arguments),
    }
}

fn run(arguments: &[String]) -> ExitCode {
    // Shims become children of this process, so that it can see that they ended.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
    let all: Vec<Case> = [containers::CASES, execs::CASES, logs::CASES, setup::CASES, hardship::CASES].concat();
    let exact = arguments.iter().any(|argument| argument == "--exact");
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| {
        filters.is_empty() || filters.iter().any(|f| if exact { name == f.as_str() } else { name.contains(f.as_str()) })
    };
    if arguments.iter().any(|argument| argument == "--list") {
        all.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let cases: Vec<&Case> = all.iter().filter(|(name, _)| wanted(name)).collect();
    println!("\nrunning {} tests", cases.len());
    let mut failed = 0;
    for (name, case) in &cases {
        let passed = catch_unwind(case).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += usize::from(!passed);
    }
    let (word, passed, out) =
        (if failed == 0 { "ok" } else { "FAILED" }, cases.len() - failed, all.len() - cases.len());
    println!("\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {out} filtered out\n");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
