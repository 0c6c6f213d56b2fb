//! The file FORMAT: which format and which engine a store has. It is the last file of a new store to get its name, and
//! the first that an open looks at; nothing else is touched before it is understood.
//!
//! ```text
//! coracle-store
//! format 1
//! engine redb
//! segment-bytes 8388608
//! crc 5aaaac50
//! ```
//!
//! The first two lines are the same in every format, so that every release can name the one it meets. A release writes
//! FORMAT with a new number before it writes anything else in the new form.

use crate::disk::{Disk, SyncPoint};
use crate::error::Error;
use crate::local::options::{MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES};

/// The file's name.
pub(crate) const FILE: &str = "FORMAT";
/// The file's name until its content is durable.
const NEW_FILE: &str = "FORMAT.new";
const MAGIC: &str = "coracle-store";
/// Larger than any FORMAT: a longer file is not read.
const MAX_BYTES: u64 = 4096;

/// The number of a store format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreFormat(u32);

/// What FORMAT says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) engine: String,
    pub(crate) segment_bytes: u64,
}

impl StoreFormat {
    /// The format that this release writes, and the newest one that it reads.
    pub(crate) const CURRENT: Self = Self(1);

    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    /// The oldest format that a release with this format reads: the one before it, if there is one.
    const fn oldest(self) -> u32 {
        if self.0 > 1 { self.0 - 1 } else { 1 }
    }

    /// Refuses a number that this release does not read.
    pub(crate) fn check(found: u32, subject: &str) -> Result<(), Error> {
        Self::CURRENT.check_against(found, subject)
    }

    fn check_against(self, found: u32, subject: &str) -> Result<(), Error> {
        let (oldest, newest) = (self.oldest(), self.number());
        if (oldest..=newest).contains(&found) {
            Ok(())
        } else {
            Err(Error::UnsupportedFormat { subject: subject.to_owned(), found, oldest, newest })
        }
    }
}

impl Description {
    /// Reads FORMAT; `None` if there is none.
    pub(crate) fn read(disk: &dyn Disk) -> Result<Option<Self>, Error> {
        let Some(file) = disk.open(FILE).map_err(|source| Error::io("open", FILE, source))? else { return Ok(None) };
        let length = file.length().map_err(|source| Error::io("measure", FILE, source))?;
        if length > MAX_BYTES {
            return Err(Error::corrupt(FILE, format!("it has {length} bytes")));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        file.read_at(0, &mut bytes).map_err(|source| Error::io("read", FILE, source))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Error::corrupt(FILE, "it is not text"))?;
        Self::parse(text).map(Some)
    }

    /// Writes FORMAT, durably. The directory's other files must be durable before.
    pub(crate) fn write(&self, disk: &dyn Disk) -> Result<(), Error> {
        let file = disk.create(NEW_FILE).map_err(|source| Error::io("create", NEW_FILE, source))?;
        file.write_at(0, self.to_text().as_bytes()).map_err(|source| Error::io("write", NEW_FILE, source))?;
        file.sync(SyncPoint::FormatContent).map_err(|source| Error::io("sync", NEW_FILE, source))?;
        disk.rename(NEW_FILE, FILE).map_err(|source| Error::io("rename", NEW_FILE, source))?;
        disk.sync_directory(SyncPoint::FormatDirectory)
            .map_err(|source| Error::io("sync the directory of", FILE, source))
    }

    fn to_text(&self) -> String {
        let number = StoreFormat::CURRENT.number();
        let body = format!("{MAGIC}\nformat {number}\nengine {}\nsegment-bytes {}\n", self.engine, self.segment_bytes);
        format!("{body}crc {:08x}\n", crc32fast::hash(body.as_bytes()))
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let damaged = || Error::corrupt(FILE, "its content is not what a store writes");
        let mut lines = text.lines();
        if lines.next() != Some(MAGIC) {
            return Err(damaged());
        }
        let number = field(lines.next(), "format ").ok_or_else(damaged)?;
        // Before the checksum: a newer format may end differently.
        StoreFormat::check(number.parse().map_err(|_| damaged())?, FILE)?;
        let engine = field(lines.next(), "engine ").ok_or_else(damaged)?.to_owned();
        let segment_bytes =
            field(lines.next(), "segment-bytes ").and_then(|text| text.parse().ok()).ok_or_else(damaged)?;
        let description = Self { engine, segment_bytes };
        let valid_size =
            (MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&segment_bytes) && segment_bytes.is_multiple_of(4096);
        // Compared as a whole: one form only, so the checksum is in it.
        if valid_size && description.to_text() == text { Ok(description) } else { Err(damaged()) }
    }
}

fn field<'a>(line: Option<&'a str>, name: &str) -> Option<&'a str> {
    line?.strip_prefix(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_final() {
        let description = Description { engine: "redb".to_owned(), segment_bytes: 8_388_608 };
        let text = description.to_text();
        assert_eq!(text, "coracle-store\nformat 1\nengine redb\nsegment-bytes 8388608\ncrc 5aaaac50\n");
        assert_eq!(Description::parse(&text).unwrap(), description);
    }

    #[test]
    fn a_release_reads_its_format_and_the_one_before() {
        for (release, found, readable) in
            [(1, 1, true), (1, 0, false), (1, 2, false), (2, 1, true), (2, 2, true), (2, 3, false), (3, 1, false)]
        {
            assert_eq!(StoreFormat(release).check_against(found, "x").is_ok(), readable, "{release} reads {found}");
        }
    }

    #[test]
    fn newer_damaged_and_odd_texts_are_refused() {
        let newer = "coracle-store\nformat 2\nsomething new\n";
        assert!(matches!(Description::parse(newer), Err(Error::UnsupportedFormat { found: 2, newest: 1, .. })));
        let good = Description { engine: "redb".to_owned(), segment_bytes: 16384 }.to_text();
        for text in
            ["", "coracle-store\n", "x", &good[..good.len() - 1], &good.replace("redb", "sled"), &format!("{good}\n")]
        {
            assert!(matches!(Description::parse(text), Err(Error::Corrupt { .. })), "{text:?} was accepted");
        }
        let tiny = Description { engine: "redb".to_owned(), segment_bytes: 4096 }.to_text();
        assert!(Description::parse(&tiny).is_err());
    }
}
