//! The footer's format, frozen, and its refusals.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use coracle_slots::footer::{Error, FOOTER_BYTES, Footer, Key, KeyId, KeyRole, KeySet, Text};
use coracle_slots::verity::Params;
use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn keys() -> KeySet {
    [(1, KeyRole::Vendor), (2, KeyRole::Development)]
        .into_iter()
        .map(|(seed, role)| Key::new(role, signing_key(seed).verifying_key()))
        .collect()
}

fn footer() -> Footer {
    Footer {
        board: Text::new("x86_64-vm").unwrap(),
        architecture: Text::new("x86_64").unwrap(),
        version: Text::new("0.1.0+20260102").unwrap(),
        security_floor: 7,
        image_bytes: 0x0123_4567,
        verity: Params { data_blocks: 0x1235, hash_start_block: 0x1240, salt: [0x5a; 32], root_hash: [0xc3; 32] },
        key_id: KeyId::NONE,
    }
}

/// Signs bytes that our writer would not make.
fn forge(change: impl FnOnce(&mut [u8; FOOTER_BYTES])) -> [u8; FOOTER_BYTES] {
    let mut bytes = footer().sign(&signing_key(1));
    change(&mut bytes);
    let signature = signing_key(1).sign(&bytes[..4032]);
    bytes[4032..].copy_from_slice(&signature.to_bytes());
    bytes
}

#[test]
fn a_signed_footer_is_read_back_with_its_role() {
    for (seed, role) in [(1, KeyRole::Vendor), (2, KeyRole::Development)] {
        let (read, read_role) = Footer::verify(&footer().sign(&signing_key(seed)), &keys()).unwrap();
        let key_id = KeyId::of(&signing_key(seed).verifying_key());
        assert_eq!((read, read_role), (Footer { key_id, ..footer() }, role));
    }
}

/// Frozen format 1. Devices in the field read these bytes.
#[test]
fn format_1_is_frozen() {
    let bytes = footer().sign(&signing_key(1));
    let mut want = Vec::new();
    want.extend(b"CRCLFOOT");
    want.extend([1, 0, 0, 0, 7, 0, 0, 0]);
    want.extend([0x67, 0x45, 0x23, 0x01, 0, 0, 0, 0]);
    want.extend([0x35, 0x12, 0, 0, 0, 0, 0, 0]);
    want.extend([0x40, 0x12, 0, 0, 0, 0, 0, 0]);
    want.extend([0, 0x10, 0, 0, 0, 0x10, 0, 0, 1, 0, 0, 0, 32, 0, 0, 0]);
    want.extend(b"sha256\0\0\0\0\0\0\0\0\0\0");
    want.extend([0xc3; 32]);
    want.extend([0x5a; 32]);
    want.extend(format!("{:\0<32}{:\0<16}{:\0<64}", "x86_64-vm", "x86_64", "0.1.0+20260102").bytes());
    want.extend(b"ed25519\0\0\0\0\0\0\0\0\0");
    want.extend(b"34750f98bd59fcfc");
    assert_eq!(want.len(), 280);
    assert_eq!(bytes[..280], want);
    assert!(bytes[280..4032].iter().all(|byte| *byte == 0));
    let signature: String = bytes[4032..].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(signature, SIGNATURE, "ed25519 is deterministic");
}

const SIGNATURE: &str = "d2bf22800a073c23a512f68d8d9093168d577eb1bd90b9eb84c287312f23229a\
                         9ebe509c869c7c4f1f25eb8a46062521bfbd45ae0a43f4ca4305d2933c33fc02";

#[test]
fn a_damaged_byte_at_any_offset_never_verifies() {
    let mut bytes = footer().sign(&signing_key(1));
    for at in 0..FOOTER_BYTES {
        for mask in [0x01, 0x80] {
            bytes[at] ^= mask;
            assert!(Footer::verify(&bytes, &keys()).is_err(), "byte {at} ^ {mask:#x}");
            bytes[at] ^= mask;
        }
    }
    Footer::verify(&bytes, &keys()).unwrap();
}

#[test]
fn the_reason_is_named() {
    let good = footer().sign(&signing_key(1));
    let changed = |at: usize, to: u8| {
        let mut bytes = good;
        bytes[at] = to;
        Footer::verify(&bytes, &keys())
    };
    assert_eq!(Footer::verify(&[0; FOOTER_BYTES], &keys()), Err(Error::NoFooter));
    assert_eq!(changed(8, 2), Err(Error::Format(2)));
    assert_eq!(changed(264, b'f'), Err(Error::UnknownKey("f4750f98bd59fcfc".into())));
    assert_eq!(changed(300, 1), Err(Error::Signature(KeyId::parse("34750f98bd59fcfc").unwrap())));
    assert!(matches!(Footer::verify(&footer().sign(&signing_key(3)), &keys()), Err(Error::UnknownKey(_))));
}

/// Signed, yet not what this release honours.
#[test]
fn signed_fields_are_checked_too() {
    let table: [(usize, &[u8], &str); 13] = [
        (24, &[0x34], "image size"),
        (16, &[0; 8], "image size"),
        (16, &[0xff; 8], "image size"),
        (32, &[0x34], "hash start"),
        (40, &[1], "data block size"),
        (45, &[8], "hash block size"),
        (48, &[0], "verity hash format"),
        (52, &[16], "salt size"),
        (56, b"sha512", "hash algorithm"),
        (136, b"\0", "board"),
        (150, b"x", "board"),
        (248, b"ed448\0\0", "signature algorithm"),
        (280, &[1], "unused bytes"),
    ];
    for (at, to, field) in table {
        let bytes = forge(|bytes| bytes[at..at + to.len()].copy_from_slice(to));
        assert_eq!(Footer::verify(&bytes, &keys()), Err(Error::Field(field)), "{to:?} at {at}");
    }
    let empty = forge(|bytes| bytes[16..32].fill(0));
    assert_eq!(Footer::verify(&empty, &keys()), Err(Error::Field("data blocks")));
}

#[test]
fn a_slot_must_fit_its_partition() {
    // 0x1235 data blocks need 37 + 1 hash blocks from block 0x1240, and one block for the footer.
    let needed = (0x1240 + 38 + 1) * 4096;
    assert_eq!(footer().check_fit(needed), Ok(()));
    assert_eq!(footer().check_fit(needed - 1), Err(Error::Fit { needed, available: needed - 1 }));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_verify_and_never_panic(
        mut bytes in prop::collection::vec(any::<u8>(), FOOTER_BYTES),
        start in 0_usize..300,
    ) {
        // Random bytes behind a right start reach every check.
        let good = footer().sign(&signing_key(1));
        bytes[..start].copy_from_slice(&good[..start]);
        let bytes: [u8; FOOTER_BYTES] = bytes.try_into().unwrap();
        prop_assert!(Footer::verify(&bytes, &keys()).is_err());
    }

    #[test]
    fn key_sets_never_panic(text in "\\PC*|((vendor|owner|#) [0-9a-f]{16} [0-9a-f]{64}\n){0,3}") {
        let _ = KeySet::parse(&text);
    }

    /// Fields that a signer may choose freely never break the reader.
    #[test]
    fn signed_numbers_never_panic(image in any::<u64>(), blocks in any::<u64>(), start in any::<u64>()) {
        let bytes = forge(|bytes| {
            bytes[16..24].copy_from_slice(&image.to_le_bytes());
            bytes[24..32].copy_from_slice(&blocks.to_le_bytes());
            bytes[32..40].copy_from_slice(&start.to_le_bytes());
        });
        if let Ok((footer, _)) = Footer::verify(&bytes, &keys()) {
            let _ = footer.check_fit(u64::MAX);
        }
    }
}
