//! nftables by netlink: one table, written as a whole in one transaction.
//!
//! Of the two libraries at hand one is a second network stack of 28 crates and the other lacks six of the nine
//! expressions used here: what remains is attributes in attributes, and those are few lines.

mod attributes;
mod encode;
mod expressions;

use crate::{
    Error, Ruleset,
    wire::{Frame, Wire},
};

pub(crate) use attributes::attributes;

/// Name of the one table, of family `inet`.
const TABLE: &str = "coracle";
const INET: u8 = 1;
const NFTABLES: u16 = 10 << 8;
const NEW_TABLE: u16 = NFTABLES;
const GET_TABLE: u16 = NFTABLES | 1;
const DELETE_TABLE: u16 = NFTABLES | 2;
const NEW_CHAIN: u16 = NFTABLES | 3;
const NEW_RULE: u16 = NFTABLES | 6;
const GET_RULE: u16 = NFTABLES | 7;
const NEW_SET: u16 = NFTABLES | 9;
const NEW_SET_ELEMENT: u16 = NFTABLES | 12;
const GET_SET_ELEMENT: u16 = NFTABLES | 13;

/// The rules as the kernel is told.
pub(crate) struct Program {
    /// One transaction.
    pub(crate) frames: Vec<Frame>,
    /// What identifies them; it stands in the table's comment.
    pub(crate) stamp: String,
    rules: usize,
    elements: usize,
}

/// Replaces the table, unless it is there already and nobody changed it. Tells whether it was replaced.
pub(crate) fn ensure(rules: &Ruleset) -> Result<bool, Error> {
    let program = encode::program(rules);
    let mut wire = Wire::netfilter()?;
    if is_current(&mut wire, &program)? {
        return Ok(false);
    }
    wire.transaction("replacing the rules of the pod network", &program.frames)?;
    Ok(true)
}

/// Whether there is such a table at all.
pub(crate) fn exists() -> Result<bool, Error> {
    Ok(stamp(&mut Wire::netfilter()?)?.is_some())
}

/// Whether the table carries the stamp and has as many rules and elements as it should.
fn is_current(wire: &mut Wire, program: &Program) -> Result<bool, Error> {
    if stamp(wire)?.as_deref() != Some(program.stamp.as_str()) {
        return Ok(false);
    }
    let rules = wire.dump("listing rules", GET_RULE, &encode::table_payload(1))?.len();
    let mut elements: usize = 0;
    for map in encode::MAPS {
        let replies = wire.dump("listing host ports", GET_SET_ELEMENT, &encode::map_payload(map))?;
        elements = elements.saturating_add(replies.iter().map(|reply| encode::count_elements(&reply.payload)).sum());
    }
    Ok(rules == program.rules && elements == program.elements)
}

fn stamp(wire: &mut Wire) -> Result<Option<String>, Error> {
    let get = Frame { kind: GET_TABLE, flags: 0, payload: encode::table_payload(1) };
    match wire.act("looking for the rules of the pod network", &get) {
        Ok(replies) => Ok(Some(replies.first().and_then(|reply| encode::comment(&reply.payload)).unwrap_or_default())),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// FNV-1a: tells texts apart, protects nothing.
pub(crate) fn digest(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
