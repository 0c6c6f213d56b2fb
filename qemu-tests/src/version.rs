//! Refuses a QEMU that is too old, with the command that installs a new one.

use crate::error::{Error, Result};
use crate::process;

/// Oldest major version that may run guests. QEMU 7.2, which Debian 12 has, makes x86_64 guests under TCG panic.
pub const NEEDED: u32 = 10;

/// What installs QEMU, its tools and the firmware on Debian 12; Debian 13 needs no `-t`.
pub const INSTALL: &str = "apt-get install -t bookworm-backports --no-install-recommends \
    qemu-system-x86 qemu-system-arm qemu-utils ovmf qemu-efi-aarch64";

/// Asks a QEMU program for its version.
///
/// # Errors
/// It is not installed, or too old.
pub fn require(program: &str) -> Result<()> {
    let answer = process::output(program, &["--version".to_owned()])?;
    check(program, &String::from_utf8_lossy(&answer))
}

/// Judges the first line of `--version`.
///
/// # Errors
/// Older than [`NEEDED`], or not readable.
pub fn check(program: &str, answer: &str) -> Result<()> {
    let first = answer.lines().next().unwrap_or_default();
    let major = first.split("version ").nth(1).and_then(|rest| rest.split('.').next());
    match major.and_then(|text| text.parse::<u32>().ok()) {
        Some(major) if major >= NEEDED => Ok(()),
        _ => Err(Error::Version { program: program.to_owned(), found: format!("{first:?}") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_unreadable_versions_are_refused_with_the_remedy() {
        let table = [
            ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopyright", true),
            ("qemu-img version 11.1.0", true),
            ("QEMU emulator version 7.2.17 (Debian 1:7.2+dfsg-7+deb12u13)", false),
            ("QEMU emulator version 9.2.4", false),
            ("QEMU emulator", false),
            ("", false),
        ];
        for (answer, good) in table {
            assert_eq!(check("qemu-img", answer).is_ok(), good, "{answer}");
        }
        let text = check("qemu-system-x86_64", "QEMU emulator version 7.2.17").unwrap_err().to_string();
        assert!(text.contains("7.2.17") && text.contains("apt-get install -t bookworm-backports"), "{text}");
    }
}
