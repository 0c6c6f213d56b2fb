//! Approves client certificates of kubelets without a person.

use coracle_apimachinery::Value;
use coracle_client::object::items;
use coracle_client::resources::CERTIFICATE_SIGNING_REQUESTS as REQUESTS;
use coracle_client::{View, Write};

use super::rules::{KUBELET_CLIENT, kubelet_client};
use super::{NAME, has, is_issued, request, usages, with_condition};
use crate::controller::{Controller, Key, Plan, Round, Watches, itself};

/// Approves requests of those who may have a kubelet's certificate.
#[derive(Debug, Clone, Copy)]
pub struct CertificateApprover {
    may: May,
}

/// Whether somebody may `create` the subresource (`nodeclient` or `selfnodeclient`) of `certificatesigningrequests`.
pub type May = fn(&View, &Asker<'_>, &str) -> bool;

/// Who made a request, as the API recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker<'a> {
    /// User name.
    pub name: &'a str,
    /// Uid; may be empty.
    pub uid: &'a str,
    /// Groups.
    pub groups: Vec<&'a str>,
}

/// A certificate that is recognised, in the order in which the permissions are tried.
struct Recogniser {
    /// Only for those who already are the node.
    own: bool,
    subresource: &'static str,
    message: &'static str,
}

const RECOGNISERS: [Recogniser; 2] = [
    Recogniser {
        own: true,
        subresource: "selfnodeclient",
        message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
    },
    Recogniser {
        own: false,
        subresource: "nodeclient",
        message: "Auto approving kubelet client certificate after SubjectAccessReview.",
    },
];

/// What kubeadm's bindings give: bootstrap tokens may ask for any node, nodes for themselves.
#[must_use]
pub fn by_group(_: &View, asker: &Asker<'_>, subresource: &str) -> bool {
    let group = match subresource {
        "nodeclient" => "system:bootstrappers",
        "selfnodeclient" => "system:nodes",
        _ => return false,
    };
    asker.groups.iter().any(|of| *of == group || *of == "system:masters")
}

impl CertificateApprover {
    /// Approves what `may` allows.
    #[must_use]
    pub fn new(may: May) -> Self {
        Self { may }
    }

    /// The message of the approval, if there is one.
    fn approval(&self, view: &View, csr: &Value) -> Option<&'static str> {
        if is_issued(csr) || has(csr, "Approved") || has(csr, "Denied") {
            return None;
        }
        if csr.text_at(&["spec", "signerName"]) != KUBELET_CLIENT {
            return None;
        }
        let request = request::read(csr).ok()?;
        kubelet_client(&request, &usages(csr)).ok()?;
        let asker = Asker::of(csr);
        let mut recognised =
            RECOGNISERS.iter().filter(|recogniser| !recogniser.own || asker.name == request.common_name);
        let allowed = recognised.find(|recogniser| (self.may)(view, &asker, recogniser.subresource));
        allowed.map(|recogniser| recogniser.message)
    }
}

impl<'a> Asker<'a> {
    pub(super) fn of(csr: &'a Value) -> Self {
        Self {
            name: csr.text_at(&["spec", "username"]),
            uid: csr.text_at(&["spec", "uid"]),
            groups: items(csr, &["spec", "groups"]).iter().filter_map(Value::as_str).collect(),
        }
    }
}

impl Controller for CertificateApprover {
    fn name(&self) -> &'static str {
        NAME
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&REQUESTS, itself)])
    }

    fn plan(&self, view: &View, key: &Key, _: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let Some(csr) = view.get(&REQUESTS, "", &key.name) else { return plan };
        if let Some(message) = self.approval(view, &csr) {
            let approved = with_condition(&csr, "Approved", "AutoApproved", message, "");
            plan.write(Write::update(&REQUESTS, approved).at("approval"));
        }
        plan
    }
}
