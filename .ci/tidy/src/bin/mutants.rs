//! Applies each committed mutation to a copy of the tree and runs the test that must notice it.
//!
//! `*/mutants.toml` files hold the rows: `name`, `file` (from the top of the tree), `before`, `after`, `test` (arguments
//! of `cargo test`). A mutant whose test stays green, or whose line no longer occurs exactly once, fails the run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;
use tidy::{root, run, tracked};

/// One `mutants.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    mutant: Vec<Mutant>,
}

/// One change that a test must notice.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    name: String,
    file: String,
    before: String,
    after: String,
    test: String,
}

/// What became of a mutant.
enum Verdict {
    /// Its test failed, as it should.
    Noticed,
    /// Its test stayed green.
    Survived,
    /// The row does not fit the tree.
    Unusable(String),
}

fn main() -> ExitCode {
    match campaign() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::FAILURE
        }
    }
}

fn campaign() -> Result<bool, String> {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let copy = copy_of_the_tree()?;
    let (mut all, mut noticed) = (0, 0);
    println!("| mutant | verdict |\n|---|---|");
    for path in tracked()?.iter().filter(|path| path.ends_with("mutants.toml")) {
        let text = std::fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))?;
        let file: File = toml::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
        for mutant in file.mutant.iter().filter(|mutant| mutant.name.contains(&filter)) {
            all += 1;
            let verdict = match try_mutant(&copy, mutant)? {
                Verdict::Noticed => {
                    noticed += 1;
                    "noticed".to_owned()
                }
                Verdict::Survived => "**survived**".to_owned(),
                Verdict::Unusable(why) => format!("**unusable**: {why}"),
            };
            println!("| {} | {verdict} |", mutant.name);
        }
    }
    println!("\n{noticed} of {all} mutants noticed");
    Ok(noticed == all && all > 0)
}

/// Where cargo builds this tree; the mutants build elsewhere, because cargo names the artefacts of two checkouts alike.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A checkout of HEAD below the target directory, made anew.
fn copy_of_the_tree() -> Result<PathBuf, String> {
    let copy = target().join("mutants-tree");
    if copy.exists() {
        std::fs::remove_dir_all(&copy).map_err(|error| format!("cannot remove {}: {error}", copy.display()))?;
    }
    let (from, to) = (root().to_string_lossy().into_owned(), copy.to_string_lossy().into_owned());
    run(&root(), "git", &["clone", "--quiet", "--no-hardlinks", &from, &to])?;
    Ok(copy)
}

fn try_mutant(copy: &Path, mutant: &Mutant) -> Result<Verdict, String> {
    let path = copy.join(&mutant.file);
    let original = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return Ok(Verdict::Unusable(format!("{}: {error}", mutant.file))),
    };
    match original.matches(&mutant.before).count() {
        1 => {}
        found => return Ok(Verdict::Unusable(format!("its line occurs {found} times in {}", mutant.file))),
    }
    let write = |text: &str| std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()));
    let target = std::env::var("CORACLE_TARGET").unwrap_or_else(|_| "x86_64-unknown-linux-musl".to_owned());
    let directory = self::target().join("mutants-target").to_string_lossy().into_owned();
    let common = ["--quiet", "--profile", "ci", "--target", &target, "--target-dir", &directory];
    let named: Vec<&str> = mutant.test.split_whitespace().collect();
    let cargo = |verb: &[&str]| run(copy, env!("CARGO"), &[verb, &common[..], &named[..]].concat());

    write(&original.replacen(&mutant.before, &mutant.after, 1))?;
    // A mutant that does not compile proves nothing about the test.
    let verdict = match cargo(&["test", "--no-run"]) {
        Err(error) => Verdict::Unusable(format!("it does not compile: {}", error.lines().next().unwrap_or_default())),
        Ok(_) if cargo(&["test"]).is_err() => Verdict::Noticed,
        Ok(_) => Verdict::Survived,
    };
    write(&original)?;
    Ok(verdict)
}
