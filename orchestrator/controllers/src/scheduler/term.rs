//! Terms of affinity between pods.

use std::collections::BTreeMap;
use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_apimachinery::selector::label::Selector;
use coracle_client::object::{int, items, namespace};

/// The namespaces by name.
pub(super) type Namespaces = BTreeMap<String, Arc<Value>>;

/// The pods that a term is about, and the label that says what is near them. Keys of labels to match are no matter here:
/// the API server has put them into the selector.
#[derive(Debug, Clone)]
pub(super) struct Term {
    pub(super) key: String,
    pub(super) weight: i64,
    namespaces: Vec<String>,
    of_namespaces: Selector,
    selector: Selector,
}

/// All terms of a pod.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    pub(super) near: Vec<Term>,
    pub(super) far: Vec<Term>,
    pub(super) rather_near: Vec<Term>,
    pub(super) rather_far: Vec<Term>,
}

impl Terms {
    /// The terms of a pod.
    pub(super) fn of(pod: &Value) -> Self {
        let Some(affinity) = pod.at(&["spec", "affinity"]) else { return Self::default() };
        let required = |kind| {
            let terms = items(affinity, &[kind, "requiredDuringSchedulingIgnoredDuringExecution"]).iter();
            terms.map(|term| Term::of(pod, term, 1)).collect()
        };
        let preferred = |kind| {
            let terms = items(affinity, &[kind, "preferredDuringSchedulingIgnoredDuringExecution"]).iter();
            let read = |term: &Value| Some(Term::of(pod, term.at(&["podAffinityTerm"])?, int(term, &["weight"], 0)));
            terms.filter_map(read).collect()
        };
        let (near, far) = ("podAffinity", "podAntiAffinity");
        Self { near: required(near), far: required(far), rather_near: preferred(near), rather_far: preferred(far) }
    }
}

impl Term {
    fn of(pod: &Value, term: &Value, weight: i64) -> Self {
        let selector = |name| term.at(&[name]).map_or_else(Selector::nothing, read);
        let named = items(term, &["namespaces"]).iter().filter_map(Value::as_str).map(str::to_owned);
        let mut namespaces: Vec<String> = named.collect();
        if namespaces.is_empty() && term.at(&["namespaceSelector"]).is_none() {
            namespaces.push(namespace(pod).to_owned());
        }
        let key = term.text_at(&["topologyKey"]).to_owned();
        let (of_namespaces, selector) = (selector("namespaceSelector"), selector("labelSelector"));
        Self { key, weight, namespaces, of_namespaces, selector }
    }

    /// Whether it is about a pod.
    pub(super) fn is_about(&self, pod: &Value, namespaces: &Namespaces) -> bool {
        let name = namespace(pod);
        let selected = || self.of_namespaces.matches(namespaces.get(name).and_then(|namespace| labels(namespace)));
        (self.namespaces.iter().any(|namespace| namespace == name) || selected()) && self.selector.matches(labels(pod))
    }
}

/// A selector that cannot be read selects nothing.
pub(super) fn read(selector: &Value) -> Selector {
    Selector::from_label_selector(selector).unwrap_or_else(|_| Selector::nothing())
}

/// The labels of an object.
pub(super) fn labels(object: &Value) -> Option<&coracle_apimachinery::Object> {
    object.at(&["metadata", "labels"]).and_then(Value::as_object)
}
