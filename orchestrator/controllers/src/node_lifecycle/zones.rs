//! When many nodes fail at once, the fault is rather not theirs: how fast taints may drive pods away.
//!
//! Upstream keeps one rate limiter for each zone. Here the times at which taints were added say the same.
//!
//! - All counted nodes of all zones are not ready: nobody is driven away, taints that do so are removed. The only node
//!   of a device that is slow keeps its pods.
//! - At least three nodes of a zone and 55 % of them are not ready: one node in 100 seconds in a zone of more than 50
//!   nodes, none in a smaller one.
//! - Otherwise, also in a zone that has failed as a whole: one node in 10 seconds.

use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_apimachinery::time::Instant;
use coracle_client::View;
use coracle_client::object::time;
use coracle_client::resources::NODES;

use super::health::{ready, signs};
use super::taints;

/// Nodes with this label say nothing about a disruption.
const EXCLUDED: &str = "node.kubernetes.io/exclude-disruption";
/// Time between two nodes in an ordinary zone.
const USUAL: Duration = Duration::from_secs(10);
/// Time between two nodes in a large zone that is in trouble.
const SLOW: Duration = Duration::from_secs(100);
/// A zone with more nodes is large.
const LARGE: usize = 50;
/// So many nodes of a zone must not be ready before it is in trouble, and so many percent of them.
const IN_TROUBLE: (usize, usize) = (3, 55);

/// How pods may be driven away from a node now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// At once.
    Now,
    /// After a time.
    After(Duration),
    /// Not as long as its zone is in trouble.
    Wait,
    /// Not at all: every node is not ready.
    Never,
}

/// What the pace depends on: readiness, zone and whether the node counts.
pub(super) fn facts(node: &Value) -> (bool, String, bool) {
    (ready(node) == Some("True"), zone(node), counts(node))
}

/// Whether a node is silent whose condition does not say so yet. It may still be heard of before it does, and then no
/// change tells that the pace is another.
pub(super) fn is_unsettled(view: &View, grace: Duration) -> bool {
    view.list(&NODES, "").iter().any(|node| ready(node) == Some("True") && signs(view, node).age >= grace)
}

/// How pods may be driven away from a node now. Nodes that were silent for `grace` are lost even if their condition does
/// not say so yet: of nodes that fail at once none is the first.
pub(super) fn pace(view: &View, node: &Value, grace: Duration, now: Instant) -> Pace {
    let nodes = view.list(&NODES, "");
    let is_lost = |node: &Value| ready(node) != Some("True") || signs(view, node).age >= grace;
    let mut counted = nodes.iter().filter(|node| counts(node)).peekable();
    if counted.peek().is_some() && counted.all(|node| is_lost(node)) {
        return Pace::Never;
    }
    let zone_of = zone(node);
    let in_zone = || nodes.iter().filter(|other| zone(other) == zone_of);
    let size = in_zone().filter(|node| counts(node)).count();
    let lost = in_zone().filter(|node| counts(node) && is_lost(node)).count();
    let between = match (lost < size && lost >= IN_TROUBLE.0 && lost * 100 >= size * IN_TROUBLE.1, size > LARGE) {
        (true, false) => return Pace::Wait,
        (true, true) => SLOW,
        (false, _) => USUAL,
    };
    let added = in_zone().filter_map(|other| time(taints::started(other)?, &["timeAdded"]));
    // A time that is yet to come says that the clock was set.
    let since = added.map(|added| now.seconds - added.seconds).filter(|since| *since >= 0).min();
    let since = since.and_then(|since| u64::try_from(since).ok()).map_or(between, Duration::from_secs);
    match between.saturating_sub(since) {
        Duration::ZERO => Pace::Now,
        wait => Pace::After(wait),
    }
}

fn counts(node: &Value) -> bool {
    node.at(&["metadata", "labels", EXCLUDED]).is_none()
}

/// Region and zone, as upstream tells zones apart; old labels come first.
fn zone(node: &Value) -> String {
    let label = |names: [&str; 2]| {
        let labels = names.iter().filter_map(|name| node.at(&["metadata", "labels", name])).filter_map(Value::as_str);
        labels.into_iter().next().unwrap_or_default()
    };
    let region = label(["failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"]);
    let zone = label(["failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"]);
    format!("{region}\0{zone}")
}
