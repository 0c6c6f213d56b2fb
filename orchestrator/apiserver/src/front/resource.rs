//! Requests for resources: from HTTP to the verbs and back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use coracle_apimachinery::selector::{self, field, label};
use coracle_apimachinery::status::Status;
use coracle_auth::Identity;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{Request, Response};
use hyper::body::Incoming;

use super::render::{self, Form, Include, Transform};
use super::{Body, Front, read_body, stream};
use crate::api::request::{self as api, Answer, Ask, Content, Context, Options, Verb};
use crate::http::accept::{self, Offers};
use crate::http::body::{self, PatchKind};
use crate::http::headers::Warnings;
use crate::http::path;
use crate::http::query::{
    self, DeleteOptions as DeleteQuery, IncludeObject, Initial, ListOptions, Match, PatchOptions, Query, WriteOptions,
};
use crate::registry::Row;

/// Answers a request for a resource.
pub(super) async fn answer(
    front: &Front,
    identity: &Arc<Identity>,
    target: path::Resource,
    request: Request<Incoming>,
) -> Response<Body> {
    let (head, incoming) = request.into_parts();
    let query = Query::parse(head.uri.query().unwrap_or_default());
    let watch = target.watch || query.watch();
    let verb = path::verb(head.method.as_str(), &target, watch);
    let context = Context::new(Arc::clone(identity));
    // A selector that cannot be read is refused later, with the other parameters.
    let fields = field::Selector::parse(query.first("fieldSelector").unwrap_or_default()).unwrap_or_default();
    // Who may not do it learns nothing else: a failure of form comes after this.
    if let Some(Err(refusal)) = verb.map(|verb| front.api.authorise(&context, verb, &target, &fields)) {
        return render::refused(&refusal);
    }
    match resource(front, &context, verb, target, &head, &query, incoming).await {
        Ok(response) => response,
        Err(status) => {
            let pretty = query.pretty(render::header(&head.headers, &USER_AGENT));
            let output = accept::negotiate_error(render::header(&head.headers, &ACCEPT), pretty);
            render::failure(&status, output.media, output.pretty)
        }
    }
}

async fn resource(
    front: &Front,
    context: &Context,
    verb: Option<Verb>,
    target: path::Resource,
    head: &http::request::Parts,
    query: &Query,
    incoming: Incoming,
) -> Result<Response<Body>, Status> {
    let registry = front.api.registry();
    let row = registry.row(&target.group, &target.version, &target.resource).cloned();
    let row = row.ok_or_else(|| {
        if registry.serves(&target.group, &target.version) { Status::unknown_resource() } else { unknown_group() }
    })?;
    let verb = verb.filter(|verb| fits_path(*verb, &target)).ok_or_else(Status::method_not_allowed)?;
    if !target.rest.is_empty() {
        return Err(Status::unknown_resource());
    }
    if let Some(ask) = Ask::read(&target.group, &target.resource, &target.subresource, head)?
        && matches!(verb, Verb::Get | Verb::Create)
    {
        let options = Options::default();
        let answer = front.api.execute(context, asked(verb, &row, target, options, api::Body::Stream(ask))).await?;
        return streamed(answer, head);
    }
    let form = form(&row, verb, query, head)?;
    let mut options = options(&target, verb, query)?;
    let body = match verb {
        Verb::Create | Verb::Update => {
            let media = body::media_type(render::header(&head.headers, &CONTENT_TYPE))?;
            api::Body::Bytes(media_of(media), read_body(incoming).await?)
        }
        Verb::Patch => {
            let kind = body::patch_kind(render::header(&head.headers, &CONTENT_TYPE), row.is_custom())?;
            apply(&mut options, &PatchOptions::read(query, kind)?.write);
            api::Body::Bytes(patch_media(kind)?, read_body(incoming).await?)
        }
        Verb::Delete | Verb::DeleteCollection => delete_body(&mut options, query, head, incoming).await?,
        Verb::Get | Verb::List | Verb::Watch => api::Body::None,
    };
    let answer = front.api.execute(context, asked(verb, &row, target, options, body)).await?;
    respond(front, answer, form)
}

/// The request as the API takes it.
fn asked(verb: Verb, row: &Row, target: path::Resource, options: Options, body: api::Body) -> api::Request {
    api::Request {
        verb,
        group: target.group,
        version: target.version,
        resource: target.resource,
        subresource: target.subresource,
        namespace: if row.namespaced { target.namespace } else { String::new() },
        name: target.name,
        options,
        body,
    }
}

/// The answer that is a stream.
fn streamed(answer: Answer, head: &http::request::Parts) -> Result<Response<Body>, Status> {
    let Content::Stream(ready) = answer.content else { return Err(Status::internal("an answer that is no stream")) };
    let upgrade = head.extensions.get::<hyper::upgrade::OnUpgrade>().cloned();
    Ok(crate::streams::response(ready, upgrade))
}

/// Whether a path has a place for the verb: only collections take new objects, only objects are replaced and patched.
fn fits_path(verb: Verb, target: &path::Resource) -> bool {
    match verb {
        Verb::Create => target.name.is_empty() || !target.subresource.is_empty(),
        Verb::Update | Verb::Patch => !target.name.is_empty(),
        _ => true,
    }
}

/// The answer of a group that does not exist: no Status, as the real server has no handler there.
fn unknown_group() -> Status {
    Status::new(404, "", "404 page not found")
}

fn respond(front: &Front, answer: Answer, form: Form) -> Result<Response<Body>, Status> {
    let Answer { code, warnings, content } = answer;
    let mut response = match content {
        Content::Object(row, object) => {
            let bytes = render::object(&front.api, &row, &object, form)?;
            render::response(code, form.media.as_str(), bytes)
        }
        Content::Document(of, value) => {
            let form = Form { transform: Transform::Whole, ..form };
            render::response(code, form.media.as_str(), render::document(of, &value, form)?)
        }
        Content::List(row, list) => {
            let bytes = render::list(&front.api, &row, &list, form)?;
            render::response(code, form.media.as_str(), bytes)
        }
        Content::Watch(row, events) => stream::response(front.api.clone(), row, *events, form),
        Content::Stream(_) => return Err(Status::internal("a stream where an object was asked for")),
    };
    let mut headers = Warnings::default();
    warnings.into_iter().for_each(|text| headers.add(text));
    headers.set(response.headers_mut());
    Ok(response)
}

/// The form of the answer.
fn form(row: &Row, verb: Verb, query: &Query, head: &http::request::Parts) -> Result<Form, Status> {
    let accepted = render::header(&head.headers, &ACCEPT);
    let pretty = query.pretty(render::header(&head.headers, &USER_AGENT));
    let offers = match verb {
        _ if row.is_custom() => &Offers::CUSTOM,
        Verb::List | Verb::Watch => &Offers::LIST,
        _ => &Offers::OBJECT,
    };
    let output = match verb {
        Verb::Watch => accept::negotiate_stream(accepted, offers)?,
        _ => accept::negotiate(accepted, offers, pretty)?,
    };
    let is_list = verb == Verb::List;
    let transform = match output.transform {
        accept::Transform::None | accept::Transform::Discovery => Transform::Whole,
        wanted @ accept::Transform::Metadata(_) if is_list => {
            return Err(accept::not_a_list(wanted, &format!("*{}.{}", row.go_package(), row.list_kind)));
        }
        wanted @ accept::Transform::MetadataList(_) if !is_list => {
            return Err(accept::not_a_list(wanted, &format!("*{}.{}", row.go_package(), row.kind)));
        }
        accept::Transform::Metadata(version) | accept::Transform::MetadataList(version) => Transform::Metadata(version),
        accept::Transform::Table(version) => {
            let include = match query.include_object()? {
                IncludeObject::Metadata => Include::Metadata,
                IncludeObject::Object => Include::Object,
                IncludeObject::None => Include::None,
            };
            Transform::Table(version, include)
        }
    };
    Ok(Form { media: output.media, transform, pretty: output.pretty })
}

/// The parameters of a verb.
fn options(target: &path::Resource, verb: Verb, query: &Query) -> Result<Options, Status> {
    let mut options = Options::default();
    match verb {
        Verb::Get | Verb::Patch => {}
        Verb::Create => apply(&mut options, &WriteOptions::create(query)?),
        Verb::Update => apply(&mut options, &WriteOptions::update(query)?),
        Verb::Delete => {}
        Verb::List | Verb::Watch | Verb::DeleteCollection => {
            let list = ListOptions::read(query, verb == Verb::Watch)?;
            options.labels = label::Selector::parse(&list.label_selector).map_err(|error| selector::refused(&error))?;
            options.fields = field::Selector::parse(&list.field_selector).map_err(|error| selector::refused(&error))?;
            if !target.name.is_empty() {
                options.fields = field::Selector::equal("metadata.name", &target.name);
            }
            options.resource_version = list.resource_version;
            options.version_match = match list.resource_version_match {
                Some(Match::Exact) => "Exact".to_owned(),
                Some(Match::NotOlderThan) => "NotOlderThan".to_owned(),
                None => String::new(),
            };
            options.limit = usize::try_from(list.limit).unwrap_or(0);
            options.continue_token = list.continue_token;
            options.bookmarks = list.allow_watch_bookmarks;
            options.timeout =
                list.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
            options.send_initial_events = match list.initial {
                Initial::Default => None,
                Initial::Send => Some(true),
                Initial::Skip => Some(false),
            };
        }
    }
    Ok(options)
}

fn apply(options: &mut Options, write: &WriteOptions) {
    options.dry_run = write.dry_run;
    options.field_validation = write.field_validation;
}

/// The body of a delete decides when there is one, the query otherwise.
async fn delete_body(
    options: &mut Options,
    query: &Query,
    head: &http::request::Parts,
    incoming: Incoming,
) -> Result<api::Body, Status> {
    let bytes: Bytes = read_body(incoming).await?;
    let parsed = if bytes.is_empty() {
        DeleteQuery::read(query)?
    } else {
        let media = media_of(body::media_type(render::header(&head.headers, &CONTENT_TYPE))?);
        let of = crate::registry::document("meta.k8s.io/v1", "DeleteOptions")?;
        let value = crate::registry::decode_document(of, media, &bytes)?;
        DeleteQuery::from_body(&value)?
    };
    options.dry_run = parsed.dry_run;
    options.delete = api::DeleteOptions {
        grace_seconds: parsed.grace_period_seconds,
        propagation: match (parsed.propagation, parsed.orphan_dependents) {
            (Some(query::Propagation::Orphan), _) | (None, Some(true)) => Some(api::Propagation::Orphan),
            (Some(query::Propagation::Background), _) | (None, Some(false)) => Some(api::Propagation::Background),
            (Some(query::Propagation::Foreground), _) => Some(api::Propagation::Foreground),
            (None, None) => None,
        },
        uid: parsed.preconditions.uid,
        resource_version: parsed.preconditions.resource_version,
    };
    Ok(api::Body::None)
}

fn media_of(media: accept::Media) -> api::Media {
    match media {
        accept::Media::Json => api::Media::Json,
        accept::Media::Yaml => api::Media::Yaml,
        accept::Media::Protobuf => api::Media::Protobuf,
    }
}

fn patch_media(kind: PatchKind) -> Result<api::Media, Status> {
    match kind {
        PatchKind::Json => Ok(api::Media::JsonPatch),
        PatchKind::Merge => Ok(api::Media::MergePatch),
        PatchKind::Strategic => Ok(api::Media::StrategicPatch),
        PatchKind::Apply => {
            let message = "server-side apply is not part of this version: use client-side apply (kubectl apply without --server-side) or a strategic merge patch";
            Err(Status::new(415, "UnsupportedMediaType", message))
        }
    }
}
