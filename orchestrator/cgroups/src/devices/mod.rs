//! Which device nodes a container may use.
//!
//! cgroup v2 has no controller for devices; the kernel asks a program at the group instead. Without one, a container with
//! the usual capabilities can make a node for the host's disk, read it and write it.

mod attach;
mod program;

use std::fmt;

/// Kind of a device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A disk or a part of one.
    Block,
    /// Anything else.
    Character,
}

/// What may be done with a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    /// Open for reading.
    pub read: bool,
    /// Open for writing.
    pub write: bool,
    /// Make the node, which alone gives nothing.
    pub make: bool,
}

/// Allows something. What no rule allows is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Either kind, or one.
    pub kind: Option<Kind>,
    /// Any major number, or one.
    pub major: Option<u32>,
    /// Any minor number, or one.
    pub minor: Option<u32>,
    /// What is allowed.
    pub access: Access,
}

impl Access {
    /// Everything.
    pub const ALL: Self = Self { read: true, write: true, make: true };
    /// Making the node only.
    pub const MAKE: Self = Self { read: false, write: false, make: true };

    /// From the letters `r`, `w` and `m`, as OCI documents and device plugins write it.
    #[must_use]
    pub fn parse(letters: &str) -> Option<Self> {
        let mut access = Self::default();
        for letter in letters.chars() {
            match letter {
                'r' => access.read = true,
                'w' => access.write = true,
                'm' => access.make = true,
                _ => return None,
            }
        }
        (!letters.is_empty()).then_some(access)
    }
}

impl Rule {
    /// Allows everything: a privileged container.
    pub const EVERYTHING: Self = Self { kind: None, major: None, minor: None, access: Access::ALL };

    /// One character device.
    #[must_use]
    pub const fn character(major: u32, minor: u32) -> Self {
        Self { kind: Some(Kind::Character), major: Some(major), minor: Some(minor), access: Access::ALL }
    }
}

/// What every container may use, as all runtimes have it: any node may be made, and null, zero, full, random, urandom,
/// tty, ptmx and the terminals behind it may be used.
pub const DEFAULT: [Rule; 9] = [
    Rule { kind: None, major: None, minor: None, access: Access::MAKE },
    Rule::character(1, 3),
    Rule::character(1, 5),
    Rule::character(1, 7),
    Rule::character(1, 8),
    Rule::character(1, 9),
    Rule::character(5, 0),
    Rule::character(5, 2),
    Rule { kind: Some(Kind::Character), major: Some(136), minor: None, access: Access::ALL },
];

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
        let kind = match self.kind {
            None => "a",
            Some(Kind::Block) => "b",
            Some(Kind::Character) => "c",
        };
        let Access { read, write, make } = self.access;
        let letters = [(read, "r"), (write, "w"), (make, "m")].map(|(has, letter)| if has { letter } else { "" });
        write!(formatter, "{kind} {}:{} {}", number(self.major), number(self.minor), letters.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_as_in_oci_documents() {
        assert_eq!(Rule::character(1, 3).to_string(), "c 1:3 rwm");
        assert_eq!(DEFAULT[0].to_string(), "a *:* m");
        assert_eq!(Rule::EVERYTHING.to_string(), "a *:* rwm");
        assert_eq!(Access::parse("rw"), Some(Access { read: true, write: true, make: false }));
        for bad in ["", "x", "rwx", "R"] {
            assert_eq!(Access::parse(bad), None, "{bad}");
        }
    }
}
