//! `coracle`: the orchestrator and the verbs a user types. Here is only the assembly; every part lives in a crate.

mod addresses;
mod cli;
mod cluster;
mod config;
mod connection;
mod control_plane;
mod device;
mod embedded;
mod fake_nodes;
mod files;
mod heartbeat;
mod kubeconfig;
mod node;
mod places;
mod process;
mod self_check;
mod server;
mod serving;
mod shutdown;
mod sys;
mod uplink;
mod version;

use std::process::ExitCode;

fn main() -> ExitCode {
    let command = cli::Cli::read().command;
    let outcome = match command {
        cli::Command::Server(arguments) => serve(&arguments),
        cli::Command::Config(cli::Config::Check(check)) => config::check(&check),
        cli::Command::Kubeconfig(arguments) => kubeconfig::run(&arguments),
        cli::Command::Version => version::print(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("coracle: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Runs the server as this machine's configuration and the flags say.
fn serve(arguments: &cli::Server) -> Result<(), Box<dyn std::error::Error>> {
    let machine = config::of_machine(arguments)?;
    for problem in &machine.loaded.problems {
        eprintln!("coracle: {}: {}", problem.reason, problem.message);
    }
    server::run(&machine)
}

/// An error and its causes on one line; printed here and nowhere else.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
