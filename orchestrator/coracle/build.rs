//! Finds the executables that `coracle` embeds. Without them there is no build: one file is the product.

use std::path::PathBuf;

/// Build variables, each with the executable that it names.
const EMBEDDED: [(&str, &str); 2] = [("CORACLE_INIT", "coracle-init"), ("CORACLE_RUNTIME", "coracle-runtime")];

fn main() -> Result<(), String> {
    EMBEDDED.into_iter().try_for_each(|(variable, name)| embed(variable, name))
}

fn embed(variable: &str, name: &str) -> Result<(), String> {
    println!("cargo::rerun-if-env-changed={variable}");
    let path = std::env::var_os(variable).map(PathBuf::from).ok_or_else(|| {
        format!(
            "{variable} is not set: it names the {name} executable to embed (of the same target and profile). \
             `make build` builds it and sets the variable"
        )
    })?;
    let path = path.canonicalize().map_err(|error| format!("{variable}={} cannot be used: {error}", path.display()))?;
    let content =
        std::fs::read(&path).map_err(|error| format!("{variable}={} cannot be read: {error}", path.display()))?;
    if !content.starts_with(b"\x7fELF") {
        return Err(format!("{variable}={} is not an ELF executable", path.display()));
    }
    println!("cargo::rerun-if-changed={}", path.display());
    println!("cargo::rustc-env={variable}_PATH={}", path.display());
    Ok(())
}
