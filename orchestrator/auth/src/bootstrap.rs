//! Bootstrap tokens: `ID.SECRET`, kept in Secrets of kube-system, with which a node asks for its first certificate.
//!
//! Source: kubernetes v1.37.2, plugin/pkg/auth/authenticator/token/bootstrap; cluster-bootstrap v0.37.2.
//!
//! A token stays valid until its Secret expires or goes. Whoever makes it good for one certificate only finds the
//! Secret of an identity with [`token_id`] and [`secret_name`] and marks it.

use std::collections::BTreeSet;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use coracle_apimachinery::time::{Instant, Precision};
use coracle_apimachinery::{Value, base64};

use crate::{Identity, Objects};

/// Group of everybody with a bootstrap token.
pub const BOOTSTRAPPERS: &str = "system:bootstrappers";
/// Namespace of the Secrets.
pub const NAMESPACE: &str = "kube-system";

/// Type of the Secrets.
pub const SECRET_TYPE: &str = "bootstrap.kubernetes.io/token";

const USER_PREFIX: &str = "system:bootstrap:";
const ID_LENGTH: usize = 6;
const SECRET_LENGTH: usize = 16;

/// Who presents `token`, if it is a valid bootstrap token at `now` (seconds since the epoch).
pub fn authenticate(token: &str, objects: &dyn Objects, now: i64) -> Option<Identity> {
    let (id, secret) = split(token)?;
    let object = objects.object("secrets", NAMESPACE, &secret_name(id))?;
    if !object.text_at(&["metadata", "deletionTimestamp"]).is_empty() || object.text_at(&["type"]) != SECRET_TYPE {
        return None;
    }
    verify_slices_are_equal(&data(&object, "token-secret")?, secret.as_bytes()).ok()?;
    let is = |key: &str, text: &str| data(&object, key).is_some_and(|bytes| bytes == text.as_bytes());
    if !is("token-id", id) || expired(&object, now) || !is("usage-bootstrap-authentication", "true") {
        return None;
    }
    let mut identity = Identity::new(&format!("{USER_PREFIX}{id}"), &[]);
    identity.groups = groups(&object)?.into_iter().collect();
    Some(identity)
}

/// Id of the bootstrap token with which `identity` came.
#[must_use]
pub fn token_id(identity: &Identity) -> Option<&str> {
    identity.name.strip_prefix(USER_PREFIX).filter(|_| identity.is_in(BOOTSTRAPPERS))
}

/// Name of the Secret of a token.
#[must_use]
pub fn secret_name(id: &str) -> String {
    format!("bootstrap-token-{id}")
}

/// Id and secret of a token that is written as `[a-z0-9]{6}.[a-z0-9]{16}`.
#[must_use]
pub fn split(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.split_once('.')?;
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (id.len() == ID_LENGTH && secret.len() == SECRET_LENGTH && plain(id) && plain(secret)).then_some((id, secret))
}

/// A member of the Secret; absent ones and ones that are no base64 read as nothing.
fn data(secret: &Value, key: &str) -> Option<Vec<u8>> {
    base64::decode(secret.at(&["data", key])?.as_str()?).ok()
}

fn expired(secret: &Value, now: i64) -> bool {
    let Some(bytes) = data(secret, "expiration").filter(|bytes| !bytes.is_empty()) else {
        // Without the member the token does not expire; with one that cannot be read it is not trusted.
        return secret.at(&["data", "expiration"]).is_some_and(|value| value.as_str() != Some(""));
    };
    let text = String::from_utf8(bytes).unwrap_or_default();
    Instant::parse(&text, Precision::Seconds).map_or(true, |at| at.seconds <= now)
}

/// The groups of a token, sorted; nothing when a group is not one that a token may give.
fn groups(secret: &Value) -> Option<BTreeSet<String>> {
    let mut groups = BTreeSet::from([BOOTSTRAPPERS.to_owned()]);
    let extra = String::from_utf8(data(secret, "auth-extra-groups").unwrap_or_default()).ok()?;
    if !extra.is_empty() {
        for group in extra.split(',') {
            allowed_group(group).then_some(())?;
            groups.insert(group.to_owned());
        }
    }
    Some(groups)
}

fn allowed_group(group: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let Some(name) = group.strip_prefix(BOOTSTRAPPERS).and_then(|rest| rest.strip_prefix(':')) else { return false };
    name.len() <= 256
        && name.bytes().all(|byte| word(byte) || byte == b':' || byte == b'-')
        && name.bytes().last().is_some_and(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::tests::Fixed;

    const NOW: i64 = 1_700_000_000;

    fn secret(members: &[(&str, &str)]) -> Fixed {
        let mut data = vec![
            ("token-id", "abcdef"),
            ("token-secret", "0123456789abcdef"),
            ("usage-bootstrap-authentication", "true"),
        ];
        data.retain(|(key, _)| members.iter().all(|(name, _)| name != key));
        data.extend_from_slice(members);
        let data: Vec<String> =
            data.iter().map(|(key, text)| format!("{key:?}:{:?}", base64::encode(text.as_bytes()))).collect();
        let json =
            format!(r#"{{"metadata":{{}},"type":"bootstrap.kubernetes.io/token","data":{{{}}}}}"#, data.join(","));
        Fixed::default().with("secrets", "kube-system", "bootstrap-token-abcdef", &json)
    }

    #[test]
    fn a_token_gives_name_and_groups() {
        let objects = secret(&[("auth-extra-groups", "system:bootstrappers:worker")]);
        let identity = authenticate("abcdef.0123456789abcdef", &objects, NOW).unwrap();
        assert_eq!(identity, Identity::new("system:bootstrap:abcdef", &[BOOTSTRAPPERS, "system:bootstrappers:worker"]));
        assert_eq!(token_id(&identity), Some("abcdef"));
        assert_eq!(token_id(&Identity::new("system:bootstrap:abcdef", &[])), None);
    }

    #[test]
    fn a_secret_decides() {
        let good = "abcdef.0123456789abcdef";
        type Members<'a> = &'a [(&'a str, &'a str)];
        let table: &[(&str, Members<'_>, bool)] = &[
            (good, &[], true),
            (good, &[("expiration", "2023-11-14T22:13:21Z")], true),
            (good, &[("expiration", "2023-11-14T22:13:20Z")], false),
            (good, &[("expiration", "tomorrow")], false),
            (good, &[("expiration", "")], true),
            (good, &[("token-id", "abcdeg")], false),
            (good, &[("token-secret", "0123456789abcdee")], false),
            (good, &[("token-secret", "")], false),
            (good, &[("usage-bootstrap-authentication", "false")], false),
            (good, &[("auth-extra-groups", "system:masters")], false),
            (good, &[("auth-extra-groups", "system:bootstrappers:a,system:bootstrappers:")], false),
            (good, &[("auth-extra-groups", "system:bootstrappers:a-")], false),
            ("abcdef.0123456789abcdeF", &[], false),
            ("abcdef.0123456789abcde", &[], false),
            ("abcde.0123456789abcdef", &[], false),
            ("abcdeg.0123456789abcdef", &[], false),
            ("", &[], false),
        ];
        for (token, members, valid) in table {
            assert_eq!(authenticate(token, &secret(members), NOW).is_some(), *valid, "{token} {members:?}");
        }
    }

    #[test]
    fn other_secrets_are_no_tokens() {
        for json in [
            r#"{"type":"Opaque","data":{"token-secret":"MDEyMzQ1Njc4OWFiY2RlZg=="}}"#,
            r#"{"type":"bootstrap.kubernetes.io/token"}"#,
            r#"{"metadata":{"deletionTimestamp":"2999-01-01T00:00:00Z"},"type":"bootstrap.kubernetes.io/token"}"#,
        ] {
            let objects = Fixed::default().with("secrets", "kube-system", "bootstrap-token-abcdef", json);
            assert_eq!(authenticate("abcdef.0123456789abcdef", &objects, NOW), None, "{json}");
        }
    }
}
