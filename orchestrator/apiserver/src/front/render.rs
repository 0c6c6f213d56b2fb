//! Answers as bytes: JSON, YAML, protobuf, Tables and metadata alone, cut from stored bytes where that is possible.

use std::sync::Arc;

use coracle_apimachinery::schema::{self, Type};
use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Object as Members, Value, json, protobuf, yaml};
use coracle_auth::Identity;
use http::{HeaderMap, HeaderName, Response, StatusCode};

use super::{Body, Front, full};
use crate::api::Api;
use crate::api::list::List;
use crate::http::accept::{Media, MetaVersion};
use crate::http::headers::{self, Flow};
use crate::registry::Row;
use crate::stored::Object;

/// How the client wants an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) media: Media,
    pub(crate) transform: Transform,
    pub(crate) pretty: bool,
}

/// What is made of an object before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transform {
    /// Nothing.
    Whole,
    /// Its metadata alone.
    Metadata(MetaVersion),
    /// A row of a Table.
    Table(MetaVersion, Include),
}

/// What a Table's rows hold beside their cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    /// The metadata.
    Metadata,
    /// The whole object.
    Object,
    /// Nothing.
    None,
}

const META: &str = "meta.k8s.io/v1";

/// The bytes of one object.
pub(crate) fn object(api: &Api, row: &Row, object: &Object, form: Form) -> Result<Vec<u8>, Status> {
    match (form.transform, form.media) {
        (Transform::Whole, Media::Json) if row.sends_stored_bytes() && !form.pretty => Ok(object.json()),
        (Transform::Whole, _) => {
            let tree = api.tree(row, object)?;
            tree_bytes(row, &tree, form)
        }
        (Transform::Metadata(version), _) => {
            let (of, value) = partial(row, object, version)?;
            document(of, &value, form)
        }
        (Transform::Table(version, include), _) => {
            let table = super::table::of_objects(api, row, std::slice::from_ref(object), version, include, true)?;
            document(lookup("Table")?, &super::table::with_list_metadata(table, object.revision(), "", None), form)
        }
    }
}

/// The bytes of an object's tree.
pub(crate) fn tree_bytes(row: &Row, tree: &Value, form: Form) -> Result<Vec<u8>, Status> {
    match (row.built_in(), form.media) {
        (Some(of), _) => document(of, tree, form),
        (None, Media::Protobuf) => Err(Status::internal("a custom resource has no protobuf form")),
        (None, Media::Yaml) => Ok(yaml::encode_any(tree)),
        (None, Media::Json) => Ok(pretty(json::encode_any(tree), form)),
    }
}

/// The bytes of a document.
pub(crate) fn document(of: Type<'static>, value: &Value, form: Form) -> Result<Vec<u8>, Status> {
    Ok(match form.media {
        Media::Json => pretty(json::encode(of, value), form),
        Media::Yaml => {
            let plain = json::decode_any(&json::encode(of, value)).map_err(Status::internal)?;
            yaml::encode_any(&plain)
        }
        Media::Protobuf => protobuf::envelope::seal(of, value),
    })
}

/// Indents JSON by two spaces.
fn pretty(bytes: Vec<u8>, form: Form) -> Vec<u8> {
    if !form.pretty {
        return bytes;
    }
    let value: Result<serde_json::Value, _> = serde_json::from_slice(&bytes);
    value.and_then(|value| serde_json::to_vec_pretty(&value)).unwrap_or(bytes)
}

/// The metadata of an object as a document.
pub(crate) fn partial(row: &Row, object: &Object, version: MetaVersion) -> Result<(Type<'static>, Value), Status> {
    let of = lookup("PartialObjectMetadata")?;
    let api_version = version.api_version();
    let mut text = format!(r#"{{"kind":"PartialObjectMetadata","apiVersion":"{api_version}","metadata":"#).into_bytes();
    object.metadata(&mut text);
    text.push(b'}');
    let decoded = json::decode(of, &text, json::FieldValidation::Ignore);
    decoded.map(|decoded| (of, decoded.value)).map_err(|error| Status::internal(format!("{}: {error}", row.kind)))
}

/// The bytes of a list.
pub(crate) fn list(api: &Api, row: &Row, list: &List, form: Form) -> Result<Vec<u8>, Status> {
    if let Transform::Table(version, include) = form.transform {
        let table = super::table::of_objects(api, row, &list.items, version, include, true)?;
        let table = super::table::with_list_metadata(table, list.revision, &list.continue_token, list.remaining);
        return document(lookup("Table")?, &table, form);
    }
    if form.media == Media::Protobuf {
        return protobuf_list(row, list, form.transform);
    }
    let json = match form.transform {
        Transform::Metadata(version) => metadata_list(row, list, version)?,
        _ => plain_list(api, row, list)?,
    };
    if form.media == Media::Json {
        return Ok(pretty(json, form));
    }
    let of = match form.transform {
        Transform::Metadata(_) => lookup("PartialObjectMetadataList").ok(),
        _ => schema::kind(&row.api_version, &row.list_kind),
    };
    match of {
        Some(of) => {
            let decoded = json::decode(of, &json, json::FieldValidation::Ignore).map_err(Status::internal)?;
            document(of, &decoded.value, form)
        }
        None => json::decode_any(&json).map(|value| yaml::encode_any(&value)).map_err(Status::internal),
    }
}

/// The beginning of a list up to its items.
fn list_head(kind: &str, api_version: &str, list: &List) -> Vec<u8> {
    let mut metadata = Members::new();
    metadata.insert("resourceVersion".into(), Value::text(list.revision.to_string()));
    if !list.continue_token.is_empty() {
        metadata.insert("continue".into(), Value::text(list.continue_token.as_str()));
    }
    if let Some(remaining) = list.remaining {
        metadata.insert("remainingItemCount".into(), Value::Int(i64::try_from(remaining).unwrap_or(i64::MAX)));
    }
    let mut out = format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":"#).into_bytes();
    out.extend_from_slice(&json::encode_any(&Value::Object(metadata)));
    out.extend_from_slice(br#","items":["#);
    out
}

/// A list in protobuf, item by item: a tree of the whole list would be many times its size, and the limit of documents
/// that are read would refuse it.
fn protobuf_list(row: &Row, list: &List, transform: Transform) -> Result<Vec<u8>, Status> {
    let (kind, api_version) = match transform {
        Transform::Metadata(version) => ("PartialObjectMetadataList", version.api_version()),
        Transform::Whole | Transform::Table(..) => (&*row.list_kind, &*row.api_version),
    };
    let of = match transform {
        Transform::Metadata(_) => lookup(kind)?,
        Transform::Whole | Transform::Table(..) => crate::registry::document(api_version, kind)?,
    };
    let mut head = list_head(kind, api_version, list);
    head.extend_from_slice(b"]}");
    let head = json::decode(of, &head, json::FieldValidation::Ignore).map_err(Status::internal)?;
    let mut message = protobuf::encode(of, &head.value);
    for object in &list.items {
        // Not the kept trees: a long list would push all others out.
        let item = match transform {
            Transform::Metadata(version) => partial(row, object, version)?.1,
            Transform::Whole | Transform::Table(..) => row.tree(object)?,
        };
        if !protobuf::encode_item(of, &item, &mut message) {
            return Err(Status::internal(format!("{kind} is no list")));
        }
    }
    Ok(protobuf::envelope::seal_message(api_version, kind, &message))
}

fn plain_list(api: &Api, row: &Row, list: &List) -> Result<Vec<u8>, Status> {
    let mut out = list_head(&row.list_kind, &row.api_version, list);
    for (at, object) in list.items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        if row.is_custom() {
            // Items of custom lists keep their type header, as the real server sends them.
            out.extend_from_slice(&self::object(api, row, object, PLAIN)?);
        } else if row.sends_stored_bytes() {
            object.item(&mut out);
        } else {
            let mut tree = (*api.tree(row, object)?).clone();
            if let Some(members) = tree.as_object_mut() {
                members.remove("kind");
                members.remove("apiVersion");
            }
            out.extend_from_slice(&tree_bytes(row, &tree, PLAIN)?);
        }
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

const PLAIN: Form = Form { media: Media::Json, transform: Transform::Whole, pretty: false };

fn metadata_list(row: &Row, list: &List, version: MetaVersion) -> Result<Vec<u8>, Status> {
    let mut out = list_head("PartialObjectMetadataList", version.api_version(), list);
    for (at, object) in list.items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let (of, value) = partial(row, object, version)?;
        out.extend_from_slice(&json::encode(of, &value));
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

/// A type of meta/v1.
pub(crate) fn lookup(name: &str) -> Result<Type<'static>, Status> {
    schema::lookup(META, name).ok_or_else(|| Status::internal(format!("no type {name}")))
}

/// The answer of a failure.
pub(crate) fn failure(status: &Status, media: Media, pretty: bool) -> Response<Body> {
    if status.reason.is_empty() && status.code == 404 {
        return super::system::text(StatusCode::NOT_FOUND, format!("{}\n", status.message));
    }
    let form = Form { media, transform: Transform::Whole, pretty };
    let bytes = lookup("Status").and_then(|of| document(of, &status.to_value(), form)).unwrap_or_default();
    let mut response = response(status.code, media.as_str(), bytes);
    headers::set_retry_after(response.headers_mut(), status);
    response
}

/// A failure for who did not say how it should look.
pub(crate) fn failed(status: &Status) -> Response<Body> {
    failure(status, Media::Json, false)
}

/// A refusal by a rule, which repeats the client's words.
pub(crate) fn refused(status: &Status) -> Response<Body> {
    let mut response = failed(status);
    headers::set_no_sniff(response.headers_mut());
    response
}

/// A response with its type.
pub(crate) fn response(code: u16, content_type: &str, bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(full(bytes));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    headers::set_content_type(response.headers_mut(), content_type);
    response
}

/// The text of a header; empty when there is none, or none that is text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The flow schema and priority level that a request falls under. Nothing is queued by them yet; clients read the headers.
pub(crate) fn flow(front: &Front, identity: &Arc<Identity>) -> Option<Flow> {
    let name = if identity.is_in("system:masters") { "exempt" } else { "global-default" };
    let registry = front.api.registry();
    let uid = |resource: &str| {
        let row = registry.row("flowcontrol.apiserver.k8s.io", "v1", resource)?;
        let object = front.api.get(row, "", name).ok()?;
        front.api.tree(row, &object).ok().map(|tree| tree.text_at(&["metadata", "uid"]).to_owned())
    };
    Some(Flow { schema_uid: uid("flowschemas")?, level_uid: uid("prioritylevelconfigurations")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use coracle_apimachinery::at_rest::AtRest;

    /// ConfigMaps that are longer together than any document that is read.
    fn long_list() -> List {
        let of = schema::kind("v1", "ConfigMap").unwrap();
        let text = "x".repeat(512 << 10);
        let object = |number: u64| {
            let json = format!(
                r#"{{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"name":"c-{number}"}},"data":{{"text":"{text}"}}}}"#
            );
            let tree = json::decode(of, json.as_bytes(), json::FieldValidation::Ignore).unwrap().value;
            Object::made(crate::stored::to_store(&AtRest::encode(of, &tree).unwrap()).unwrap(), number)
        };
        List { items: (1..9).map(object).collect(), revision: 9, continue_token: "more".to_owned(), remaining: Some(3) }
    }

    #[test]
    fn a_list_of_any_length_has_a_protobuf_form() {
        let list = long_list();
        let registry = Registry::built_in();
        let row = registry.row("", "v1", "configmaps").unwrap();
        for (transform, kind, bytes) in [
            (Transform::Whole, "ConfigMapList", 4 << 20),
            (Transform::Metadata(MetaVersion::V1), "PartialObjectMetadataList", 8 * 20),
        ] {
            let answer = protobuf_list(row, &list, transform).unwrap();
            assert!(answer.len() > bytes, "{kind}: {}", answer.len());
            // The names of the envelope, and of the last item with its revision.
            let has = |text: &str| answer.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(has(kind) && has("more") && has("c-8"), "{kind}");
        }
    }

    #[test]
    fn short_lists_are_the_same_item_by_item_and_as_a_whole() {
        let mut list = long_list();
        list.items.truncate(2);
        let registry = Registry::built_in();
        let row = registry.row("", "v1", "configmaps").unwrap();
        let of = schema::kind("v1", "ConfigMapList").unwrap();
        let mut json = list_head(&row.list_kind, &row.api_version, &list);
        for (at, object) in list.items.iter().enumerate() {
            json.extend_from_slice(if at > 0 { b"," } else { b"" });
            object.item(&mut json);
        }
        json.extend_from_slice(b"]}");
        let whole = json::decode(of, &json, json::FieldValidation::Ignore).unwrap().value;
        assert_eq!(protobuf_list(row, &list, Transform::Whole).unwrap(), protobuf::envelope::seal(of, &whole));
    }
}
