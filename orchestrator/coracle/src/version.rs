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

/// Prints one line for this executable and one for each that it embeds, which is asked by running it.
pub(crate) fn print() -> Result<(), Box<dyn Error>> {
    println!("coracle version {} ({})", env!("CARGO_PKG_VERSION"), coracle_apiserver::version::KUBERNETES);
    for program in [&embedded::INIT, &embedded::RUNTIME] {
        let (file, name) = (program.unpack()?, program.name());
        let output = process::run(&file, &["--version"])
            .map_err(|error| format!("cannot start the embedded {name}: {error}"))?;
        if !output.status.success() {
            return Err(format!("the embedded {name} ended with {}", output.status).into());
        }
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(())
}
