//! k3s' `registries.yaml`: which endpoints serve a registry, and whom to trust.

use std::collections::BTreeMap;
use std::path::PathBuf;

use coracle_apimachinery::{Object, Value, yaml};

use crate::reference::{DEFAULT_REGISTRY, is_host};

/// What `mirrors` calls all registries that it does not name.
const EVERY: &str = "*";
/// Where docker.io really is.
const DOCKER_HUB: &str = "registry-1.docker.io";
/// What errors call the value that holds all others.
const DOCUMENT: &str = "the document";
/// Said wherever another key stands.
const HONOURED: &str = "mirrors.<host>.endpoint and configs.<host>.tls.ca_file are honoured";

/// Which endpoints serve a registry, and whom to trust.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registries {
    mirrors: BTreeMap<String, Vec<Endpoint>>,
    authorities: BTreeMap<String, PathBuf>,
}

/// One place that serves a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Host, and port if one is written.
    pub host: String,
    /// What stands before `/REPOSITORY`; `/v2` where nothing else is written.
    pub prefix: String,
    /// Whether it is the registry itself and not a mirror.
    pub origin: bool,
}

/// `registries.yaml` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no YAML.
    #[error("registries.yaml: {0}")]
    Yaml(#[from] yaml::Error),
    /// It has a key that is not honoured.
    #[error("registries.yaml: {0} is not supported; {HONOURED}")]
    Key(String),
    /// A value has another type.
    #[error("registries.yaml: {0} must be {1}")]
    Type(String, &'static str),
    /// An endpoint is no address.
    #[error("registries.yaml: {0}: {1:?} is no http:// or https:// address")]
    Endpoint(String, String),
}

impl Error {
    /// The path of the member that is wrong, names with dots between and empty for the document itself, and what is wrong
    /// with it; nothing for a document that is no YAML.
    #[must_use]
    pub fn member(&self) -> Option<(&str, String)> {
        match self {
            Self::Yaml(_) => None,
            Self::Type(path, kind) if path == DOCUMENT => Some(("", format!("must be {kind}"))),
            Self::Key(path) => Some((path, format!("is not supported; {HONOURED}"))),
            Self::Type(path, kind) => Some((path, format!("must be {kind}"))),
            Self::Endpoint(path, text) => Some((path, format!("{text:?} is no http:// or https:// address"))),
        }
    }
}

impl Registries {
    /// Reads the file's content.
    ///
    /// # Errors
    /// It is no YAML, has a key that is not honoured, or a value that means nothing.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        Self::read(&yaml::decode_any(text)?)
    }

    /// Reads the document as a part of another one.
    ///
    /// # Errors
    /// It has a key that is not honoured, or a value that means nothing.
    pub fn read(document: &Value) -> Result<Self, Error> {
        let mut this = Self::default();
        for (key, value) in members(document, "")? {
            match key {
                "mirrors" => {
                    for (host, mirror) in members(value, "mirrors")? {
                        this.mirrors.insert(host.to_owned(), endpoints(mirror, &format!("mirrors.{host}"))?);
                    }
                }
                "configs" => {
                    for (host, config) in members(value, "configs")? {
                        if let Some(file) = authority(config, &format!("configs.{host}"))? {
                            this.authorities.insert(host.to_owned(), file);
                        }
                    }
                }
                other => return Err(Error::Key(other.to_owned())),
            }
        }
        Ok(this)
    }

    /// Where to ask for content of `registry`, in order; the registry itself comes last.
    #[must_use]
    pub fn endpoints(&self, registry: &str) -> Vec<Endpoint> {
        let mirrors = self.mirrors.get(registry).or_else(|| self.mirrors.get(EVERY));
        let mut endpoints = mirrors.cloned().unwrap_or_default();
        let host = if registry == DEFAULT_REGISTRY { DOCKER_HUB } else { registry };
        match endpoints.iter_mut().find(|endpoint| endpoint.host == host && endpoint.prefix == "/v2") {
            Some(written) => written.origin = true,
            None => {
                endpoints.push(Endpoint { tls: true, host: host.to_owned(), prefix: "/v2".to_owned(), origin: true });
            }
        }
        endpoints
    }

    /// The file of authorities that may vouch for `host`, beside the public ones.
    #[must_use]
    pub fn authority(&self, host: &str) -> Option<&PathBuf> {
        let alias = (host == DOCKER_HUB).then_some(DEFAULT_REGISTRY);
        let exact = self.authorities.get(host).or_else(|| alias.and_then(|alias| self.authorities.get(alias)));
        exact.or_else(|| self.authorities.get(EVERY))
    }

    /// All files of authorities.
    pub fn authority_files(&self) -> impl Iterator<Item = &PathBuf> {
        self.authorities.values()
    }
}

/// Members of an object; an empty value is an empty object.
fn members<'v>(value: &'v Value, path: &str) -> Result<Vec<(&'v str, &'v Value)>, Error> {
    let path = if path.is_empty() { DOCUMENT } else { path };
    match value {
        Value::Null => Ok(Vec::new()),
        value => value
            .as_object()
            .map(|object: &Object| object.iter().collect())
            .ok_or_else(|| Error::Type(path.to_owned(), "an object")),
    }
}

fn endpoints(mirror: &Value, path: &str) -> Result<Vec<Endpoint>, Error> {
    let mut endpoints = Vec::new();
    for (key, value) in members(mirror, path)? {
        let path = format!("{path}.{key}");
        match (key, value) {
            ("endpoint", Value::List(items)) => {
                for item in items {
                    let text = item.as_str().ok_or_else(|| Error::Type(path.clone(), "a list of texts"))?;
                    endpoints.push(endpoint(text).ok_or_else(|| Error::Endpoint(path.clone(), text.to_owned()))?);
                }
            }
            ("endpoint", Value::Null) => {}
            ("endpoint", _) => return Err(Error::Type(path, "a list of texts")),
            _ => return Err(Error::Key(path)),
        }
    }
    Ok(endpoints)
}

/// `[SCHEME://]HOST[:PORT][/PATH]`. As in k3s, a path replaces `/v2`; without a scheme it is https.
fn endpoint(text: &str) -> Option<Endpoint> {
    let (tls, rest) = match text.split_once("://") {
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => (false, rest),
        Some(_) => return None,
        None => (true, text),
    };
    let (host, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path.trim_end_matches('/')));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-' | b'~' | b'%');
    if !is_host(host) || !path.bytes().all(plain) {
        return None;
    }
    let prefix = match path {
        "" | "v2" => "/v2".to_owned(),
        path => format!("/{path}"),
    };
    Some(Endpoint { tls, host: host.to_owned(), prefix, origin: false })
}

fn authority(config: &Value, path: &str) -> Result<Option<PathBuf>, Error> {
    let mut file = None;
    for (key, value) in members(config, path)? {
        let path = format!("{path}.{key}");
        if key != "tls" {
            return Err(Error::Key(path));
        }
        for (key, value) in members(value, &path)? {
            let path = format!("{path}.{key}");
            if key != "ca_file" {
                return Err(Error::Key(path));
            }
            file = Some(PathBuf::from(value.as_str().ok_or(Error::Type(path, "a text"))?));
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(registries: &Registries, registry: &str) -> Vec<String> {
        let show = |endpoint: Endpoint| {
            let scheme = if endpoint.tls { "https" } else { "http" };
            format!("{scheme}://{}{}{}", endpoint.host, endpoint.prefix, if endpoint.origin { " origin" } else { "" })
        };
        registries.endpoints(registry).into_iter().map(show).collect()
    }

    #[test]
    fn mirrors_come_before_the_registry() {
        let text = b"mirrors:\n  docker.io:\n    endpoint:\n      - \"http://10.0.0.1:5000\"\n      - m.example/harbor/v2\n  '*':\n    endpoint: ['https://all.example/']\n  localhost:5000:\n    endpoint: ['http://localhost:5000']\n  empty.io:\nconfigs:\n  10.0.0.1:5000:\n    tls:\n      ca_file: /etc/ca.pem\n";
        let registries = Registries::parse(text).unwrap();
        for (registry, want) in [
            (
                "docker.io",
                vec![
                    "http://10.0.0.1:5000/v2",
                    "https://m.example/harbor/v2",
                    "https://registry-1.docker.io/v2 origin",
                ],
            ),
            ("quay.io", vec!["https://all.example/v2", "https://quay.io/v2 origin"]),
            ("localhost:5000", vec!["http://localhost:5000/v2 origin"]),
            ("empty.io", vec!["https://empty.io/v2 origin"]),
        ] {
            assert_eq!(shown(&registries, registry), want);
        }
        assert_eq!(registries.authority("10.0.0.1:5000"), Some(&PathBuf::from("/etc/ca.pem")));
        assert_eq!(registries.authority("quay.io"), None);
        assert_eq!(shown(&Registries::parse(b"").unwrap(), "localhost"), ["https://localhost/v2 origin"]);
    }

    #[test]
    fn what_is_not_honoured_is_named() {
        for (text, want) in [
            ("mirror: {}", "mirror is not supported"),
            ("mirrors: {a: {rewrite: {x: y}}}", "mirrors.a.rewrite is not supported"),
            ("configs: {a: {auth: {username: x}}}", "configs.a.auth is not supported"),
            (
                "configs: {a: {tls: {insecure_skip_verify: true}}}",
                "configs.a.tls.insecure_skip_verify is not supported; mirrors.<host>.endpoint and configs.<host>.tls.ca_file are honoured",
            ),
            ("mirrors: {a: {endpoint: x}}", "mirrors.a.endpoint must be a list of texts"),
            ("mirrors: {a: {endpoint: [1]}}", "mirrors.a.endpoint must be a list of texts"),
            ("mirrors: {a: {endpoint: ['ftp://x']}}", "\"ftp://x\" is no http:// or https:// address"),
            ("mirrors: {a: {endpoint: ['http://u@x']}}", "is no http:// or https:// address"),
            ("mirrors: []", "mirrors must be an object"),
            ("configs: {a: {tls: {ca_file: 1}}}", "configs.a.tls.ca_file must be a text"),
            ("a: [", "registries.yaml: error converting YAML"),
        ] {
            let error = Registries::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        }
        let error = Registries::parse(b"mirrors: {a: {endpoint: x}}").unwrap_err();
        assert_eq!(error.member(), Some(("mirrors.a.endpoint", "must be a list of texts".to_owned())));
        let error = Registries::parse(b"text").unwrap_err();
        assert_eq!(error.member(), Some(("", "must be an object".to_owned())));
    }
}
