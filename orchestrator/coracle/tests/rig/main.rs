//! A node in namespaces of its own, with real containers at native speed. Needs root.
//!
//! The executable plays every part: it runs the cases, is the first process of the node's namespaces, enters them for
//! kubectl, and is the program in the containers.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test binary without libtest: these are how it fails and speaks"
)]

mod adopt;
mod agent;
mod images;
mod inside;
mod node;
mod payload;
mod registry;
mod software;
mod terminal;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;

use node::Node;

/// A case: it has a Kubernetes namespace of its name to itself.
type Case = fn(&Node, &str);

/// Cases that share a node.
struct Suite {
    name: &'static str,
    cases: &'static [(&'static str, Case)],
    /// Fills the node's folder before it starts: `images` (pre-baked ones) and `etc` (what is laid over the machine's).
    prepare: fn(&Path),
}

const SUITES: [Suite; 3] = [
    Suite { name: "agent", cases: agent::CASES, prepare: images::write },
    Suite { name: "adopt", cases: adopt::CASES, prepare: images::write },
    Suite { name: "software", cases: software::CASES, prepare: software::prepare },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    if program.ends_with("payload") {
        return payload::main(&arguments);
    }
    match arguments.first().map(String::as_str) {
        Some(inside::OUTER) => return inside::outer(&arguments),
        Some(inside::INIT) => return inside::init(&arguments),
        Some(inside::ENTER) => return inside::enter(&arguments),
        Some(inside::TERMINAL) => return inside::enter_with_terminal(&arguments),
        _ => {}
    }
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    let (mut passed, mut failed, mut out) = (0, 0, 0);
    for Suite { name: suite, cases, prepare } in SUITES {
        let named: Vec<(String, &(&str, Case))> =
            cases.iter().map(|case| (format!("{suite}::{}", case.0), case)).collect();
        let chosen: Vec<_> = named.iter().filter(|(name, _)| is_wanted(name)).collect();
        out += named.len() - chosen.len();
        if chosen.is_empty() {
            continue;
        }
        let node = Node::start(prepare);
        for (name, (short, case)) in chosen {
            let namespace = short.replace('_', "-");
            let ok = catch_unwind(AssertUnwindSafe(|| node.run(&namespace, *case))).is_ok();
            *(if ok { &mut passed } else { &mut failed }) += 1;
            println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        }
        let left = catch_unwind(AssertUnwindSafe(|| node.end())).unwrap_or_else(|_| vec!["the end failed".to_owned()]);
        let ok = left.is_empty();
        *(if ok { &mut passed } else { &mut failed }) += 1;
        println!(
            "test {suite}::nothing_is_left ... {}",
            if ok { "ok".to_owned() } else { format!("FAILED: {left:#?}") }
        );
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {out} filtered out\n");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
