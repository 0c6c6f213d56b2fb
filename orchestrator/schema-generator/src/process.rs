//! Runs `go mod download`, the only program this tool starts. It is waited for before the call returns.

use crate::Error;
use std::path::Path;
use std::process::{Command, Stdio};

/// Fetches one module version into the module cache at `cache` and returns Go's JSON answer.
///
/// Go older than the module wants refuses to unpack it but still fetches and verifies the zip, and says so in the
/// `Error` key of its answer with exit status 1; the zip is all this tool needs, so the answer is returned then too.
pub fn go_mod_download(cache: &Path, module: &str) -> Result<Vec<u8>, Error> {
    let command_line = format!("go mod download -json {module}");
    #[expect(clippy::disallowed_methods, reason = "this module is the owner of the one child process of the tool")]
    let mut command = Command::new("go");
    command
        .args(["mod", "download", "-json", module])
        .current_dir(cache)
        .env("GOMODCACHE", cache)
        .env("GOFLAGS", "")
        .env("GOWORK", "off")
        .env("GO111MODULE", "on")
        .env("GOTOOLCHAIN", "local")
        .stdin(Stdio::null());
    let output = command
        .output()
        .map_err(|error| Error::Program { command: command_line.clone(), detail: error.to_string() })?;
    if output.stdout.is_empty() {
        let detail = format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        return Err(Error::Program { command: command_line, detail });
    }
    Ok(output.stdout)
}
