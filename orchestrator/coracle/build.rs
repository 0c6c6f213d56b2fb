//! Finds the `coracle-init` executable that `coracle` embeds. Without it there is no build: one file is the product.

use std::path::PathBuf;

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-env-changed=CORACLE_INIT");
    let path = std::env::var_os("CORACLE_INIT").map(PathBuf::from).ok_or(
        "CORACLE_INIT is not set: it names the coracle-init executable to embed (of the same target and profile). \
         `make build` builds it and sets the variable",
    )?;
    let path =
        path.canonicalize().map_err(|error| format!("CORACLE_INIT={} cannot be used: {error}", path.display()))?;
    let content =
        std::fs::read(&path).map_err(|error| format!("CORACLE_INIT={} cannot be read: {error}", path.display()))?;
    if !content.starts_with(b"\x7fELF") {
        return Err(format!("CORACLE_INIT={} is not an ELF executable", path.display()));
    }
    println!("cargo::rerun-if-changed={}", path.display());
    println!("cargo::rustc-env=CORACLE_INIT_PATH={}", path.display());
    Ok(())
}
