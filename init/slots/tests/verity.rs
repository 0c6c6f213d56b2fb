//! Hash trees against Debian's veritysetup, byte for byte, and against damage.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that starts the tool it compares with")]

use std::fs;
use std::process::Command;

use coracle_slots::verity::{BLOCK, Error, Params, Tree, verify_all};

const SALT: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";

/// Pseudo-random data: no two blocks alike.
fn data(blocks: usize) -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut words = Vec::with_capacity(blocks * BLOCK / 8);
    for _ in 0..blocks * BLOCK / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        words.push(state);
    }
    words.into_iter().flat_map(u64::to_le_bytes).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Data, then the tree, and the parameters.
fn device(blocks: usize) -> (Vec<u8>, Params) {
    let mut device = data(blocks);
    let data_blocks = u64::try_from(blocks).unwrap();
    let tree = Tree::build(device.as_slice(), data_blocks, &SALT).unwrap();
    device.extend(&tree.bytes);
    (device, Params { data_blocks, hash_start_block: data_blocks, salt: SALT, root_hash: tree.root_hash })
}

#[test]
fn trees_equal_those_of_veritysetup() {
    let directory = tempfile::tempdir().unwrap();
    for blocks in [1, 2, 127, 128, 129, 300, 128 * 128, 128 * 128 + 1] {
        let (image, tree) = (directory.path().join("data"), directory.path().join("tree"));
        let (bytes, params) = device(blocks);
        fs::write(&image, &bytes[..blocks * BLOCK]).unwrap();
        let _ = fs::remove_file(&tree);
        let output = Command::new("veritysetup")
            .args(["format", "--no-superblock", "--hash=sha256", "--data-block-size=4096", "--hash-block-size=4096"])
            .arg(format!("--salt={}", hex(&SALT)))
            .arg(&image)
            .arg(&tree)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output()
            .unwrap_or_else(|error| panic!("veritysetup (Debian package cryptsetup-bin) cannot be started: {error}"));
        assert!(output.status.success(), "{blocks} blocks: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let root = text.lines().find_map(|line| line.strip_prefix("Root hash:")).unwrap().trim();
        assert_eq!(root, hex(&params.root_hash), "{blocks} blocks");
        let theirs = fs::read(&tree).unwrap_or_default();
        assert_eq!(theirs.len(), bytes.len() - blocks * BLOCK, "{blocks} blocks");
        assert!(theirs == bytes[blocks * BLOCK..], "the trees of {blocks} blocks differ");
        assert_eq!(params.tree_blocks().unwrap(), u64::try_from(theirs.len() / BLOCK).unwrap());
        verify_all(&bytes, &params).unwrap();
    }
}

#[test]
fn a_changed_block_is_named() {
    for blocks in [1, 2, 129] {
        let (mut bytes, params) = device(blocks);
        for block in 0..bytes.len() / BLOCK {
            // The first and the last byte of each block, padding of the tree included.
            for at in [block * BLOCK, block * BLOCK + BLOCK - 1] {
                bytes[at] ^= 1;
                match verify_all(&bytes, &params) {
                    Err(Error::Mismatch { block: named }) => assert_eq!(named, u64::try_from(block).unwrap()),
                    other => panic!("byte {at} of {blocks} blocks: {other:?}"),
                }
                bytes[at] ^= 1;
            }
        }
    }
}

#[test]
fn wrong_parameters_never_verify() {
    let (bytes, good) = device(129);
    let mut salt = good.clone();
    salt.salt[31] ^= 1;
    let mut root = good.clone();
    root.root_hash[0] ^= 1;
    let fewer = Params { data_blocks: 128, ..good.clone() };
    let more = Params { data_blocks: 130, ..good.clone() };
    let elsewhere = Params { hash_start_block: 130, ..good.clone() };
    for (name, bad) in [("salt", salt), ("root", root), ("fewer", fewer), ("more", more), ("elsewhere", elsewhere)] {
        assert!(verify_all(&bytes, &bad).is_err(), "{name}");
    }
    let none = Params { data_blocks: 0, ..good.clone() };
    assert!(matches!(verify_all(&bytes, &none), Err(Error::Size(0))));
    let far = Params { hash_start_block: u64::MAX, ..good };
    assert!(matches!(verify_all(&bytes, &far), Err(Error::Read { .. })));
}

#[test]
fn data_that_ends_early_is_an_error() {
    let bytes = data(3);
    assert!(matches!(Tree::build(bytes.as_slice(), 4, &SALT), Err(Error::Read { block: 3, .. })));
}
