//! What each signer wants of a request. The refusals are upstream's, since users read them in conditions.

use std::collections::BTreeSet;

use coracle_client::first_contact;

use super::request::Request;

const CLIENT_AUTH: &str = "client auth";
const SERVER_AUTH: &str = "server auth";
const SIGNATURE: &str = "digital signature";
const ENCIPHERMENT: &str = "key encipherment";

const MASTERS: &str = "system:masters";
const NODE_GROUP: &str = "system:nodes";
const NODE_PREFIX: &str = "system:node:";

/// Signer of kubelets' client certificates.
pub(super) const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";

/// A rule: the request and the usages that are asked for.
pub(super) type Rule = fn(&Request, &[&str]) -> Result<(), String>;

/// One signer.
#[derive(Debug)]
pub(super) struct Signer {
    pub(super) name: &'static str,
    pub(super) rule: Rule,
    /// Which authority signs.
    pub(super) authority: Authority,
}

/// The authorities.
#[derive(Debug, Clone, Copy)]
pub(super) enum Authority {
    /// That of the clients of the API.
    Client,
    /// That of servers.
    Serving,
}

/// All signers.
pub(super) static SIGNERS: [Signer; 5] = [
    Signer { name: "kubernetes.io/kube-apiserver-client", rule: api_client, authority: Authority::Client },
    Signer { name: KUBELET_CLIENT, rule: kubelet_client, authority: Authority::Client },
    Signer { name: "kubernetes.io/kubelet-serving", rule: kubelet_serving, authority: Authority::Serving },
    Signer { name: "kubernetes.io/legacy-unknown", rule: |_, _| Ok(()), authority: Authority::Serving },
    Signer { name: first_contact::SIGNER, rule: administrator, authority: Authority::Client },
];

fn api_client(_: &Request, usages: &[&str]) -> Result<(), String> {
    if let Some(other) = usages.iter().find(|usage| ![CLIENT_AUTH, SIGNATURE, ENCIPHERMENT].contains(usage)) {
        return Err(format!("invalid usage for client certificate: {other}"));
    }
    if !usages.contains(&CLIENT_AUTH) {
        return Err(format!("missing required usage for client certificate: {CLIENT_AUTH}"));
    }
    Ok(())
}

/// A client certificate of a kubelet.
pub(super) fn kubelet_client(request: &Request, usages: &[&str]) -> Result<(), String> {
    refuse(request.organisations != [NODE_GROUP], "subject organization is not system:nodes")?;
    unnamed(request)?;
    of_node(request)?;
    exactly(usages, [CLIENT_AUTH, SIGNATURE, ENCIPHERMENT])
}

fn kubelet_serving(request: &Request, usages: &[&str]) -> Result<(), String> {
    let names = request.names;
    refuse(request.organisations != [NODE_GROUP], "subject organization is not system:nodes")?;
    refuse(!names.dns && !names.address, "DNS or IP subjectAltName is required")?;
    refuse(names.email, "Email subjectAltNames are not allowed")?;
    refuse(names.uri, "URI subjectAltNames are not allowed")?;
    exactly(usages, [SIGNATURE, ENCIPHERMENT, SERVER_AUTH])?;
    of_node(request)
}

/// The certificate of an administrator, which Coracle alone has.
pub(super) fn administrator(request: &Request, usages: &[&str]) -> Result<(), String> {
    refuse(request.organisations != [MASTERS], "subject organization is not system:masters")?;
    unnamed(request)?;
    let named = request.common_name.starts_with(first_contact::NAME_PREFIX);
    refuse(!named, "subject common name does not begin with coracle-administrator-")?;
    let usages: BTreeSet<&str> = usages.iter().copied().collect();
    let fits = usages == BTreeSet::from([CLIENT_AUTH]) || usages == BTreeSet::from([CLIENT_AUTH, SIGNATURE]);
    if fits { Ok(()) } else { Err(format!("usages did not match [{CLIENT_AUTH} {SIGNATURE}]")) }
}

/// No alternative names at all.
fn unnamed(request: &Request) -> Result<(), String> {
    let names = request.names;
    refuse(names.dns, "DNS subjectAltNames are not allowed")?;
    refuse(names.email, "Email subjectAltNames are not allowed")?;
    refuse(names.address, "IP subjectAltNames are not allowed")?;
    refuse(names.uri, "URI subjectAltNames are not allowed")
}

fn of_node(request: &Request) -> Result<(), String> {
    let named = request.common_name.starts_with(NODE_PREFIX);
    refuse(!named, "subject common name does not begin with system:node:")
}

/// All of the usages and no others; keys that are no RSA keys encipher nothing. `wanted` is sorted.
fn exactly(usages: &[&str], wanted: [&str; 3]) -> Result<(), String> {
    let usages: BTreeSet<&str> = usages.iter().copied().collect();
    let without = wanted.into_iter().filter(|usage| *usage != ENCIPHERMENT);
    let fits = usages.iter().copied().eq(wanted) || usages.iter().copied().eq(without);
    if fits { Ok(()) } else { Err(format!("usages did not match [{}]", wanted.join(" "))) }
}

fn refuse(wrong: bool, why: &str) -> Result<(), String> {
    if wrong { Err(why.to_owned()) } else { Ok(()) }
}
