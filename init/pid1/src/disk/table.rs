//! Writing a partition table so that a power cut at any moment leaves one whole copy.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use coracle_slots::gpt::{Guid, Guids, Piece, Table};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::error::{Attempt as _, Result};

/// Writes the backup copy, flushes, writes the primary copy, flushes.
pub(crate) fn write(disk: &File, path: &Path, table: &Table) -> Result<()> {
    let encoded = table.encode();
    let [backup_entries, backup_header, primary_entries, primary_header, protective] = encoded.in_write_order();
    write_pieces(disk, path, &[backup_entries, backup_header])?;
    write_pieces(disk, path, &[primary_entries, primary_header, protective])
}

fn write_pieces(disk: &File, path: &Path, pieces: &[&Piece]) -> Result<()> {
    for piece in pieces {
        disk.write_all_at(&piece.bytes, piece.offset).attempt("write partition table of", path)?;
    }
    disk.sync_all().attempt("flush partition table of", path)
}

/// Fresh identities. They need to differ, not to be secret, so an unseeded generator does not block the boot.
pub(crate) fn fresh_guids() -> Result<Guids> {
    let mut guids = [Guid::ZERO; 7];
    for guid in &mut guids {
        let mut random = [0_u8; 16];
        getrandom(&mut random[..], GetRandomFlags::INSECURE).attempt("make", "random identities")?;
        *guid = Guid::from_random(random);
    }
    let [disk, partitions @ ..] = guids;
    Ok(Guids { disk, partitions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use coracle_slots::gpt::{Source, shipped};

    #[test]
    fn identities_differ() {
        let guids = fresh_guids().unwrap();
        assert_ne!(guids.disk, guids.partitions[0]);
        assert_ne!(guids, fresh_guids().unwrap());
    }

    #[test]
    fn a_written_table_is_read_back() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let table = shipped(&fresh_guids().unwrap());
        file.as_file().set_len(table.disk_sectors * 512).unwrap();
        write(file.as_file(), file.path(), &table).unwrap();
        let (read, source) = Table::read(file.as_file()).unwrap();
        assert_eq!((read, source), (table, Source::Primary));
    }
}
