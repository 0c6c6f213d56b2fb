//! `make boot`: boots the x86_64 image on a throw-away overlay and prints its console until it powers off or Ctrl-C.

use qemu_tests::command_line::Spec;
use qemu_tests::pattern::line;
use qemu_tests::record::What;
use qemu_tests::{Error, Guest, Result, machine, scenario};
use std::io::Write as _;
use std::time::Duration;

/// A wait longer than anybody looks on; the next line or the end of QEMU ends it earlier.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn main() -> Result<()> {
    scenario("boot", |lab| {
        let disk = lab.flashed(&machine::X86_64_UEFI)?;
        let mut guest = Guest::start(lab, &Spec::new(&machine::X86_64_UEFI).disk(&disk))?;
        let any = line("");
        loop {
            match guest.wait(&any, DAY) {
                Ok(entry) => print(&entry.what),
                Err(Error::Exited { .. }) => return Ok(()),
                Err(other) => return Err(other),
            }
        }
    })
}

fn print(what: &What) {
    if let What::Line { text, .. } = what {
        // A closed terminal is no reason to stop the guest; Ctrl-C is.
        let _closed = writeln!(std::io::stdout(), "{text}");
    }
}
