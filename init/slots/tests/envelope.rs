//! Files of STATE: the frozen format, damage, and two copies under torn writes.

use coracle_slots::boot_state::Position;
use coracle_slots::envelope::{Envelope, Error, Kind, MOST_BYTES, Source, newest, write_plan};
use coracle_slots::footer::Text;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn record(generation: u64, content: &[u8]) -> Envelope {
    Envelope { kind: Kind::Update, generation, source: None, content: content.to_vec() }
}

/// Frozen format 1. Devices in the field read these bytes.
#[test]
fn format_1_is_frozen() {
    let source = Source { name: Text::new("nocloud").unwrap(), digest: [0xa5; 32] };
    let envelope =
        Envelope { kind: Kind::Config, generation: 0x0102, source: Some(source), content: b"a: 1\n".to_vec() };
    let mut want = b"CRCLSTAT".to_vec();
    want.extend([1, 0, 0, 0, 5, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
    want.extend(b"config\0\0\0\0\0\0\0\0\0\0nocloud\0\0\0\0\0\0\0\0\0");
    want.extend([0xa5; 32]);
    want.extend(b"a: 1\n");
    want.extend(Sha256::digest(&want));
    assert_eq!(envelope.encode().unwrap(), want);
    assert_eq!(Envelope::decode(Kind::Config, &want), Ok(envelope));
    assert_eq!(Envelope::decode(Kind::Trust, &want), Err(Error::Damaged), "the kind is part of it");
}

#[test]
fn a_damaged_byte_or_a_cut_is_noticed() {
    let bytes = record(3, b"content").encode().unwrap();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert_eq!(Envelope::decode(Kind::Update, &bad), Err(Error::Damaged), "byte {at}");
        assert_eq!(Envelope::decode(Kind::Update, &bytes[..at]), Err(Error::Damaged), "cut at {at}");
    }
    assert_eq!(record(1, &vec![0; MOST_BYTES + 1]).encode(), Err(Error::TooLarge(MOST_BYTES + 1)));
}

/// A later release's file is whole but not ours: neither read nor written over.
#[test]
fn a_newer_format_is_refused() {
    let mut newer = record(9, b"x").encode().unwrap();
    newer.truncate(newer.len() - 32);
    newer[8] = 2;
    newer.extend(Sha256::digest(newer.clone()));
    let old = record(1, b"y").encode().unwrap();
    assert_eq!(newest(Kind::Update, [old.as_slice(), newer.as_slice()]), Err(Error::Newer(2)));
    assert_eq!(write_plan(Kind::Update, [Some(&old), Some(&newer)], b"z"), Err(Error::Newer(2)));
}

#[test]
fn a_torn_write_of_a_record_is_one_step_back() {
    let mut copies: [Option<Vec<u8>>; 2] = [None, None];
    for step in 0..6_u8 {
        let before = newest(Kind::Update, copies.iter().flatten().map(Vec::as_slice)).unwrap();
        let (position, bytes) = write_plan(Kind::Update, copies.each_ref().map(Option::as_deref), &[step; 9]).unwrap();
        assert_eq!(position, if step % 2 == 0 { Position::First } else { Position::Second });
        for cut in 0..bytes.len() {
            let mut torn = copies.clone();
            torn[position.index()] = Some(bytes[..cut].to_vec());
            let read = newest(Kind::Update, torn.iter().flatten().map(Vec::as_slice)).unwrap();
            let content = |found: &Option<(usize, Envelope)>| found.as_ref().map(|(_, found)| found.content.clone());
            assert_eq!(content(&read), content(&before), "step {step} cut at {cut}");
        }
        copies[position.index()] = Some(bytes);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), whole in any::<bool>()) {
        if whole {
            let start = b"CRCLSTAT\x01\0\0\0";
            let length = start.len().min(bytes.len());
            bytes[..length].copy_from_slice(&start[..length]);
            bytes.extend(Sha256::digest(bytes.clone()));
        }
        let _ = Envelope::decode(Kind::Config, &bytes);
    }
}
