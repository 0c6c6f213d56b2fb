//! First contact: a token is good for one certificate of an administrator, and for nothing after it.
//!
//! Upstream has nothing like it. The approver sees to it that there is one certificate; this rule tells a later asker at
//! once, and keeps the token from other signers.

use coracle_apimachinery::status::Status;
use coracle_auth::bootstrap;
use coracle_client::first_contact::{GROUP, SIGNER, claimant, used};
use coracle_store::Expect;

use super::{Operation, Plugin, Review};
use crate::api::Api;
use crate::api::request::Context;
use crate::stored::Object;

#[derive(Debug)]
pub(super) struct FirstContact;

impl Plugin for FirstContact {
    fn admit(&self, api: &Api, context: &Context, review: &mut Review<'_>) -> Result<(), Status> {
        if review.operation != Operation::Create || !review.is("certificates.k8s.io", "certificatesigningrequests") {
            return Ok(());
        }
        let Some(id) = bootstrap::token_id(&context.identity).filter(|_| context.identity.is_in(GROUP)) else {
            return Ok(());
        };
        let signer = review.object.as_ref().map_or("", |object| object.text_at(&["spec", "signerName"]));
        if signer != SIGNER {
            let signer = coracle_apimachinery::field::quote(signer);
            return Err(review.forbidden(format!("a token of first contact is for the signer {SIGNER}, not {signer}")));
        }
        let registry = api.registry();
        let Some(row) = registry.row("", "v1", "secrets") else { return Ok(()) };
        let key = Api::key(row, bootstrap::NAMESPACE, &bootstrap::secret_name(id))?;
        let Some(entry) = api.store().get(&key) else {
            return Err(review.forbidden(format!("the bootstrap token {id} has expired or was deleted")));
        };
        if claimant(&*api.tree(row, &Object::of_entry(&entry))?).is_some() {
            return Err(review.forbidden(used(id)));
        }
        // A request that comes while another one is approved must not be made after it.
        review.conditions.push((key, Expect::At(entry.revision())));
        Ok(())
    }
}
