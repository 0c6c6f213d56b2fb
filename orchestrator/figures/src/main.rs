//! Measures the figures of SPECIFICATION.md beside the real control plane, and writes them: `make figures`.
//!
//! A figure is a row of `rows.rs`; `measure` takes readings, `report` makes them a table. Nothing is written unless
//! every figure of the run has been measured: a missing peer fails the run. It may start the product and read what it
//! writes, but must not become part of it.

mod client;
mod disk;
mod error;
mod machine;
mod measure;
mod planes;
mod report;
mod rows;
mod statistics;
mod usage;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use oracle::programs;

use error::{Error, Result};
use machine::Machine;
use measure::{Bench, Pace, Readings};
use planes::Setup;
use report::verdict::Verdict;
use report::{causes, check, section};
use rows::{FIGURES, Group};

/// The figures of SPECIFICATION.md
#[derive(Debug, Parser)]
#[command(name = "figures", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, print the table, and write it into SPECIFICATION.md when all figures were measured
    Run(Box<Run>),
    /// Check that the section of SPECIFICATION.md has every figure and that its verdicts follow from its numbers
    Check,
}

#[derive(Debug, Args)]
struct Run {
    /// The executable to measure
    #[arg(long, value_name = "FILE")]
    coracle: PathBuf,
    /// The executable that it embeds
    #[arg(long, value_name = "FILE")]
    init: PathBuf,
    /// Folder for all data, on a disk: what is synced there is measured
    #[arg(long, value_name = "DIR")]
    directory: PathBuf,
    /// Folder of the image builder's output for x86_64-vm
    #[arg(long, value_name = "DIR")]
    image: PathBuf,
    /// Leave out what needs an image or a booted guest; its figures are written as not measured
    #[arg(long)]
    host_only: bool,
    /// Measure only this group, print it and write nothing; may be repeated
    #[arg(long, value_name = "NAME", value_parser = group)]
    group: Vec<Group>,
    /// Short spans, for work on this program; writes nothing
    #[arg(long)]
    quick: bool,
}

fn group(name: &str) -> std::result::Result<Group, String> {
    let found = Group::ALL.iter().find(|(known, _)| *known == name).map(|(_, group)| *group);
    found.ok_or_else(|| format!("the groups are {}", Group::ALL.map(|(name, _)| name).join(", ")))
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One thread: the kernel ends what this thread has started when it ends, however that comes.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match (runtime, cli.command) {
        (Err(error), _) => Err(Error::format("start the runtime", error)),
        (Ok(_), Command::Check) => checked(),
        (Ok(runtime), Command::Run(run)) => runtime.block_on(measured(&run)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("figures: {}", oracle::chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// SPECIFICATION.md of the source tree.
fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../SPECIFICATION.md")
}

fn checked() -> Result<()> {
    let path = document();
    let problems = check::problems(&fs::read_to_string(&path).map_err(Error::file("read", &path))?);
    if problems.is_empty() {
        println!("all {} figures are there", FIGURES.len());
        return Ok(());
    }
    Err(Error::Section { path, problems: problems.join("\n") })
}

async fn measured(run: &Run) -> Result<()> {
    let causes = causes::read().map_err(|problem| Error::format("causes.toml", problem))?;
    let wanted = |group: Group| match run.group.as_slice() {
        [] => group.is_host() || !run.host_only,
        groups => groups.contains(&group),
    };
    let bench = bench(run).await?;
    let mut readings = Readings::default();
    // What only reads files comes first, so that a missing one fails the run before anything long has begun.
    let mut groups = Group::ALL.map(|(_, group)| group);
    groups.sort_by_key(|group| group.is_host());
    for group in groups.into_iter().filter(|group| wanted(*group)) {
        eprintln!("figures: measuring {}", group.name());
        bench.measure(group, &mut readings).await?;
    }
    let figures = || FIGURES.iter().filter(|figure| wanted(figure.group));
    if let Some(figure) = figures().find(|figure| !readings.by_id.contains_key(figure.id)) {
        return Err(Error::Unread(figure.id));
    }
    println!("{}", section::render(&readings, Machine::this()?, &causes));
    if run.quick || !run.group.is_empty() {
        return Ok(());
    }
    write(&readings, &causes)?;
    let worse = section::rows(&readings, FIGURES.iter()).into_iter().filter(|row| row.2 == Verdict::Worse);
    let unexplained: Vec<&str> = worse.map(|row| row.0.id).filter(|id| !causes.contains_key(*id)).collect();
    if unexplained.is_empty() { Ok(()) } else { Err(Error::WithoutCause(unexplained.join(", "))) }
}

fn write(readings: &Readings, causes: &causes::Causes) -> Result<()> {
    let path = document();
    let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
    let section = section::render(readings, Machine::this()?, causes);
    let text = section::replace(&text, &section);
    let text = text.map_err(|problem| Error::Section { path: path.clone(), problems: problem })?;
    fs::write(&path, text).map_err(Error::file("write", &path))
}

/// The executables and folders of a run; the real programs are built when they are not in the cache.
async fn bench(run: &Run) -> Result<Bench> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(Error::file("resolve", path));
    let directory = absolute(&run.directory)?;
    fs::create_dir_all(&directory).map_err(Error::file("create", &directory))?;
    let wanted = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"].map(str::to_owned);
    let programs = programs::build(&programs::default_cache()?, None, &wanted).await?;
    let guest = directory.join("guest.txt");
    let setup = Setup { coracle: absolute(&run.coracle)?, init: absolute(&run.init)?, programs, directory };
    planes::size(&setup.coracle)?;
    let pace = if run.quick { Pace::QUICK } else { Pace::FULL };
    Ok(Bench { setup, pace, image: absolute(&run.image)?, guest })
}
