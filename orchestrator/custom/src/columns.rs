//! What a table of custom resources shows.

use crate::gotext;
use crate::jsonpath::JsonPath;
use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Value, json};

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its heading.
    pub name: String,
    /// `integer`, `number`, `string`, `boolean` or `date`.
    pub kind: String,
    /// Its format, perhaps empty.
    pub format: String,
    /// Words for people.
    pub description: String,
    /// 0 is always shown, more only on demand.
    pub priority: i64,
    source: Source,
}

#[derive(Debug, Clone, PartialEq)]
enum Source {
    Name,
    Path(JsonPath),
}

/// The columns of a version: the name, then what the definition lists, or else the age. A path that cannot be read ends
/// the list, as upstream does.
pub(crate) fn read(version: &Value) -> Vec<Column> {
    let mut columns = vec![Column {
        name: "Name".into(),
        kind: "string".into(),
        format: "name".into(),
        description: "Name of the object, unique among its kind in its namespace.".into(),
        priority: 0,
        source: Source::Name,
    }];
    let listed = version.at(&["additionalPrinterColumns"]).map(Value::items).unwrap_or_default();
    if listed.is_empty() {
        columns.extend(column("Age", "date", ".metadata.creationTimestamp", &Value::Null));
    }
    for entry in listed {
        let text = |name: &str| entry.text_at(&[name]);
        match column(text("name"), text("type"), text("jsonPath"), entry) {
            Some(column) => columns.push(column),
            None => break,
        }
    }
    columns
}

fn column(name: &str, kind: &str, path: &str, entry: &Value) -> Option<Column> {
    let description = match entry.text_at(&["description"]) {
        "" => format!("The value at {path}."),
        given => given.to_owned(),
    };
    Some(Column {
        name: name.to_owned(),
        kind: kind.to_owned(),
        format: entry.text_at(&["format"]).to_owned(),
        description,
        priority: entry.at(&["priority"]).and_then(Value::as_int).unwrap_or(0),
        source: Source::Path(JsonPath::parse(path).ok()?),
    })
}

impl Column {
    /// The cell of an object. `age` words the time since a point in time.
    pub fn cell(&self, object: &Value, age: &impl Fn(&str) -> String) -> Value {
        let path = match &self.source {
            Source::Name => return Value::text(object.text_at(&["metadata", "name"])),
            Source::Path(path) => path,
        };
        let Ok(found) = path.find(object) else { return Value::Null };
        let Some(value) = found.first() else { return Value::Null };
        cell(&self.kind, value, age)
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "Go converts numbers of cells like this"
)]
fn cell(kind: &str, value: &Value, age: &impl Fn(&str) -> String) -> Value {
    match (kind, value) {
        ("string", Value::Null) => Value::text("<no value>"),
        ("string", Value::List(_) | Value::Object(_)) => {
            Value::text(String::from_utf8_lossy(&json::encode_any(value)).into_owned())
        }
        ("string", other) => Value::text(gotext::print(other)),
        ("integer", Value::Int(_)) | ("number", Value::Float(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        ("integer", Value::Float(number)) => Value::Int(*number as i64),
        ("number", Value::Int(number)) => Value::Float(*number as f64),
        ("date", Value::String(text)) => Value::text(match &**text {
            "" | "null" => "<unknown>".to_owned(),
            text if Instant::parse(text, Precision::Seconds).is_ok() => age(text),
            _ => "<invalid>".to_owned(),
        }),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use coracle_apimachinery::{Value, json};

    fn tree(text: &str) -> Value {
        json::decode_any(text.as_bytes()).unwrap()
    }

    #[test]
    fn cells_have_the_type_of_their_column() {
        let version = tree(
            r#"{"additionalPrinterColumns":[
                {"name":"S","type":"string","jsonPath":".s"},{"name":"I","type":"integer","jsonPath":".i","priority":1},
                {"name":"N","type":"number","jsonPath":".i"},{"name":"B","type":"boolean","jsonPath":".b"},
                {"name":"D","type":"date","jsonPath":".d"},{"name":"M","type":"string","jsonPath":".m"},
                {"name":"F","type":"string","jsonPath":".f"},{"name":"X","type":"integer","jsonPath":".s"},
                {"name":"W","type":"date","jsonPath":".s"}]}"#,
        );
        let object = tree(
            r#"{"metadata":{"name":"n"},"s":"t","i":3,"b":true,"d":"2024-01-01T00:00:00Z","m":{"k":[1]},"f":1000000.5}"#,
        );
        let columns = read(&version);
        let cells: Vec<Value> = columns.iter().map(|column| column.cell(&object, &|_| "5m".to_owned())).collect();
        let text = String::from_utf8(json::encode_any(&Value::List(cells))).unwrap();
        assert_eq!(text, r#"["n","t",3,3,true,"5m","{\"k\":[1]}","1.0000005e+06",null,"\u003cinvalid\u003e"]"#);
        assert_eq!(columns[2].priority, 1);
    }

    #[test]
    fn the_age_is_shown_when_nothing_is_listed() {
        let columns = read(&tree("{}"));
        let names: Vec<(&str, &str)> = columns.iter().map(|column| (&*column.name, &*column.kind)).collect();
        assert_eq!(names, [("Name", "string"), ("Age", "date")]);
    }
}
