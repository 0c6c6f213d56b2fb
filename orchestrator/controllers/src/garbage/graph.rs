//! Owners and dependents, as a view shows them.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::object::{flag, is_ending, items, name, namespace, uid};
use coracle_client::resources::NAMESPACES;
use coracle_client::{Resource, View};

/// Finalizer of an owner that waits until its dependents are gone.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// Finalizer of an owner whose dependents are to stay.
pub(super) const ORPHAN: &str = "orphan";

/// A view and the resources in it.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    /// The view.
    pub(super) view: &'a View,
    resources: Vec<Arc<Resource>>,
}

/// What a reference to an owner leads to.
#[derive(Debug)]
pub(super) enum Owner {
    /// The owner.
    There(Arc<Resource>, Arc<Value>),
    /// No object of this kind has the name and the uid, at least not where the dependent may look.
    Absent(Arc<Resource>),
    /// An object of the cluster cannot belong to one of a namespace.
    Unreachable(Arc<Resource>),
    /// Nothing is known of the kind.
    UnknownKind,
}

impl<'a> Graph<'a> {
    /// The graph of a view.
    pub(super) fn new(view: &'a View) -> Self {
        Self { view, resources: view.resources() }
    }

    /// The resource of a displayed name.
    pub(super) fn named(&self, displayed: &str) -> Option<&Arc<Resource>> {
        let (plural, group) = displayed.split_once('.').unwrap_or((displayed, ""));
        self.resources.iter().find(|resource| resource.plural == plural && resource.group == group)
    }

    /// The resource of the kind that a reference names. Its version does not matter: an object is the same in all.
    fn kind_of(&self, reference: &Value) -> Option<&Arc<Resource>> {
        let group = reference.text_at(&["apiVersion"]).split_once('/').map_or("", |(group, _)| group);
        let kind = reference.text_at(&["kind"]);
        self.resources.iter().find(|resource| resource.kind == kind && resource.group == group)
    }

    /// The owner that a reference in an object names.
    pub(super) fn owner(&self, reference: &Value, dependent: &Value) -> Owner {
        let Some(resource) = self.kind_of(reference) else { return Owner::UnknownKind };
        let place = if resource.namespaced { namespace(dependent) } else { "" };
        if resource.namespaced && place.is_empty() {
            return Owner::Unreachable(Arc::clone(resource));
        }
        match self.identified(resource, place, reference) {
            Some(owner) => Owner::There(Arc::clone(resource), owner),
            None => Owner::Absent(Arc::clone(resource)),
        }
    }

    /// Whether the owner that a reference names lives in a namespace other than the dependent's.
    pub(super) fn is_elsewhere(&self, resource: &Resource, reference: &Value) -> bool {
        let places = || self.view.list(&NAMESPACES, "");
        resource.namespaced && places().iter().any(|place| self.identified(resource, name(place), reference).is_some())
    }

    fn identified(&self, resource: &Resource, place: &str, reference: &Value) -> Option<Arc<Value>> {
        let owner = self.view.get(resource, place, reference.text_at(&["name"]))?;
        (uid(&owner) == reference.text_at(&["uid"])).then_some(owner)
    }

    /// The objects that name an owner by its uid.
    pub(super) fn dependents(&self, of: &Value) -> impl Iterator<Item = (&Arc<Resource>, Arc<Value>)> {
        let resources = if uid(of).is_empty() { &[][..] } else { &self.resources[..] };
        let owner = uid(of).to_owned();
        let considered = resources.iter().filter(|resource| !is_ignored(resource));
        considered.flat_map(move |resource| {
            self.view.owned_by(resource, &owner).into_iter().map(move |dependent| (resource, dependent))
        })
    }

    /// The references of a dependent that lead to an owner. One that only names its uid, such as from another namespace,
    /// does not count: its end would wake nobody.
    pub(super) fn leads_to<'b>(&self, owner: &Value, dependent: &'b Value) -> impl Iterator<Item = &'b Value> {
        let leads = |reference: &&Value| {
            reference.text_at(&["uid"]) == uid(owner) && matches!(self.owner(reference, dependent), Owner::There(..))
        };
        references(dependent).iter().filter(leads)
    }

    /// Every object there is, except of ignored resources.
    pub(super) fn everything(&self) -> impl Iterator<Item = (&Arc<Resource>, Arc<Value>)> {
        let considered = self.resources.iter().filter(|resource| !is_ignored(resource));
        considered.flat_map(|resource| self.view.list(resource, "").into_iter().map(move |object| (resource, object)))
    }
}

/// Events come and go in great numbers and own nothing.
pub(super) fn is_ignored(resource: &Resource) -> bool {
    resource.plural == "events" && matches!(&*resource.group, "" | "events.k8s.io")
}

/// The references of an object to its owners.
pub(super) fn references(object: &Value) -> &[Value] {
    items(object, &["metadata", "ownerReferences"])
}

/// Whether an object has a finalizer.
pub(super) fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    items(object, &["metadata", "finalizers"]).iter().any(|item| item.as_str() == Some(finalizer))
}

/// Whether an object is being deleted and goes after its dependents.
pub(super) fn waits_for_dependents(object: &Value) -> bool {
    is_ending(object) && has_finalizer(object, FOREGROUND)
}

/// Whether an object is being deleted and goes without its dependents.
pub(super) fn orphans_dependents(object: &Value) -> bool {
    is_ending(object) && has_finalizer(object, ORPHAN)
}

/// Whether the owner of a reference must wait for the dependent.
pub(super) fn blocks(reference: &Value) -> bool {
    flag(reference, &["blockOwnerDeletion"])
}
