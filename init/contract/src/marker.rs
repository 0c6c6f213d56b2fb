//! Structured lines on the serial console, for tests and for the person who reads a boot log.
//!
//! `CORACLE-MARK NAME KEY=VALUE ...`: the name and keys are `[a-z0-9-]+`; a value is bare when it consists of
//! `[A-Za-z0-9._:/+,=-]+` and otherwise stands in double quotes with `\"`, `\\` and `\xHH` for bytes below 0x20 and 0x7f.
//! One line, one `write`, so that kernel messages cannot cut it. `docs/serial-markers.md` lists the names.

use std::fmt::{self, Write as _};

/// First word of every marker line.
pub const PREFIX: &str = "CORACLE-MARK ";

/// One structured line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    name: String,
    fields: Vec<(String, String)>,
}

impl Marker {
    /// A marker without fields. Characters outside `[a-z0-9-]` become `-`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: word(name), fields: Vec::new() }
    }

    /// The same marker with one more field; keys are cleaned like the name.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.fields.push((word(key), value.to_string()));
        self
    }

    /// The marker's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// All fields in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Finds a marker anywhere in a console line (kernel timestamps or a stray prompt may stand before it).
    #[must_use]
    pub fn find(line: &str) -> Option<Self> {
        let (_, text) = line.split_once(PREFIX)?;
        let mut rest = text.trim_end_matches(['\r', '\n']);
        let name;
        (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if name.is_empty() || word(name) != name {
            return None;
        }
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let key;
            (key, rest) = rest.split_once('=')?;
            let value;
            (value, rest) = match rest.strip_prefix('"') {
                Some(quoted) => unquote(quoted)?,
                None => {
                    let (bare, after) = rest.split_once(' ').unwrap_or((rest, ""));
                    (bare.to_owned(), after)
                }
            };
            fields.push((key.to_owned(), value));
        }
        Some(Self { name: name.to_owned(), fields })
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.name)?;
        for (key, value) in &self.fields {
            write!(f, " {key}={}", Quoted(value))?;
        }
        Ok(())
    }
}

/// A value as it stands in the line.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:/+,=-".contains(&b)) {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\0'..='\x1f' | '\x7f' => write!(f, "\\x{:02x}", u32::from(c))?,
                _ => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

fn word(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect()
}

/// The value of a quoted string whose opening quote is gone, and what follows its closing quote and one space.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => {
                let rest = chars.as_str();
                return Some((value, rest.strip_prefix(' ').unwrap_or(rest)));
            }
            '\\' => match chars.next()? {
                'x' => {
                    let digits: String = chars.by_ref().take(2).collect();
                    value.push(char::from(u8::from_str_radix(&digits, 16).ok()?));
                }
                c => value.push(c),
            },
            c => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_format_is_frozen() {
        let marker = Marker::new("stage").with("name", "verity").with("at-ms", 1234).with("error", "no \"disk\"\n");
        let line = r#"CORACLE-MARK stage name=verity at-ms=1234 error="no \"disk\"\x0a""#;
        assert_eq!(marker.to_string(), line);
        assert_eq!(Marker::find(&format!("[    1.2] {line}\r\n")), Some(marker));
    }

    #[test]
    fn cut_lines_are_no_markers() {
        for line in
            ["CORACLE-MARK", "CORACLE-MARK ", "CORACLE-MARK stage name", "CORACLE-MARK stage name=\"ver", "MARK stage"]
        {
            assert_eq!(Marker::find(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn every_value_survives(value in any::<String>()) {
            let marker = Marker::new("m").with("before", "x").with("value", &value).with("after", "y");
            let line = marker.to_string();
            prop_assert!(!line.contains(['\n', '\r']));
            prop_assert_eq!(Marker::find(&line), Some(marker));
        }

        #[test]
        fn any_line_is_read_or_not(line in any::<String>()) {
            let _ = Marker::find(&format!("{PREFIX}{line}"));
        }
    }
}
