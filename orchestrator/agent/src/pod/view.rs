//! Reading views: the pod's tree and what the runtime has of it.

use coracle_apimachinery::Value;

use super::{Hook, Probe, millis, restart};
use crate::runtime::{Container, Observed, State};

/// A pod.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pod<'a>(pub(crate) &'a Value);

/// One entry of `containers` or `initContainers`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec<'a> {
    pub(crate) tree: &'a Value,
    pub(crate) init: bool,
    policy: &'a str,
}

impl<'a> Pod<'a> {
    pub(crate) fn uid(self) -> &'a str {
        self.0.text_at(&["metadata", "uid"])
    }

    /// Name, namespace and unique id as messages name a pod.
    pub(crate) fn described(self) -> String {
        let metadata = |name| self.0.text_at(&["metadata", name]);
        format!("{}_{}({})", metadata("name"), metadata("namespace"), self.uid())
    }

    pub(crate) fn generation(self) -> i64 {
        self.int(&["metadata", "generation"]).unwrap_or(0)
    }

    pub(crate) fn int(self, path: &[&str]) -> Option<i64> {
        self.0.at(path).and_then(Value::as_int)
    }

    pub(crate) fn is_deleting(self) -> bool {
        self.0.at(&["metadata", "deletionTimestamp"]).is_some()
    }

    pub(crate) fn policy(self) -> &'a str {
        match self.0.text_at(&["spec", "restartPolicy"]) {
            "" => "Always",
            policy => policy,
        }
    }

    pub(crate) fn on_host_network(self) -> bool {
        self.0.at(&["spec", "hostNetwork"]).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn containers(self) -> impl DoubleEndedIterator<Item = Spec<'a>> + ExactSizeIterator {
        self.list("containers", false)
    }

    pub(crate) fn init_containers(self) -> impl DoubleEndedIterator<Item = Spec<'a>> + ExactSizeIterator {
        self.list("initContainers", true)
    }

    /// Init containers first.
    pub(crate) fn all(self) -> impl DoubleEndedIterator<Item = Spec<'a>> {
        self.init_containers().chain(self.containers())
    }

    fn list(self, member: &'static str, init: bool) -> impl DoubleEndedIterator<Item = Spec<'a>> + ExactSizeIterator {
        let items = self.0.at(&["spec", member]).map(Value::items).unwrap_or_default();
        let policy = self.policy();
        items.iter().map(move |tree| Spec { tree, init, policy })
    }

    pub(crate) fn find(self, name: &str) -> Option<Spec<'a>> {
        self.all().find(|spec| spec.name() == name)
    }

    /// The phase that the API shows.
    pub(crate) fn phase(self) -> &'a str {
        self.0.text_at(&["status", "phase"])
    }
}

impl<'a> Spec<'a> {
    pub(crate) fn name(self) -> &'a str {
        self.tree.text_at(&["name"])
    }

    pub(crate) fn image(self) -> &'a str {
        self.tree.text_at(&["image"])
    }

    /// Whether it is an init container that runs beside the others.
    pub(crate) fn is_sidecar(self) -> bool {
        self.init && self.own_policy() == Some("Always")
    }

    /// Its own restart policy.
    pub(crate) fn own_policy(self) -> Option<&'a str> {
        Some(self.tree.text_at(&["restartPolicy"])).filter(|policy| !policy.is_empty())
    }

    /// Whether a failure leads to a restart when no exit code is at hand.
    pub(crate) fn restarts_on_failure(self) -> bool {
        self.own_policy().unwrap_or(self.policy) != "Never"
    }

    pub(crate) fn restarts_after(self, exit_code: i32) -> bool {
        restart::restarts(self.tree, self.policy, exit_code)
    }

    pub(crate) fn hook(self, hook: Hook) -> Option<&'a Value> {
        self.tree.at(&["lifecycle", hook.member()])
    }

    pub(crate) fn probe(self, probe: Probe) -> Option<&'a Value> {
        self.tree.at(&[probe.member()])
    }

    pub(crate) fn field_path(self) -> String {
        field_path(self.name(), self.init)
    }
}

/// Where events about a container point.
pub(crate) fn field_path(name: &str, init: bool) -> String {
    format!("spec.{}{{{name}}}", if init { "initContainers" } else { "containers" })
}

impl Container {
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// Its exit code, if it ended.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        match &self.state {
            State::Exited(exit) => Some(exit.exit_code),
            _ => None,
        }
    }
}

impl Observed {
    /// The instances of a container, the newest first.
    pub(crate) fn instances(&self, name: &str) -> Vec<&Container> {
        let mut found: Vec<&Container> = self.containers.iter().filter(|container| container.name == name).collect();
        found.sort_by_key(|container| std::cmp::Reverse((container.attempt, millis(container.created))));
        found
    }

    pub(crate) fn newest(&self, name: &str) -> Option<&Container> {
        self.instances(name).into_iter().next()
    }

    /// The newest instance that was made in the present sandbox.
    pub(crate) fn active(&self, name: &str) -> Option<&Container> {
        self.newest(name).filter(|container| self.is_active(container))
    }

    fn is_active(&self, container: &Container) -> bool {
        self.sandbox.as_ref().is_some_and(|sandbox| sandbox.attempt == container.sandbox)
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|container| container.is_running())
    }

    /// Whether the runtime has nothing of the pod.
    pub(crate) fn is_gone(&self) -> bool {
        !self.volumes && self.sandbox.is_none() && self.containers.is_empty()
    }

    /// Whether a container of the pod's main list started in the present sandbox, which proves that initialization is
    /// over.
    pub(crate) fn is_initialized(&self, pod: Pod<'_>) -> bool {
        pod.containers().any(|spec| self.active(spec.name()).is_some())
    }
}
