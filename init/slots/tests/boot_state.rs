//! Boot state: the frozen block, torn writes, and rules that hold over every state.

use coracle_slots::boot_state::{
    BLOCK_BYTES, Block, Boot, Position, Reading, Slot, SlotContent, State, TRIES, choose, commit, healthy, read,
    reject, repair_plan, run, set_id, stage, write_plan,
};
use proptest::prelude::*;

const SLOTS: [Slot; 2] = [Slot::A, Slot::B];
const MAYBE_SLOTS: [Option<Slot>; 3] = [None, Some(Slot::A), Some(Slot::B)];

/// Every state but for its number and id.
fn states() -> impl Iterator<Item = State> {
    let rest = |active, trial| {
        (0..=TRIES).flat_map(move |left| {
            MAYBE_SLOTS.map(move |failed| State { active, trial, left, failed, ..State::DEFAULT })
        })
    };
    SLOTS.into_iter().flat_map(move |active| MAYBE_SLOTS.into_iter().flat_map(move |trial| rest(active, trial)))
}

fn read_pair(first: &[u8], second: &[u8]) -> Reading {
    read([Some(first), Some(second)])
}

/// Frozen: GRUB scripts in the field read and write exactly this.
#[test]
fn the_canonical_block_is_frozen() {
    let state =
        State { seq: 42, active: Slot::B, trial: Some(Slot::A), left: 3, failed: None, id: 0x0123_4567_89ab_cdef };
    let text = format!(
        "# GRUB Environment Block\nseq=0000000042\nactive=b\ntrial=a\nleft=3\nfailed=-\nid=0123456789abcdef\npad={}\n\
         end=0000000042\n{}",
        ".".repeat(422),
        "#".repeat(489),
    );
    assert_eq!(text.len(), BLOCK_BYTES);
    assert_eq!(text.find("end="), Some(520), "the number closes the block in its second sector");
    assert_eq!(String::from_utf8(state.encode().to_vec()).unwrap(), text);
    assert_eq!(read_pair(&state.encode(), b"").state, state);
}

#[test]
fn every_state_is_read_back() {
    for (state, seq) in states().zip((0..).step_by(1_234_567)) {
        let state = State { seq, id: seq.wrapping_mul(0x9e37_79b9_7f4a_7c15), ..state };
        let reading = read_pair(&state.encode(), &[0; BLOCK_BYTES]);
        assert_eq!(reading, Reading { state, source: Some(Position::First), canonical: [true, false] });
    }
}

#[test]
fn the_greater_number_counts_and_the_first_block_on_a_tie() {
    let with = |seq, id| State { seq, id, ..State::DEFAULT };
    let table = [
        (with(9, 1), with(10, 2), 2),
        (with(10, 1), with(9, 2), 1),
        (with(7, 1), with(7, 2), 1),
        (with(99_999_999, 1), with(100_000_000, 2), 2),
        (with(9_999_999_998, 1), with(9_999_999_999, 2), 1),
        (with(9_999_999_999, 1), with(0, 2), 2),
    ];
    for (first, second, want) in table {
        assert_eq!(read_pair(&first.encode(), &second.encode()).state.id, want, "{first:?} {second:?}");
    }
    let none = read([None, Some(b"")]);
    assert_eq!(none, Reading { state: State::DEFAULT, source: None, canonical: [false, false] });
}

#[test]
fn a_value_out_of_its_pattern_voids_the_block() {
    let good = String::from_utf8(State { seq: 5, ..State::DEFAULT }.encode().to_vec()).unwrap();
    let table = [
        ("seq=0000000005", "seq=000000005"),
        ("seq=0000000005", "seq=00000000005"),
        ("seq=0000000005", "seq=0000000006"),
        ("seq=0000000005", "seq=+000000005"),
        ("active=a", "active=-"),
        ("active=a", "active=A"),
        ("active=a", "active=ab"),
        ("trial=-", "trial=c"),
        ("trial=-", "trial="),
        ("left=4", "left=5"),
        ("left=4", "left=04"),
        ("failed=-", "failed=x"),
        ("id=0000000000000000", "id=000000000000000"),
        ("id=0000000000000000", "id=000000000000000A"),
        ("end=0000000005", "end=0000000004"),
        ("end=", "END="),
    ];
    for (from, to) in table {
        assert!(good.contains(from));
        let bad = good.replace(from, to);
        assert_eq!(read_pair(bad.as_bytes(), b"").source, None, "{from} -> {to}");
    }
}

/// A write that stops at any byte, whichever side of the cut reached the disk: the block holds its old content, its new
/// content or nothing, and both blocks together say the state before or after the write.
#[test]
fn a_torn_write_is_one_step_back() {
    let mut cuts = 0;
    let seqs = [0, 8, 9, 10, 98, 99, 100, 1989, 1999, 8_999_999, 9_999_999, 999_999_999, 9_999_999_997];
    // Every state with one of the writes and one of the old contents; the three lists have no common period.
    let olds = [None, Some([0; BLOCK_BYTES]), Some([0xff; BLOCK_BYTES])];
    for ((state, seq), (number, old)) in states().zip(seqs.into_iter().cycle()).zip((0..).zip(olds.into_iter().cycle()))
    {
        let current = State { seq, id: seq, ..state };
        let counted = choose(&current).state;
        // The block that is written held an older state, or nothing valid at all.
        let old = old.unwrap_or_else(|| State { seq: seq.saturating_sub(1), ..counted }.encode());
        let reading = read_pair(&current.encode(), &[b'#'; BLOCK_BYTES]);
        let wanted = match number % 4 {
            0 | 1 => counted,
            2 => stage(&current, Slot::B),
            _ => set_id(&commit(&current), 77),
        };
        let Some(write) = write_plan(&reading, &wanted) else { continue };
        assert_eq!(write.position, Position::Second);
        let after = State { seq: seq + 1, ..wanted };
        for cut in 0..=BLOCK_BYTES {
            for block in [mixed(&write.bytes, &old, cut), mixed(&old, &write.bytes, cut)] {
                let alone = read_pair(b"", &block);
                let whole = block == old || alone.state == after;
                assert!(whole || alone.source.is_none(), "{current:?} {wanted:?} cut at {cut}");
                let both = read_pair(&current.encode(), &block).state;
                assert!(both == current || both == after, "{current:?} {wanted:?} cut at {cut}: {both:?}");
                cuts += 1;
            }
        }
    }
    assert!(cuts > 88_848, "{cuts} cuts");
}

/// The first bytes of one, the rest of the other.
fn mixed(first: &Block, second: &Block, cut: usize) -> Block {
    let mut block = *second;
    block[..cut].copy_from_slice(&first[..cut]);
    block
}

/// Each half of a block comes from one of these contents; a sector is written as a whole or not at all.
#[test]
fn mixed_sectors_never_make_a_new_state() {
    let base = State { seq: 1999, ..State::DEFAULT };
    let written = [base, choose(&base).state, choose(&choose(&base).state).state];
    let contents: Vec<Block> =
        written.iter().map(State::encode).chain([[0; BLOCK_BYTES], [0xff; BLOCK_BYTES], [b'#'; BLOCK_BYTES]]).collect();
    for (first, head) in contents.iter().enumerate() {
        for (second, tail) in contents.iter().enumerate() {
            let reading = read_pair(&mixed(head, tail, 512), b"");
            let want = if first == second { written.get(first) } else { None };
            assert_eq!(reading.source.map(|_| &reading.state), want, "{first} {second}");
        }
    }
}

#[test]
fn the_chooser_follows_its_rules_in_every_state() {
    for state in states() {
        let Boot { state: next, order } = choose(&state);
        assert_eq!(next.active, state.active, "GRUB never changes the active slot");
        assert_eq!((next.seq, next.id), (state.seq + 1, state.id));
        let (trial, failed, left) = match (state.left, state.trial) {
            (0, Some(trial)) => (None, Some(trial), TRIES - 1),
            (0, None) => (Some(state.active.other()), Some(state.active), TRIES - 1),
            (left, trial) => (trial, state.failed, left - 1),
        };
        assert_eq!((next.trial, next.failed, next.left), (trial, failed, left), "{state:?}");
        assert_eq!(order, [next.want(), next.want().other()]);
    }
}

fn pair(state: &State) -> [Option<Block>; 2] {
    [Some(state.encode()), Some(state.encode())]
}

#[test]
fn a_machine_that_never_gets_healthy_alternates() {
    let mut files = pair(&State::DEFAULT);
    let boots: String =
        (0..16).map(|_| run(&mut files, |_| SlotContent::Boots).started.map_or("-", Slot::letter)).collect();
    assert_eq!(boots, "aaaabbbbaaaabbbb");
}

#[test]
fn a_kernel_that_comes_back_is_given_up_at_once() {
    let mut files = pair(&stage(&State::DEFAULT, Slot::B));
    let outcome = run(&mut files, |slot| if slot == Slot::B { SlotContent::Returns } else { SlotContent::Boots });
    assert_eq!((outcome.tried, outcome.started), (vec![Slot::B], None));
    let outcome = run(&mut files, |_| SlotContent::Boots);
    assert_eq!(outcome.started, Some(Slot::A));
    let state = read(files.each_ref().map(|file| file.as_ref().map(<[u8; BLOCK_BYTES]>::as_slice))).state;
    assert_eq!((state.trial, state.failed), (None, Some(Slot::B)));
}

#[test]
fn a_boot_that_cannot_be_counted_is_passed_on_as_it_is() {
    let mut files = [None, None];
    let outcome = run(&mut files, |_| SlotContent::Boots);
    assert_eq!((outcome.seq, outcome.started, files), (0, Some(Slot::A), [None, None]));
}

/// A damaged block is replaced in one write and the state moves out of a block that GRUB can read but not write.
#[test]
fn damaged_blocks_are_repaired() {
    let state = State { seq: 7, ..State::DEFAULT };
    let mut unwritable = state.encode();
    unwritable[BLOCK_BYTES - 1] = b'\n';
    unwritable[BLOCK_BYTES - 2] = b'x';
    assert_eq!(read_pair(&unwritable, b"").state, state);
    for damaged in [[0; BLOCK_BYTES], unwritable, [0xff; BLOCK_BYTES]] {
        let mut files = [damaged, State { seq: 6, ..state }.encode()];
        for step in 0.. {
            let reading = read_pair(&files[0], &files[1]);
            let Some(write) = repair_plan(&reading) else { break };
            assert!(step < 2, "two writes are enough");
            assert_ne!(reading.source, Some(write.position), "the block that counts is never written");
            files[write.position.index()] = write.bytes;
        }
        let reading = read_pair(&files[0], &files[1]);
        assert_eq!(reading.canonical, [true, true]);
        assert_eq!((reading.state.left, reading.state.active), (state.left, state.active));
    }
}

#[test]
fn nothing_new_is_not_written() {
    let state = State { seq: 7, ..State::DEFAULT };
    let reading = read_pair(&state.encode(), b"");
    assert_eq!(write_plan(&reading, &healthy(&state)), None);
    assert!(write_plan(&read([None, None]), &State::DEFAULT).is_some(), "a state that no block holds is written");
}

proptest! {
    /// From any state, in any order of boots, crashes and decisions: a machine with one good slot boots it within five
    /// tries of the other, and `active` names a slot that once passed its gate.
    #[test]
    fn one_good_slot_is_always_found(
        start in (0_usize..90).prop_map(|index| states().nth(index).unwrap()),
        good in prop::sample::select(SLOTS.to_vec()),
        unreadable in any::<bool>(),
        steps in prop::collection::vec(0_u8..4, 0..12),
    ) {
        let mut files = pair(&start);
        for step in steps {
            let reading = read(files.each_ref().map(|file| file.as_ref().map(<[u8; BLOCK_BYTES]>::as_slice)));
            let state = reading.state;
            let next = match step {
                0 => choose(&state).state,
                1 => stage(&state, state.active.other()),
                2 => reject(&state, state.want()),
                _ => commit(&state),
            };
            if let Some(write) = write_plan(&reading, &next) {
                files[write.position.index()] = Some(write.bytes);
            }
        }
        let bad = if unreadable { SlotContent::Unreadable } else { SlotContent::Boots };
        let content = |slot| if slot == good { SlotContent::Boots } else { bad };
        let started = (0..9).map(|_| run(&mut files, content).started);
        let until_good = started.take_while(|slot| *slot != Some(good)).count();
        prop_assert!(until_good <= 2 * usize::from(TRIES) - usize::from(unreadable), "{until_good} boots of the other");
        if unreadable {
            prop_assert_eq!(until_good, 0);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(first in prop::collection::vec(any::<u8>(), 0..2000), second in any::<bool>()) {
        let mut bytes = b"# GRUB Environment Block\n".to_vec();
        if second {
            bytes.extend(first);
        } else {
            bytes = first;
        }
        let reading = read([Some(&bytes), None]);
        let _ = (repair_plan(&reading), choose(&reading.state), write_plan(&reading, &reading.state));
    }
}
