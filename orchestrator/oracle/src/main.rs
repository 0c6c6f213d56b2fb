//! Command line of the oracle.

use clap::{Args, Parser, Subcommand};
use oracle::cluster::RealCluster;
use oracle::golden::Samples;
use oracle::programs::{self, Programs};
use oracle::scenarios::{self, Scenario};
use oracle::server::RealServer;
use oracle::{Data, Error, Recording, Result, Target, chain, directory, judge, recording, replay, script};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
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
    /// Do the scenarios on the real control plane twice and write what came of them into the tree
    RecordScenarios {
        #[command(flatten)]
        cache: Cache,
        /// Do them once only, without the proof that they repeat
        #[arg(long)]
        once: bool,
        /// Only these scenarios
        only: Vec<String>,
    },
    /// Do the scenarios on an empty server of your own, which has the nodes node-0 and node-1, and compare
    ReplayScenarios {
        #[command(flatten)]
        cache: Cache,
        /// Kubeconfig with the context admin
        #[arg(long)]
        kubeconfig: PathBuf,
        /// kubectl 1.37.2; without it the one in the cache is used, built first when it is not there
        #[arg(long)]
        kubectl: Option<PathBuf>,
        /// Only these scenarios
        only: Vec<String>,
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
        Command::RecordScenarios { cache, once, only } => record_scenarios(&cache.build(&[]).await?, once, &only).await,
        Command::ReplayScenarios { cache, kubeconfig, kubectl, only } => {
            let target = target(cache, &kubeconfig, kubectl).await?;
            let mut data = scenarios::load()?;
            data.only(&only);
            Ok(print(&data.judge(&target).await?))
        }
        Command::Replay { cache, kubeconfig, kubectl } => {
            let target = target(cache, &kubeconfig, kubectl).await?;
            let findings = Data::read()?.judge(&target).await?;
            Ok(print(&findings))
        }
    }
}

async fn target(cache: Cache, kubeconfig: &Path, kubectl: Option<PathBuf>) -> Result<Target> {
    let kubectl = match kubectl {
        Some(kubectl) => kubectl,
        None => cache.build(&["kubectl".to_owned()]).await?.kubectl(),
    };
    Target::from_kubeconfig(kubeconfig, &kubectl).await
}

/// The scenarios, done on one empty real control plane, which is ended then.
async fn endings(programs: &Programs, scenarios: &[Scenario]) -> Result<Vec<scenarios::Outcome>> {
    let cluster = RealCluster::start(programs).await?;
    let outcomes = scenarios::replay(cluster.target(), scenarios).await;
    cluster.stop().await?;
    outcomes
}

async fn record_scenarios(programs: &Programs, once: bool, only: &[String]) -> Result<ExitCode> {
    let mut all = scenarios::read(&directory().join("scenarios"))?;
    let known: BTreeSet<String> = all.iter().map(|scenario| scenario.name.clone()).collect();
    all.retain(|scenario| only.is_empty() || only.contains(&scenario.name));
    let recordings = scenarios::recording::recordings(endings(programs, &all).await?)?;
    if !once {
        eprintln!("{} steps recorded, doing them on a second control plane", recordings.len());
        let by_name = recordings.iter().map(|recording| (recording.name.clone(), recording.clone())).collect();
        let differences = scenarios::judge(&by_name, &endings(programs, &all).await?);
        if !differences.is_empty() {
            let lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
            return Err(Error::NotDeterministic(lines.join("\n")));
        }
    }
    let known = known.iter().map(String::as_str).collect();
    scenarios::recording::write(&directory().join("recordings/scenarios"), &recordings, &known)?;
    println!("{} steps of {} scenarios written", recordings.len(), all.len());
    Ok(ExitCode::SUCCESS)
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
