//! Command line of the oracle.

use clap::{Args, Parser, Subcommand};
use oracle::golden::Samples;
use oracle::programs::{self, Programs};
use oracle::server::RealServer;
use oracle::{Data, Error, Recording, Result, chain, directory, judge, recording, replay, script};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// The real Kubernetes 1.37.2 as oracle
#[derive(Debug, Parser)]
#[command(name = "oracle", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the real control plane, kwok and kubectl into the cache and print where they are
    Build {
        #[command(flatten)]
        cache: Cache,
        /// Only these programs
        only: Vec<String>,
    },
    /// Record the real server's answers, prove on a second server that they repeat, and write them into the tree
    Record {
        #[command(flatten)]
        cache: Cache,
    },
    /// Replay against the real server and compare with the committed recordings; writes nothing
    Check {
        #[command(flatten)]
        cache: Cache,
    },
    /// Replay against an empty server of your own and compare; its kubeconfig has one context for each identity
    Replay {
        #[command(flatten)]
        cache: Cache,
        /// Kubeconfig with the contexts admin, nobody, node, anonymous and token
        #[arg(long)]
        kubeconfig: PathBuf,
        /// kubectl 1.37.2; without it the one in the cache is used, built first when it is not there
        #[arg(long)]
        kubectl: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Cache {
    /// Where the programs are kept [default: $CORACLE_ORACLE_CACHE, or coracle/oracle in the user's cache directory]
    #[arg(long = "cache")]
    directory: Option<PathBuf>,
    /// Compilers that Go runs side by side [default: one a core]
    #[arg(long)]
    jobs: Option<usize>,
}

impl Cache {
    async fn build(self, only: &[String]) -> Result<Programs> {
        let directory = match self.directory {
            Some(directory) => std::path::absolute(&directory).map_err(|source| Error::File {
                operation: "resolve",
                path: directory,
                source,
            })?,
            None => programs::default_cache()?,
        };
        programs::build(&directory, self.jobs, only).await
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("oracle: start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("oracle: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Build { cache, only } => {
            let programs = cache.build(&only).await?;
            println!("{}", programs.directory().display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Record { cache } => record(&cache.build(&[]).await?).await,
        Command::Check { cache } => check(&cache.build(&[]).await?).await,
        Command::Replay { cache, kubeconfig, kubectl } => {
            let kubectl = match kubectl {
                Some(kubectl) => kubectl,
                None => cache.build(&["kubectl".to_owned()]).await?.kubectl(),
            };
            let target = oracle::Target::from_kubeconfig(&kubeconfig, &kubectl).await?;
            let findings = Data::read()?.judge(&target).await?;
            Ok(print(&findings))
        }
    }
}

/// One empty real server, asked everything, then ended.
async fn answers(programs: &Programs, scripts: &[script::Script]) -> Result<Vec<replay::Outcome>> {
    let server = RealServer::start(programs).await?;
    let outcomes = replay(&server.target, scripts).await;
    server.stop().await?;
    outcomes
}

async fn record(programs: &Programs) -> Result<ExitCode> {
    let scripts = script::read(&directory().join("scripts"))?;
    let recordings = replay::recordings(answers(programs, &scripts).await?)?;
    eprintln!("{} answers recorded, asking a second server", recordings.len());
    let by_name: BTreeMap<String, Recording> =
        recordings.iter().map(|recording| (recording.name.clone(), recording.clone())).collect();
    let second = answers(programs, &scripts).await?;
    let differences = judge(&by_name, &second);
    if !differences.is_empty() {
        let lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
        return Err(Error::NotDeterministic(lines.join("\n")));
    }
    recording::write(&directory().join("recordings"), &recordings)?;
    let path = directory().join("golden.toml");
    let samples = fs::read_to_string(&path).map_err(|source| Error::File { operation: "read", path, source })?;
    let samples = Samples::parse(&samples)?;
    let server = RealServer::start(programs).await?;
    let golden = oracle::golden::record(&server.target, &samples, &directory().join("recordings/golden")).await;
    server.stop().await?;
    golden?;
    println!("{} recordings written; a second server gave the same answers", recordings.len());
    Ok(ExitCode::SUCCESS)
}

async fn check(programs: &Programs) -> Result<ExitCode> {
    let data = Data::read()?;
    let differences = judge(&data.recordings, &answers(programs, &data.scripts).await?);
    Ok(print(&differences))
}

fn print(findings: &[impl std::fmt::Display]) -> ExitCode {
    for finding in findings {
        println!("{finding}");
    }
    println!("{} findings", findings.len());
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
