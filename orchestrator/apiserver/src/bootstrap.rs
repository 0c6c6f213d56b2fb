//! What a fresh cluster holds: namespaces, priority classes, flow control, the API's own Service.

use std::sync::Arc;

use coracle_apimachinery::json;
use coracle_apimachinery::status::Status;
use coracle_auth::Identity;

use crate::api::Api;
use crate::api::request::{Body, Context, Options, Request, Verb};

/// The objects, one JSON document a line, in the order in which they are made.
const OBJECTS: &str = include_str!("bootstrap.jsonl");

/// Makes what is missing; `port` is the one that the API listens on. Objects that are there stay as they are.
///
/// # Errors
/// An object cannot be made.
pub async fn ensure(api: &Api, port: u16) -> Result<(), Status> {
    let context = Context::new(Arc::new(Identity::apiserver()));
    let address = api.parts().networks.api_address().to_string();
    for line in OBJECTS.lines().filter(|line| !line.is_empty()) {
        let line = line.replace("@API_ADDRESS@", &address).replace("@API_PORT@", &port.to_string());
        let value = json::decode_any(line.as_bytes()).map_err(Status::internal)?;
        let (group, version) = match value.text_at(&["apiVersion"]).split_once('/') {
            Some((group, version)) => (group.to_owned(), version.to_owned()),
            None => (String::new(), value.text_at(&["apiVersion"]).to_owned()),
        };
        let kind = value.text_at(&["kind"]).to_owned();
        let registry = api.registry();
        let row = registry.rows().find(|row| row.group == group && row.version == version && row.kind == kind);
        let row = row.ok_or_else(|| Status::internal(format!("bootstrap object of unknown kind {kind}")))?;
        let (namespace, name) = (value.text_at(&["metadata", "namespace"]), value.text_at(&["metadata", "name"]));
        if api.get(row, namespace, name).is_ok() {
            continue;
        }
        let request = Request {
            verb: Verb::Create,
            group,
            version,
            resource: row.resource.to_string(),
            subresource: String::new(),
            namespace: namespace.to_owned(),
            name: String::new(),
            options: Options::default(),
            body: Body::Bytes(crate::api::request::Media::Json, line.clone().into()),
        };
        match api.execute(&context, request).await {
            Ok(_) => {}
            Err(status) if status.reason == "AlreadyExists" => {}
            Err(status) => return Err(status),
        }
    }
    // What a power cut left half done: names that were not accepted yet, objects of a definition that was ending.
    crate::definitions::settle(api).await;
    Ok(())
}
