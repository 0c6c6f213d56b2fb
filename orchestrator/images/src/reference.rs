//! Names of images, normalised as containerd and kubelet do: `nginx` is `docker.io/library/nginx:latest`.

use std::fmt;
use std::str::FromStr;

use coracle_image_layout::{BadDigest, Digest};

/// The registry of names without a host.
pub const DEFAULT_REGISTRY: &str = "docker.io";
const DEFAULT_NAMESPACE: &str = "library/";
const DEFAULT_TAG: &str = "latest";
/// Longest name, host included.
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

/// A full image name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text is no image name. The texts are those of the reference grammar, as kubelet prints them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It does not fit the grammar.
    #[error("invalid reference format")]
    Format,
    /// It fits only in lower case.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    UpperCase(String),
    /// It is 64 hexadecimal digits, which names an image id.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    Id(String),
    /// It is too long.
    #[error("repository name must not be more than {MAX_NAME} characters")]
    TooLong,
    /// Its digest cannot be used.
    #[error(transparent)]
    Digest(#[from] BadDigest),
}

impl Reference {
    /// Host, and port if one is written, of the registry.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Path in the registry.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag. A name with a digest may have one too, which then means nothing.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that the manifest must have.
    #[must_use]
    pub const fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Registry and repository.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The name of content `digest` in the same repository, as a node reports it.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// What a registry is asked for: the digest, or else the tag.
    #[must_use]
    pub fn object(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => DEFAULT_TAG.to_owned(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(InvalidName::Id(text.to_owned()));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>()?)),
            None => (text, None),
        };
        // A colon behind the last slash starts the tag; one before it belongs to a port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let (registry, repository) = split_registry(name);
        if repository.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(InvalidName::UpperCase(repository));
        }
        let good = is_host(registry) && repository.split('/').all(is_component) && tag.is_none_or(is_tag);
        if !good {
            return Err(InvalidName::Format);
        }
        if registry.len() + 1 + repository.len() > MAX_NAME {
            return Err(InvalidName::TooLong);
        }
        let tag = match (tag, digest) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, None) => Some(DEFAULT_TAG.to_owned()),
            (None, Some(_)) => None,
        };
        Ok(Self { registry: registry.to_owned(), repository, tag, digest })
    }
}

/// The first component is a host when it can be nothing else: it has a dot, a port or capitals, or is `localhost`.
fn split_registry(name: &str) -> (&str, String) {
    let (registry, repository) = match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':'])
                || first == "localhost"
                || first.bytes().any(|byte| byte.is_ascii_uppercase()) =>
        {
            (first, rest)
        }
        _ => (DEFAULT_REGISTRY, name),
    };
    let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
    if registry == DEFAULT_REGISTRY && !repository.contains('/') {
        return (registry, format!("{DEFAULT_NAMESPACE}{repository}"));
    }
    (registry, repository.to_owned())
}

/// A domain name, an address, or an IPv6 address in brackets, with or without a port.
pub(crate) fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, port)) => match port.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None => return false,
            },
            None => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok() && port.bytes().all(|b| b.is_ascii_digit()));
    let good_host = if text.starts_with('[') {
        host.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        host.split('.').all(|label| {
            label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
    };
    good_host && good_port
}

/// Runs of letters and digits, separated by one dot, one or two underscores, or any number of dashes.
fn is_component(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let (Some(first), Some(last)) = (text.bytes().next(), text.bytes().last()) else { return false };
    alphanumeric(first)
        && alphanumeric(last)
        && text
            .split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit())
            .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-'))
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= MAX_TAG
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised() {
        let digest = Digest::of(b"");
        for (text, want, object) in [
            ("nginx", "docker.io/library/nginx:latest", "latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27", "1.27"),
            ("rancher/pause:3", "docker.io/rancher/pause:3", "3"),
            ("docker.io/nginx", "docker.io/library/nginx:latest", "latest"),
            ("index.docker.io/library/nginx", "docker.io/library/nginx:latest", "latest"),
            ("localhost/hello:1", "localhost/hello:1", "1"),
            ("localhost:5000/hello", "localhost:5000/hello:latest", "latest"),
            ("[::1]:5000/a/b:c", "[::1]:5000/a/b:c", "c"),
            ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10", "3.10"),
            ("MyHost/a", "MyHost/a:latest", "latest"),
            ("a/b/c-d__e.f", "docker.io/a/b/c-d__e.f:latest", "latest"),
            (&format!("a@{digest}"), &format!("docker.io/library/a@{digest}"), &digest.to_string()),
            (&format!("q.io/a:1@{digest}"), &format!("q.io/a:1@{digest}"), &digest.to_string()),
        ] {
            let reference: Reference = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((reference.to_string().as_str(), reference.object().as_str()), (want, object), "{text}");
            assert_eq!(want.parse::<Reference>().unwrap(), reference, "{text} is normal already");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let long = format!("q.io/{}", "a".repeat(260));
        let tag = format!("a:{}", "t".repeat(129));
        for (text, want) in [
            ("", InvalidName::Format),
            (" nginx", InvalidName::Format),
            ("nginx:", InvalidName::Format),
            (":1", InvalidName::Format),
            ("a//b", InvalidName::Format),
            ("/a", InvalidName::Format),
            ("a/", InvalidName::Format),
            ("../a", InvalidName::Format),
            ("q.io/../a", InvalidName::Format),
            ("a:b:c", InvalidName::Format),
            ("a___b", InvalidName::Format),
            ("a..b/c", InvalidName::Format),
            ("q.io:99999/a", InvalidName::Format),
            ("q.io:+1/a", InvalidName::Format),
            ("[zz]/a", InvalidName::Format),
            ("https://q.io/a", InvalidName::Format),
            ("a\n", InvalidName::Format),
            (&tag, InvalidName::Format),
            ("Nginx", InvalidName::UpperCase("library/Nginx".to_owned())),
            (&long, InvalidName::TooLong),
            (&"a".repeat(64), InvalidName::Id("a".repeat(64))),
            ("a@sha256:zz", InvalidName::Digest(BadDigest::Length)),
            ("a@md5:00", InvalidName::Digest(BadDigest::Format)),
        ] {
            assert_eq!(text.parse::<Reference>(), Err(want), "{text:?}");
        }
    }
}
