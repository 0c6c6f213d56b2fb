//! Checkpoints in redb. All of its I/O goes through [`Disk`], so the power-cut suite sees it too.
//!
//! The database is open only while a checkpoint is written: closing and opening it again is the proof that its files
//! are whole, and between checkpoints it costs no memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fmt, io};

use redb::{Builder, Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};

use super::{Applied, Changes, Engine, Stored};
use crate::disk::{Disk, DiskFile, SyncPoint};
use crate::error::{Error, is_no_space};
use crate::key::Key;
use crate::store::Revision;
use crate::value::Value;

const FILE: &str = "checkpoint.redb";
/// The file's name until it holds a whole empty database.
const NEW_FILE: &str = "checkpoint.new";
/// Key text to revision (8 bytes, little endian) and value.
const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const SEQUENCE: &str = "sequence";
const MARK: &str = "mark";
/// redb's page cache: enough for the inner pages, because reads come from the replica.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// The default engine.
#[derive(Debug)]
pub struct RedbEngine {
    disk: Arc<dyn Disk>,
    /// Set by the backend when a write met a full disk: redb's errors do not always keep the cause.
    no_space: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Backend {
    file: Arc<dyn DiskFile>,
    no_space: Arc<AtomicBool>,
}

impl RedbEngine {
    /// An engine in a directory. Touches no file yet.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, no_space: Arc::default() }
    }

    fn backend(&self, name: &'static str) -> Result<Backend, Error> {
        let file = self.disk.open(name).map_err(|source| Error::io("open", name, source))?;
        let file = file.ok_or_else(|| Error::corrupt(name, "the file is missing"))?;
        if file.length().map_err(|source| Error::io("measure", name, source))? == 0 {
            // redb would make a new database of an empty file.
            return Err(Error::corrupt(name, "the file is empty"));
        }
        self.no_space.store(false, Ordering::SeqCst);
        Ok(Backend { file, no_space: Arc::clone(&self.no_space) })
    }

    /// Opens the database for writing. `verify` checks every page, which a file from before this start needs: redb
    /// trusts a file that it closed itself.
    fn database(&self, verify: bool) -> Result<Database, Error> {
        let mut builder = builder();
        builder.set_check_integrity_on_open(verify);
        builder.create_with_backend(self.backend(FILE)?).map_err(|error| self.error("open its file", error))
    }

    fn error(&self, operation: &'static str, error: impl fmt::Display) -> Error {
        Error::Engine { operation, reason: error.to_string(), no_space: self.no_space.load(Ordering::SeqCst) }
    }

    fn write(&self, database: &Database, changes: &Changes, applied: Applied) -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        {
            let mut entries = transaction.open_table(ENTRIES)?;
            for (key, change) in changes.iter() {
                match change {
                    Some((revision, value)) => entries.insert(key.as_str().as_bytes(), &*row(revision, value))?,
                    None => entries.remove(key.as_str().as_bytes())?,
                };
            }
            let mut meta = transaction.open_table(META)?;
            meta.insert(SEQUENCE, applied.sequence)?;
            meta.insert(MARK, applied.mark)?;
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Engine for RedbEngine {
    fn name(&self) -> &'static str {
        "redb"
    }

    fn create(&mut self) -> Result<(), Error> {
        self.disk.create(NEW_FILE).map_err(|source| Error::io("create", NEW_FILE, source))?;
        let file = self.disk.open(NEW_FILE).map_err(|source| Error::io("open", NEW_FILE, source))?;
        let file = file.ok_or_else(|| Error::corrupt(NEW_FILE, "the file is missing"))?;
        let backend = Backend { file, no_space: Arc::clone(&self.no_space) };
        let database = builder().create_with_backend(backend).map_err(|error| self.error("create its file", error))?;
        self.write(&database, &Changes::default(), Applied::default())
            .map_err(|error| self.error("write its first batch", error))?;
        database.close().map_err(|error| self.error("close its file", error))?;
        self.disk.rename(NEW_FILE, FILE).map_err(|source| Error::io("rename", NEW_FILE, source))
    }

    fn exists(&self) -> Result<bool, Error> {
        self.disk.open(FILE).map(|file| file.is_some()).map_err(|source| Error::io("open", FILE, source))
    }

    fn load(&mut self, each: &mut dyn FnMut(Stored) -> Result<(), Error>) -> Result<Applied, Error> {
        let database = self.database(true)?;
        let read = |error: redb::Error| self.error("read its file", error);
        let transaction = database.begin_read().map_err(|error| read(error.into()))?;
        let entries = transaction.open_table(ENTRIES).map_err(|error| read(error.into()))?;
        for item in entries.iter().map_err(|error| read(error.into()))? {
            let (key, value) = item.map_err(|error| read(error.into()))?;
            each(stored(key.value(), value.value())?)?;
        }
        let applied = read_applied(&transaction).map_err(read)?;
        drop((entries, transaction));
        database.close().map_err(|error| self.error("close its file", error))?;
        Ok(applied)
    }

    fn append(&mut self, changes: &Changes, applied: Applied) -> Result<(), Error> {
        let database = self.database(false)?;
        let written = self.write(&database, changes, applied).map_err(|error| self.error("write a checkpoint", error));
        let closed = database.close().map_err(|error| self.error("close its file", error));
        written.and(closed)
    }

    fn checkpoint(&mut self, changes: &Changes, applied: Applied) -> Result<(), Error> {
        let database = builder().open_read_only_with_backend(self.backend(FILE)?);
        let database = database.map_err(|error| self.error("open its file again", error))?;
        let read = |error: redb::Error| self.error("verify a checkpoint", error);
        let transaction = database.begin_read().map_err(|error| read(error.into()))?;
        if read_applied(&transaction).map_err(read)? != applied {
            return Err(Error::corrupt(FILE, "the checkpoint is not in it"));
        }
        let entries = transaction.open_table(ENTRIES).map_err(|error| read(error.into()))?;
        for (key, change) in changes.iter() {
            let found = entries.get(key.as_str().as_bytes()).map_err(|error| read(error.into()))?;
            let same = match (&found, change) {
                (Some(found), Some((revision, value))) => *found.value() == *row(revision, value),
                (None, None) => true,
                _ => false,
            };
            if !same {
                return Err(Error::corrupt(FILE, format!("the checkpoint of {key} is not in it")));
            }
        }
        Ok(())
    }

    fn shrink(&mut self) -> Result<(), Error> {
        let mut database = self.database(false)?;
        let compacted = database.compact().map_err(|error| self.error("compact its file", error));
        let closed = database.close().map_err(|error| self.error("close its file", error));
        compacted.and(closed)
    }
}

impl Backend {
    /// Notes a full disk on the way to redb.
    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.as_ref().is_err_and(is_no_space) {
            self.no_space.store(true, Ordering::SeqCst);
        }
        result
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.note(self.file.set_length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.note(self.file.sync(SyncPoint::EngineCommit))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note(self.file.write_at(offset, data))
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn read_applied(transaction: &redb::ReadTransaction) -> Result<Applied, redb::Error> {
    let meta = transaction.open_table(META)?;
    let number = |name| meta.get(name).map(|found| found.map_or(0, |guard| guard.value()));
    Ok(Applied { sequence: number(SEQUENCE)?, mark: number(MARK)? })
}

/// A table row's bytes.
fn row(revision: Revision, value: &Value) -> Vec<u8> {
    let mut bytes = revision.as_u64().to_le_bytes().to_vec();
    bytes.extend_from_slice(value.as_bytes());
    bytes
}

fn stored(key: &[u8], row: &[u8]) -> Result<Stored, Error> {
    let text = std::str::from_utf8(key).map_err(|_| Error::corrupt(FILE, "a key is not UTF-8"))?;
    let Some((revision, value)) = row.split_first_chunk() else {
        return Err(Error::corrupt(FILE, format!("the row of {text} has only {} bytes", row.len())));
    };
    let revision = Revision::from_u64(u64::from_le_bytes(*revision));
    Ok(Stored { key: Key::parse(text)?, revision, value: Value::parse(value)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_layout_is_final() {
        let value = Value::new(9, b"v").unwrap();
        assert_eq!(row(Revision::from_u64(258), &value), [2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 9, 0, 0, 0, b'v']);
        let back = stored(b"a/b/c/d", &row(Revision::from_u64(258), &value)).unwrap();
        assert_eq!((back.key.as_str(), back.revision.as_u64(), back.value), ("a/b/c/d", 258, value));
        assert!(stored(b"a/b/c/d", &[0; 7]).is_err());
        assert!(stored(b"\xff", &[0; 20]).is_err());
    }
}
