//! Which of the disks GRUB booted from. Pure: disks flashed from one image look alike, so the newest boot-state block
//! has to carry the sequence number and identity that GRUB passed.

use crate::wait::Moment;

/// How long after an exact match another disk may still appear, in milliseconds.
const SETTLE_MS: u64 = 300;

/// From when on a single disk of ours is taken although its blocks do not match: GRUB could not write them.
const LONE_MS: u64 = 5_000;

/// When the search ends.
const LIMIT_MS: u64 = 40_000;

/// What a disk shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Kernel name.
    pub(crate) name: String,
    /// Sequence number and identity of its newest valid boot-state block, if it has one.
    pub(crate) newest: Option<(u64, u64)>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// This is the disk.
    Take(String),
    /// Wait for another event, at most until then.
    Wait(Moment),
    /// Nothing can be taken; the text says why.
    GiveUp(String),
}

/// Decides on the disks that have our partitions. `began` is when the search began, `changed` when a disk last appeared.
pub(crate) fn decide(
    candidates: &[Candidate],
    wanted: (u64, u64),
    began: Moment,
    changed: Moment,
    now: Moment,
) -> Decision {
    let settled = changed.after(SETTLE_MS);
    let lone = began.after(LONE_MS);
    let limit = began.after(LIMIT_MS);
    let exact: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.newest == Some(wanted)).collect();
    match (exact.as_slice(), candidates) {
        ([one], _) if now >= settled => Decision::Take(one.name.clone()),
        ([_], _) => Decision::Wait(settled),
        ([_, _, ..], _) => Decision::GiveUp(format!(
            "the disks {} carry the same boot state; which one GRUB booted from cannot be told, and none is touched",
            list(candidates)
        )),
        ([], [one]) if now >= lone => Decision::Take(one.name.clone()),
        ([], [_]) => Decision::Wait(lone),
        ([], []) if now >= limit => Decision::GiveUp("no disk has the partitions of this system".to_owned()),
        ([], _) if now >= limit => Decision::GiveUp(format!(
            "none of the disks {} carries the boot state that GRUB passed (seq {} id {:016x})",
            list(candidates),
            wanted.0,
            wanted.1
        )),
        ([], _) => Decision::Wait(limit),
    }
}

fn list(candidates: &[Candidate]) -> String {
    candidates.iter().map(|candidate| candidate.name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(name: &str, newest: Option<(u64, u64)>) -> Candidate {
        Candidate { name: name.to_owned(), newest }
    }

    /// `began` is 1,000 and `changed` is 1,500 in every row.
    fn at(now: u64, candidates: &[Candidate]) -> Decision {
        decide(candidates, (7, 9), Moment(1_000), Moment(1_500), Moment(now))
    }

    #[test]
    fn the_disk_with_the_passed_state_is_taken_after_settling() {
        let disks = [disk("vda", Some((6, 9))), disk("vdb", Some((7, 9))), disk("vdc", None)];
        assert_eq!(at(1_600, &disks), Decision::Wait(Moment(1_800)));
        assert_eq!(at(1_800, &disks), Decision::Take("vdb".to_owned()));
    }

    #[test]
    fn two_equal_disks_are_left_alone() {
        let disks = [disk("vda", Some((7, 9))), disk("vdb", Some((7, 9)))];
        assert!(matches!(at(9_999, &disks), Decision::GiveUp(text) if text.contains("vda, vdb")));
    }

    #[test]
    fn an_equal_sequence_of_another_identity_is_no_match() {
        assert_eq!(at(2_000, &[disk("vda", Some((7, 8)))]), Decision::Wait(Moment(6_000)));
    }

    #[test]
    fn a_lone_disk_that_grub_could_not_write_is_taken_late() {
        let disks = [disk("vda", Some((6, 9)))];
        assert_eq!(at(2_000, &disks), Decision::Wait(Moment(6_000)));
        assert_eq!(at(6_000, &disks), Decision::Take("vda".to_owned()));
        assert_eq!(at(6_000, &[disk("vda", None)]), Decision::Take("vda".to_owned()));
    }

    #[test]
    fn the_search_ends() {
        assert_eq!(at(2_000, &[]), Decision::Wait(Moment(41_000)));
        assert!(matches!(at(41_000, &[]), Decision::GiveUp(_)));
        let disks = [disk("vda", Some((1, 1))), disk("vdb", None)];
        assert_eq!(at(6_000, &disks), Decision::Wait(Moment(41_000)));
        assert!(matches!(at(41_000, &disks), Decision::GiveUp(text) if text.contains("seq 7")));
    }
}
