//! Generations as files of a folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use coracle_slots::envelope::{self, Envelope, Kind, Source};
use coracle_slots::footer::Text;

use super::{Generation, New, Stored, Unusable};

/// Digits of a file's name.
const DIGITS: usize = 10;

/// More files than this release ever leaves; older ones are not looked at.
const MOST_FILES: usize = 64;

/// What an envelope has around its content, with room to spare.
const MOST_AROUND: usize = 4096;

/// Reads all generations, the newest first. A folder that is not there holds none.
///
/// # Errors
/// The folder cannot be listed.
pub fn read(folder: &Path) -> io::Result<Vec<Stored>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        numbers.extend(entry?.file_name().to_str().and_then(number));
    }
    numbers.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
    numbers.truncate(MOST_FILES);
    Ok(numbers.into_iter().map(|number| Stored { number, content: read_one(&path(folder, number), number) }).collect())
}

fn number(name: &str) -> Option<u64> {
    let is_ours = name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_digit());
    is_ours.then(|| name.parse().ok())?
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:0DIGITS$}"))
}

fn read_one(path: &Path, number: u64) -> Result<Generation, Unusable> {
    let most = envelope::MOST_BYTES.saturating_add(MOST_AROUND);
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most as u64).read_to_end(&mut bytes));
    read.map_err(|_| Unusable::Damaged)?;
    let envelope = Envelope::decode(Kind::Config, &bytes).map_err(|error| match error {
        envelope::Error::Newer(format) => Unusable::Newer(format),
        _ => Unusable::Damaged,
    })?;
    let source = envelope.source.filter(|_| envelope.generation == number).ok_or(Unusable::Damaged)?;
    Ok(Generation { source: source.name.as_str().to_owned(), digest: source.digest, document: envelope.content })
}

/// Writes a generation so that it is whole and durable, or not there.
///
/// # Errors
/// It could not be written.
pub fn write(folder: &Path, new: &New) -> io::Result<()> {
    let Generation { source, digest, document } = &new.generation;
    let name = Text::new(source).map_err(|error| io::Error::new(ErrorKind::InvalidInput, error.to_string()))?;
    let envelope = Envelope {
        kind: Kind::Config,
        generation: new.number,
        source: Some(Source { name, digest: *digest }),
        content: document.clone(),
    };
    let bytes = envelope.encode().map_err(|error| io::Error::new(ErrorKind::InvalidInput, error.to_string()))?;
    let final_path = path(folder, new.number);
    let temporary = final_path.with_extension("new");
    let written = write_whole(&temporary, &bytes).and_then(|()| fs::rename(&temporary, &final_path));
    if let Err(error) = written {
        // Whether it can be removed or not, it is no generation, and is written over next time.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a generation. One that is not there is removed.
///
/// # Errors
/// It is still there.
pub fn remove(folder: &Path, number: u64) -> io::Result<()> {
    match fs::remove_file(path(folder, number)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn new(number: u64, document: &[u8]) -> New {
        New {
            number,
            generation: Generation { source: "esp".to_owned(), digest: [7; 32], document: document.to_vec() },
        }
    }

    #[test]
    fn what_was_written_is_read_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join("none")).unwrap(), []);
        let (one, two) = (new(9, b"a"), new(10, b""));
        write(folder.path(), &one).unwrap();
        write(folder.path(), &two).unwrap();
        fs::write(folder.path().join("0000000011.new"), "cut").unwrap();
        fs::write(folder.path().join("11"), "no generation").unwrap();
        let stored = |new: New| Stored { number: new.number, content: Ok(new.generation) };
        assert_eq!(read(folder.path()).unwrap(), [stored(two), stored(one)]);
        let file = folder.path().join("0000000009");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        remove(folder.path(), 9).unwrap();
        remove(folder.path(), 9).unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn damaged_foreign_and_later_files_are_told_apart() {
        use sha2::{Digest as _, Sha256};
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &new(1, b"a")).unwrap();
        let whole = fs::read(folder.path().join("0000000001")).unwrap();
        let mut later = whole[..whole.len() - 32].to_vec();
        later[8] = 2;
        later.extend(Sha256::digest(&later));
        for (number, bytes) in [(2, &whole[..whole.len() - 1]), (3, &whole), (4, &later), (5, b"")] {
            fs::write(path(folder.path(), number), bytes).unwrap();
        }
        fs::write(path(folder.path(), 6), vec![0; 3 << 20]).unwrap();
        fs::create_dir(path(folder.path(), 7)).unwrap();
        let damaged = Err(Unusable::Damaged);
        let found: Vec<_> = read(folder.path()).unwrap().into_iter().map(|stored| stored.content).collect();
        let want = [&damaged, &damaged, &damaged, &Err(Unusable::Newer(2)), &damaged, &damaged];
        assert_eq!(found.iter().take(6).collect::<Vec<_>>(), want, "a name that is not the number is damage");
        assert!(found[6].is_ok());
    }

    #[test]
    fn a_folder_that_takes_nothing_keeps_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(path(folder.path(), 1)).unwrap();
        assert!(write(folder.path(), &new(1, b"a")).is_err(), "something else has its name");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
        assert!(write(&folder.path().join("none"), &new(1, b"a")).is_err());
    }
}
