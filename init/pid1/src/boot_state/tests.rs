//! The gatekeeper on a disk image: a FAT16 volume made by hand, whose second block file lies in two far clusters.

use std::os::unix::fs::FileExt as _;

use coracle_slots::boot_state::{State, stage};
use coracle_slots::gpt::shipped;
use coracle_slots::layout::SECTOR;
use tempfile::NamedTempFile;

use super::*;
use crate::disk::table::{self, fresh_guids};

/// Sector of the first data cluster, which has number 2: one boot sector, twenty of the FAT, one of the root directory.
const DATA: usize = 22;

/// First and second cluster of each block file.
const CLUSTERS: [[usize; 2]; 2] = [[3, 4], [10, 200]];

fn volume(blocks: [&Block; 2]) -> Vec<u8> {
    let mut bytes = vec![0; 5000 * 512];
    let mut put = |at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
    put(0, &[0xeb, 0x3c, 0x90]);
    // 512-byte sectors, one a cluster, one reserved; one FAT of 20 sectors; 16 root entries; 5,000 sectors.
    put(11, &[0, 2, 1, 1, 0, 1, 16, 0, 0x88, 0x13, 0xf8, 20, 0]);
    put(510, &[0x55, 0xaa]);
    let mut link = |from: usize, to: u16| put(512 + from * 2, &to.to_le_bytes());
    link(0, 0xfff8);
    link(1, 0xffff);
    link(2, 0xffff);
    for [first, second] in CLUSTERS {
        link(first, u16::try_from(second).unwrap());
        link(second, 0xffff);
    }
    put(21 * 512, &entry(b"CORACLE    ", 0x10, 2, 0));
    for (index, (block, clusters)) in blocks.into_iter().zip(CLUSTERS).enumerate() {
        let name = if index == 0 { b"STATE1  ENV" } else { b"STATE2  ENV" };
        put(DATA * 512 + index * 32, &entry(name, 0x20, clusters[0], 1024));
        put((DATA + clusters[0] - 2) * 512, &block[..512]);
        put((DATA + clusters[1] - 2) * 512, &block[512..]);
    }
    bytes
}

fn entry(name: &[u8; 11], attributes: u8, cluster: usize, size: u32) -> [u8; 32] {
    let mut entry = [0; 32];
    entry[..11].copy_from_slice(name);
    entry[11] = attributes;
    entry[26..28].copy_from_slice(&u16::try_from(cluster).unwrap().to_le_bytes());
    entry[28..].copy_from_slice(&size.to_le_bytes());
    entry
}

/// A disk whose first block has number 7 and second `state`, with number 8.
fn disk_with(state: State) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let table = shipped(&fresh_guids().unwrap());
    file.as_file().set_len(table.disk_sectors * SECTOR).unwrap();
    table::write(file.as_file(), file.path(), &table).unwrap();
    let old = State { seq: 7, ..state }.encode();
    let new = State { seq: 8, ..state }.encode();
    let esp = table.find(Role::Esp).unwrap().offset_bytes();
    file.as_file().write_all_at(&volume([&old, &new]), esp).unwrap();
    file
}

fn state_on(file: &NamedTempFile) -> State {
    let disk = Disk::of_file(file.path());
    let (table, _) = Table::read(&disk).unwrap();
    find(&disk, &table).unwrap().reading.state
}

#[test]
fn the_newest_block_is_found_in_two_clusters() {
    let file = disk_with(State { id: 0xabc, ..State::DEFAULT });
    let disk = Disk::of_file(file.path());
    let (table, _) = Table::read(&disk).unwrap();
    assert_eq!(newest(&disk, &table).unwrap(), Some((8, 0xabc)));
}

#[test]
fn the_first_healthy_boot_gives_all_boots_back_and_an_identity() {
    let file = disk_with(State { left: 1, ..State::DEFAULT });
    let gatekeeper = Gatekeeper::new(Disk::of_file(file.path()), Slot::A);
    assert_eq!(gatekeeper.passed().unwrap(), "healthy");
    let after = state_on(&file);
    assert_eq!((after.seq, after.left, after.active, after.trial), (9, 4, Slot::A, None));
    assert_ne!(after.id, 0);
    assert_eq!(gatekeeper.passed().unwrap(), "unchanged", "a healthy state is not written again");
    assert_eq!(state_on(&file), after);
}

#[test]
fn a_trial_is_committed_and_the_write_reaches_both_clusters() {
    let file = disk_with(stage(&State { id: 5, ..State::DEFAULT }, Slot::B));
    let gatekeeper = Gatekeeper::new(Disk::of_file(file.path()), Slot::B);
    assert_eq!(gatekeeper.passed().unwrap(), "committed");
    assert_eq!((state_on(&file).seq, state_on(&file).active, state_on(&file).trial), (9, Slot::B, None));
    // The next change goes into the other block, the one in two clusters.
    let disk = Disk::of_file(file.path());
    let (table, _) = Table::read(&disk).unwrap();
    let found = find(&disk, &table).unwrap();
    assert!(write(&disk, &found, &stage(&found.reading.state, Slot::A)).unwrap());
    assert_eq!((state_on(&file).seq, state_on(&file).trial), (10, Some(Slot::A)));
}

#[test]
fn a_bad_slot_is_given_up_only_for_a_trial_or_for_a_usable_other_slot() {
    let trial = stage(&State { id: 5, ..State::DEFAULT }, Slot::B);
    for (state, running, other_is_usable, given_up) in [
        (trial, Slot::B, false, true),
        (trial, Slot::B, true, true),
        (State::DEFAULT, Slot::A, true, true),
        (State::DEFAULT, Slot::A, false, false),
    ] {
        let file = disk_with(state);
        let disk = Disk::of_file(file.path());
        let (table, _) = Table::read(&disk).unwrap();
        let done = reject_running(&disk, &table, running, other_is_usable).unwrap();
        assert_eq!(done, given_up, "{state:?} {running:?} {other_is_usable}");
        assert_eq!(state_on(&file).failed, given_up.then_some(running));
    }
}

#[test]
fn without_another_slot_a_failed_gate_stays() {
    let file = disk_with(State::DEFAULT);
    let gatekeeper = Gatekeeper::new(Disk::of_file(file.path()), Slot::A);
    assert_eq!(gatekeeper.failed().unwrap(), Verdict::Stay);
    assert_eq!(state_on(&file).seq, 8, "nothing is written");
}
