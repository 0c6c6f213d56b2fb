//! The part of the zip format that Go's module proxy uses: stored and deflated members, no encryption, no zip64.

use flate2::read::DeflateDecoder;
use std::collections::BTreeMap;
use std::io::Read;

const END_SIGNATURE: u32 = 0x0605_4b50;
const ENTRY_SIGNATURE: u32 = 0x0201_4b50;
const LOCAL_HEADER_LENGTH: usize = 30;
/// A member that claims to be larger than this is not a source file.
const MEMBER_LIMIT: u64 = 64 << 20;

/// An opened archive: member name → where its data lies.
#[derive(Debug)]
pub struct Archive {
    bytes: Vec<u8>,
    members: BTreeMap<String, Member>,
}

#[derive(Debug)]
struct Member {
    method: u16,
    packed_length: usize,
    local_header: usize,
}

impl Archive {
    /// Reads the directory of an archive held in memory; the error says what is malformed.
    pub fn open(bytes: Vec<u8>) -> Result<Self, String> {
        let end = (0..bytes.len().saturating_sub(21))
            .rev()
            .find(|&at| u32_at(&bytes, at) == Some(END_SIGNATURE))
            .ok_or("no end of central directory")?;
        let count = u16_at(&bytes, end + 10).ok_or("short directory end")?;
        let mut at = u32_at(&bytes, end + 16).ok_or("short directory end")? as usize;
        let mut members = BTreeMap::new();
        let mut entries = 0u16;
        while u32_at(&bytes, at) == Some(ENTRY_SIGNATURE) {
            let field = |offset: usize| u16_at(&bytes, at + offset).ok_or("short directory entry");
            let wide = |offset: usize| u32_at(&bytes, at + offset).ok_or("short directory entry");
            let name_length = usize::from(field(28)?);
            let tail = usize::from(field(30)?) + usize::from(field(32)?);
            let name = bytes.get(at + 46..at + 46 + name_length).ok_or("short member name")?;
            let name = String::from_utf8(name.to_vec()).map_err(|_| "member name is not UTF-8")?;
            let member =
                Member { method: field(10)?, packed_length: wide(20)? as usize, local_header: wide(42)? as usize };
            members.insert(name, member);
            at += 46 + name_length + tail;
            entries = entries.wrapping_add(1);
        }
        // The count field wraps at 65,536 members only with zip64, which Go does not write for these modules.
        if entries != count {
            return Err(format!("directory names {count} members, {entries} were found"));
        }
        Ok(Self { bytes, members })
    }

    /// Member names that begin with `prefix`, sorted.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.members
            .range(prefix.to_owned()..)
            .map(|(name, _)| name.as_str())
            .take_while(move |name| name.starts_with(prefix))
    }

    /// Unpacks one member; `None` if there is no such member.
    pub fn read(&self, name: &str) -> Option<Result<Vec<u8>, String>> {
        self.members.get(name).map(|member| self.unpack(member))
    }

    fn unpack(&self, member: &Member) -> Result<Vec<u8>, String> {
        let header = member.local_header;
        let short = "short local header";
        let name_length = usize::from(u16_at(&self.bytes, header + 26).ok_or(short)?);
        let extra_length = usize::from(u16_at(&self.bytes, header + 28).ok_or(short)?);
        let start = header + LOCAL_HEADER_LENGTH + name_length + extra_length;
        let packed = self.bytes.get(start..start + member.packed_length).ok_or("short member data")?;
        match member.method {
            0 => Ok(packed.to_vec()),
            8 => {
                let mut out = Vec::new();
                let mut reader = DeflateDecoder::new(packed).take(MEMBER_LIMIT);
                reader.read_to_end(&mut out).map_err(|error| error.to_string())?;
                Ok(out)
            }
            other => Err(format!("compression method {other}")),
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(pair.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let quad = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(quad.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn garbage_is_refused() {
        assert!(Archive::open(Vec::new()).is_err());
        assert!(Archive::open(vec![0x50; 4096]).is_err());
        let mut end = b"PK\x05\x06".to_vec();
        end.extend([0, 0, 0, 0, 7, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Archive::open(end).unwrap_err(), "directory names 7 members, 0 were found");
    }
}
