//! Watches as a stream of frames.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Object as Members, Value, json, schema};
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame};

use super::render::{self, Form, Transform};
use super::{Body, table};
use crate::api::Api;
use crate::api::watch::{Event, Events};
use crate::http::accept::{Media, MetaVersion};
use crate::http::frames::{self, Event as Word};
use crate::registry::Row;

/// A watch as a response that goes on.
pub(super) fn response(api: Api, row: Arc<Row>, events: Events, form: Form) -> Response<Body> {
    let mut sent_columns = false;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    // The task ends with the watch, or when the client is gone and the channel with it.
    tokio::spawn(async move {
        let mut events = events;
        loop {
            let next = tokio::select! {
                next = events.next() => next,
                () = sender.closed() => break,
            };
            let Some(event) = next else { break };
            let ends = matches!(event, Event::Error(_));
            let bytes =
                frame(&api, &row, &event, form, &mut sent_columns).unwrap_or_else(|status| error(&status, form.media));
            if sender.send(bytes).await.is_err() || ends {
                break;
            }
        }
    });
    let mut response = Response::new(Frames(receiver).boxed_unsync());
    let content_type = http::HeaderValue::from_static(form.media.stream());
    response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    response
}

struct Frames(tokio::sync::mpsc::Receiver<Bytes>);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// One event as it is sent.
fn frame(api: &Api, row: &Arc<Row>, event: &Event, form: Form, sent_columns: &mut bool) -> Result<Bytes, Status> {
    let (kind, object) = match event {
        Event::Added(object) => (Word::Added, object),
        Event::Modified(object) => (Word::Modified, object),
        Event::Deleted(object) => (Word::Deleted, object),
        Event::Bookmark(revision, initial_end) => {
            let bytes = bookmark(row, *revision, *initial_end, form)?;
            return framed(form.media, Word::Bookmark, &bytes);
        }
        Event::Error(status) => return Ok(error(status, form.media)),
    };
    let bytes = match form.transform {
        Transform::Table(version, include) => {
            let objects = std::slice::from_ref(object);
            let table = table::of_objects(api, row, objects, version, include, !*sent_columns)?;
            *sent_columns = true;
            let table = table::with_list_metadata(table, object.revision(), "", None);
            render::document(render::lookup("Table")?, &table, plain(form))?
        }
        _ => render::object(api, row, object, plain(form))?,
    };
    framed(form.media, kind, &bytes)
}

fn framed(media: Media, word: Word, bytes: &[u8]) -> Result<Bytes, Status> {
    let frame = frames::frame(media, word, bytes);
    frame.map(Bytes::from).ok_or_else(|| Status::internal("an event that cannot be framed"))
}

fn plain(form: Form) -> Form {
    Form { pretty: false, ..form }
}

/// The object of a bookmark: its kind and how far the watch has come.
fn bookmark(row: &Row, revision: u64, initial_end: bool, form: Form) -> Result<Vec<u8>, Status> {
    let mut metadata = Members::new();
    metadata.insert("resourceVersion".into(), Value::text(revision.to_string()));
    if initial_end {
        let annotation = ("k8s.io/initial-events-end".into(), Value::text("true"));
        metadata.insert("annotations".into(), Value::Object([annotation].into_iter().collect()));
    }
    let (of, kind, api_version) = match (form.transform, row.built_in()) {
        (Transform::Whole, Some(of)) => (Some(of), row.kind.as_ref(), row.api_version.as_str()),
        (Transform::Whole, None) => (None, row.kind.as_ref(), row.api_version.as_str()),
        (Transform::Metadata(version) | Transform::Table(version, _), _) => {
            let of = schema::lookup("meta.k8s.io/v1", "PartialObjectMetadata");
            (of, "PartialObjectMetadata", version.api_version())
        }
    };
    let mut object = Members::new();
    object.insert("kind".into(), Value::text(kind));
    object.insert("apiVersion".into(), Value::text(api_version));
    object.insert("metadata".into(), Value::Object(metadata));
    let object = Value::Object(object);
    if let Transform::Table(version, _) = form.transform {
        return bookmark_table(row, &object, revision, version, form);
    }
    match of {
        Some(of) => render::document(of, &object, plain(form)),
        None => Ok(json::encode_any(&object)),
    }
}

/// A bookmark of a Table has one row of empty cells, as the real server's has.
fn bookmark_table(
    row: &Row,
    object: &Value,
    revision: u64,
    version: MetaVersion,
    form: Form,
) -> Result<Vec<u8>, Status> {
    let cells = table::cells(row, object);
    let mut members = Members::new();
    members.insert("cells".into(), Value::List(cells));
    let text = match schema::lookup("meta.k8s.io/v1", "PartialObjectMetadata") {
        Some(of) => json::encode(of, object),
        None => json::encode_any(object),
    };
    members.insert("object".into(), Value::Raw(String::from_utf8(text).map_err(Status::internal)?.into()));
    let mut list = Members::new();
    list.insert("kind".into(), Value::text("Table"));
    list.insert("apiVersion".into(), Value::text(version.api_version()));
    list.insert("rows".into(), Value::List(vec![Value::Object(members)]));
    let table = table::with_list_metadata(Value::Object(list), revision, "", None);
    render::document(render::lookup("Table")?, &table, plain(form))
}

/// A failure in the stream.
fn error(status: &Status, media: Media) -> Bytes {
    let form = Form { media, transform: Transform::Whole, pretty: false };
    let bytes = render::lookup("Status").and_then(|of| render::document(of, &status.to_value(), form));
    framed(media, Word::Error, &bytes.unwrap_or_default()).unwrap_or_default()
}
