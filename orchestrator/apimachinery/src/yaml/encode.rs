//! Prints trees as YAML in the form of the Go library that the real server uses: members sorted, lists not indented,
//! texts quoted where they would be read as something else.

use super::scalar::resolve;
use crate::Value;
use std::fmt::Write as _;

/// Prints a schema-less tree.
#[must_use]
pub fn encode_any(value: &Value) -> Vec<u8> {
    let mut out = String::new();
    match value {
        Value::Object(object) if !object.is_empty() => members(&mut out, value, 0),
        Value::List(items) if !items.is_empty() => list(&mut out, items, 0),
        other => {
            scalar(&mut out, other, 0);
            out.push('\n');
        }
    }
    out.into_bytes()
}

fn indent(out: &mut String, depth: usize) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

fn members(out: &mut String, value: &Value, depth: usize) {
    let Some(object) = value.as_object() else { return };
    for (at, (name, value)) in object.iter().enumerate() {
        // The first member of a list item stands behind its dash.
        if at > 0 || out.ends_with('\n') || out.is_empty() {
            indent(out, depth);
        }
        text(out, name, depth, true);
        out.push(':');
        member_value(out, value, depth);
    }
}

fn member_value(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            out.push('\n');
            members(out, value, depth + 1);
        }
        Value::List(items) if !items.is_empty() => {
            out.push('\n');
            list(out, items, depth);
        }
        other => {
            out.push(' ');
            scalar(out, other, depth + 1);
            out.push('\n');
        }
    }
}

fn list(out: &mut String, items: &[Value], depth: usize) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 || out.ends_with('\n') || out.is_empty() {
            indent(out, depth);
        }
        out.push_str("- ");
        match item {
            Value::Object(object) if !object.is_empty() => members(out, item, depth + 1),
            Value::List(inner) if !inner.is_empty() => list(out, inner, depth + 1),
            other => {
                scalar(out, other, depth + 1);
                out.push('\n');
            }
        }
    }
}

fn scalar(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::String(value) => text(out, value, depth, false),
        Value::Object(_) => out.push_str("{}"),
        Value::List(_) => out.push_str("[]"),
        other => out.push_str(&String::from_utf8_lossy(&crate::json::encode_any(other))),
    }
}

fn text(out: &mut String, value: &str, depth: usize, key: bool) {
    let is_text = matches!(resolve(value, true, None), Ok(Value::String(_))) && !looks_like_time(value);
    if !is_text || value.chars().any(is_special) {
        return double_quoted(out, value);
    }
    if value.contains('\n') && !key && !value.starts_with([' ', '\n']) {
        return literal(out, value, depth);
    }
    if value.contains('\n') {
        return double_quoted(out, value);
    }
    if is_plain(value) {
        out.push_str(value);
    } else {
        out.push('\'');
        out.push_str(&value.replace('\'', "''"));
        out.push('\'');
    }
}

/// Characters that only a double-quoted text can hold.
fn is_special(character: char) -> bool {
    (character.is_control() && character != '\n')
        || matches!(character, '\u{feff}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// A date is a time to YAML 1.1 readers, so it is quoted.
fn looks_like_time(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.len() >= 8
        && bytes.iter().take(4).all(u8::is_ascii_digit)
        && bytes.get(4) == Some(&b'-')
        && bytes.iter().all(|byte| byte.is_ascii_digit() || b"-:.TtZz +".contains(byte))
}

fn is_plain(value: &str) -> bool {
    let first = value.chars().next();
    let starts_badly = first.is_none_or(|first| " ,[]{}#&*!|>'\"%@`".contains(first))
        || (first.is_some_and(|first| "-?:".contains(first))
            && value.chars().nth(1).is_none_or(|second| second == ' '));
    let breaks = value.contains(": ") || value.contains(" #") || value.ends_with([':', ' ']) || value == "---";
    !starts_badly && !breaks && value != "="
}

fn literal(out: &mut String, value: &str, depth: usize) {
    let body = value.trim_end_matches('\n');
    out.push_str(match value.len() - body.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    let kept = if value.len() - body.len() > 1 { value.strip_suffix('\n').unwrap_or(value) } else { body };
    for line in kept.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(out, depth);
            out.push_str(line);
        }
    }
}

fn double_quoted(out: &mut String, value: &str) {
    out.push('"');
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            special if is_special(special) => {
                // Writing to a String cannot fail.
                let _ = match u32::from(special) {
                    short @ 0..=0xff => write!(out, "\\x{short:02X}"),
                    long => write!(out, "\\u{long:04X}"),
                };
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::encode_any;
    use crate::{json, yaml};

    #[test]
    fn trees_are_printed_and_read_back() {
        let text = r#"{"a":{"b":[{"c":1,"d":["x","yes"]},"e"],"f":{},"g":[]},"h":"two\nlines\n","i":"","j":null,"k":"a: b","l":"2001-02-03T04:05:06Z","m":"- x","n":"1","o":"tail\n\n","p":" lead","q":"tab\t","r":1.5,"s":[["u"]],"t":"it's","yes":"on"}"#;
        let tree = json::decode_any(text.as_bytes()).unwrap();
        let printed = String::from_utf8(encode_any(&tree)).unwrap();
        assert_eq!(yaml::decode_any(printed.as_bytes()).unwrap(), tree, "{printed}");
        for line in [
            "  b:",
            "  - c: 1",
            "    d:",
            "    - x",
            "    - \"yes\"",
            "h: |",
            "l: \"2001-02-03T04:05:06Z\"",
            "\"yes\": \"on\"",
            "k: 'a: b'",
        ] {
            assert!(printed.lines().any(|found| found == line), "{line:?} in\n{printed}");
        }
    }
}
