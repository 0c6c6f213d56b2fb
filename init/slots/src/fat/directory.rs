//! Directory entries: short names, and the long names that stand before them.

use crate::bytes::{array, u16_le, u32_le};

const ENTRY_BYTES: usize = 32;
/// UTF-16 units of a long name that one entry holds.
const UNITS: usize = 13;
/// Entries of the longest long name.
const MOST_PARTS: u8 = 20;
const END: u8 = 0x00;
const DELETED: u8 = 0xe5;
const LAST_PART: u8 = 0x40;

mod attribute {
    pub(super) const VOLUME: u8 = 0x08;
    pub(super) const DIRECTORY: u8 = 0x10;
    pub(super) const LONG_NAME: u8 = 0x0f;
}

/// What a look-up needs of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) is_directory: bool,
    pub(super) first_cluster: u32,
    pub(super) size: u32,
}

/// A walk over a directory's sectors; a long name may lie across two.
#[derive(Debug, Default)]
pub(super) struct Scan {
    long: Option<LongName>,
    at_end: bool,
}

/// The parts of a long name, read from the last to the first.
#[derive(Debug)]
struct LongName {
    units: Vec<u16>,
    checksum: u8,
    missing: u8,
}

impl Scan {
    /// Whether the directory's end was seen.
    pub(super) fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// The entry called `name`, if it is in this sector.
    pub(super) fn sector(&mut self, sector: &[u8], name: &str) -> Option<Entry> {
        let (entries, _) = sector.as_chunks::<ENTRY_BYTES>();
        for entry in entries {
            let [first, ..] = *entry;
            let [.., attributes] = array::<12>(entry, 0)?;
            if first == END {
                self.at_end = true;
                return None;
            }
            if first == DELETED {
                self.long = None;
            } else if attributes & 0x3f == attribute::LONG_NAME {
                self.long = LongName::part(self.long.take(), entry);
            } else {
                let long = self.long.take();
                let is_named = short_name_is(entry, name) || long.is_some_and(|long| long.is(entry, name));
                if is_named && attributes & attribute::VOLUME == 0 {
                    return decode(entry, attributes);
                }
            }
        }
        None
    }
}

/// The volume's label, if it is in this sector of the root directory, and whether the directory ends here.
pub(super) fn label(sector: &[u8]) -> (Option<[u8; 11]>, bool) {
    let (entries, _) = sector.as_chunks::<ENTRY_BYTES>();
    for entry in entries {
        let [first, ..] = *entry;
        let [.., attributes] = array::<12>(entry, 0).unwrap_or_default();
        let is_label = attributes & 0x3f != attribute::LONG_NAME && attributes & attribute::VOLUME != 0;
        match first {
            END => return (None, true),
            DELETED => {}
            _ if is_label => return (array(entry, 0), false),
            _ => {}
        }
    }
    (None, false)
}

impl LongName {
    /// The name with one more part, or `None` when the parts do not belong together.
    fn part(before: Option<Self>, entry: &[u8; ENTRY_BYTES]) -> Option<Self> {
        let [sequence, ..] = *entry;
        let [.., checksum] = array::<14>(entry, 0)?;
        let number = sequence & !LAST_PART;
        let mut name = if sequence & LAST_PART == 0 {
            before.filter(|name| name.missing == number && name.checksum == checksum)?
        } else {
            Self { units: Vec::new(), checksum, missing: number }
        };
        name.missing = number.checked_sub(1).filter(|missing| *missing < MOST_PARTS)?;
        let mut units = [0; UNITS];
        let places = (1..11).step_by(2).chain((14..26).step_by(2)).chain((28..32).step_by(2));
        for (unit, at) in units.iter_mut().zip(places) {
            *unit = u16_le(entry, at)?;
        }
        name.units.splice(0..0, units);
        Some(name)
    }

    /// Whether this is the long name `name` of the short entry that follows it.
    fn is(&self, entry: &[u8; ENTRY_BYTES], name: &str) -> bool {
        let checksum = entry.iter().take(11).fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        let units = self.units.iter().copied().take_while(|unit| *unit != 0);
        let text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        self.missing == 0 && self.checksum == checksum && text.eq_ignore_ascii_case(name)
    }
}

/// Whether the eight and three bytes of the short name spell `name`.
fn short_name_is(entry: &[u8; ENTRY_BYTES], name: &str) -> bool {
    let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let field_is = |field: Option<&[u8]>, text: &str| {
        let field = field.unwrap_or_default();
        let end = field.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last.saturating_add(1));
        field.get(..end).is_some_and(|field| field.eq_ignore_ascii_case(text.as_bytes()))
    };
    !base.is_empty() && field_is(entry.get(..8), base) && field_is(entry.get(8..11), extension)
}

fn decode(entry: &[u8; ENTRY_BYTES], attributes: u8) -> Option<Entry> {
    let high = u32::from(u16_le(entry, 20)?);
    Some(Entry {
        is_directory: attributes & attribute::DIRECTORY != 0,
        first_cluster: (high << 16) | u32::from(u16_le(entry, 26)?),
        size: u32_le(entry, 28)?,
    })
}
