//! What happens to STATE and DATA at a boot. Pure: observations in, the next step out.
//!
//! Nothing is ever made twice: a partition that carries the FORMATTED attribute, or belongs to a device that has run
//! before, and shows no file system is lost, and stays as it is for a person to look at.

/// What a partition shows before anything is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// The table has the partition.
    pub(crate) present: bool,
    /// The table says that a file system was made and synced.
    pub(crate) formatted: bool,
    /// There is an ext4 superblock.
    pub(crate) file_system: bool,
    /// The device has completed a boot before (its identity is in the boot state), so the partition must exist.
    pub(crate) device_has_run: bool,
}

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Make a file system, sync it, set FORMATTED.
    Make,
    /// Check it, then mount it.
    Check,
    /// It existed and is gone.
    Lost,
    /// The disk has no room for it.
    NoRoom,
}

/// What `e2fsck -p` said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Nothing to do.
    Clean,
    /// Repaired without loss.
    Repaired,
    /// A person has to decide, or the checker itself failed.
    Damaged,
}

/// The first step for a partition. `guards_identity` is true for STATE, whose loss loses the device's keys.
pub(crate) fn first_step(observed: Observed, guards_identity: bool) -> Step {
    match observed {
        Observed { present: false, device_has_run: true, .. } if guards_identity => Step::Lost,
        Observed { present: false, .. } => Step::NoRoom,
        Observed { formatted: true, file_system: true, .. } => Step::Check,
        Observed { formatted: true, file_system: false, .. } => Step::Lost,
        Observed { formatted: false, device_has_run: true, .. } if guards_identity => Step::Lost,
        // Never made, or a making that a power cut stopped before the attribute was set: nothing of value is there.
        Observed { formatted: false, .. } => Step::Make,
    }
}

/// The meaning of e2fsck's exit code: 1 and 2 are bits for "repaired" and "reboot advised", which concerns mounted file
/// systems only; every other bit means that errors are left or the check did not run.
pub(crate) const fn checked(code: Option<i32>) -> Checked {
    match code {
        Some(0) => Checked::Clean,
        Some(1..=3) => Checked::Repaired,
        _ => Checked::Damaged,
    }
}

/// Whether a file system should be enlarged: it ends well before its partition. The last block group of a file system
/// may be too short to be used, so a small rest is left.
pub(crate) const fn should_grow(file_system_bytes: u64, partition_bytes: u64) -> bool {
    const REST: u64 = 16 << 20;
    partition_bytes.saturating_sub(file_system_bytes) > REST
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seen(present: bool, formatted: bool, file_system: bool, device_has_run: bool) -> Observed {
        Observed { present, formatted, file_system, device_has_run }
    }

    #[test]
    fn every_observation_has_its_step() {
        let table = [
            // observed, STATE, DATA
            (seen(true, false, false, false), Step::Make, Step::Make),
            (seen(true, false, true, false), Step::Make, Step::Make),
            (seen(true, true, true, false), Step::Check, Step::Check),
            (seen(true, true, true, true), Step::Check, Step::Check),
            (seen(true, true, false, false), Step::Lost, Step::Lost),
            (seen(true, true, false, true), Step::Lost, Step::Lost),
            (seen(true, false, false, true), Step::Lost, Step::Make),
            (seen(true, false, true, true), Step::Lost, Step::Make),
            (seen(false, false, false, false), Step::NoRoom, Step::NoRoom),
            (seen(false, false, false, true), Step::Lost, Step::NoRoom),
        ];
        for (observed, state, data) in table {
            assert_eq!(first_step(observed, true), state, "STATE {observed:?}");
            assert_eq!(first_step(observed, false), data, "DATA {observed:?}");
        }
    }

    #[test]
    fn only_low_bits_of_the_checker_are_success() {
        for (code, want) in [
            (Some(0), Checked::Clean),
            (Some(1), Checked::Repaired),
            (Some(2), Checked::Repaired),
            (Some(3), Checked::Repaired),
            (Some(4), Checked::Damaged),
            (Some(5), Checked::Damaged),
            (Some(8), Checked::Damaged),
            (Some(-1), Checked::Damaged),
            (None, Checked::Damaged),
        ] {
            assert_eq!(checked(code), want, "{code:?}");
        }
    }

    #[test]
    fn small_rests_do_not_grow_a_file_system() {
        assert!(!should_grow(100 << 20, 100 << 20));
        assert!(!should_grow(100 << 20, 116 << 20));
        assert!(should_grow(100 << 20, 117 << 20));
        assert!(!should_grow(200 << 20, 100 << 20));
    }
}
