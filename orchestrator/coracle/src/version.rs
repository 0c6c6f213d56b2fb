//! `coracle version`.

use std::error::Error;

use crate::{embedded, process};

/// The version that a node reports as its kubelet's; the suffix says that it is not upstream's.
pub(crate) fn kubelet() -> String {
    format!("{}+coracle{}", coracle_apiserver::version::KUBERNETES, env!("CARGO_PKG_VERSION"))
}

/// The architecture of this executable as Go, and so Kubernetes, names it.
pub(crate) const fn go_architecture() -> &'static str {
    if cfg!(target_arch = "x86_64") {
        "amd64"
    } else if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        std::env::consts::ARCH
    }
}

/// Prints one line for this executable and one for the embedded `coracle-init`, which is asked by running it.
pub(crate) fn print() -> Result<(), Box<dyn Error>> {
    println!("coracle version {} ({})", env!("CARGO_PKG_VERSION"), coracle_apiserver::version::KUBERNETES);
    let file = embedded::sealed().map_err(|error| format!("cannot unpack the embedded coracle-init: {error}"))?;
    let output = process::run_init(&file, &["--version"])
        .map_err(|error| format!("cannot start the embedded coracle-init: {error}"))?;
    if !output.status.success() {
        return Err(format!("the embedded coracle-init ended with {}", output.status).into());
    }
    print!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}
