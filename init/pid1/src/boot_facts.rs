//! The facts of this boot in `/run/coracle/boot`: `key=value` lines, from the initrd stage to PID 1 to the orchestrator.

use std::fmt::Display;
use std::path::Path;

use coracle_contract::paths;

use crate::error::Result;
use crate::files;

const LIMIT: u64 = 64 * 1024;

/// Keys and values in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    lines: Vec<(String, String)>,
}

impl Facts {
    /// The facts that the initrd stage left.
    pub(crate) fn read() -> Result<Self> {
        Ok(Self::parse(&files::read_text(paths::BOOT_FACTS, LIMIT)?))
    }

    /// Sets a fact; a line break in a value becomes a space.
    pub(crate) fn set(&mut self, key: &str, value: impl Display) {
        let value = value.to_string().replace(['\n', '\r'], " ");
        match self.lines.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = value,
            None => self.lines.push((key.to_owned(), value)),
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.lines.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Writes the file.
    pub(crate) fn write(&self) -> Result<()> {
        files::make_directory(paths::RUN)?;
        files::replace_durably(Path::new(paths::BOOT_FACTS), self.text().as_bytes())
    }

    fn text(&self) -> String {
        self.lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        Self { lines: lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_survive_the_file() {
        let mut facts = Facts::default();
        facts.set("slot", "a");
        facts.set("error", "two\nlines = one");
        facts.set("slot", "b");
        assert_eq!(facts.text(), "slot=b\nerror=two lines = one\n");
        assert_eq!(Facts::parse(&facts.text()), facts);
        assert_eq!(facts.get("slot"), Some("b"));
        assert_eq!(facts.get("none"), None);
    }
}
