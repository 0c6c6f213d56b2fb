//! Writes the tables into a directory and compares a directory with what should be in it.

use crate::Error;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Only these files belong to the generator; others in the directory (the format's description) are left alone.
const SUFFIX: &str = ".txt";

fn names(directory: &Path) -> Result<Vec<String>, Error> {
    let failed = |source| Error::File { operation: "list", path: directory.to_owned(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(SUFFIX) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Makes `directory` hold exactly these tables.
pub fn write(directory: &Path, files: &BTreeMap<String, String>) -> Result<(), Error> {
    fs::create_dir_all(directory).map_err(|source| Error::File {
        operation: "create",
        path: directory.to_owned(),
        source,
    })?;
    for name in names(directory)?.iter().filter(|name| !files.contains_key(*name)) {
        let path = directory.join(name);
        fs::remove_file(&path).map_err(|source| Error::File { operation: "remove", path, source })?;
    }
    for (name, text) in files {
        let path = directory.join(name);
        fs::write(&path, text).map_err(|source| Error::File { operation: "write", path, source })?;
    }
    Ok(())
}

/// Compares byte for byte; the error names the first file and line that differ.
pub fn compare(directory: &Path, files: &BTreeMap<String, String>) -> Result<(), Error> {
    for name in names(directory)? {
        if !files.contains_key(&name) {
            return Err(Error::Differs(format!("{name} is committed, but the modules do not make it")));
        }
    }
    for (name, text) in files {
        let path = directory.join(name);
        let found = match fs::read_to_string(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Differs(format!("{name} is missing")));
            }
            Err(source) => return Err(Error::File { operation: "read", path, source }),
        };
        if found != *text {
            return Err(Error::Differs(first_difference(name, &found, text)));
        }
    }
    Ok(())
}

fn first_difference(name: &str, found: &str, wanted: &str) -> String {
    let mut pairs = found.split('\n').zip(wanted.split('\n')).enumerate();
    match pairs.find(|(_, (left, right))| left != right) {
        Some((index, (left, right))) => {
            format!("{name}, line {}: committed `{left}`, generated `{right}`", index + 1)
        }
        None => format!(
            "{name}: committed {} bytes, generated {} bytes, one is a prefix of the other",
            found.len(),
            wanted.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{compare, write};
    use std::collections::BTreeMap;

    #[test]
    fn every_kind_of_difference_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let files = BTreeMap::from([("a_v1.txt".to_owned(), "one\ntwo\n".to_owned())]);
        write(directory.path(), &files).unwrap();
        compare(directory.path(), &files).unwrap();

        let path = directory.path().join("a_v1.txt");
        std::fs::write(&path, "one\n2\n").unwrap();
        let error = compare(directory.path(), &files).unwrap_err().to_string();
        assert!(error.ends_with("a_v1.txt, line 2: committed `2`, generated `two`"), "{error}");

        std::fs::remove_file(&path).unwrap();
        assert!(compare(directory.path(), &files).unwrap_err().to_string().contains("is missing"));

        write(directory.path(), &files).unwrap();
        std::fs::write(directory.path().join("b_v1.txt"), "").unwrap();
        assert!(compare(directory.path(), &files).unwrap_err().to_string().contains("b_v1.txt is committed"));
        write(directory.path(), &files).unwrap();
        compare(directory.path(), &files).unwrap();
    }
}
