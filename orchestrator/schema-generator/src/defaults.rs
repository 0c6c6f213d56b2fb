//! The hand-verified defaults: what upstream sets in code only (`pkg/apis/*/v*/defaults.go`), so that no generator can
//! read it. One row per field; a row that does not fit the tables any more is an error.

use crate::Error;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// The rows of the committed file.
#[derive(Debug)]
pub struct Rows {
    rows: BTreeMap<(String, String), String>,
    used: RefCell<BTreeSet<(String, String)>>,
}

impl Rows {
    /// Parses lines of the form `group/version Type.field JSON`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut rows = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut parts = line.splitn(3, ' ');
            let (Some(package), Some(field), Some(json)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(Error::source("defaults.txt", format!("`{line}` is not `group/version Type.field JSON`")));
            };
            let value: serde_json::Value = serde_json::from_str(json)
                .map_err(|error| Error::source("defaults.txt", format!("`{line}`: {error}")))?;
            if rows.insert((package.to_owned(), field.to_owned()), value.to_string()).is_some() {
                return Err(Error::source("defaults.txt", format!("`{package} {field}` stands twice")));
            }
        }
        Ok(Self { rows, used: RefCell::default() })
    }

    /// The default of a field as compact JSON.
    pub fn get(&self, package: &str, field: &str) -> Option<&str> {
        let key = (package.to_owned(), field.to_owned());
        let value = self.rows.get(&key)?;
        self.used.borrow_mut().insert(key);
        Some(value)
    }

    /// Fails if a row named no field of the tables.
    pub fn all_used(&self) -> Result<(), Error> {
        let used = self.used.borrow();
        match self.rows.keys().find(|key| !used.contains(*key)) {
            None => Ok(()),
            Some((package, field)) => {
                Err(Error::source("defaults.txt", format!("`{package} {field}` names no field of the tables")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rows;

    #[test]
    fn a_row_without_a_field_is_an_error() {
        let rows = Rows::parse("# note\ncore/v1 A.b \"x\"\n").unwrap();
        assert!(rows.all_used().is_err());
        assert_eq!(rows.get("core/v1", "A.b"), Some("\"x\""));
        assert!(rows.all_used().is_ok());
        assert!(Rows::parse("core/v1 A.b\n").is_err());
        assert!(Rows::parse("core/v1 A.b x\n").is_err());
        assert!(Rows::parse("core/v1 A.b 1\ncore/v1 A.b 2\n").is_err());
    }
}
