//! Tables: the columns and cells that kubectl prints.

use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Object as Members, Value, json};
use coracle_kinds::table::{self, Printer};

use super::render::{Include, partial};
use crate::api::Api;
use crate::http::accept::MetaVersion;
use crate::registry::{Row, Source};
use crate::stored::Object;

/// A Table of objects; the columns are left out where an earlier answer had them.
pub(crate) fn of_objects(
    api: &Api,
    row: &Row,
    objects: &[Object],
    version: MetaVersion,
    include: Include,
    with_columns: bool,
) -> Result<Value, Status> {
    let mut rows = Vec::new();
    for object in objects {
        let tree = api.tree(row, object)?;
        let mut members = Members::new();
        members.insert("cells".into(), Value::List(cells(row, &tree)));
        if let Some(object) = included(api, row, object, &tree, version, include)? {
            members.insert("object".into(), object);
        }
        rows.push(Value::Object(members));
    }
    let mut table = Members::new();
    table.insert("kind".into(), Value::text("Table"));
    table.insert("apiVersion".into(), Value::text(version.api_version()));
    if with_columns {
        table.insert("columnDefinitions".into(), Value::List(columns(row)));
    }
    // Some kinds print no list at all where others print an empty one.
    let prints_null = !row.is_custom() && Printer::of(&row.group, &row.resource).null_without_rows();
    table.insert("rows".into(), if rows.is_empty() && prints_null { Value::Null } else { Value::List(rows) });
    Ok(Value::Object(table))
}

/// The Table with the metadata of a list.
pub(crate) fn with_list_metadata(mut table: Value, revision: u64, token: &str, remaining: Option<usize>) -> Value {
    if let Some(members) = table.as_object_mut() {
        let metadata = members.object_mut("metadata");
        if revision != 0 {
            metadata.insert("resourceVersion".into(), Value::text(revision.to_string()));
        }
        if !token.is_empty() {
            metadata.insert("continue".into(), Value::text(token));
        }
        if let Some(remaining) = remaining {
            metadata.insert("remainingItemCount".into(), Value::Int(i64::try_from(remaining).unwrap_or(i64::MAX)));
        }
    }
    table
}

/// What a row holds beside its cells, as embedded JSON.
fn included(
    api: &Api,
    row: &Row,
    object: &Object,
    tree: &Value,
    version: MetaVersion,
    include: Include,
) -> Result<Option<Value>, Status> {
    let bytes = match include {
        Include::None => return Ok(None),
        Include::Metadata => {
            let (of, value) = partial(row, object, version)?;
            json::encode(of, &value)
        }
        Include::Object => match row.built_in() {
            Some(of) => json::encode(of, tree),
            None => json::encode_any(&*api.tree(row, object)?),
        },
    };
    String::from_utf8(bytes).map(|text| Some(Value::Raw(text.into()))).map_err(Status::internal)
}

pub(crate) fn cells(row: &Row, tree: &Value) -> Vec<Value> {
    match &row.source {
        Source::BuiltIn { .. } => table::cells(&row.group, &row.resource, tree, crate::now_instant()),
        Source::Custom(version) => version.cells(tree, crate::now_seconds()),
    }
}

fn columns(row: &Row) -> Vec<Value> {
    match &row.source {
        Source::BuiltIn { .. } => {
            let columns = table::columns(&row.group, &row.resource).iter();
            columns
                .map(|column| definition(column.name, column.kind, column.format, column.description, column.priority))
                .collect()
        }
        Source::Custom(version) => version
            .columns()
            .iter()
            .map(|column| definition(&column.name, &column.kind, &column.format, &column.description, column.priority))
            .collect(),
    }
}

fn definition(name: &str, kind: &str, format: &str, description: &str, priority: i64) -> Value {
    let texts = [("name", name), ("type", kind), ("format", format), ("description", description)];
    let texts = texts.into_iter().map(|(key, text)| (key.into(), Value::text(text)));
    Value::Object(texts.chain([("priority".into(), Value::Int(priority))]).collect())
}
