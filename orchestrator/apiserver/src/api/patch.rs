//! Patches: three kinds that change the present state, through the same loop as every update.

use std::sync::Arc;

use bytes::Bytes;
use coracle_apimachinery::json;
use coracle_apimachinery::schema::Type;
use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Value, patch};

use super::Api;
use super::create::plain;
use super::request::{Answer, Body, Content, Context, Media, Request};
use super::update::{Change, check_name};
use crate::registry::Row;

impl Api {
    pub(super) async fn patch(&self, context: &Context, row: &Arc<Row>, request: Request) -> Result<Answer, Status> {
        let sent = Sent::read(&request)?;
        let (namespace, name, options) = (&*request.namespace, &*request.name, &request.options);
        let change = Change { row, namespace, name, subresource: &request.subresource, options };
        let object = self
            .update(context, change, |old| {
                let patched = sent.apply(row.built_in(), plain(row, old)?)?;
                let bytes = json::encode_any(&patched);
                let mut new = row.decode(context, Media::Json, &bytes, options.field_validation)?;
                check_name(&mut new, name)?;
                Ok(new)
            })
            .await?;
        Ok(Answer::new(context, 200, Content::Object(Arc::clone(row), object)))
    }
}

/// A patch as it was sent.
#[derive(Debug)]
pub(super) enum Sent {
    Json(Bytes),
    Merge(Value),
    Strategic(Value),
}

impl Sent {
    /// Reads the body of a request.
    pub(super) fn read(request: &Request) -> Result<Self, Status> {
        match &request.body {
            Body::Bytes(Media::JsonPatch, bytes) => Ok(Self::Json(bytes.clone())),
            Body::Bytes(Media::MergePatch, bytes) => Ok(Self::Merge(document(bytes)?)),
            Body::Bytes(Media::StrategicPatch, bytes) => Ok(Self::Strategic(document(bytes)?)),
            Body::Tree(value) => Ok(Self::Merge(value.clone())),
            Body::Bytes(..) | Body::None => Err(Status::bad_request("the request has no patch")),
        }
    }

    /// The document after the patch.
    pub(super) fn apply(&self, of: Option<Type<'static>>, document: Value) -> Result<Value, Status> {
        match self {
            Self::Json(bytes) => patch::json_patch(document, bytes).map_err(|error| error.status()),
            Self::Merge(sent) => Ok(patch::merge_patch(document, sent)),
            Self::Strategic(sent) => match of {
                Some(of) => patch::strategic_merge(of, document, sent).map_err(|error| error.status()),
                None => Err(Status::internal("a strategic merge patch of a custom resource")),
            },
        }
    }
}

fn document(bytes: &[u8]) -> Result<Value, Status> {
    json::decode_any(bytes).map_err(|error| Status::bad_request(format!("error decoding patch: {error}")))
}
