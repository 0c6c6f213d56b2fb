//! The kernel arguments that `grub.cfg` and a slot's `slot.cfg` pass to PID 1. Frozen under `coracle.boot=1`.
//!
//! `coracle.boot=1 coracle.slot=a|b coracle.seq=DIGITS10 coracle.id=HEX16` come from the chooser; `coracle.fault=NAME`
//! exists for tests and is honoured only on a slot signed by a development key.

use std::fmt;

/// Version of the boot contract that this release understands.
pub const BOOT_CONTRACT: u32 = 1;

/// One of the two system slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// SLOT-A, where an image is flashed.
    A,
    /// SLOT-B.
    B,
}

/// What GRUB said about this boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelArguments {
    /// The slot that GRUB loaded the kernel from.
    pub slot: Slot,
    /// Sequence number of the boot-state block after GRUB's write; identifies the boot disk together with `id`.
    pub seq: u64,
    /// Identity of the boot disk from its boot-state block; zero until the OS has written it once.
    pub id: u64,
    /// Named fault to inject, for tests on development keys.
    pub fault: Option<String>,
}

/// Why the kernel command line does not describe a Coracle boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// An argument that must be there exactly once is missing.
    Missing(&'static str),
    /// An argument has a value outside its pattern.
    Invalid {
        /// Name of the argument.
        name: &'static str,
        /// The value as given.
        value: String,
    },
    /// The boot contract is newer than this release.
    Contract(u32),
}

impl Slot {
    /// The other slot.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The letter in boot state and kernel arguments.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// The slot of a letter, exactly `a` or `b`.
    #[must_use]
    pub fn from_letter(letter: &str) -> Option<Self> {
        match letter {
            "a" => Some(Self::A),
            "b" => Some(Self::B),
            _ => None,
        }
    }
}

impl KernelArguments {
    /// Reads `/proc/cmdline`. The last occurrence of an argument counts, as in the kernel.
    ///
    /// # Errors
    /// An argument is missing, malformed, or of a newer contract.
    pub fn parse(command_line: &str) -> Result<Self, Error> {
        let find = |name: &'static str| {
            command_line
                .split_ascii_whitespace()
                .filter_map(|word| word.split_once('='))
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value)
                .next_back()
        };
        let need = |name| find(name).ok_or(Error::Missing(name));
        let invalid = |name, value: &str| Error::Invalid { name, value: value.to_owned() };

        let value = need("coracle.boot")?;
        let contract: u32 = value.parse().map_err(|_| invalid("coracle.boot", value))?;
        if contract != BOOT_CONTRACT {
            return Err(Error::Contract(contract));
        }
        let value = need("coracle.slot")?;
        let slot = Slot::from_letter(value).ok_or_else(|| invalid("coracle.slot", value))?;
        let value = need("coracle.seq")?;
        let seq = digits(value, 10, 10).ok_or_else(|| invalid("coracle.seq", value))?;
        let value = need("coracle.id")?;
        let id = digits(value, 16, 16).ok_or_else(|| invalid("coracle.id", value))?;
        Ok(Self { slot, seq, id, fault: find("coracle.fault").map(str::to_owned) })
    }
}

/// A number of exactly `width` digits, no sign, no space, lower case.
fn digits(text: &str, radix: u32, width: usize) -> Option<u64> {
    let canonical = text.len() == width && text.chars().all(|c| c.is_digit(radix) && !c.is_ascii_uppercase());
    if canonical { u64::from_str_radix(text, radix).ok() } else { None }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => {
                write!(f, "kernel argument {name} is missing: this kernel was not started by the slot chooser")
            }
            Self::Invalid { name, value } => write!(f, "kernel argument {name} has the malformed value {value:?}"),
            Self::Contract(found) => {
                write!(f, "boot contract {found} is not {BOOT_CONTRACT}: grub.cfg and this slot do not belong together")
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "BOOT_IMAGE=/boot/vmlinuz coracle.boot=1 coracle.slot=b coracle.seq=0000000042 coracle.id=00000000000000ff";

    #[test]
    fn a_full_command_line_is_read() {
        let read = KernelArguments::parse(GOOD).unwrap();
        assert_eq!(read, KernelArguments { slot: Slot::B, seq: 42, id: 255, fault: None });
        let read = KernelArguments::parse(&format!("{GOOD} coracle.fault=hang-before-root\n")).unwrap();
        assert_eq!(read.fault.as_deref(), Some("hang-before-root"));
    }

    #[test]
    fn damaged_command_lines_name_the_argument() {
        let table = [
            ("coracle.boot=1 ", "", Error::Missing("coracle.boot")),
            ("coracle.boot=1", "coracle.boot=2", Error::Contract(2)),
            ("slot=b", "slot=B", Error::Invalid { name: "coracle.slot", value: "B".into() }),
            ("seq=0000000042", "seq=42", Error::Invalid { name: "coracle.seq", value: "42".into() }),
            ("seq=0000000042", "seq=+000000042", Error::Invalid { name: "coracle.seq", value: "+000000042".into() }),
            ("00ff", "00FF", Error::Invalid { name: "coracle.id", value: "00000000000000FF".into() }),
        ];
        for (from, to, want) in table {
            assert_eq!(KernelArguments::parse(&GOOD.replace(from, to)), Err(want), "{from} -> {to}");
        }
    }
}
