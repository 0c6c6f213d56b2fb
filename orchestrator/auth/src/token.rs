//! Tokens: of ServiceAccounts (ES256, bound to what they are for) and of machines that join (bootstrap tokens).
//!
//! Source of the claims: k8s.io/kubernetes v1.37.2, pkg/serviceaccount/claims.go.

use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::identity::Identity;
use crate::pki::{self, Error};

/// Who issues tokens.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Longest token that is looked at, in bytes.
const MAX_BYTES: usize = 16 * 1024;

/// Where the keys lie: PEM blocks, the newest last. The newest signs, all verify.
const FILE: &str = "service.key";

/// Objects that tokens depend on.
pub trait Objects {
    /// The uid of a core object, if it exists.
    fn uid(&self, resource: &str, namespace: &str, name: &str) -> Option<String>;

    /// The data of a bootstrap token's Secret in `kube-system`.
    fn bootstrap_secret(&self, name: &str) -> Option<Vec<(String, Vec<u8>)>>;
}

/// A set of keys with key ids.
pub struct Keys(Vec<Key>);

struct Key {
    id: String,
    pair: EcdsaKeyPair,
    public: Vec<u8>,
}

/// A token to make.
#[derive(Debug, Clone)]
pub struct Request {
    /// Namespace of the account.
    pub namespace: String,
    /// Name of the account.
    pub service_account: String,
    /// Its uid.
    pub service_account_uid: String,
    /// What the token ends with.
    pub bound: Option<Bound>,
    /// Whom it is for.
    pub audiences: Vec<String>,
    /// When it is made, in seconds since 1970.
    pub issued: i64,
    /// When it ends.
    pub expires: i64,
}

/// An object that a token is bound to.
#[derive(Debug, Clone)]
pub struct Bound {
    /// `Pod`, `Secret` or `Node`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Name and uid of the node that a pod runs on.
    pub node: Option<(String, String)>,
}

/// Why a token is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is no token of this server.
    #[error("invalid bearer token")]
    Malformed,
    /// Its signature is not ours.
    #[error("invalid bearer token, signature does not verify")]
    Signature,
    /// Its time is over, or has not come.
    #[error("invalid bearer token, token has expired or is not valid yet")]
    Time,
    /// It is for somebody else.
    #[error("token audiences are invalid for the target audiences")]
    Audience,
    /// What it is bound to does not exist any more.
    #[error("service account token has been invalidated")]
    Invalidated,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    alg: String,
    kid: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    aud: Vec<String>,
    exp: i64,
    iat: i64,
    iss: String,
    jti: String,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Private,
    nbf: i64,
    sub: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Private {
    namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Reference>,
    serviceaccount: Reference,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Reference {
    name: String,
    uid: String,
}

impl Keys {
    /// Reads the keys of a directory, or makes a first one.
    ///
    /// # Errors
    /// The file cannot be read, written or used.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(FILE);
        let text = match pki::read(&path)? {
            Some(text) => text,
            None => {
                let text = rcgen::KeyPair::generate().map_err(Error::Certificate)?.serialize_pem();
                pki::write(&path, text.as_bytes())?;
                text
            }
        };
        let unusable = |problem: String| Error::Content { path: path.clone(), problem };
        let mut keys = Vec::new();
        for block in text.split_inclusive("-----END PRIVATE KEY-----").filter(|block| block.contains("BEGIN")) {
            let der = rcgen::KeyPair::from_pem(block.trim()).map_err(|error| unusable(error.to_string()))?;
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der.serialize_der());
            let pair = pair.map_err(|error| unusable(error.to_string()))?;
            // As upstream does it: the hash of the public key in its DER form.
            let id = URL_SAFE_NO_PAD.encode(Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&der)));
            let public = pair.public_key().as_ref().to_vec();
            keys.push(Key { id, pair, public });
        }
        if keys.is_empty() {
            return Err(unusable("it holds no key".to_owned()));
        }
        Ok(Self(keys))
    }

    /// Makes a token.
    ///
    /// # Errors
    /// The signature cannot be made.
    pub fn issue(&self, request: &Request) -> Result<String, Error> {
        let failed = |problem: String| Error::Content { path: FILE.into(), problem };
        let key = self.0.last().ok_or_else(|| failed("there is no key".to_owned()))?;
        let reference = |kind: &str| {
            let bound = request.bound.as_ref().filter(|bound| bound.kind == kind)?;
            Some(Reference { name: bound.name.clone(), uid: bound.uid.clone() })
        };
        let of_pod = request.bound.as_ref().and_then(|bound| bound.node.clone());
        let node = reference("Node").or_else(|| of_pod.map(|(name, uid)| Reference { name, uid }));
        let claims = Claims {
            aud: request.audiences.clone(),
            exp: request.expires,
            iat: request.issued,
            iss: ISSUER.to_owned(),
            jti: random_id(),
            kubernetes: Private {
                namespace: request.namespace.clone(),
                node,
                pod: reference("Pod"),
                secret: reference("Secret"),
                serviceaccount: Reference {
                    name: request.service_account.clone(),
                    uid: request.service_account_uid.clone(),
                },
            },
            nbf: request.issued,
            sub: format!("system:serviceaccount:{}:{}", request.namespace, request.service_account),
        };
        let header = Header { alg: "ES256".to_owned(), kid: key.id.clone() };
        let print = |value: Result<Vec<u8>, serde_json::Error>| {
            value.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).map_err(|error| failed(error.to_string()))
        };
        let signed = format!("{}.{}", print(serde_json::to_vec(&header))?, print(serde_json::to_vec(&claims))?);
        let signature =
            key.pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|error| failed(error.to_string()))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
    }

    /// Whose a token is, and for which of the wanted audiences.
    ///
    /// # Errors
    /// It is not valid.
    pub fn verify(
        &self,
        token: &str,
        audiences: &[String],
        objects: &dyn Objects,
        now: i64,
    ) -> Result<(Identity, Vec<String>), Invalid> {
        let claims = self.claims(token)?;
        if now < claims.nbf || now >= claims.exp {
            return Err(Invalid::Time);
        }
        let good: Vec<String> = audiences.iter().filter(|wanted| claims.aud.contains(wanted)).cloned().collect();
        if good.is_empty() {
            return Err(Invalid::Audience);
        }
        let Claims { kubernetes: Private { namespace, node, pod, secret, serviceaccount }, jti, sub, .. } = claims;
        if sub != format!("system:serviceaccount:{namespace}:{}", serviceaccount.name) {
            return Err(Invalid::Malformed);
        }
        let exists = |resource: &str, namespace: &str, reference: &Reference| {
            objects.uid(resource, namespace, &reference.name).is_some_and(|uid| uid == reference.uid)
        };
        let bound = exists("serviceaccounts", &namespace, &serviceaccount)
            && pod.as_ref().is_none_or(|pod| exists("pods", &namespace, pod))
            && secret.as_ref().is_none_or(|secret| exists("secrets", &namespace, secret))
            && (pod.is_some() || node.as_ref().is_none_or(|node| exists("nodes", "", node)));
        if !bound {
            return Err(Invalid::Invalidated);
        }
        let mut extra = vec![("authentication.kubernetes.io/credential-id".to_owned(), vec![format!("JTI={jti}")])];
        for (kind, reference) in [("node", node), ("pod", pod)] {
            if let Some(Reference { name, uid }) = reference {
                extra.push((format!("authentication.kubernetes.io/{kind}-name"), vec![name]));
                extra.push((format!("authentication.kubernetes.io/{kind}-uid"), vec![uid]));
            }
        }
        let groups = vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
        Ok((Identity { name: sub, uid: serviceaccount.uid, groups, extra }, good))
    }

    /// The claims of a token that one of the keys signed.
    fn claims(&self, token: &str) -> Result<Claims, Invalid> {
        if token.len() > MAX_BYTES {
            return Err(Invalid::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Invalid::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Invalid::Malformed)?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Invalid::Malformed);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Invalid::Malformed)?;
        // The only algorithm: a token cannot choose a weaker one.
        if header.alg != "ES256" {
            return Err(Invalid::Malformed);
        }
        let key = self.0.iter().find(|key| key.id == header.kid).ok_or(Invalid::Signature)?;
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.public);
        public.verify(signed.as_bytes(), &decode(signature)?).map_err(|_| Invalid::Signature)?;
        let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| Invalid::Malformed)?;
        if claims.iss == ISSUER { Ok(claims) } else { Err(Invalid::Malformed) }
    }

    /// The public keys as a JSON Web Key set.
    #[must_use]
    pub fn jwks(&self) -> String {
        let keys: Vec<serde_json::Value> = self
            .0
            .iter()
            .map(|key| {
                // An uncompressed point: 4, then both coordinates.
                let (x, y) = key.public.get(1..).and_then(|point| point.split_at_checked(32)).unwrap_or_default();
                let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
                serde_json::json!({"use": "sig", "kty": "EC", "kid": key.id, "crv": "P-256", "alg": "ES256", "x": encode(x), "y": encode(y)})
            })
            .collect();
        serde_json::json!({ "keys": keys }).to_string()
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

/// A random UUID of version 4.
fn random_id() -> String {
    let mut bytes = [0_u8; 16];
    // An all-zero id would only make two tokens look alike in audit records.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
}

/// The user of a bootstrap token `ID.SECRET`.
///
/// # Errors
/// There is no such token, it is over, or it may not be used to authenticate.
pub fn bootstrap(token: &str, objects: &dyn Objects, now: i64) -> Result<Identity, Invalid> {
    let (id, secret) = token.split_once('.').ok_or(Invalid::Malformed)?;
    let lower = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if id.len() != 6 || secret.len() != 16 || !lower(id) || !lower(secret) {
        return Err(Invalid::Malformed);
    }
    let data = objects.bootstrap_secret(&format!("bootstrap-token-{id}")).ok_or(Invalid::Malformed)?;
    let text = |name: &str| -> String {
        let found = data.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    };
    let (stored_id, stored_secret) = (text("token-id"), text("token-secret"));
    let same = aws_lc_rs::constant_time::verify_slices_are_equal(secret.as_bytes(), stored_secret.as_bytes()).is_ok();
    if stored_id != id || !same {
        return Err(Invalid::Signature);
    }
    let expiration = text("expiration");
    if !expiration.is_empty() {
        // RFC 3339 in UTC, as every writer of these Secrets has it.
        let ends = seconds(&expiration).ok_or(Invalid::Time)?;
        if now >= ends {
            return Err(Invalid::Time);
        }
    }
    if text("usage-bootstrap-authentication") != "true" {
        return Err(Invalid::Invalidated);
    }
    let mut groups = vec!["system:bootstrappers".to_owned()];
    let wanted = text("auth-extra-groups");
    groups.extend(wanted.split(',').filter(|group| group.starts_with("system:bootstrappers:")).map(str::to_owned));
    Ok(Identity { name: format!("system:bootstrap:{id}"), groups, ..Identity::default() })
}

/// Seconds since 1970 of `YYYY-MM-DDThh:mm:ssZ`.
fn seconds(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let shape = text.len() == 20 && text.ends_with('Z') && text.get(10..11) == Some("T");
    if !shape {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days of the civil calendar: years begin in March, so that the leap day is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some((era * 146_097 + day_of_era - 719_468) * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Objects for Fixed {
        fn uid(&self, resource: &str, _: &str, name: &str) -> Option<String> {
            ((resource, name) == ("serviceaccounts", "app") || (resource, name) == ("pods", "p"))
                .then(|| "u".to_owned())
        }

        fn bootstrap_secret(&self, name: &str) -> Option<Vec<(String, Vec<u8>)>> {
            (name == "bootstrap-token-abcdef").then(|| {
                [
                    ("token-id", "abcdef"),
                    ("token-secret", "0123456789abcdef"),
                    ("expiration", "2001-02-03T04:05:06Z"),
                    ("usage-bootstrap-authentication", "true"),
                    ("auth-extra-groups", "system:bootstrappers:x,system:masters"),
                ]
                .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
                .to_vec()
            })
        }
    }

    fn request() -> Request {
        Request {
            namespace: "n".into(),
            service_account: "app".into(),
            service_account_uid: "u".into(),
            bound: Some(Bound { kind: "Pod".into(), name: "p".into(), uid: "u".into(), node: None }),
            audiences: vec!["a".into(), "b".into()],
            issued: 100,
            expires: 200,
        }
    }

    #[test]
    fn tokens_hold_what_was_asked_for_and_nothing_else_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let keys = Keys::open(directory.path()).unwrap();
        let token = keys.issue(&request()).unwrap();
        let check = |keys: &Keys, token: &str, audience: &str, now: i64| {
            keys.verify(token, &[audience.to_owned(), "c".to_owned()], &Fixed, now)
        };
        let (identity, good) = check(&keys, &token, "b", 150).unwrap();
        assert_eq!(identity.name, "system:serviceaccount:n:app");
        assert_eq!(identity.groups, ["system:serviceaccounts", "system:serviceaccounts:n"]);
        assert_eq!(good, ["b"]);
        assert_eq!(check(&keys, &token, "d", 150).unwrap_err(), Invalid::Audience);
        assert_eq!(check(&keys, &token, "a", 99).unwrap_err(), Invalid::Time);
        assert_eq!(check(&keys, &token, "a", 200).unwrap_err(), Invalid::Time);
        // The same keys after a restart, other keys in another place.
        assert!(check(&Keys::open(directory.path()).unwrap(), &token, "a", 150).is_ok());
        let other = Keys::open(tempfile::tempdir().unwrap().path()).unwrap();
        assert_eq!(check(&other, &token, "a", 150).unwrap_err(), Invalid::Signature);
        let mut gone = request();
        gone.bound = Some(Bound { kind: "Pod".into(), name: "p".into(), uid: "older".into(), node: None });
        assert_eq!(check(&keys, &keys.issue(&gone).unwrap(), "a", 150).unwrap_err(), Invalid::Invalidated);
    }

    #[test]
    fn every_changed_token_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let keys = Keys::open(directory.path()).unwrap();
        let token = keys.issue(&request()).unwrap();
        let audiences = ["a".to_owned()];
        for at in (0..token.len()).step_by(7) {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(keys.verify(&changed, &audiences, &Fixed, 150).is_err(), "byte {at}");
        }
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":""}"#);
        let claims = token.split('.').nth(1).unwrap();
        for text in [format!("{none}.{claims}."), String::new(), ".".into(), "..".into(), "a".repeat(20_000)] {
            assert!(keys.verify(&text, &audiences, &Fixed, 150).is_err(), "{text:.20}");
        }
    }

    #[test]
    fn bootstrap_tokens_end_and_keep_to_their_groups() {
        let before = seconds("2001-02-03T04:05:05Z").unwrap();
        assert_eq!(before, 981_173_105);
        let identity = bootstrap("abcdef.0123456789abcdef", &Fixed, before).unwrap();
        assert_eq!(identity.name, "system:bootstrap:abcdef");
        assert_eq!(identity.groups, ["system:bootstrappers", "system:bootstrappers:x"]);
        assert_eq!(bootstrap("abcdef.0123456789abcdef", &Fixed, before + 1), Err(Invalid::Time));
        assert_eq!(bootstrap("abcdef.0123456789abcdeg", &Fixed, before), Err(Invalid::Signature));
        assert_eq!(bootstrap("abcdeg.0123456789abcdef", &Fixed, before), Err(Invalid::Malformed));
    }
}
