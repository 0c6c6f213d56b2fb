//! `coracle version`.

use std::error::Error;

use crate::{embedded, process};

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
