//! The chooser suite, first part: the frozen `grub.cfg` in the real GRUB of the package lock (as `grub-emu`, which runs
//! the same script, FAT, squashfs and environment-block code on a raw disk image) against the model in `coracle-slots`.
//! What GRUB tried, what it passed on and every byte of both block files must be equal.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod blocks;
mod comparison;
mod disk;
mod emulator;

use std::collections::BTreeSet;

use coracle_slots::boot_state::{Block, Slot, State, TRIES};

use blocks::{Random, block_with, damaged_pair};
use comparison::{Case, compare_all};
use disk::{Content, PartitionTable};

const SLOTS: [Slot; 2] = [Slot::A, Slot::B];
const MAYBE_SLOTS: [Option<Slot>; 3] = [None, Some(Slot::A), Some(Slot::B)];

/// Every state but for its number and id.
fn states() -> Vec<State> {
    let mut states = Vec::new();
    for active in SLOTS {
        for trial in MAYBE_SLOTS {
            for left in 0..=TRIES {
                for failed in MAYBE_SLOTS {
                    states.push(State { active, trial, left, failed, ..State::DEFAULT });
                }
            }
        }
    }
    states
}

fn case(files: [Option<Block>; 2], slots: [Content; 2]) -> Case {
    Case { files, slots }
}

/// A pair in which the state is in one block and an older one in the other.
fn pair(state: &State, newer_first: bool) -> [Option<Block>; 2] {
    let older = State { seq: state.seq.saturating_sub(1), left: TRIES, trial: None, ..*state };
    let pair = [Some(state.encode()), Some(older.encode())];
    if newer_first { pair } else { [pair[1], pair[0]] }
}

#[test]
fn every_state_with_every_answer_of_the_slots() {
    let mut cases = Vec::new();
    for (number, state) in (1..).zip(states()) {
        let id = number * 0x0123_4567_89ab;
        let state = State { seq: number * 37, id, ..state };
        for [first, second] in Content::PAIRS {
            cases.push(case(pair(&state, number % 2 == 0), [first, second]));
        }
    }
    assert!(cases.len() >= 400, "{} enumerated cases", cases.len());
    compare_all(PartitionTable::Gpt, &cases);
}

/// Carries of the counter, ties, the number without a successor, and blocks that are missing, void or not writable.
#[test]
fn numbers_and_whole_blocks() {
    let mut cases = Vec::new();
    let tried = [Content::NotLoaded; 2];
    let mut seqs: BTreeSet<u64> = [0, 1, 7, 8, 9_999_999_997, 9_999_999_998, 9_999_999_999].into();
    seqs.extend((0..10).flat_map(|digits| [10_u64.pow(digits) - 1, 10_u64.pow(digits), 2 * 10_u64.pow(digits) - 1]));
    for seq in &seqs {
        let state = State { seq: *seq, ..State::DEFAULT };
        for newer_first in [false, true] {
            cases.push(case(pair(&state, newer_first), tried));
        }
        cases.push(case([Some(state.encode()); 2], tried));
    }
    let state = State { seq: 41, trial: Some(Slot::B), left: 1, id: 0xfeed, ..State::DEFAULT };
    let good = state.encode();
    let newer = State { seq: 42, ..state }.encode();
    let mut no_tail = newer;
    no_tail[1022..].copy_from_slice(b"x\n");
    let mut no_end_of_line = newer;
    no_end_of_line[1023] = b'x';
    let wholes = [
        None,
        Some([0; 1024]),
        Some([0xff; 1024]),
        Some([b'#'; 1024]),
        Some(good),
        Some(newer),
        Some(no_tail),
        Some(no_end_of_line),
    ];
    for first in wholes {
        for second in wholes {
            cases.push(case([first, second], tried));
        }
    }
    compare_all(PartitionTable::Gpt, &cases);
}

/// Values that mean something to GRUB's script commands, and the corners of its block parser.
#[test]
fn hostile_values_and_parser_corners() {
    let good = State { seq: 5, ..State::DEFAULT }.encode();
    let values = [
        "",
        "-",
        "--",
        "-h",
        "--help",
        "--usage",
        "--set",
        "!",
        "(",
        ")",
        "]",
        "a b",
        "a\\",
        "\\a",
        "b\\\n",
        "$root",
        "${x}",
        "'",
        "\"",
        "a;reboot",
        "a\0",
        "a\0b",
        "*",
        "é",
        "0",
        "5",
        "01",
        "+1",
        "0000000006",
        "00000000060",
        "000000000G",
        "0123456789abcdef0",
        "0123456789abcdeg",
    ];
    let names = ["seq", "active", "trial", "left", "failed", "id", "end"];
    // Older and newer than the good one: GRUB writes into the first and reads the second.
    let states = [4, 6].map(|seq| State { seq, ..State::DEFAULT });
    let mut hostile = Vec::new();
    for name in names {
        for value in values {
            hostile.extend(states.map(|state| block_with(&state, name, value)));
        }
    }
    for (from, to) in [
        ("active=a\n", "active=a\nactive=b\n"),
        ("active=a\n", "active=b\nactive=c\n"),
        ("active=a\n", "root=x\nactive=b\n"),
        ("active=a\n", "coracle_disk=hd9\ncoracle_fat=hd9\nactive=b\n"),
        ("active=a\n", "junk\nactive=b\n"),
        ("active=a\n", "#junk\\\nactive=b\n"),
        ("active=a\n", "active\0=b\n"),
        ("active=a\n", "\nactive=b\n"),
        ("active=a\n", "=\nactive=b\n"),
        ("active=a\n", " active=b\n"),
        ("active=a\n", ""),
        ("left=4\n", ""),
        ("end=", "END="),
        ("pad=.", "pad=\\"),
        ("pad=", "prefix="),
        ("# GRUB", "# GRUb"),
        ("Block\n", "Block\r"),
    ] {
        hostile.extend(states.map(|state| blocks::replaced(&state, from, to)));
    }
    // In both places: what the first file leaves behind must not complete the second.
    let orders = hostile.into_iter().flat_map(|block| [[Some(block), Some(good)], [Some(good), Some(block)]]);
    let cases: Vec<Case> = orders.map(|files| case(files, [Content::NotLoaded; 2])).collect();
    compare_all(PartitionTable::Gpt, &cases);
}

#[test]
fn random_damage() {
    let mut random = Random::new(0x00c0_ac1e);
    let cases: Vec<Case> =
        (0..2_400).map(|_| case(damaged_pair(&mut random, &states()), [Content::NotLoaded; 2])).collect();
    assert!(cases.len() >= 2_000, "{} damaged pairs", cases.len());
    compare_all(PartitionTable::Gpt, &cases);
}

/// Each sector of both blocks torn away on its own: new or old content, zeros, or erased flash.
#[test]
fn torn_sectors() {
    let old = State { seq: 98, trial: Some(Slot::B), left: 1, ..State::DEFAULT };
    let new = State { seq: 99, trial: Some(Slot::B), left: 0, ..State::DEFAULT };
    let halves = [old.encode(), new.encode(), [0; 1024], [0xff; 1024], [b'#'; 1024]];
    let mut torn = Vec::new();
    for head in halves {
        for tail in halves {
            let mut block = head;
            block[512..].copy_from_slice(&tail[512..]);
            torn.push(block);
        }
    }
    let mut cases = Vec::new();
    for first in &torn {
        for second in &torn {
            cases.push(case([Some(*first), Some(*second)], [Content::NotLoaded; 2]));
        }
    }
    compare_all(PartitionTable::Gpt, &cases);
}

#[test]
fn a_disk_with_an_mbr_uses_its_own_slot_numbers() {
    let mut cases = Vec::new();
    for (seq, state) in (1..).zip(states()) {
        let [first, second] = Content::PAIRS[usize::try_from(seq).unwrap_or(0) % Content::PAIRS.len()];
        cases.push(case(pair(&State { seq, ..state }, true), [first, second]));
    }
    compare_all(PartitionTable::Mbr, &cases);
}
