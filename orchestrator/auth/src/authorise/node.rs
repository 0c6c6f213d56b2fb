//! What kubelets may do: reading is limited to what the pods of their node use.
//!
//! Source: kubernetes v1.37.2, plugin/pkg/auth/authorizer/node. Where a write is allowed without a look at the object,
//! admission (NodeRestriction) limits it to the node's own.

use coracle_apimachinery::field::quote;

use super::{Attributes, Facts, Related, Resource, Target, table};

/// Whether the node may, or why not; the reason may be empty.
type Opinion = Result<(), String>;

/// The node, what it wants and what is known.
struct Case<'a> {
    node: &'a str,
    verb: &'a str,
    resource: &'a Resource<'a>,
    facts: &'a dyn Facts,
}

/// Decides about a request of the kubelet of `node`.
pub(super) fn authorise(node: &str, attributes: &Attributes<'_>, facts: &dyn Facts) -> Opinion {
    if node.is_empty() {
        return Err(format!("unknown node for user {}", quote(&attributes.identity.name)));
    }
    if let Target::Resource(resource) = &attributes.target {
        let case = Case { node, verb: attributes.verb, resource, facts };
        let is_status = resource.subresource == "status";
        match (resource.group, resource.resource) {
            ("", "secrets") => return case.read(Related::Secret),
            ("", "configmaps") => return case.read(Related::ConfigMap),
            ("", "persistentvolumeclaims") if is_status => return case.update_status(Related::PersistentVolumeClaim),
            ("", "persistentvolumeclaims") => return case.get(Related::PersistentVolumeClaim),
            ("", "persistentvolumes") => return case.get(Related::PersistentVolume),
            ("resource.k8s.io", "resourceclaims") => return case.get(Related::ResourceClaim),
            ("storage.k8s.io", "volumeattachments") => return case.get(Related::VolumeAttachment),
            ("", "serviceaccounts") => return case.service_account(),
            ("coordination.k8s.io", "leases") => return case.lease(),
            ("storage.k8s.io", "csinodes") => return case.csi_node(),
            ("resource.k8s.io", "resourceslices") => return case.resource_slice(),
            ("", "nodes") => return case.own_node(),
            ("", "pods") => return case.pod(),
            ("certificates.k8s.io", "podcertificaterequests") => return case.certificate_request(),
            _ => {}
        }
    }
    if table::allow(table::NODES, attributes) { Ok(()) } else { Err(String::new()) }
}

impl Case<'_> {
    /// get, list and watch of one object that is related.
    fn read(&self, related: Related) -> Opinion {
        if !matches!(self.verb, "get" | "list" | "watch") {
            return no("can only read resources of this type");
        }
        if !self.resource.subresource.is_empty() {
            return no("cannot read subresource");
        }
        if self.resource.namespace.is_empty() {
            return no("can only read namespaced object of this type");
        }
        self.related(related)
    }

    /// get of one object that is related.
    fn get(&self, related: Related) -> Opinion {
        if self.verb != "get" {
            return no("can only get individual resources of this type");
        }
        if !self.resource.subresource.is_empty() {
            return no("cannot get subresource");
        }
        self.related(related)
    }

    fn update_status(&self, related: Related) -> Opinion {
        if !matches!(self.verb, "update" | "patch") {
            return no("can only get/update/patch this type");
        }
        self.related(related)
    }

    fn related(&self, related: Related) -> Opinion {
        if self.resource.name.is_empty() {
            return no("No Object name found");
        }
        if self.facts.node_uses(self.node, related, self.resource.namespace, self.resource.name) {
            return Ok(());
        }
        Err(format!("no relationship found between node '{}' and this object", self.node))
    }

    fn service_account(&self) -> Opinion {
        if self.verb == "get" && self.resource.subresource.is_empty() {
            return self.read(Related::ServiceAccount);
        }
        if self.verb != "create" || self.resource.name.is_empty() {
            return no("can only create tokens for individual service accounts");
        }
        if self.resource.subresource != "token" {
            return no("can only create token subresource of serviceaccount");
        }
        self.related(Related::ServiceAccount)
    }

    fn lease(&self) -> Opinion {
        if !matches!(self.verb, "get" | "create" | "update" | "patch" | "delete") {
            return no("can only get, create, update, patch, or delete a node lease");
        }
        if self.resource.namespace != "kube-node-lease" {
            return no("can only access leases in the \"kube-node-lease\" system namespace");
        }
        // The name is not known yet when an object is created.
        if self.verb != "create" && self.resource.name != self.node {
            return no("can only access node lease with the same name as the requesting node");
        }
        Ok(())
    }

    fn csi_node(&self) -> Opinion {
        match self.resource.subresource {
            "" if matches!(self.verb, "get" | "create" | "update" | "patch" | "delete") => {}
            "" => return no("can only get, create, update, patch, or delete a CSINode"),
            "status" => return no("CSINode status access requires CSIVolumeHealth feature"),
            _ => return no("cannot authorize CSINode subresources"),
        }
        if self.verb != "create" && self.resource.name != self.node {
            return no("can only access CSINode with the same name as the requesting node");
        }
        Ok(())
    }

    fn resource_slice(&self) -> Opinion {
        if !self.resource.subresource.is_empty() {
            return no("cannot authorize ResourceSlice subresources");
        }
        match self.verb {
            "create" => Ok(()),
            "get" | "update" | "patch" | "delete" => self.related(Related::ResourceSlice),
            "watch" | "list" | "deletecollection" if self.selects("spec.nodeName") => Ok(()),
            "watch" | "list" | "deletecollection" => {
                no("can only list/watch/deletecollection resourceslices with nodeName field selector")
            }
            _ => no("only the following verbs are allowed for a ResourceSlice: \
                     get, watch, list, create, update, patch, delete, deletecollection"),
        }
    }

    fn certificate_request(&self) -> Opinion {
        if !self.resource.subresource.is_empty() {
            return no("nodes may not access the status subresource of PodCertificateRequests");
        }
        match self.verb {
            "create" => Ok(()),
            "get" => self.related(Related::PodCertificateRequest),
            "list" | "watch" if self.selects("spec.nodeName") => Ok(()),
            "list" | "watch" => no("can only list/watch podcertificaterequests with nodeName field selector"),
            verb => Err(format!("nodes may not {verb} podcertificaterequests")),
        }
    }

    fn own_node(&self) -> Opinion {
        match (self.resource.subresource, self.verb, self.resource.name) {
            ("", "create" | "update" | "patch", _) | ("status", "update" | "patch", _) => Ok(()),
            ("", "get" | "list" | "watch", name) if name == self.node => Ok(()),
            ("", "get" | "list" | "watch", "") => {
                Err(format!("node '{}' cannot read all nodes, only its own Node object", self.node))
            }
            ("", "get" | "list" | "watch", name) => {
                Err(format!("node '{}' cannot read '{name}', only its own Node object", self.node))
            }
            _ => no(""),
        }
    }

    fn pod(&self) -> Opinion {
        match (self.resource.subresource, self.verb) {
            ("", "get") => self.get(Related::Pod),
            ("", "list" | "watch") if self.selects("spec.nodeName") => Ok(()),
            ("", "list" | "watch") if !self.resource.name.is_empty() => self.related(Related::Pod),
            ("", "list" | "watch") => no("can only list/watch pods with spec.nodeName field selector"),
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => Ok(()),
            _ => no(""),
        }
    }

    /// Whether the request's field selector limits it to this node.
    fn selects(&self, field: &str) -> bool {
        self.resource.fields.contains(&(field, self.node))
    }
}

fn no(reason: &str) -> Opinion {
    Err(reason.to_owned())
}
