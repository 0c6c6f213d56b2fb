//! Keeps the Node object.

use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_client::event::Event;
use coracle_client::resources::NODES;
use coracle_client::{View, object};
use tokio::sync::watch;
use tokio::time::Instant;

use super::back_off::{BackOff, until};
use super::{Shared, change_of};
use crate::node::{News, plan_node, schedulable_news};

/// How long to wait after a report that the API did not keep in the same words, before it is made again.
const UNSETTLED: Duration = Duration::from_secs(10);

/// The object was brought up to date.
struct Done {
    again: Instant,
    /// Whether the API has now what there is to say.
    settled: bool,
}

/// Registers the node and keeps its status, until the API closes.
pub(super) async fn keep(shared: Arc<Shared>, mut nodes: watch::Receiver<Option<View>>) {
    let mut first = true;
    let mut was_closed = false;
    let mut back_off = BackOff::default();
    let mut machine = shared.settings.machine.clone();
    if nodes.wait_for(Option::is_some).await.is_err() {
        return;
    }
    loop {
        nodes.mark_unchanged();
        machine.mark_unchanged();
        let again = match step(&shared, first, &mut was_closed).await {
            Ok(Done { again, settled }) => {
                first = false;
                back_off.reset();
                if !settled {
                    tracing::warn!(node = shared.name(), "the API does not keep the node as it was reported");
                    until(Some(Instant::now() + UNSETTLED)).await;
                }
                again
            }
            Err(()) => back_off.failed(),
        };
        tokio::select! {
            changed = nodes.changed() => if changed.is_err() { return },
            () = change_of(&mut machine) => {}
            () = until(Some(again)) => {}
        }
    }
}

/// Brings the object up to date; says when to do so again.
async fn step(shared: &Shared, first: bool, was_closed: &mut bool) -> Result<Done, ()> {
    let machine = &shared.machine();
    let existing = shared.client.view().get(&NODES, "", &machine.name);
    if let Some(node) = &existing {
        tell_ranges(shared, node);
        if let Some(news) = schedulable_news(machine, *was_closed, node) {
            tell(shared, node, news);
        }
        *was_closed = object::flag(node, &["spec", "unschedulable"]);
    }
    let now = shared.settings.clock.now();
    let plan = plan_node(machine, existing.as_deref(), first, now);
    let again = Instant::now() + plan.again_after;
    let Some(write) = plan.write else { return Ok(Done { again, settled: true }) };
    let node = shared.client.write(write).await.map_err(|failure| {
        tracing::warn!(node = machine.name, %failure, "cannot write the node");
    })?;
    if first {
        let message = "Starting kubelet.".to_owned();
        tell(shared, &node, News { warning: false, reason: "Starting", message });
    }
    for news in plan.news {
        tell(shared, &node, news);
    }
    Ok(Done { again, settled: plan_node(machine, Some(&node), false, now).write.is_none() })
}

fn tell(shared: &Shared, node: &Arc<Value>, news: News) {
    let event = if news.warning { Event::warning } else { Event::normal };
    (shared.events)(event(node, news.reason, news.message));
}

/// Hands on which addresses the pods of the node can have.
fn tell_ranges(shared: &Shared, node: &Value) {
    let mut ranges: Vec<String> =
        object::items(node, &["spec", "podCIDRs"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let single = node.text_at(&["spec", "podCIDR"]);
    if ranges.is_empty() && !single.is_empty() {
        ranges.push(single.to_owned());
    }
    shared.settings.ranges.send_if_modified(|known| {
        let is_new = !ranges.is_empty() && *known != ranges;
        if is_new {
            *known = ranges;
        }
        is_new
    });
}
