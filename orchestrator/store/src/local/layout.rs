//! The files of a store: making them once, finding them again.
//!
//! ```text
//! LOCK             held while a process uses the directory
//! FORMAT           what the rest is
//! log-0, log-1     the append log
//! checkpoint.redb  the engine
//! reserve          zeros, given up when the disk is full
//! ```

use super::format::Description;
use super::options::{MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES, Options};
use crate::disk::{Disk, SyncPoint, fill_with_zeros};
use crate::engine::Engine;
use crate::error::{Error, is_no_space};
use crate::log::{self, Scan};

const RESERVE: &str = "reserve";

/// Reads what the directory holds, making a new store in an empty one.
///
/// A power cut during the making leaves files without FORMAT; they are made again, but only if they are as blank as
/// such a store must be: a store that has lived and lost its FORMAT is an error.
pub(super) fn open_or_create(
    disk: &dyn Disk,
    engine: &mut dyn Engine,
    options: &Options,
) -> Result<Description, Error> {
    if let Some(description) = Description::read(disk)? {
        if description.engine != engine.name() {
            let reason = format!("the store uses the engine {}, not {}", description.engine, engine.name());
            return Err(Error::corrupt(super::format::FILE, reason));
        }
        return Ok(description);
    }
    let lived = !Scan::is_blank(disk)? || (engine.exists()? && engine.load(&mut |_| Ok(()))?.sequence > 0);
    if lived {
        return Err(Error::corrupt(super::format::FILE, "it is missing, but the directory holds a store's data"));
    }
    create(disk, engine, options)
}

fn create(disk: &dyn Disk, engine: &mut dyn Engine, options: &Options) -> Result<Description, Error> {
    let segment_bytes = options.segment_bytes;
    if !(MIN_SEGMENT_BYTES..=MAX_SEGMENT_BYTES).contains(&segment_bytes) || !segment_bytes.is_multiple_of(4096) {
        return Err(Error::InvalidOptions { reason: "segment_bytes is out of bounds or no multiple of 4096" });
    }
    log::create(disk, segment_bytes)?;
    engine.create()?;
    disk.sync_directory(SyncPoint::CreateDirectory).map_err(|source| Error::io("sync", "the directory", source))?;
    let description = Description { engine: engine.name().to_owned(), segment_bytes };
    description.write(disk)?;
    Ok(description)
}

/// Makes the reserve whole; false if the disk has no room for it.
pub(super) fn restore_reserve(disk: &dyn Disk, bytes: u64) -> Result<bool, Error> {
    let existing = disk.open(RESERVE).map_err(|source| Error::io("open", RESERVE, source))?;
    let length = existing.map_or(Ok(0), |file| file.length());
    if length.map_err(|source| Error::io("measure", RESERVE, source))? == bytes {
        return Ok(true);
    }
    let filled = disk.create(RESERVE).and_then(|file| fill_with_zeros(&*file, bytes));
    match filled {
        Ok(()) => Ok(true),
        Err(error) if is_no_space(&error) => release_reserve(disk).map(|()| false),
        Err(source) => Err(Error::io("preallocate", RESERVE, source)),
    }
}

/// Gives the reserve's blocks to whoever needs them.
pub(super) fn release_reserve(disk: &dyn Disk) -> Result<(), Error> {
    disk.remove(RESERVE).map_err(|source| Error::io("remove", RESERVE, source))
}
