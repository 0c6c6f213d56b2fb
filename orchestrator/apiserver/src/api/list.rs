//! Lists: a consistent view at a revision, in pages, with selectors.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;
use coracle_store::{Error, Key, Revision, Scope, Snapshot};
use serde::{Deserialize, Serialize};

use super::Api;
use super::request::Options;
use crate::registry::Row;
use crate::stored::Object;

/// Objects of one row at one revision.
#[derive(Debug)]
pub struct List {
    /// The objects.
    pub items: Vec<Object>,
    /// The revision of the view.
    pub revision: u64,
    /// Where the next page begins; empty on the last one.
    pub continue_token: String,
    /// How many objects follow, where that is known.
    pub remaining: Option<usize>,
}

/// What a continue token says. The form is upstream's (apiserver v0.37.2, pkg/storage/continue.go), so that tools that
/// look inside find what they expect.
#[derive(Debug, Serialize, Deserialize)]
struct Token {
    v: String,
    rv: i64,
    start: String,
}

const TOKEN_VERSION: &str = "meta.k8s.io/v1";

/// What of the objects a request wants.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    labels: coracle_apimachinery::selector::label::Selector,
    fields: coracle_apimachinery::selector::field::Selector,
}

/// Lists the objects of a row, in one namespace or in all.
///
/// # Errors
/// A selector or a version cannot be used.
pub(crate) fn list(api: &Api, row: &Arc<Row>, namespace: &str, options: &Options) -> Result<List, Status> {
    let filter = Filter::new(row, options)?;
    let scope = scope(row, namespace);
    let (snapshot, after) = start(api, row, namespace, options)?;
    let mut items = Vec::new();
    let mut last: Option<Key> = None;
    let mut more = false;
    for entry in snapshot.range(&scope, after.as_ref()) {
        if options.limit > 0 && items.len() == options.limit {
            more = !filter.selects() || { more_follow(api, row, &snapshot, &scope, last.as_ref(), &filter)? };
            break;
        }
        let object = Object::of_entry(entry);
        if filter.matches(api, row, &object)? {
            items.push(object);
            last = Some(entry.key().clone());
        }
    }
    let revision = snapshot.revision().as_u64();
    let (mut continue_token, mut remaining) = (String::new(), None);
    if let (true, Some(last)) = (more, last) {
        continue_token = token(revision, &last, namespace)?;
        if !filter.selects() {
            remaining = Some(snapshot.range(&scope, Some(&last)).count());
        }
    }
    Ok(List { items, revision, continue_token, remaining })
}

/// Whether a later object fits: a page is only announced when it is not empty.
fn more_follow(
    api: &Api,
    row: &Row,
    snapshot: &Snapshot,
    scope: &Scope,
    after: Option<&Key>,
    filter: &Filter,
) -> Result<bool, Status> {
    for entry in snapshot.range(scope, after) {
        if filter.matches(api, row, &Object::of_entry(entry))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The keys of a row, in one namespace or in all.
pub(crate) fn scope(row: &Row, namespace: &str) -> Scope {
    if row.namespaced && !namespace.is_empty() { row.storage.in_namespace(namespace) } else { row.storage.all() }
}

/// The view that a list reads, and the key after which it begins.
fn start(api: &Api, row: &Row, namespace: &str, options: &Options) -> Result<(Snapshot, Option<Key>), Status> {
    if !options.continue_token.is_empty() {
        let token = parse_token(&options.continue_token)?;
        let key = start_key(row, namespace, &token.start)?;
        let revision = u64::try_from(token.rv).unwrap_or(0);
        let snapshot = api.store().snapshot_at(Revision::from_u64(revision)).map_err(|error| match error {
            Error::Compacted { .. } => expired_token(api, &key),
            other => version_failure(&other, revision),
        })?;
        return Ok((snapshot, Some(key)));
    }
    let requested = version(&options.resource_version)?;
    if options.version_match == "Exact" {
        let snapshot = api.store().snapshot_at(Revision::from_u64(requested));
        return snapshot.map(|snapshot| (snapshot, None)).map_err(|error| version_failure(&error, requested));
    }
    let snapshot = api.store().snapshot();
    let current = snapshot.revision().as_u64();
    if requested > current {
        return Err(too_large(requested, current));
    }
    Ok((snapshot, None))
}

/// The number of a resourceVersion; none is 0.
pub(crate) fn version(text: &str) -> Result<u64, Status> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| {
        let why = if text.bytes().all(|byte| byte.is_ascii_digit()) { "value out of range" } else { "invalid syntax" };
        let quoted = coracle_apimachinery::field::quote(text);
        Status::bad_request(format!(
            "invalid resource version: resourceVersion: Invalid value: {quoted}: strconv.ParseUint: parsing {quoted}: {why}"
        ))
    })
}

/// The failure of a read at a revision outside the kept history.
pub(crate) fn version_failure(error: &Error, requested: u64) -> Status {
    match error {
        Error::Compacted { oldest, .. } => Status::expired(format!("too old resource version: {requested} ({oldest})")),
        Error::Future { current, .. } => too_large(requested, current.as_u64()),
        other => Status::internal(other),
    }
}

fn too_large(requested: u64, current: u64) -> Status {
    let message = format!("Timeout: Too large resource version: {requested}, current: {current}");
    Status::new(504, "Timeout", message)
        .because("ResourceVersionTooLarge", "Too large resource version", "")
        .retry_after(1)
}

fn token(revision: u64, last: &Key, namespace: &str) -> Result<String, Status> {
    // The key below the listed prefix; a zero byte makes it the first key behind the last one.
    let start = if namespace.is_empty() && !last.namespace().is_empty() {
        format!("/{}/{}\0", last.namespace(), last.name())
    } else {
        format!("/{}\0", last.name())
    };
    let token = Token { v: TOKEN_VERSION.to_owned(), rv: i64::try_from(revision).unwrap_or(i64::MAX), start };
    serde_json::to_vec(&token).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(Status::internal)
}

fn parse_token(text: &str) -> Result<Token, Status> {
    let invalid =
        |why: String| Status::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|error| invalid(format!("illegal base64 data: {error}")))?;
    // The wording of the first bad character is Go's.
    if let Err(error) = coracle_apimachinery::json::check(&bytes) {
        return Err(invalid(error.to_string()));
    }
    let token: Token = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
    if token.v != TOKEN_VERSION {
        return Err(invalid(format!("server does not recognize this encoded version {:?}", token.v)));
    }
    if token.start.is_empty() {
        return Err(invalid("encoded start key empty (version meta.k8s.io/v1)".to_owned()));
    }
    Ok(token)
}

/// The key after which a page begins.
fn start_key(row: &Row, namespace: &str, start: &str) -> Result<Key, Status> {
    let invalid =
        || Status::bad_request("invalid continue token: continue key is not valid: the start is no key of this list");
    let below = start.strip_prefix('/').and_then(|start| start.strip_suffix('\0')).ok_or_else(invalid)?;
    let (namespace, name) = match below.split_once('/') {
        Some((found, name)) if namespace.is_empty() => (found, name),
        None => (if row.namespaced { namespace } else { "" }, below),
        Some(_) => return Err(invalid()),
    };
    row.storage.key(namespace, name).map_err(|_| invalid())
}

/// A page of a view that is gone: the client may go on with the newest state, by the token in the answer.
fn expired_token(api: &Api, after: &Key) -> Status {
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
    tracing::debug!(%after, now = %api.store().revision(), "expired continue token");
    Status::expired(message)
}

impl Filter {
    /// The filter of a request.
    ///
    /// # Errors
    /// A field cannot be selected by.
    pub(crate) fn new(row: &Row, options: &Options) -> Result<Self, Status> {
        for requirement in options.fields.requirements() {
            if !row.selects_by(&requirement.field) {
                return Err(Status::bad_request(row.unsupported_field(&requirement.field)));
            }
        }
        Ok(Self { labels: options.labels.clone(), fields: options.fields.clone() })
    }

    /// Whether it leaves anything out.
    pub(crate) fn selects(&self) -> bool {
        !self.labels.is_empty() || !self.fields.requirements().is_empty()
    }

    /// Whether an object is wanted.
    pub(crate) fn matches(&self, api: &Api, row: &Row, object: &Object) -> Result<bool, Status> {
        if !self.selects() {
            return Ok(true);
        }
        let tree = api.tree(row, object)?;
        let labels = tree.at(&["metadata", "labels"]).and_then(Value::as_object);
        Ok(self.labels.matches(labels) && self.fields.matches(|field| row.field(field, &tree)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_go_reads_them() {
        assert_eq!(version("").unwrap(), 0);
        assert_eq!(version("12").unwrap(), 12);
        for text in ["new", "-1", "1e3", "99999999999999999999999"] {
            assert_eq!(version(text).unwrap_err().code, 400, "{text}");
        }
    }

    #[test]
    fn hostile_tokens_are_refused() {
        for text in ["nonsense", "!", "", "e30"] {
            assert_eq!(parse_token(text).unwrap_err().code, 400, "{text}");
        }
    }
}
