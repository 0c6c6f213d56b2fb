//! Patches: three kinds that change the present state, through the same loop as every update.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::json;
use coracle_apimachinery::patch::{self, JsonPatch};
use coracle_apimachinery::schema::Type;
use coracle_apimachinery::status::Status;

use super::Api;
use super::create::plain;
use super::request::{Answer, Body, Content, Context, Media, Request};
use super::update::{Change, check_name};
use crate::http::query::FieldValidation;
use crate::registry::{Row, reporting};

impl Api {
    pub(super) async fn patch(&self, context: &Context, row: &Arc<Row>, request: Request) -> Result<Answer, Status> {
        let sent = Sent::read(context, &request)?;
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
    Json(JsonPatch),
    Merge(Value),
    Strategic(Value),
}

impl Sent {
    /// Reads the body of a request.
    pub(super) fn read(context: &Context, request: &Request) -> Result<Self, Status> {
        let validation = reporting(request.options.field_validation);
        let (sent, findings) = match &request.body {
            Body::Bytes(Media::JsonPatch, bytes) => {
                let (patch, findings) = JsonPatch::read(bytes, validation)?;
                (Self::Json(patch), findings)
            }
            Body::Bytes(Media::MergePatch, bytes) => {
                let read = patch::read_merge(bytes, validation)?;
                (Self::Merge(read.value), read.findings)
            }
            Body::Bytes(Media::StrategicPatch, bytes) => {
                let read = patch::read_strategic(bytes, validation)?;
                (Self::Strategic(read.value), read.findings)
            }
            Body::Tree(value) => (Self::Merge(value.clone()), Vec::new()),
            Body::Bytes(..) | Body::None | Body::Stream(_) => {
                return Err(Status::bad_request("the request has no patch"));
            }
        };
        match request.options.field_validation {
            FieldValidation::Strict if !findings.is_empty() => Err(Status::bad_request(json::strict_error(&findings))),
            FieldValidation::Warn => {
                findings.into_iter().for_each(|finding| context.warn(finding));
                Ok(sent)
            }
            _ => Ok(sent),
        }
    }

    /// The document after the patch.
    pub(super) fn apply(&self, of: Option<Type<'static>>, document: Value) -> Result<Value, Status> {
        match (self, of) {
            (Self::Json(sent), _) => sent.apply(document),
            (Self::Merge(sent), _) => Ok(patch::merge_patch(document, sent)),
            (Self::Strategic(sent), Some(of)) => patch::strategic_merge(of, document, sent),
            (Self::Strategic(_), None) => Err(Status::internal("a strategic merge patch of a custom resource")),
        }
    }
}
