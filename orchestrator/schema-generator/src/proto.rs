//! Reads `generated.proto`: which messages there are and the number, label and type of each field. It serves as a
//! second witness for the struct tags and tells which named slices are messages of their own.

use crate::Error;
use std::collections::BTreeMap;

/// Message name → fields by number.
pub type Messages = BTreeMap<String, BTreeMap<u32, ProtoField>>;

/// One field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtoField {
    /// Its name in the `.proto` file.
    pub name: String,
    /// Its type as written, with `map<…>` without spaces.
    pub proto_type: String,
    /// Whether it is `repeated`.
    pub repeated: bool,
}

/// Parses the text of one file; `path` names it in errors.
pub fn parse(path: &str, text: &str) -> Result<Messages, Error> {
    let mut messages = Messages::new();
    let mut current: Option<String> = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("message ").and_then(|rest| rest.strip_suffix(" {")) {
            messages.insert(name.to_owned(), BTreeMap::new());
            current = Some(name.to_owned());
        } else if line == "}" {
            current = None;
        } else if let (Some(message), false) = (&current, line.starts_with("//") || line.is_empty()) {
            let (number, field) = parse_field(line).ok_or_else(|| Error::source(format!("{path}: {message}"), line))?;
            messages.entry(message.clone()).or_default().insert(number, field);
        }
    }
    Ok(messages)
}

fn parse_field(line: &str) -> Option<(u32, ProtoField)> {
    let (left, number) = line.trim_end_matches(';').split_once('=')?;
    let number = number.trim().parse().ok()?;
    let left = left.replace(", ", ",");
    let words: Vec<&str> = left.split_whitespace().collect();
    let (repeated, proto_type, name) = match words[..] {
        ["repeated", proto_type, name] => (true, proto_type, name),
        ["optional", proto_type, name] | [proto_type, name] => (false, proto_type, name),
        _ => return None,
    };
    Some((number, ProtoField { name: name.to_owned(), proto_type: proto_type.to_owned(), repeated }))
}

#[cfg(test)]
mod tests {
    #[test]
    fn fields_and_maps_are_read() {
        let text =
            "// x\nmessage A {\n  // y = 1;\n  map<string, string> m = 2;\n\n  repeated B b = 3;\n}\nmessage C {\n}\n";
        let messages = super::parse("generated.proto", text).unwrap();
        assert_eq!(messages["A"][&2].proto_type, "map<string,string>");
        assert!(messages["A"][&3].repeated);
        assert!(messages["C"].is_empty());
        assert!(super::parse("generated.proto", "message A {\n  nonsense\n}\n").is_err());
    }
}
