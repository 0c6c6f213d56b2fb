//! Documents of OpenAPI v3.

use super::custom;
use super::definitions::{Context, Form, group_version_kind, write};
use super::model::Models;
use super::operation::{BodyUse, Items, Operation, description};
use super::parameters::{Parameter, Place};
use crate::group::{GroupVersion, Types};
use crate::json::Json;

/// A whole document.
pub(super) fn document(items: &Items, models: &Models, group_version: Option<&GroupVersion>) -> Vec<u8> {
    let custom = group_version.and_then(|of| match &of.types {
        Types::Custom(kinds) => Some((of, kinds)),
        Types::BuiltIn(_) => None,
    });
    let context = Context { form: Form::V3, group_version };
    Json::document(|json| {
        json.member("openapi", "3.0.0");
        json.key("info").object(|json| {
            let info = if custom.is_some() { ("Kubernetes CRD Swagger", "v0.1.0") } else { super::INFO };
            json.member("title", info.0);
            json.member("version", info.1);
        });
        json.key("paths").object(|json| {
            for (path, item) in items {
                json.key(path).object(|json| {
                    item.operations.iter().for_each(|of| operation(json, of));
                    if !item.common.is_empty() {
                        parameters(json, &item.common);
                    }
                });
            }
        });
        json.key("components").object(|json| {
            if !models.is_empty() {
                json.key("schemas").object(|json| {
                    write(json, models, context);
                    if let Some((group_version, kinds)) = custom {
                        kinds.iter().for_each(|kind| custom::definitions(json, group_version, kind, Form::V3));
                    }
                });
            }
            // Documents of custom kinds are made apart and know nothing about the server's security.
            if custom.is_none() {
                json.key("securitySchemes").raw(super::SECURITY);
            }
        });
    })
}

fn operation(json: &mut Json, of: &Operation) {
    json.key(of.method).object(|json| {
        json.key("tags").texts([of.tag.as_str()]);
        json.member("operationId", &of.id);
        if !of.parameters.is_empty() {
            parameters(json, &of.parameters);
        }
        if let Some(body) = &of.body {
            let name = body.model.name();
            json.key("requestBody").object(|json| {
                json.key("content").object(|json| {
                    for media_type in of.consumes {
                        content(json, media_type, Some(&name));
                    }
                });
                if body.use_of != BodyUse::DeleteOptions {
                    json.key("required").raw("true");
                }
            });
        }
        let name = of.answer.as_ref().map(super::model::Model::name);
        json.key("responses").object(|json| {
            for status in of.statuses {
                json.key(status).object(|json| {
                    json.member("description", description(status));
                    json.key("content").object(|json| {
                        for media_type in of.produces {
                            content(json, media_type, name.as_deref());
                        }
                    });
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

fn content(json: &mut Json, media_type: &str, model: Option<&str>) {
    json.key(media_type).object(|json| {
        json.key("schema");
        match model {
            Some(name) => Form::V3.reference(json, name),
            None => json.raw(r#"{"type":"string"}"#),
        }
    });
}

fn parameters(json: &mut Json, parameters: &[Parameter]) {
    json.key("parameters").array(|json| {
        for parameter in parameters {
            json.object(|json| {
                json.member("name", parameter.name);
                json.member("in", if parameter.place == Place::Path { "path" } else { "query" });
                if parameter.place == Place::Path {
                    json.key("required").raw("true");
                }
                json.key("schema").object(|json| {
                    json.member("type", parameter.kind);
                    json.key("uniqueItems").raw("true");
                });
            });
        }
    });
}
