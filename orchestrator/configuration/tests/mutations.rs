//! Damaged documents: whatever the bytes are, the answer is a configuration or problems with their lines.

use coracle_configuration::{Origin, parse};
use proptest::prelude::*;

const GOOD: &[u8] = include_bytes!("good.yaml");

/// Pieces that mean something to YAML or to the document.
const PIECES: [&[u8]; 16] = [
    b"\n", b": ", b"- ", b"\t", b"{", b"]", b"&a ", b"*a", b"|\n", b"!!int ", b"---\n", b"\"", b"\xff", b"\0", b"<<: ",
    b"no",
];

#[derive(Debug, Clone)]
enum Change {
    Set(usize, u8),
    Cut(usize, usize),
    Repeat(usize, usize),
    Insert(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = 0..GOOD.len();
    prop_oneof![
        (place.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (place.clone(), 0..60_usize).prop_map(|(at, length)| Change::Cut(at, length)),
        (place.clone(), 0..60_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        (place, 0..PIECES.len()).prop_map(|(at, piece)| Change::Insert(at, piece)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let end = bytes.len();
    match *change {
        Change::Set(at, byte) => {
            if let Some(found) = bytes.get_mut(at) {
                *found = byte;
            }
        }
        Change::Cut(at, length) => drop(bytes.drain(at.min(end)..(at + length).min(end))),
        Change::Repeat(at, length) => {
            let part = bytes[at.min(end)..(at + length).min(end)].to_vec();
            bytes.splice(at.min(end)..at.min(end), part);
        }
        Change::Insert(at, piece) => drop(bytes.splice(at.min(end)..at.min(end), PIECES[piece].iter().copied())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_document_is_read_or_refused_with_lines(changes in prop::collection::vec(change(), 1..8)) {
        let mut bytes = GOOD.to_vec();
        for change in &changes {
            apply(&mut bytes, change);
        }
        let lines = bytes.split(|byte| *byte == b'\n').count() + 1;
        for origin in [Origin::Esp, Origin::NoCloud, Origin::Host] {
            match parse(&bytes, origin) {
                Ok(read) => prop_assert_eq!(read.uplink([0; 16]).check(), Ok(())),
                Err(problems) => {
                    prop_assert!(!problems.all().is_empty());
                    for problem in problems.all() {
                        prop_assert!((1..=lines).contains(&problem.line), "{problem} of {lines} lines");
                        prop_assert!(!problem.text.is_empty());
                        prop_assert!(!problem.to_string().contains('\n'), "{problem:?}");
                        prop_assert!(!problem.to_string().contains("abcdef.0123456789abcdef"), "{problem}");
                    }
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Err(problems) = parse(&bytes, Origin::Esp) {
            prop_assert!(problems.all().iter().all(|problem| problem.line > 0));
        }
    }
}
