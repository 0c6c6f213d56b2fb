//! The state itself: read from the values of a block, and written as the one canonical block of it.

use super::environment_block::{self, Values};
use super::{BLOCK_BYTES, Block, NO_SEQ, Slot, TRIES};

/// What a block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Number of the write that made this block.
    pub seq: u64,
    /// The slot that boots when nothing is on trial. GRUB never changes it.
    pub active: Slot,
    /// The slot on trial; it is tried before `active`.
    pub trial: Option<Slot>,
    /// Boots left, 0 to [`TRIES`].
    pub left: u8,
    /// The slot that was given up last.
    pub failed: Option<Slot>,
    /// Identity of the boot disk, zero until the OS has set it.
    pub id: u64,
}

/// Offset of `end=`: wholly in the second sector, while `seq=` is in the first.
const END_OFFSET: usize = 520;

impl State {
    /// What holds when neither block is valid.
    pub const DEFAULT: Self = Self { seq: 0, active: Slot::A, trial: None, left: TRIES, failed: None, id: 0 };

    /// The slot that is tried first.
    #[must_use]
    pub fn want(&self) -> Slot {
        self.trial.unwrap_or(self.active)
    }

    /// The next write's number. The last number follows itself; no reader takes it.
    #[must_use]
    pub const fn next_seq(&self) -> u64 {
        if self.seq < NO_SEQ { self.seq.saturating_add(1) } else { NO_SEQ }
    }

    /// The state that a block's values stand for; `None` when one is missing or out of its pattern.
    pub(super) fn from_values(values: &Values) -> Option<Self> {
        let get = |name| values.get(name);
        let seq = get("seq")?;
        if get("end")? != seq {
            return None;
        }
        let seq = digits(seq, 10, 10).filter(|seq| *seq != NO_SEQ)?;
        let left =
            digits(get("left")?, 10, 1).and_then(|left| u8::try_from(left).ok()).filter(|left| *left <= TRIES)?;
        Some(Self {
            seq,
            active: slot(get("active")?)??,
            trial: slot(get("trial")?)?,
            left,
            failed: slot(get("failed")?)?,
            id: digits(get("id")?, 16, 16)?,
        })
    }

    /// The canonical block: fixed order, constant widths.
    #[must_use]
    pub fn encode(&self) -> Block {
        let mut text = String::with_capacity(BLOCK_BYTES);
        text.push_str(environment_block::SIGNATURE);
        for (name, value) in self.values() {
            if name == "end" {
                text.push_str("pad=");
                while text.len() < END_OFFSET.saturating_sub(1) {
                    text.push('.');
                }
                text.push('\n');
            }
            text.push_str(name);
            text.push('=');
            text.push_str(&value);
            text.push('\n');
        }
        let mut block = [b'#'; BLOCK_BYTES];
        crate::bytes::copy(&mut block, text.as_bytes());
        block
    }

    /// The values of a block in the order in which GRUB saves them.
    pub(super) fn values(&self) -> [(&'static str, String); 7] {
        let seq = format!("{:010}", self.seq);
        let slot = |slot: Option<Slot>| slot.map_or("-", Slot::letter).to_owned();
        [
            ("seq", seq.clone()),
            ("active", slot(Some(self.active))),
            ("trial", slot(self.trial)),
            ("left", self.left.to_string()),
            ("failed", slot(self.failed)),
            ("id", format!("{:016x}", self.id)),
            ("end", seq),
        ]
    }
}

/// `-`, `a` or `b`.
#[expect(clippy::option_option, reason = "outside: is it well-formed; inside: is a slot named")]
fn slot(value: &[u8]) -> Option<Option<Slot>> {
    match value {
        b"-" => Some(None),
        b"a" => Some(Some(Slot::A)),
        b"b" => Some(Some(Slot::B)),
        _ => None,
    }
}

/// A number of exactly `width` lower-case digits.
fn digits(value: &[u8], radix: u32, width: usize) -> Option<u64> {
    let text = str::from_utf8(value).ok()?;
    let canonical = text.len() == width && text.chars().all(|c| c.is_digit(radix) && !c.is_ascii_uppercase());
    if canonical { u64::from_str_radix(text, radix).ok() } else { None }
}
