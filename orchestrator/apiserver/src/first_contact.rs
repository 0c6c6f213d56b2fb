//! The token with which the first administrator gets a certificate: made once, for a token that the machine's
//! configuration names.
//!
//! A configuration outlives its token: a seed disk may stay in the machine for years, and every start reads it again.
//! Therefore `kube-system/coracle-first-contact` records which tokens were issued, as the SHA-256 of the secret part by
//! the id, and a recorded token is never made again, whether it was used, has expired, or was deleted by somebody. Another
//! secret under a recorded id is another token: it replaces the one before.

use coracle_apimachinery::status::Status;
use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Object, Value, base64};
use coracle_auth::{Identity, bootstrap};
use coracle_client::first_contact::GROUP;
use coracle_client::resources::{CONFIG_MAPS, SECRETS};
use coracle_client::{Client as _, PatchKind, Resource, Write};

use crate::local::LocalClient;
use crate::now_instant;

/// Name of the record, in kube-system.
pub const RECORD: &str = "coracle-first-contact";

/// Seconds that a token is good for, by the device's clock.
const LIFETIME: i64 = 3600;

/// What has become of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issued {
    /// It is good for an hour from now.
    Now,
    /// It was issued before, and may have been used or have expired since.
    Before,
}

/// A token cannot be issued.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its form is wrong. The text does not repeat it, since it may be nearly right.
    #[error("the bootstrap token must be written ID.SECRET: six and sixteen of the characters a-z and 0-9")]
    Form,
    /// The API refused.
    #[error("cannot {0}: {message}", message = .1.message)]
    Api(&'static str, Status),
}

/// Issues the token `ID.SECRET` unless it was issued before. Needs the namespaces of [`crate::bootstrap::ensure`]; one
/// caller at a time.
///
/// # Errors
/// The token is malformed, or an object cannot be written; then nothing is good that was not before, and the next call
/// tries again.
pub async fn ensure_token(api: &crate::api::Api, token: &str) -> Result<Issued, Error> {
    let (id, secret) = bootstrap::split(token).ok_or(Error::Form)?;
    let client = LocalClient::new(api.clone(), Identity::apiserver());
    let view = client.view();
    let digest = digest(secret);
    let record = view.get(&CONFIG_MAPS, bootstrap::NAMESPACE, RECORD);
    if record.as_ref().is_some_and(|record| record.text_at(&["data", id]) == digest) {
        return Ok(Issued::Before);
    }
    let name = bootstrap::secret_name(id);
    let mut there = view.get(&SECRETS, bootstrap::NAMESPACE, &name);
    if let Some(other) = there.take_if(|there| !holds(there, secret)) {
        let write = client.write(Write::delete(&SECRETS, &other)).await;
        fine(write, "NotFound").map_err(|status| Error::Api("replace the token with the same id", status))?;
    }
    let made = match there {
        // A start was cut short before the record was written. The Secret stays as it is: it may be used by now.
        Some(_) => None,
        None => {
            let object = object(&SECRETS, &name, token_data(id, secret, now_instant()), Some(bootstrap::SECRET_TYPE));
            let write = client.write(Write::create(&SECRETS, object)).await;
            Some(write.map_err(|status| Error::Api("make the token", status))?)
        }
    };
    let entry = [(id, digest)];
    let record = match record {
        None => Write::create(&CONFIG_MAPS, object(&CONFIG_MAPS, RECORD, texts(entry), None)),
        Some(record) => {
            let mut patch = Object::new();
            patch.insert("data".into(), texts(entry));
            Write::patch(&CONFIG_MAPS, &record, PatchKind::Merge, Value::Object(patch))
        }
    };
    if let Err(status) = client.write(record).await {
        // Without its record the token would come back after its end.
        if let Some(made) = made {
            let write = client.write(Write::delete(&SECRETS, &made)).await;
            fine(write, "NotFound").map_err(|status| Error::Api("take the token back, which has no record", status))?;
        }
        return Err(Error::Api("record the token", status));
    }
    Ok(Issued::Now)
}

fn fine<T>(written: Result<T, Status>, reason: &str) -> Result<(), Status> {
    match written {
        Err(status) if status.reason != reason => Err(status),
        _ => Ok(()),
    }
}

/// SHA-256 in hexadecimal digits.
fn digest(secret: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a Secret is the one of this token.
fn holds(object: &Value, secret: &str) -> bool {
    base64::decode(object.text_at(&["data", "token-secret"])).is_ok_and(|bytes| bytes == secret.as_bytes())
}

fn token_data(id: &str, secret: &str, now: Instant) -> Value {
    let end = Instant { seconds: now.seconds.saturating_add(LIFETIME), micros: 0 };
    let members = [
        ("auth-extra-groups", GROUP.to_owned()),
        ("description", "First contact: good for one administrator's certificate.".to_owned()),
        ("expiration", end.print(Precision::Seconds)),
        ("token-id", id.to_owned()),
        ("token-secret", secret.to_owned()),
        ("usage-bootstrap-authentication", "true".to_owned()),
        ("usage-bootstrap-signing", "true".to_owned()),
    ];
    texts(members.map(|(name, text)| (name, base64::encode(text.as_bytes()))))
}

fn texts<const N: usize>(members: [(&str, String); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, text)| (name.to_owned().into(), Value::text(text))).collect())
}

/// A new object of kube-system.
fn object(of: &Resource, name: &str, data: Value, kind: Option<&str>) -> Value {
    let mut tree = Object::new();
    tree.insert("apiVersion".into(), Value::text(of.api_version()));
    tree.insert("kind".into(), Value::text(&*of.kind));
    let metadata = tree.object_mut("metadata");
    metadata.insert("name".into(), Value::text(name));
    metadata.insert("namespace".into(), Value::text(bootstrap::NAMESPACE));
    tree.insert("data".into(), data);
    if let Some(kind) = kind {
        tree.insert("type".into(), Value::text(kind));
    }
    Value::Object(tree)
}
