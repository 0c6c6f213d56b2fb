//! Command line of the schema generator; see the usage text.

use schema_generator::{Error, generate, modules, tree};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: schema-generator fetch|generate|check [--module-cache DIR]
  fetch     downloads the locked Go modules into the module cache
  generate  fetches, then writes the tables into orchestrator/apimachinery/schema
  check     fetches, makes the tables again and compares them with the committed ones byte for byte
The module cache is DIR, or $CORACLE_MODULE_CACHE, or coracle/modules in the user's cache directory.";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(message) => {
            println!("{message}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("schema-generator: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Vec<String>) -> Result<String, Error> {
    let mut arguments = arguments.into_iter();
    let command = arguments.next().unwrap_or_default();
    let cache = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => modules::default_cache()?,
        (Some("--module-cache"), Some(directory)) => absolute(&directory)?,
        _ => return Err(Error::source("arguments", USAGE)),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tables = root.join("../apimachinery/schema");
    match command.as_str() {
        "fetch" => {
            modules::fetch(&cache)?;
            Ok(format!("the locked modules are in {}", cache.display()))
        }
        "generate" => {
            let files = make(&cache)?;
            tree::write(&tables, &files)?;
            Ok(format!("{} tables, {} bytes", files.len(), files.values().map(String::len).sum::<usize>()))
        }
        "check" => {
            let files = make(&cache)?;
            tree::compare(&tables, &files)?;
            Ok(format!("{} tables are what the modules say", files.len()))
        }
        _ => Err(Error::source("arguments", USAGE)),
    }
}

fn make(cache: &Path) -> Result<std::collections::BTreeMap<String, String>, Error> {
    modules::fetch(cache)?;
    let modules = modules::Modules::open(cache)?;
    generate(&modules, include_str!("../defaults.txt"))
}

/// Go wants an absolute module cache.
fn absolute(directory: &str) -> Result<PathBuf, Error> {
    std::path::absolute(directory).map_err(|source| Error::File {
        operation: "resolve",
        path: directory.into(),
        source,
    })
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
