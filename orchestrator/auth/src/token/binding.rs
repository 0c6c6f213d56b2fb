//! Whether the objects that a token is bound to still exist.

use coracle_apimachinery::Value;
use coracle_apimachinery::field::quote;

use super::{Claims, LEEWAY, Reference, Refused, Tokens};
use crate::identity::CREDENTIAL_ID;
use crate::objects::deleted_before;
use crate::{Identity, Objects};

const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
const NODE_UID: &str = "authentication.kubernetes.io/node-uid";

impl Tokens {
    /// Who the bearer of a verified token is, unless the ServiceAccount, pod, node or Secret it is bound to is gone.
    ///
    /// # Errors
    /// One of the objects does not exist, is another of the same name, or is being deleted.
    pub fn check(&self, claims: &Claims, objects: &dyn Objects, now: i64) -> Result<Identity, Refused> {
        let oldest = now.saturating_sub(LEEWAY);
        let private = &claims.kubernetes;
        let (namespace, account) = (private.namespace.as_str(), &private.serviceaccount);
        let object = objects
            .object("serviceaccounts", namespace, &account.name)
            .ok_or_else(|| Refused::Bound(format!("serviceaccounts {} not found", quote(&account.name))))?;
        let uid = uid(&object);
        if uid != account.uid {
            let text = format!("service account UID ({uid}) does not match claim ({})", account.uid);
            return Err(Refused::Bound(text));
        }
        if deleted_before(&object, oldest) {
            return Err(Refused::Bound(format!("service account {namespace}/{} has been deleted", account.name)));
        }
        // The node of a pod's token only informs: the pod ends with it.
        let node = private.node.as_ref().filter(|_| private.pod.is_none());
        let bound = [
            ("secret", "secrets", namespace, private.secret.as_ref()),
            ("pod", "pods", namespace, private.pod.as_ref()),
            ("node", "nodes", "", node),
        ];
        for (word, resource, namespace, reference) in bound {
            if let Some(reference) = reference {
                let object = objects.object(resource, namespace, &reference.name);
                exists(word, object.as_ref(), reference, oldest)?;
            }
        }
        Ok(identity(claims))
    }
}

fn exists(word: &str, object: Option<&Value>, reference: &Reference, oldest: i64) -> Result<(), Refused> {
    let object = object.ok_or(Refused::Invalidated)?;
    let uid = uid(object);
    if uid != reference.uid {
        let claim = &reference.uid;
        let text = format!("{word} UID ({uid}) does not match service account {word} ref claim ({claim})");
        return Err(Refused::Bound(text));
    }
    if deleted_before(object, oldest) { Err(Refused::Invalidated) } else { Ok(()) }
}

fn uid(object: &Value) -> &str {
    object.text_at(&["metadata", "uid"])
}

fn identity(claims: &Claims) -> Identity {
    let private = &claims.kubernetes;
    let mut identity = Identity::service_account(&private.namespace, &private.serviceaccount.name);
    identity.uid.clone_from(&private.serviceaccount.uid);
    let mut extra = |key: &str, text: &str| identity.extra.insert(key.to_owned(), vec![text.to_owned()]);
    if let Some(pod) = &private.pod {
        extra(POD_NAME, &pod.name);
        extra(POD_UID, &pod.uid);
    }
    if let Some(node) = &private.node {
        extra(NODE_NAME, &node.name);
        if !node.uid.is_empty() {
            extra(NODE_UID, &node.uid);
        }
    }
    if !claims.jti.is_empty() {
        extra(CREDENTIAL_ID, &format!("JTI={}", claims.jti));
    }
    identity
}
