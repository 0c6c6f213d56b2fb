//! JSON text for files under version control: keys sorted, short values on one line, long ones opened up.

use serde_json::Value;

/// Longest line that a value may be put on, in bytes, indentation included.
const WIDTH: usize = 118;

/// Prints a value with a final line end.
#[must_use]
pub(crate) fn print(value: &Value) -> String {
    let mut text = String::new();
    put(value, 0, 0, &mut text);
    text.push('\n');
    text
}

/// Puts `value` at `depth`; `before` bytes of the line are used already.
fn put(value: &Value, depth: usize, before: usize, text: &mut String) {
    let compact = value.to_string();
    let opened: Option<(char, char)> = match value {
        Value::Array(items) if !items.is_empty() => Some(('[', ']')),
        Value::Object(items) if !items.is_empty() => Some(('{', '}')),
        _ => None,
    };
    let Some((open, close)) = opened.filter(|_| before + compact.len() > WIDTH) else {
        text.push_str(&compact);
        return;
    };
    text.push(open);
    let children: Vec<(String, &Value)> = match value {
        Value::Object(items) => {
            items.iter().map(|(key, item)| (format!("{}: ", Value::from(key.as_str())), item)).collect()
        }
        Value::Array(items) => items.iter().map(|item| (String::new(), item)).collect(),
        _ => Vec::new(),
    };
    for (index, (label, child)) in children.iter().enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        text.extend(std::iter::repeat_n(' ', depth + 1));
        text.push_str(label);
        put(child, depth + 1, depth + 1 + label.len(), text);
    }
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', depth));
    text.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_reads_back_as_the_same_value() {
        let long = "x".repeat(80);
        let value = json!({"a": [1, {"b": long, "c": [long, {}, [], null]}], "d\"": true, "e": "\n"});
        let text = print(&value);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        assert!(text.lines().count() > 5, "{text}");
        assert!(text.contains("\n \"d\\\"\": true"), "{text}");
    }

    #[test]
    fn short_values_stay_on_one_line() {
        assert_eq!(print(&json!({"a": {"b": [1, 2]}})), "{\"a\":{\"b\":[1,2]}}\n");
    }
}
