//! Writes of components in this process, through the same verbs as everybody's.

use std::sync::Arc;

use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Value, json};
use coracle_auth::Identity;
use coracle_client::{Operation, PatchKind, Propagation, Write};

use crate::api::Api;
use crate::api::request::{self, Body, Content, Context, DeleteOptions, Media, Options, Request, Verb};
use crate::http::query::FieldValidation;

/// Does a write and gives the object after it.
pub(super) async fn execute(api: &Api, identity: &Arc<Identity>, write: Write) -> Result<Arc<Value>, Status> {
    let context = Context::new(Arc::clone(identity));
    match api.execute(&context, request(write)).await?.content {
        Content::Object(row, object) => api.tree(&row, &object),
        Content::Document(_, value) => Ok(Arc::new(value)),
        Content::List(..) | Content::Watch(..) | Content::Stream(_) => {
            Err(Status::internal("a write answered with a list or a stream"))
        }
    }
}

fn request(write: Write) -> Request {
    let Write { resource, namespace, name, subresource, operation } = write;
    let mut options = Options { field_validation: FieldValidation::Ignore, ..Options::default() };
    let mut path_name = name;
    let (verb, body) = match operation {
        Operation::Create(object) => {
            // Only a subresource is created below a name.
            if subresource.is_empty() {
                path_name = String::new();
            }
            (Verb::Create, Body::Tree(object))
        }
        Operation::Update(object) => (Verb::Update, Body::Tree(object)),
        Operation::Patch(kind, patch) => {
            let media = match kind {
                PatchKind::Merge => Media::MergePatch,
                PatchKind::Strategic => Media::StrategicPatch,
            };
            (Verb::Patch, Body::Bytes(media, json::encode_any(&patch).into()))
        }
        Operation::Delete { grace_seconds, propagation, uid, resource_version } => {
            let some = |text: String| Some(text).filter(|text| !text.is_empty());
            options.delete = DeleteOptions {
                grace_seconds,
                propagation: propagation.map(fate),
                uid: some(uid),
                resource_version: some(resource_version),
            };
            (Verb::Delete, Body::None)
        }
    };
    Request {
        verb,
        group: resource.group.to_string(),
        version: resource.version.to_string(),
        resource: resource.plural.to_string(),
        subresource: subresource.to_owned(),
        namespace,
        name: path_name,
        options,
        body,
    }
}

fn fate(of: Propagation) -> request::Propagation {
    match of {
        Propagation::Orphan => request::Propagation::Orphan,
        Propagation::Background => request::Propagation::Background,
        Propagation::Foreground => request::Propagation::Foreground,
    }
}
