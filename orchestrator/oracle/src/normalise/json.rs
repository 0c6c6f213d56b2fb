//! What a JSON tree says by its keys: resource versions, continue tokens, generated names, ages in tables.

use super::template::is_whole;
use super::text::{AGE_COLUMNS, is_age, normalise};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// What Kubernetes appends to a generateName.
const SUFFIX: &str = "$$$$$";

/// Normalises a whole tree.
pub(super) fn tree(value: &mut Value) {
    match value {
        Value::String(text) => *text = normalise(text),
        Value::Array(items) => items.iter_mut().for_each(tree),
        Value::Object(items) => object(items),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Normalises the events of a watch. Of its Tables only the first one defines the columns.
pub(super) fn events(events: &mut [Value]) {
    let mut columns = Vec::new();
    for event in events {
        if let Some(table) = event.get_mut("object").and_then(Value::as_object_mut)
            && table.get("kind").and_then(Value::as_str) == Some("Table")
        {
            if table.get("columnDefinitions").is_some_and(Value::is_array) {
                columns = age_columns(table);
            }
            hide_ages(table, &columns);
        }
        tree(event);
    }
}

fn object(items: &mut Map<String, Value>) {
    let prefix = items.get("generateName").and_then(Value::as_str).map(str::to_owned);
    if items.get("kind").and_then(Value::as_str) == Some("Table") {
        let columns = age_columns(items);
        hide_ages(items, &columns);
    }
    for (key, value) in items.iter_mut() {
        tree(value);
        match (key.as_str(), value) {
            ("resourceVersion", Value::String(text)) if is_whole("*", text) && text != "0" => {
                "<resource-version>".clone_into(text);
            }
            ("gitCommit", Value::String(text)) if is_whole(&"%".repeat(40), text) => "<hash>".clone_into(text),
            ("continue", Value::String(text)) => {
                if let Some(readable) = continue_token(text) {
                    *text = readable;
                }
            }
            ("name", Value::String(text)) => {
                if let Some(hidden) = prefix.as_deref().and_then(|prefix| generated(text, prefix)) {
                    *text = hidden;
                }
            }
            _ => {}
        }
    }
}

/// A name that was made from `prefix`, with its suffix hidden.
fn generated(name: &str, prefix: &str) -> Option<String> {
    let made = is_whole(SUFFIX, name.strip_prefix(prefix)?);
    made.then(|| format!("{prefix}<suffix>"))
}

/// A continue token is base64 around JSON with a resource version; only that version is hidden.
fn continue_token(token: &str) -> Option<String> {
    let mut inside: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let version = inside.get_mut("rv").filter(|version| version.is_number())?;
    *version = Value::from("<resource-version>");
    Some(inside.to_string())
}

/// The columns of a Table that hold ages.
fn age_columns(table: &Map<String, Value>) -> Vec<usize> {
    let columns = table.get("columnDefinitions").and_then(Value::as_array).into_iter().flatten();
    let is_age_column =
        |column: &Value| column.get("name").and_then(Value::as_str).is_some_and(|name| AGE_COLUMNS.contains(&name));
    columns.enumerate().filter(|(_, column)| is_age_column(column)).map(|(index, _)| index).collect()
}

/// Hides the ages in the cells of a Table.
fn hide_ages(table: &mut Map<String, Value>, columns: &[usize]) {
    for row in table.get_mut("rows").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(cells) = row.get_mut("cells").and_then(Value::as_array_mut) else { continue };
        for &column in columns {
            if let Some(Value::String(cell)) = cells.get_mut(column)
                && is_age(cell)
            {
                "<age>".clone_into(cell);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn normalised(mut value: Value) -> Value {
        tree(&mut value);
        value
    }

    #[test]
    fn keys() {
        let token = URL_SAFE_NO_PAD.encode(r#"{"v":"meta.k8s.io/v1","rv":7,"start":"a\u0000"}"#);
        for (value, result) in [
            (json!({"resourceVersion": "12"}), json!({"resourceVersion": "<resource-version>"})),
            (json!({"resourceVersion": "0"}), json!({"resourceVersion": "0"})),
            (json!({"resourceVersion": "1a"}), json!({"resourceVersion": "1a"})),
            (json!({"version": "12"}), json!({"version": "12"})),
            (json!({"generateName": "a-", "name": "a-bcdfg"}), json!({"generateName": "a-", "name": "a-<suffix>"})),
            (json!({"generateName": "a-", "name": "a-aeiou"}), json!({"generateName": "a-", "name": "a-aeiou"})),
            (json!({"name": "a-bcdfg"}), json!({"name": "a-bcdfg"})),
            (json!({"name": "kube-api-access-bcdfg"}), json!({"name": "kube-api-access-<suffix>"})),
            (json!({"continue": "x"}), json!({"continue": "x"})),
            (
                json!({"continue": token}),
                json!({"continue": r#"{"rv":"<resource-version>","start":"a\u0000","v":"meta.k8s.io/v1"}"#}),
            ),
        ] {
            assert_eq!(normalised(value), result);
        }
    }

    #[test]
    fn ages_of_a_table() {
        let columns = json!([{"name": "Name"}, {"name": "Age"}]);
        let value = json!({"kind": "Table", "columnDefinitions": columns, "rows": [{"cells": ["5s", "5s"]}]});
        assert_eq!(normalised(value)["rows"][0]["cells"], json!(["5s", "<age>"]));
    }

    #[test]
    fn ages_of_watched_tables_stand_where_the_first_one_says() {
        let table = |columns: Value| json!({"object": {"kind": "Table", "columnDefinitions": columns, "rows": [{"cells": ["5s", "5s"]}]}});
        let mut both = [table(json!([{"name": "Name"}, {"name": "Age"}])), table(Value::Null)];
        events(&mut both);
        for event in both {
            assert_eq!(event["object"]["rows"][0]["cells"], json!(["5s", "<age>"]));
        }
    }
}
