//! Values as the YAML text that gnostic keeps of them: four spaces a level, lists indented, members as they stand.

use super::node::Node;
use super::scalar::{Scalar, Style, is_break, is_printable};
use std::fmt::Write as _;

/// Spaces of a level below a map.
const STEP: usize = 4;
/// Spaces of a level below a list, which are the dash and its space.
const DASH: usize = 2;

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Member,
    /// A member whose key has a question mark.
    Marked,
    Item,
}

/// The text of a value, with the line feed at its end.
pub(super) fn print(node: &Node) -> String {
    let mut out = String::new();
    value(&mut out, node, Place::Root, 0);
    out
}

/// Where a collection or a block of text begins that stands in a collection with this indent.
fn deeper(place: Place, indent: usize) -> usize {
    match place {
        Place::Root => 0,
        Place::Item => indent + DASH,
        // The levels of maps lie at multiples of their step.
        Place::Member | Place::Marked => STEP * ((indent + STEP) / STEP),
    }
}

fn value(out: &mut String, node: &Node, place: Place, indent: usize) {
    let lead = if matches!(place, Place::Member | Place::Marked) { " " } else { "" };
    match node {
        Node::Map(members) if !members.is_empty() => {
            let indent = open(out, place, indent);
            for (at, (name, member)) in members.iter().enumerate() {
                if at > 0 {
                    pad(out, indent);
                }
                let place = key(out, name, indent);
                value(out, member, place, indent);
            }
            return;
        }
        Node::List(items) if !items.is_empty() => {
            let indent = open(out, place, indent);
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    pad(out, indent);
                }
                out.push_str("- ");
                value(out, item, Place::Item, indent);
            }
            return;
        }
        _ => out.push_str(lead),
    }
    match node {
        Node::Null => out.push_str("null"),
        Node::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Node::Number(value) => {
            // Writing to a String cannot fail.
            let _ = write!(out, "{value}");
        }
        Node::Text(text) => {
            let indent = if place == Place::Root { STEP } else { deeper(place, indent) };
            scalar(out, Scalar::of(text), indent);
        }
        Node::List(_) => out.push_str("[]"),
        Node::Map(_) => out.push_str("{}"),
    }
    end_line(out);
}

/// Begins a collection, and says where its members or items begin.
fn open(out: &mut String, place: Place, indent: usize) -> usize {
    let inner = deeper(place, indent);
    match place {
        // The first item stands behind the dash.
        Place::Root | Place::Item => {}
        Place::Member => {
            out.push('\n');
            pad(out, inner);
        }
        // Or behind the colon.
        Place::Marked => pad(out, inner.saturating_sub(indent + 1)),
    }
    inner
}

fn end_line(out: &mut String) {
    if !out.ends_with(is_break) {
        out.push('\n');
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// A key with the colon.
fn key(out: &mut String, name: &str, indent: usize) -> Place {
    let name = Scalar::of(name);
    if name.is_simple_key() {
        scalar(out, name, indent);
        out.push(':');
        return Place::Member;
    }
    out.push_str("? ");
    scalar(out, name, deeper(Place::Marked, indent));
    end_line(out);
    pad(out, indent);
    out.push(':');
    Place::Marked
}

/// A text, with this indent for all lines but the first.
fn scalar(out: &mut String, Scalar { text, style, .. }: Scalar<'_>, indent: usize) {
    match style {
        Style::Plain => out.push_str(text),
        Style::Single => {
            out.push('\'');
            lines(out, &text.replace('\'', "''"), false, indent);
            out.push('\'');
        }
        Style::Double => double(out, text),
        Style::Block => block(out, text, indent),
    }
}

/// Lines as they stand, but indented.
fn lines(out: &mut String, text: &str, mut begins: bool, indent: usize) {
    for character in text.chars() {
        let ends = is_break(character);
        if begins && !ends {
            pad(out, indent);
        }
        out.push(character);
        begins = ends;
    }
}

fn double(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        let short = match character {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            printable if is_printable(printable) => {
                out.push(printable);
                continue;
            }
            other => {
                // Writing to a String cannot fail.
                let _ = match u32::from(other) {
                    code @ ..=0xff => write!(out, "\\x{code:02X}"),
                    code @ ..=0xffff => write!(out, "\\u{code:04X}"),
                    code => write!(out, "\\U{code:08X}"),
                };
                continue;
            }
        };
        out.extend(['\\', short]);
    }
    out.push('"');
}

fn block(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    if text.starts_with(|first| first == ' ' || is_break(first)) {
        // The step is what the real emitter names here, also where the block is indented otherwise.
        let _ = write!(out, "{STEP}");
    }
    match text.strip_suffix(is_break) {
        None => out.push('-'),
        Some(rest) if rest.is_empty() || rest.ends_with(is_break) => out.push('+'),
        Some(_) => {}
    }
    out.push('\n');
    lines(out, text, true, indent);
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
