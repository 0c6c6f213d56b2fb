//! The document of OpenAPI v2: everything in one.

use super::custom;
use super::definitions::{Context, Form, group_version_kind, write};
use super::facts::{DELETE_BODY, PATCH_BODY};
use super::model::Models;
use super::operation::{BodyUse, Items, Operation, description};
use super::parameters::{Parameter, Place};
use crate::group::{GroupVersion, Types};
use crate::json::Json;
use std::collections::BTreeMap;

/// The parameters and bodies that the document shares, by name.
#[derive(Default)]
struct Shared {
    parameters: BTreeMap<String, Parameter>,
    /// Model of a shared body, and whether it is required.
    bodies: BTreeMap<&'static str, (String, bool)>,
}

/// The whole document.
pub(super) fn document(items: &Items, models: &Models, all: &[GroupVersion]) -> Vec<u8> {
    let mut shared = Shared::default();
    Json::document(|json| {
        json.member("swagger", "2.0");
        json.key("info").object(|json| {
            json.member("title", super::INFO.0);
            json.member("version", super::INFO.1);
        });
        json.key("paths").object(|json| {
            for (path, item) in items {
                json.key(path).object(|json| {
                    item.operations.iter().for_each(|of| operation(json, of, &mut shared));
                    if !item.common.is_empty() {
                        json.key("parameters").array(|json| {
                            item.common.iter().for_each(|of| parameter(json, of, &mut shared));
                        });
                    }
                });
            }
        });
        json.key("definitions").object(|json| {
            write(json, models, Context { form: Form::V2, group_version: None });
            for group_version in all {
                if let Types::Custom(kinds) = &group_version.types {
                    kinds.iter().for_each(|kind| custom::definitions(json, group_version, kind, Form::V2));
                }
            }
        });
        json.key("parameters").object(|json| {
            for (name, of) in &shared.parameters {
                json.key(name).object(|json| parameter_members(json, of));
            }
            for (name, (model, required)) in &shared.bodies {
                json.key(name).object(|json| body_members(json, model, *required));
            }
        });
        json.key("securityDefinitions").raw(super::SECURITY);
        json.key("security").raw(r#"[{"BearerToken":[]}]"#);
    })
}

fn operation(json: &mut Json, of: &Operation, shared: &mut Shared) {
    json.key(of.method).object(|json| {
        if !of.consumes.is_empty() {
            json.key("consumes").texts(of.consumes.iter().copied());
        }
        json.key("produces").texts(of.produces.iter().copied());
        json.key("schemes").texts(["https"]);
        json.key("tags").texts([of.tag.as_str()]);
        json.member("operationId", &of.id);
        if !of.parameters.is_empty() || of.body.is_some() {
            // The body stands where its name belongs, which is before all queries that occur but this one.
            let before = of.parameters.iter().take_while(|parameter| parameter.name < "body").count();
            let (first, second) = of.parameters.split_at(before);
            json.key("parameters").array(|json| {
                first.iter().for_each(|of| parameter(json, of, shared));
                body(json, of, shared);
                second.iter().for_each(|of| parameter(json, of, shared));
            });
        }
        let name = of.answer.as_ref().map(super::model::Model::name);
        json.key("responses").object(|json| {
            for status in of.statuses {
                json.key(status).object(|json| {
                    json.member("description", description(status));
                    json.key("schema");
                    match &name {
                        Some(name) => Form::V2.reference(json, name),
                        None => json.raw(r#"{"type":"string"}"#),
                    }
                });
            }
            json.key("401").object(|json| json.member("description", description("401")));
        });
        if let Some((action, of)) = &of.action {
            json.member("x-kubernetes-action", action);
            json.key("x-kubernetes-group-version-kind");
            group_version_kind(json, &of.group, &of.version, &of.kind);
        }
    });
}

fn body(json: &mut Json, of: &Operation, shared: &mut Shared) {
    let Some(body) = &of.body else { return };
    let name = body.model.name();
    let key = match body.use_of {
        BodyUse::Object => return json.object(|json| body_members(json, &name, true)),
        BodyUse::Patch => PATCH_BODY,
        BodyUse::DeleteOptions => DELETE_BODY,
    };
    json.object(|json| json.member("$ref", &format!("#/parameters/{key}")));
    shared.bodies.insert(key, (name, body.use_of == BodyUse::Patch));
}

fn body_members(json: &mut Json, model: &str, required: bool) {
    json.member("name", "body");
    json.member("in", "body");
    if required {
        json.key("required").raw("true");
    }
    json.key("schema");
    Form::V2.reference(json, model);
}

fn parameter(json: &mut Json, of: &Parameter, shared: &mut Shared) {
    json.object(|json| match of.shared() {
        Some(name) => {
            json.member("$ref", &format!("#/parameters/{name}"));
            shared.parameters.entry(name).or_insert_with(|| of.clone());
        }
        None => parameter_members(json, of),
    });
}

fn parameter_members(json: &mut Json, of: &Parameter) {
    json.member("name", of.name);
    json.member("in", if of.place == Place::Path { "path" } else { "query" });
    if of.place == Place::Path {
        json.key("required").raw("true");
    }
    json.member("type", of.kind);
    json.key("uniqueItems").raw("true");
}
