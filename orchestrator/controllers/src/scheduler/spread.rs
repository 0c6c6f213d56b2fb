//! Rules that spread pods over domains of nodes.

use coracle_apimachinery::Value;
use coracle_apimachinery::selector::label::Selector;
use coracle_client::object::{int, is_ending, items, namespace};

use super::domain::Domains;
use super::node_affinity::{is_wanted, label};
use super::snapshot::{NodeInfo, PodInfo, Snapshot};
use super::term::{labels, read};
use super::tolerations::{HARD, tolerations, untolerated};
use super::verdict::{Refusal, Verdict};

const UNEVEN: &str = "node(s) didn't match pod topology spread constraints";
const NO_DOMAIN: &str = "node(s) didn't match pod topology spread constraints (missing required label)";

/// One rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) key: String,
    pub(super) max_skew: i64,
    pub(super) selector: Selector,
    min_domains: i64,
    heeds_affinity: bool,
    heeds_taints: bool,
}

impl Rule {
    /// The rules of a pod that say what to do when they cannot be kept.
    pub(super) fn of(pod: &Value, when_unsatisfiable: &str) -> Vec<Self> {
        let rules = items(pod, &["spec", "topologySpreadConstraints"]).iter();
        rules.filter(|rule| rule.text_at(&["whenUnsatisfiable"]) == when_unsatisfiable).map(Self::read).collect()
    }

    fn read(rule: &Value) -> Self {
        Self {
            min_domains: int(rule, &["minDomains"], 1),
            heeds_affinity: rule.text_at(&["nodeAffinityPolicy"]) != "Ignore",
            heeds_taints: rule.text_at(&["nodeTaintsPolicy"]) == "Honor",
            ..Self::new(
                rule.text_at(&["topologyKey"]),
                int(rule, &["maxSkew"], 1),
                rule.at(&["labelSelector"]).map_or_else(Selector::nothing, read),
            )
        }
    }

    pub(super) fn new(key: &str, max_skew: i64, selector: Selector) -> Self {
        let key = key.to_owned();
        Self { key, max_skew, selector, min_domains: 1, heeds_affinity: true, heeds_taints: false }
    }

    /// Whether the pods on a node count.
    pub(super) fn counts(&self, pod: &Value, node: &Value) -> bool {
        (!self.heeds_affinity || is_wanted(pod, node))
            && (!self.heeds_taints || untolerated(tolerations(pod), node, HARD).next().is_none())
    }

    /// The number of pods on a node that are to be spread. Those that are ending do not count.
    pub(super) fn count(&self, pod: &Value, node: &NodeInfo) -> i64 {
        if self.selector.is_empty() {
            return 0;
        }
        let alike = node.pods.iter().filter(|other| {
            namespace(&other.pod) == namespace(pod)
                && !is_ending(&other.pod)
                && self.selector.matches(labels(&other.pod))
        });
        i64::try_from(alike.count()).unwrap_or(i64::MAX)
    }
}

/// Whether a node is in a domain for all the rules.
pub(super) fn is_in_all(node: &Value, rules: &[Rule]) -> bool {
    rules.iter().all(|rule| label(node, &rule.key).is_some())
}

/// How the pods are spread that the hard rules of one pod are about.
#[derive(Debug)]
pub(super) struct Spread {
    rules: Vec<(Rule, Domains, Bounds)>,
    matches_itself: Vec<bool>,
}

/// The smallest count of all domains, and how many there are.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    smallest: i64,
    domains: i64,
}

impl Spread {
    pub(super) fn new(pod: &PodInfo, snapshot: &Snapshot) -> Self {
        let rules = Rule::of(&pod.pod, "DoNotSchedule");
        let nodes: Vec<_> = snapshot.nodes.iter().filter(|node| is_in_all(&node.node, &rules)).collect();
        let matches_itself = rules.iter().map(|rule| rule.selector.matches(labels(&pod.pod))).collect();
        let measured = rules.into_iter().map(|rule| {
            let mut domains = Domains::default();
            let counted = || nodes.iter().filter(|node| rule.counts(&pod.pod, &node.node));
            counted().for_each(|node| domains.add(&node.node, &rule.key, rule.count(&pod.pod, node)));
            let counts = domains.counts(&rule.key);
            let domain_count = i64::try_from(counts.len()).unwrap_or(i64::MAX);
            let smallest = counts.into_iter().min().unwrap_or(0);
            let bounds = Bounds { smallest, domains: domain_count };
            (rule, domains, bounds)
        });
        Self { rules: measured.collect(), matches_itself }
    }

    /// Whether one more pod on a node keeps all the rules.
    pub(super) fn check(&self, node: &NodeInfo) -> Verdict {
        for ((rule, domains, bounds), itself) in self.rules.iter().zip(&self.matches_itself) {
            if label(&node.node, &rule.key).is_none() {
                return Err(Refusal::for_good(NO_DOMAIN));
            }
            let smallest = if bounds.domains < rule.min_domains { 0 } else { bounds.smallest };
            let skew = domains.at(&node.node, &rule.key) + i64::from(*itself) - smallest;
            if skew > rule.max_skew {
                return Err(Refusal::for_now(UNEVEN));
            }
        }
        Ok(())
    }
}
