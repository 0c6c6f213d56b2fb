//! What a pod looks like to the fake runtime: its images, ids and handlers.

use coracle_apimachinery::Value;
use coracle_client::object;

use super::Script;
use crate::runtime::{Failure, HandlerSpec, Image};

const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

pub(super) fn failure(reason: &str, message: &str) -> Failure {
    Failure { reason: reason.to_owned(), message: message.to_owned() }
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    LISTS.into_iter().flat_map(|list| object::items(pod, &["spec", list]))
}

/// The script of the first container that has an image.
pub(super) fn script_of_image(pod: &Value, image: &str) -> Result<Script, String> {
    let container = containers(pod).find(|container| container.text_at(&["image"]) == image);
    Script::of(pod, container.map_or("", |container| container.text_at(&["name"])))
}

/// The images that need not be pulled.
pub(super) fn present_images(pod: &Value) -> Vec<String> {
    let images = containers(pod).map(|container| container.text_at(&["image"]));
    let there = |image: &&str| {
        script_of_image(pod, image).is_ok_and(|script| script.image_delay.is_none() && script.image_failure.is_none())
    };
    images.filter(there).map(str::to_owned).collect()
}

pub(super) fn image(name: &str) -> Image {
    Image { name: name.to_owned(), id: format!("sha256:{}", id_of(&[name])), bytes: 1 << 20 }
}

/// Whether the handler is that of the container's readiness probe. A liveness or startup probe that asks the very same
/// gets the same answer, as it would from a real container.
pub(super) fn asks_readiness(spec: &HandlerSpec) -> bool {
    let container = containers(&spec.pod).find(|container| container.text_at(&["name"]) == spec.container);
    let probe = container.and_then(|container| container.at(&["readinessProbe"]));
    let same = |kind: &&str| {
        spec.handler.at(&[kind]).is_some_and(|handler| probe.and_then(|probe| probe.at(&[kind])) == Some(handler))
    };
    ["exec", "grpc", "httpGet", "tcpSocket"].iter().any(same)
}

pub(super) fn refusal(handler: &Value) -> String {
    let is = |kind| handler.at(&[kind]).is_some();
    if is("httpGet") { "HTTP probe failed with statuscode: 503" } else { "not ready" }.to_owned()
}

/// Hexadecimal digits that look like an id and depend on the parts alone (FNV-1a, four times).
pub(super) fn id_of(parts: &[&str]) -> String {
    let mut digits = String::new();
    for round in 0..4u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325u64 ^ round;
        for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        digits.push_str(&format!("{:016x}", hash ^ (hash >> 33)));
    }
    digits
}
