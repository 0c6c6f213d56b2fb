//! A consistent state of all objects.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::Value;

use crate::resource::Resource;

/// A consistent state of all objects. Cloning is cheap; nothing changes it.
#[derive(Debug, Clone)]
pub struct View(Arc<dyn Read>);

/// What an object can be found by, besides its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term<'a> {
    /// The uid of one of its owners.
    Owner(&'a str),
    /// The node that a pod is bound to; empty for pods that are bound to none.
    Node(&'a str),
}

/// Reads a state. Objects that cannot be read are left out; the implementation reports them.
pub trait Read: Send + Sync + fmt::Debug {
    /// The revision of the state.
    fn revision(&self) -> u64;

    /// Every resource that can be listed and deleted, in one version each.
    fn resources(&self) -> Vec<Arc<Resource>>;

    /// One object.
    fn get(&self, of: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>>;

    /// The objects of a namespace, or of all when it is empty, by namespace and name.
    fn list(&self, of: &Resource, namespace: &str) -> Vec<Arc<Value>>;

    /// The objects of all namespaces that a term finds, by namespace and name.
    fn find(&self, of: &Resource, term: Term<'_>) -> Vec<Arc<Value>>;

    /// How long this version of an object has been seen here, by a clock that is never set. An object that was restored
    /// from the disk counts from the start.
    fn age(&self, of: &Resource, namespace: &str, name: &str) -> Option<Duration>;
}

impl View {
    /// A view of a state.
    #[must_use]
    pub fn new(state: Arc<dyn Read>) -> Self {
        Self(state)
    }

    /// The revision of the state.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.0.revision()
    }

    /// Every resource that can be listed and deleted, in one version each.
    #[must_use]
    pub fn resources(&self) -> Vec<Arc<Resource>> {
        self.0.resources()
    }

    /// One object.
    #[must_use]
    pub fn get(&self, of: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.0.get(of, namespace, name)
    }

    /// The objects of a namespace, or of all when it is empty, by namespace and name.
    #[must_use]
    pub fn list(&self, of: &Resource, namespace: &str) -> Vec<Arc<Value>> {
        self.0.list(of, namespace)
    }

    /// The objects that name an owner, in all namespaces.
    #[must_use]
    pub fn owned_by(&self, of: &Resource, uid: &str) -> Vec<Arc<Value>> {
        self.0.find(of, Term::Owner(uid))
    }

    /// The pods that are bound to a node, or to none when it is empty.
    #[must_use]
    pub fn pods_on(&self, node: &str) -> Vec<Arc<Value>> {
        self.0.find(&crate::resources::PODS, Term::Node(node))
    }

    /// How long this version of an object has been seen here, by a clock that is never set.
    #[must_use]
    pub fn age(&self, of: &Resource, namespace: &str, name: &str) -> Option<Duration> {
        self.0.age(of, namespace, name)
    }
}
