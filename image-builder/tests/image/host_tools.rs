//! Independent tools of the host. A missing one is a failure that names its package.

use std::path::{Path, PathBuf};

use image_builder::process::Program;

/// The program `name`, which Debian has in `package`.
pub(crate) fn tool(name: &str, package: &str) -> Program {
    let found = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].iter().map(|directory| Path::new(directory).join(name));
    let path: Option<PathBuf> = found.into_iter().find(|path| path.exists());
    let path = path.unwrap_or_else(|| panic!("{name} is missing: apt-get install {package}"));
    Program::new(&path).variable("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
}

/// Runs a program that must succeed and returns what it printed.
pub(crate) fn printed(program: &Program) -> String {
    String::from_utf8_lossy(&program.run().unwrap_or_else(|error| panic!("{error}"))).into_owned()
}
