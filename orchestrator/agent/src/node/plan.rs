//! What is to be written about a node now.

use std::time::Duration;

use coracle_apimachinery::time::Instant;
use coracle_apimachinery::{Key, Object, Value};
use coracle_client::resources::NODES;
use coracle_client::{PatchKind, Write, object};

use super::{Machine, Taint, texts};
use crate::pod::status::differs;
use crate::work::patch::{conditional, difference};

/// How long after a report the next one is due although nothing changed.
pub const REPORT_AFTER: Duration = Duration::from_secs(300);
const ATTACH: &str = "volumes.kubernetes.io/controller-managed-attach-detach";

/// What is to be done about the Node object.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The write; nothing while the API has what is to be said.
    pub write: Option<Write>,
    /// What is to be told once that is written.
    pub news: Vec<News>,
    /// When to ask again even if nothing changes.
    pub again_after: Duration,
}

/// An event about the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Whether it is a warning.
    pub warning: bool,
    /// Machine-readable reason.
    pub reason: &'static str,
    /// Words for people.
    pub message: String,
}

/// What is to be written about a machine's node, given the object that the API has. `first` is true until the first
/// success of a process: it brings labels and annotations up to date and reports even if nothing changed.
#[must_use]
pub fn plan_node(machine: &Machine, existing: Option<&Value>, first: bool, now: Instant) -> Plan {
    let nothing = Value::Object(Object::new());
    let Some(before) = existing.unwrap_or(&nothing).as_object() else {
        return Plan { write: None, news: Vec::new(), again_after: REPORT_AFTER };
    };
    let mut node = before.clone();
    machine.set_metadata(&mut node, existing.is_none(), first);
    let rebooted = object_text(before, &["status", "nodeInfo", "bootID"]);
    let mut news = Vec::new();
    if !rebooted.is_empty() && rebooted != machine.boot_id {
        let message = format!("Node {} has been rebooted, boot id: {}", machine.name, machine.boot_id);
        news.push(News { warning: true, reason: "Rebooted", message });
    }
    let status = node.object_mut("status");
    machine.set_status(status);
    let changed = machine.set_conditions(status, now);
    news.extend(changed.into_iter().map(|reason| machine.status_news(reason)));

    let report = |write| Plan { write, news, again_after: REPORT_AFTER };
    let Some(existing) = existing else {
        return report(Some(Write::create(&NODES, Value::Object(node))));
    };
    let due = report_due(existing, now);
    if !first && !due.is_zero() && !says_more(existing, &Value::Object(node.clone())) {
        return Plan { write: None, news: Vec::new(), again_after: due };
    }
    let mut change = difference(before, &node);
    change.retain(|name, _| name == "metadata" || name == "status");
    let patch = conditional(existing, change);
    report(Some(Write::patch(&NODES, existing, PatchKind::Merge, patch).at("status")))
}

/// The event that tells that a node was closed to new pods or opened again.
#[must_use]
pub fn schedulable_news(machine: &Machine, was_closed: bool, node: &Value) -> Option<News> {
    let is_closed = object::flag(node, &["spec", "unschedulable"]);
    let reason = if is_closed { "NodeNotSchedulable" } else { "NodeSchedulable" };
    (is_closed != was_closed).then(|| machine.status_news(reason))
}

impl Machine {
    fn status_news(&self, reason: &'static str) -> News {
        News { warning: false, reason, message: format!("Node {} status is now: {reason}", self.name) }
    }

    fn set_metadata(&self, node: &mut Object, new: bool, first: bool) {
        let own: [(&'static str, &str); 5] = [
            ("beta.kubernetes.io/arch", &self.architecture),
            ("beta.kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", &self.architecture),
            ("kubernetes.io/hostname", &self.hostname),
            ("kubernetes.io/os", "linux"),
        ];
        if new {
            node.insert("apiVersion".into(), Value::text("v1"));
            node.insert("kind".into(), Value::text("Node"));
            node.object_mut("metadata").insert("name".into(), Value::text(&*self.name));
        }
        if new && !self.taints.is_empty() {
            let taint = |taint: &Taint| {
                let members = [("effect", &*taint.effect), ("key", &*taint.key), ("value", &*taint.value)];
                Value::Object(texts(members))
            };
            let taints = self.taints.iter().map(taint).collect();
            node.object_mut("spec").insert("taints".into(), Value::List(taints));
        }
        let metadata = node.object_mut("metadata");
        if new || first {
            metadata.object_mut("annotations").insert(ATTACH.into(), Value::text("true"));
        }
        let labels = metadata.object_mut("labels");
        for (name, value) in own {
            // A running kubelet insists on these two only.
            if new || first || matches!(name, "kubernetes.io/arch" | "kubernetes.io/os") {
                labels.insert(name.into(), Value::text(value));
            }
        }
        if new {
            for (name, value) in &self.labels {
                labels.insert(Key::Owned(name.clone()), Value::text(value.as_str()));
            }
        }
    }

    fn set_status(&self, status: &mut Object) {
        let address = |of: &str, address: &str| Value::Object(texts([("address", address), ("type", of)]));
        let mut addresses: Vec<Value> = self.addresses.iter().map(|text| address("InternalIP", text)).collect();
        addresses.push(address("Hostname", &self.hostname));
        status.insert("addresses".into(), Value::List(addresses));
        self.set_resources(status);
        status.insert("nodeInfo".into(), Value::Object(self.node_info()));
        if self.port != 0 {
            let port = Object::from_iter([("Port".into(), Value::Int(i64::from(self.port)))]);
            status.object_mut("daemonEndpoints").insert("kubeletEndpoint".into(), Value::Object(port));
        }
        status.remove("images");
        status.remove("declaredFeatures");
        if !self.declared_features.is_empty() {
            let features = self.declared_features.iter().map(|name| Value::text(name.as_str())).collect();
            status.insert("declaredFeatures".into(), Value::List(features));
        }
        if let Some(known) = self.supplemental_groups_policy {
            status.object_mut("features").insert("supplementalGroupsPolicy".into(), Value::Bool(known));
        }
    }

    fn node_info(&self) -> Object {
        let mut info = texts([
            ("architecture", self.architecture.as_str()),
            ("bootID", &self.boot_id),
            ("containerRuntimeVersion", &self.container_runtime_version),
            ("kernelVersion", &self.kernel_version),
            ("kubeletVersion", &self.kubelet_version),
            ("machineID", &self.machine_id),
            ("operatingSystem", "linux"),
            ("osImage", &self.os_image),
            ("systemUUID", &self.system_uuid),
        ]);
        info.insert("runningInUserNamespace".into(), Value::Bool(false));
        if let Some(swap) = i64::try_from(self.swap).ok().filter(|&swap| swap != 0) {
            info.object_mut("swap").insert("capacity".into(), Value::Int(swap));
        }
        info
    }
}

fn object_text<'a>(object: &'a Object, path: &[&str]) -> &'a str {
    path.split_first().map_or("", |(first, rest)| object.get(first).map_or("", |value| value.text_at(rest)))
}

/// How long until the next report. A last report in the future means that the clock was set: report at once.
fn report_due(node: &Value, now: Instant) -> Duration {
    let last = object::condition(node, "Ready").and_then(|ready| object::time(ready, &["lastHeartbeatTime"]));
    let period = i64::try_from(REPORT_AFTER.as_secs()).unwrap_or(i64::MAX);
    match last.map(|last| now.seconds.saturating_sub(last.seconds)) {
        Some(age @ 0..) => Duration::from_secs(u64::try_from(period.saturating_sub(age)).unwrap_or_default()),
        _ => Duration::ZERO,
    }
}

/// Whether the second tree says anything else than the first, apart from the time of the report.
fn says_more(before: &Value, after: &Value) -> bool {
    let timeless = |node: &Value| {
        let mut node = node.clone();
        let status = node.as_object_mut().map(|node| node.object_mut("status"));
        let conditions = status.and_then(|status| status.get_mut("conditions")).and_then(Value::items_mut);
        for condition in conditions.into_iter().flatten().filter_map(Value::as_object_mut) {
            condition.remove("lastHeartbeatTime");
        }
        node
    };
    // The API stores no zero values.
    differs(&timeless(before), &timeless(after))
}

#[cfg(test)]
mod tests;
