//! Capability sets.

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capability_is_in_bounding_set, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
};

use super::failure::Problem;
use super::process::Sets;

/// Names without `CAP_`, in the order of their numbers.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// Sets of a process, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Capabilities {
    bounding: CapabilitySet,
    effective: CapabilitySet,
    inheritable: CapabilitySet,
    permitted: CapabilitySet,
    ambient: CapabilitySet,
}

impl Capabilities {
    /// From names; names that the kernel does not know are left out, as runc does it. Without any sets there are none.
    pub(super) fn named(sets: Option<&Sets>) -> Self {
        let known = known();
        let bits = |names: &[String]| {
            names.iter().filter_map(|name| bit(name)).fold(CapabilitySet::empty(), |a, b| a | b) & known
        };
        let none = Sets::default();
        let sets = sets.unwrap_or(&none);
        Self {
            bounding: bits(&sets.bounding),
            effective: bits(&sets.effective),
            inheritable: bits(&sets.inheritable),
            permitted: bits(&sets.permitted),
            ambient: bits(&sets.ambient),
        }
    }

    /// Drops from the bounding set what is not to be had; needs `CAP_SETPCAP`, so it is done before the others.
    pub(super) fn bound(&self) -> Result<(), Problem> {
        for one in (known() - self.bounding).iter() {
            remove_capability_from_bounding_set(one)
                .map_err(|errno| Problem::step("unable to apply bounding set", errno))?;
        }
        Ok(())
    }

    /// Sets the others; afterwards the process has what it is to have.
    pub(super) fn apply(&self) -> Result<(), Problem> {
        let sets =
            CapabilitySets { effective: self.effective, permitted: self.permitted, inheritable: self.inheritable };
        let failed = |errno| Problem::step("unable to apply caps", errno);
        match clear_ambient_capability_set() {
            Ok(()) | Err(Errno::INVAL) => {}
            Err(errno) => return Err(failed(errno)),
        }
        set_capabilities(None, sets).map_err(failed)?;
        for one in self.ambient.iter() {
            // runc warns and goes on: an ambient capability has to be permitted and inheritable.
            match configure_capability_in_ambient_set(one, true) {
                Ok(()) | Err(Errno::PERM) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
        Ok(())
    }
}

/// Everything effective that is permitted.
pub(super) fn raise() -> Result<(), Problem> {
    let failed = |errno| Problem::step("unable to raise capabilities", errno);
    let mut sets = rustix::thread::capabilities(None).map_err(failed)?;
    sets.effective = sets.permitted;
    set_capabilities(None, sets).map_err(failed)
}

/// Those that this kernel has.
fn known() -> CapabilitySet {
    (0..64)
        .map(|number| CapabilitySet::from_bits_retain(1 << number))
        .take_while(|one| capability_is_in_bounding_set(*one).is_ok())
        .fold(CapabilitySet::empty(), |a, b| a | b)
}

fn bit(name: &str) -> Option<CapabilitySet> {
    let plain = name.strip_prefix("CAP_").unwrap_or(name);
    NAMES.iter().position(|known| *known == plain).map(|number| CapabilitySet::from_bits_retain(1 << number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_kernels_numbers() {
        for (name, want) in [
            ("CAP_CHOWN", Some(CapabilitySet::CHOWN)),
            ("CAP_SYS_ADMIN", Some(CapabilitySet::SYS_ADMIN)),
            ("SETFCAP", Some(CapabilitySet::SETFCAP)),
            ("CAP_CHECKPOINT_RESTORE", Some(CapabilitySet::CHECKPOINT_RESTORE)),
            ("CAP_FLY", None),
        ] {
            assert_eq!(bit(name), want, "{name}");
        }
        assert!(known().contains(CapabilitySet::CHOWN));
    }
}
