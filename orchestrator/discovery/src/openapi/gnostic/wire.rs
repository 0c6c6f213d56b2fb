//! Protobuf's own ways to write fields.

/// What follows a field's number.
const VARINT: u64 = 0;
const FIXED: u64 = 1;
const BYTES: u64 = 2;

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while let [low, ..] = value.to_le_bytes()
        && value > 0x7f
    {
        out.push(low | 0x80);
        value >>= 7;
    }
    out.extend(value.to_le_bytes().first());
}

/// How a field begins.
fn key(out: &mut Vec<u8>, number: u32, how: u64) {
    varint(out, u64::from(number) << 3 | how);
}

pub(super) fn integer(out: &mut Vec<u8>, number: u32, value: u64) {
    key(out, number, VARINT);
    varint(out, value);
}

/// A number that is not zero.
pub(super) fn double(out: &mut Vec<u8>, number: u32, value: f64) {
    let bits = value.to_bits();
    if bits != 0 {
        key(out, number, FIXED);
        out.extend(bits.to_le_bytes());
    }
}

pub(super) fn bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    key(out, number, BYTES);
    varint(out, value.len() as u64);
    out.extend(value);
}

/// A text that is not empty.
pub(super) fn text(out: &mut Vec<u8>, number: u32, value: &str) {
    if !value.is_empty() {
        bytes(out, number, value.as_bytes());
    }
}
