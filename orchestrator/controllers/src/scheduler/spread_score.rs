//! Scores for spreading pods: by the soft rules of the pod, or by rules that hold for all pods without rules.

use std::collections::BTreeMap;

use coracle_apimachinery::selector::label::Selector;
use coracle_apimachinery::{Object, Value};
use coracle_client::object::{controller, items, namespace};
use coracle_client::resources::{REPLICA_SETS, SERVICES};
use coracle_client::{Resource, View};

use super::node_affinity::label;
use super::score::{BEST, Scores};
use super::snapshot::{NodeInfo, PodInfo, Snapshot};
use super::spread::{Rule, is_in_all};
use super::term::labels;

const HOST: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

static STATEFUL_SETS: Resource = Resource::namespaced("apps", "v1", "statefulsets", "StatefulSet");
static REPLICATION_CONTROLLERS: Resource =
    Resource::namespaced("", "v1", "replicationcontrollers", "ReplicationController");

/// The fewer pods of the same sort are near, the better.
pub(super) fn scores(view: &View, pod: &PodInfo, snapshot: &Snapshot, nodes: &[&NodeInfo]) -> Scores {
    let own = !items(&pod.pod, &["spec", "topologySpreadConstraints"]).is_empty();
    let rules = if own { Rule::of(&pod.pod, "ScheduleAnyway") } else { usual_rules(view, &pod.pod) };
    if rules.is_empty() {
        return None;
    }
    let is_ignored = |node: &NodeInfo| own && !is_in_all(&node.node, &rules);
    let counted: Vec<&&NodeInfo> = nodes.iter().filter(|node| !is_ignored(node)).collect();
    let measured: Vec<Measured<'_>> =
        rules.iter().map(|rule| Measured::of(rule, pod, snapshot, &counted, is_ignored)).collect();
    let raw: Vec<Option<i64>> = nodes
        .iter()
        .map(|node| {
            (!is_ignored(node)).then(|| rounded(measured.iter().filter_map(|rule| rule.of_node(pod, node)).sum()))
        })
        .collect();
    let known = || raw.iter().flatten().copied();
    let (least, most) = (known().min().unwrap_or(0), known().max().unwrap_or(0));
    let scaled = |score: i64| if most == 0 { BEST } else { BEST * (most + least - score) / most };
    Some(raw.iter().map(|score| score.map_or(0, scaled)).collect())
}

/// The pods in each domain that a good node is in, for one rule.
struct Measured<'a> {
    rule: &'a Rule,
    counts: BTreeMap<Option<&'a str>, i64>,
    weight: f64,
}

impl<'a> Measured<'a> {
    fn of(
        rule: &'a Rule,
        pod: &PodInfo,
        snapshot: &'a Snapshot,
        nodes: &[&&'a NodeInfo],
        is_ignored: impl Fn(&NodeInfo) -> bool,
    ) -> Self {
        let mut counts: BTreeMap<Option<&str>, i64> = BTreeMap::new();
        if rule.key != HOST {
            counts.extend(nodes.iter().map(|node| (label(&node.node, &rule.key), 0)));
            for node in snapshot.nodes.iter().filter(|node| !is_ignored(node) && rule.counts(&pod.pod, &node.node)) {
                if let Some(count) = counts.get_mut(&label(&node.node, &rule.key)) {
                    *count += rule.count(&pod.pod, node);
                }
            }
        }
        let domains = if rule.key == HOST { nodes.len() } else { counts.len() };
        // The more domains there are, the fewer pods are in each, and the more each of them matters.
        Self { rule, counts, weight: float(i64::try_from(domains).unwrap_or(i64::MAX).saturating_add(2)).ln() }
    }

    fn of_node(&self, pod: &PodInfo, node: &NodeInfo) -> Option<f64> {
        let value = label(&node.node, &self.rule.key)?;
        let count = if self.rule.key == HOST {
            self.rule.count(&pod.pod, node)
        } else {
            self.counts.get(&Some(value)).copied().unwrap_or(0)
        };
        Some(float(count) * self.weight + float(self.rule.max_skew - 1))
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of pods are small")]
fn float(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, reason = "numbers of pods are small")]
fn rounded(number: f64) -> i64 {
    number.round() as i64
}

/// Rules for a pod that has none, about the pods of the same services and the same owner.
fn usual_rules(view: &View, pod: &Value) -> Vec<Rule> {
    let selector = alike(view, pod);
    if selector.is_empty() {
        return Vec::new();
    }
    vec![Rule::new(HOST, 3, selector.clone()), Rule::new(ZONE, 5, selector)]
}

fn alike(view: &View, pod: &Value) -> Selector {
    let mut wanted = Object::new();
    for service in view.list(&SERVICES, namespace(pod)) {
        if let Some(selector) = service.at(&["spec", "selector"]).and_then(Value::as_object) {
            let is = |(key, value): (&str, &Value)| labels(pod).and_then(|labels| labels.get(key)) == Some(value);
            if selector.iter().all(is) {
                add(&mut wanted, selector);
            }
        }
    }
    let mut selector = Object::new();
    if let Some(owner) = controller(pod) {
        let (api_version, kind) = (owner.text_at(&["apiVersion"]), owner.text_at(&["kind"]));
        let get = |resource| view.get(resource, namespace(pod), owner.text_at(&["name"]));
        let owner = match (api_version, kind) {
            ("v1", "ReplicationController") => get(&REPLICATION_CONTROLLERS),
            ("apps/v1", "ReplicaSet") => get(&REPLICA_SETS),
            ("apps/v1", "StatefulSet") => get(&STATEFUL_SETS),
            _ => None,
        };
        if let Some(own) = owner.as_ref().and_then(|owner| owner.at(&["spec", "selector"])).and_then(Value::as_object) {
            if kind == "ReplicationController" {
                add(&mut wanted, own);
            } else {
                selector = own.clone();
                own.get("matchLabels")
                    .and_then(Value::as_object)
                    .into_iter()
                    .for_each(|labels| add(&mut wanted, labels));
            }
        }
    }
    selector.insert("matchLabels".into(), Value::Object(wanted));
    super::term::read(&Value::Object(selector))
}

fn add(wanted: &mut Object, labels: &Object) {
    for (key, value) in labels.iter() {
        wanted.insert(key.to_owned().into(), value.clone());
    }
}
