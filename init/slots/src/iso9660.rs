//! Finding a file in the root directory of an ISO 9660 volume, such as those that hand a machine its configuration.
//! Read-only. Names are those of Joliet, else of Rock Ridge, else the plain ones, which cannot say everything.

use crate::ReadAt;
use crate::bytes::{array, u16_le, u32_le};
use crate::fat::{Error, Extent, File};

const SECTOR: usize = 2048;
const SECTOR_BYTES: u64 = 2048;

/// Where the descriptors begin, and how many are looked at.
const FIRST_DESCRIPTOR: u64 = 16;
const MOST_DESCRIPTORS: u64 = 16;

/// Sectors of a root directory that are looked at: about a thousand names.
const MOST_SECTORS: u64 = 32;

const PRIMARY: u8 = 1;
const SUPPLEMENTARY: u8 = 2;
const END: u8 = 255;

/// Escape sequences with which a supplementary descriptor says that its names are Joliet's.
const JOLIET: [&[u8; 3]; 3] = [b"%/@", b"%/C", b"%/E"];

const DIRECTORY: u8 = 0x02;
const MORE_EXTENTS: u8 = 0x80;

/// A root directory.
#[derive(Clone, Copy, Debug)]
struct Root {
    first: u64,
    sectors: u64,
    joliet: bool,
}

/// What the descriptors say.
#[derive(Debug, Default)]
struct Descriptors {
    label: Option<String>,
    /// Joliet's before the primary one.
    roots: Vec<Root>,
}

/// The label of the volume; nothing when this is no ISO 9660 volume.
///
/// # Errors
/// The volume cannot be read.
pub fn label(volume: &impl ReadAt) -> Result<Option<String>, Error> {
    Ok(descriptors(volume)?.label)
}

/// Finds a file of the root directory. Upper and lower case are the same.
///
/// # Errors
/// The file is not there, lies in several parts, or the volume is damaged.
pub fn find(volume: &impl ReadAt, name: &str) -> Result<File, Error> {
    for root in descriptors(volume)?.roots {
        let mut sector = [0; SECTOR];
        for number in 0..root.sectors.min(MOST_SECTORS) {
            read(volume, root.first.saturating_add(number), &mut sector)?;
            if let Some(found) = look_up(&sector, name, root.joliet)? {
                return Ok(found);
            }
        }
    }
    Err(Error::NotFound(name.to_owned()))
}

fn descriptors(volume: &impl ReadAt) -> Result<Descriptors, Error> {
    let mut found = Descriptors::default();
    let mut sector = [0; SECTOR];
    for number in 0..MOST_DESCRIPTORS {
        let number = FIRST_DESCRIPTOR.saturating_add(number);
        // A volume that ends here has no descriptors here.
        if volume.len() < number.saturating_add(1).saturating_mul(SECTOR_BYTES) {
            break;
        }
        read(volume, number, &mut sector)?;
        let [kind, identifier @ ..] = array::<6>(&sector, 0).unwrap_or_default();
        if identifier != *b"CD001" || kind == END {
            break;
        }
        let escape = array::<3>(&sector, 88).unwrap_or_default();
        let joliet = kind == SUPPLEMENTARY && JOLIET.contains(&&escape);
        if kind == PRIMARY && found.label.is_none() {
            let label = array::<32>(&sector, 40).unwrap_or_default();
            found.label = Some(String::from_utf8_lossy(&label).trim_end_matches([' ', '\0']).to_owned());
        }
        if kind == PRIMARY || joliet {
            let root = root(&sector, joliet).ok_or(Error::Damaged("a descriptor has no root directory"))?;
            let at = if joliet { 0 } else { found.roots.len() };
            found.roots.insert(at, root);
        }
    }
    Ok(found)
}

fn root(descriptor: &[u8], joliet: bool) -> Option<Root> {
    let record = descriptor.get(156..190)?;
    let sectors = u64::from(u32_le(record, 10)?).div_ceil(SECTOR_BYTES);
    (u16_le(descriptor, 128)? == 2048).then_some(Root { first: u64::from(u32_le(record, 2)?), sectors, joliet })
}

/// The file in one sector of a directory; records do not cross sectors.
fn look_up(sector: &[u8], name: &str, joliet: bool) -> Result<Option<File>, Error> {
    let mut rest = sector;
    while let Some(length) = rest.first().map(|length| usize::from(*length)).filter(|length| *length > 0) {
        let (record, after) =
            rest.split_at_checked(length).ok_or(Error::Damaged("a record of a directory leaves its sector"))?;
        rest = after;
        if !is_called(record, name, joliet) {
            continue;
        }
        let damaged = || Error::Damaged("a record of a directory is too short");
        let [flags] = array::<1>(record, 25).ok_or_else(damaged)?;
        if flags & DIRECTORY != 0 {
            continue;
        }
        if flags & MORE_EXTENTS != 0 {
            return Err(Error::Damaged("the file lies in several parts"));
        }
        let [attributes] = array::<1>(record, 1).ok_or_else(damaged)?;
        let first = u64::from(u32_le(record, 2).ok_or_else(damaged)?).saturating_add(u64::from(attributes));
        let size = u64::from(u32_le(record, 10).ok_or_else(damaged)?);
        let extent = Extent { offset: first.saturating_mul(SECTOR_BYTES), length: size };
        return Ok(Some(File { size, extents: if size == 0 { Vec::new() } else { vec![extent] } }));
    }
    Ok(None)
}

fn is_called(record: &[u8], name: &str, joliet: bool) -> bool {
    let length = record.get(32).map_or(0, |length| usize::from(*length));
    let Some(identifier) = record.get(33..).and_then(|rest| rest.get(..length)) else { return false };
    if joliet {
        let units = identifier.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit));
        let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        return without_version(&text).eq_ignore_ascii_case(name);
    }
    // What follows the identifier begins at an even offset.
    let own = 33_usize.saturating_add(length).next_multiple_of(2);
    if let Some(text) = rock_ridge_name(record.get(own..).unwrap_or_default()) {
        return text.eq_ignore_ascii_case(name.as_bytes());
    }
    let text = String::from_utf8_lossy(identifier);
    let text = without_version(&text);
    // Plain names have capitals, digits and `_` only, and of the shortest kind eight of them.
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    let short: String = plain.chars().take(8).collect();
    text.eq_ignore_ascii_case(name) || text == plain || text == short
}

/// A name without `;1` and the dot of an empty extension.
fn without_version(name: &str) -> &str {
    name.split_once(';').map_or(name, |(name, _)| name).trim_end_matches('.')
}

/// The name in a record's `NM` entries, if it has any.
fn rock_ridge_name(mut entries: &[u8]) -> Option<Vec<u8>> {
    let mut name: Option<Vec<u8>> = None;
    while let Some([one, other, length, _]) = array::<4>(entries, 0) {
        let Some((entry, rest)) = entries.split_at_checked(usize::from(length)) else { break };
        if length < 4 {
            break;
        }
        if [one, other] == *b"NM" {
            name.get_or_insert_default().extend(entry.get(5..).unwrap_or_default());
        }
        entries = rest;
    }
    name
}

fn read(volume: &impl ReadAt, sector: u64, buf: &mut [u8]) -> Result<(), Error> {
    let offset = sector.saturating_mul(SECTOR_BYTES);
    volume.read_at(offset, buf).map_err(|source| Error::Read { offset, source })
}
