//! Credentials from image pull secrets.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::reference::{DEFAULT_REGISTRY, Reference};

/// Who asks. Never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Credential {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
    /// A token that the token service exchanges.
    pub identity_token: String,
    /// A token that the registry takes as it is.
    pub registry_token: String,
}

/// Credentials of several registries.
#[derive(Debug, Clone, Default)]
pub struct Keychain(Vec<(Pattern, Credential)>);

/// A secret is no Docker configuration. Its content is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the registry credentials of a pull secret")]
pub struct BadSecret;

/// `HOST[:PORT][/PATH]`, where each label of the host may hold `*`.
#[derive(Debug, Clone)]
struct Pattern {
    host: String,
    path: String,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
struct Auth {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    auth: String,
    #[serde(default)]
    identitytoken: String,
    #[serde(default)]
    registrytoken: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credential(..)")
    }
}

impl Keychain {
    /// Adds what a secret of type `kubernetes.io/dockerconfigjson` holds under `.dockerconfigjson`.
    ///
    /// # Errors
    /// It is something else.
    pub fn add_config(&mut self, text: &[u8]) -> Result<(), BadSecret> {
        let config: Config = serde_json::from_slice(text).map_err(|_| BadSecret)?;
        self.add(config.auths)
    }

    /// Adds what a secret of type `kubernetes.io/dockercfg` holds under `.dockercfg`.
    ///
    /// # Errors
    /// It is something else.
    pub fn add_old_config(&mut self, text: &[u8]) -> Result<(), BadSecret> {
        self.add(serde_json::from_slice(text).map_err(|_| BadSecret)?)
    }

    /// Credentials that fit an image, the most specific first.
    #[must_use]
    pub fn matching(&self, image: &Reference) -> Vec<Credential> {
        self.at(image.registry(), image.repository())
    }

    /// Credentials that fit a repository of a registry or of its mirror.
    pub(crate) fn at(&self, registry: &str, repository: &str) -> Vec<Credential> {
        let mut found: Vec<&(Pattern, Credential)> =
            self.0.iter().filter(|(pattern, _)| pattern.fits(registry, repository)).collect();
        found.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.path.len()));
        let mut credentials: Vec<Credential> = Vec::new();
        for (_, credential) in found {
            if !credentials.contains(credential) {
                credentials.push(credential.clone());
            }
        }
        credentials
    }

    fn add(&mut self, auths: BTreeMap<String, Auth>) -> Result<(), BadSecret> {
        for (name, auth) in auths {
            let (mut username, mut password) = (auth.username, auth.password);
            if !auth.auth.is_empty() {
                let text = STANDARD.decode(auth.auth.trim()).map_err(|_| BadSecret)?;
                let text = String::from_utf8(text).map_err(|_| BadSecret)?;
                let (user, secret) = text.split_once(':').ok_or(BadSecret)?;
                (username, password) = (user.to_owned(), secret.trim_matches('\0').to_owned());
            }
            let credential = Credential {
                username,
                password,
                identity_token: auth.identitytoken,
                registry_token: auth.registrytoken,
            };
            self.0.push((Pattern::new(&name), credential));
        }
        Ok(())
    }
}

impl Pattern {
    fn new(name: &str) -> Self {
        let name = name.trim_start_matches("https://").trim_start_matches("http://");
        let (host, path) = name.split_once('/').unwrap_or((name, ""));
        let path = path.trim_end_matches('/');
        // The addresses of the API itself stand for the whole registry.
        let path = if matches!(path, "v1" | "v2") { "" } else { path };
        let host = if matches!(host, "index.docker.io" | "registry-1.docker.io") { DEFAULT_REGISTRY } else { host };
        Self { host: host.to_owned(), path: path.to_owned() }
    }

    fn fits(&self, registry: &str, repository: &str) -> bool {
        let registry = if registry == "registry-1.docker.io" { DEFAULT_REGISTRY } else { registry };
        let (own, other): (Vec<&str>, Vec<&str>) = (self.host.split('.').collect(), registry.split('.').collect());
        let host = own.len() == other.len() && own.iter().zip(&other).all(|(own, other)| label_fits(own, other));
        host && repository.starts_with(&self.path)
    }
}

/// Whether a label fits a pattern with `*`, as in file names. A `*` does not stand for dots.
fn label_fits(pattern: &str, label: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = label.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part).and_then(|at| rest.get(at + part.len()..)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_to_their_registry_only() {
        let auth = |user: &str| STANDARD.encode(format!("{user}:secret:x"));
        let text = format!(
            r#"{{"auths":{{"https://index.docker.io/v1/":{{"auth":"{}"}},"q.io/team":{{"username":"team","password":"p"}},"q.io":{{"auth":"{}"}},"*.corp.io:5000":{{"username":"corp"}},"id.io":{{"identitytoken":"t"}}}}}}"#,
            auth("hub"),
            auth("all"),
        );
        let mut keychain = Keychain::default();
        keychain.add_config(text.as_bytes()).unwrap();
        for (image, want) in [
            ("nginx", vec!["hub"]),
            ("q.io/team/a", vec!["team", "all"]),
            ("q.io/other", vec!["all"]),
            ("a.corp.io:5000/x", vec!["corp"]),
            ("a.b.corp.io:5000/x", vec![]),
            ("a.corp.io/x", vec![]),
            ("evil-q.io/x", vec![]),
            ("id.io/x", vec![""]),
        ] {
            let found = keychain.matching(&image.parse().unwrap());
            assert_eq!(found.iter().map(|found| found.username.as_str()).collect::<Vec<_>>(), want, "{image}");
        }
        assert_eq!(keychain.at("registry-1.docker.io", "library/nginx")[0].password, "secret:x");
        assert_eq!(format!("{:?}", keychain.0[0].1), "Credential(..)");
    }

    #[test]
    fn other_secrets_are_refused() {
        for text in
            ["", "3", r#"{"auths":[]}"#, r#"{"auths":{"a":{"auth":"!"}}}"#, r#"{"auths":{"a":{"auth":"YQ=="}}}"#]
        {
            assert_eq!(Keychain::default().add_config(text.as_bytes()), Err(BadSecret), "{text}");
        }
        let mut keychain = Keychain::default();
        keychain.add_old_config(br#"{"q.io":{"username":"a","password":"b"}}"#).unwrap();
        assert_eq!(keychain.at("q.io", "x").len(), 1);
    }
}
