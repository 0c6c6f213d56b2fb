//! Scores for nodes that hold the images of a pod already.

use std::collections::BTreeMap;

use coracle_apimachinery::Value;
use coracle_client::object::{int, items};

use super::score::BEST;
use super::snapshot::{NodeInfo, Snapshot};

const SMALLEST: i64 = 23 << 20;
const LARGEST_FOR_EACH: i64 = 1000 << 20;

/// The sizes of the images that are there, weighed by how many of all nodes have them.
pub(super) fn scores(pod: &Value, snapshot: &Snapshot, nodes: &[&NodeInfo]) -> Vec<i64> {
    let wanted = images(pod);
    let mut holders: BTreeMap<&str, i64> = BTreeMap::new();
    for node in &snapshot.nodes {
        for image in wanted.iter().filter(|image| size(&node.node, image).is_some()) {
            *holders.entry(image).or_default() += 1;
        }
    }
    // An image that the pod names twice was counted twice.
    let distinct = |image: &str| i64::try_from(wanted.iter().filter(|other| *other == image).count()).unwrap_or(1);
    let all = i64::try_from(snapshot.nodes.len()).unwrap_or(i64::MAX).max(1);
    let largest = LARGEST_FOR_EACH * i64::try_from(wanted.len()).unwrap_or(1);
    let score = |node: &&NodeInfo| {
        let weighed = wanted.iter().filter_map(|image| {
            let holders = holders.get(image.as_str()).copied().unwrap_or(0) / distinct(image).max(1);
            Some(scaled(size(&node.node, image)?, holders, all))
        });
        let sum = weighed.sum::<i64>().min(largest).max(SMALLEST);
        if largest <= SMALLEST { 0 } else { BEST * (sum - SMALLEST) / (largest - SMALLEST) }
    };
    nodes.iter().map(score).collect()
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "upstream computes with 64-bit floats, and the result is not larger than the size"
)]
fn scaled(size: i64, holders: i64, all: i64) -> i64 {
    (size as f64 * (holders as f64 / all as f64)) as i64
}

fn images(pod: &Value) -> Vec<String> {
    let containers = ["initContainers", "containers"].into_iter().flat_map(|kind| items(pod, &["spec", kind]));
    let images = containers.map(|container| container.text_at(&["image"]));
    let volumes = items(pod, &["spec", "volumes"]).iter().filter_map(|volume| volume.at(&["image"]));
    images.chain(volumes.map(|image| image.text_at(&["reference"]))).map(full_name).collect()
}

/// The name with a tag.
fn full_name(image: &str) -> String {
    let tagged = image.rfind(':') > image.rfind('/');
    if tagged { image.to_owned() } else { format!("{image}:latest") }
}

fn size(node: &Value, image: &str) -> Option<i64> {
    let has = |held: &&Value| items(held, &["names"]).iter().any(|name| name.as_str() == Some(image));
    items(node, &["status", "images"]).iter().find(has).map(|held| int(held, &["sizeBytes"], 0))
}
