//! Client of OCI registries.
//!
//! It stands on the hyper and rustls that the API server ships anyway. The `oci-client` crate was weighed: it brings 67
//! crates more (reqwest with its own URL, IDNA and Unicode tables, tower, chrono, getset, a second base64), and what is
//! hard here would still be ours: verified resumption, mirrors, where credentials may go, and containerd's words.

mod address;
mod authorise;
mod blob;
mod challenge;
mod connection;
mod credentials;
pub(crate) mod error;
mod retry;
mod trust;

use std::sync::Arc;

use bytes::Bytes;
use coracle_image_layout::{Descriptor, Digest, media_type};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use tokio::time::{Instant, sleep_until};

use crate::reference::Reference;
use crate::registries::{Endpoint, Registries};
use address::{Address, Origin};
use authorise::Authorised;
pub use connection::Timeouts;
use connection::{Answer, Ask, Connections};
pub use credentials::{BadSecret, Credential, Keychain};
pub use error::Failure;
use retry::Verdict;
pub use trust::Error as TrustError;

/// Longest manifest or index: the limit of registries themselves.
pub(crate) const MANIFEST_BYTES: u64 = 4 << 20;

const ACCEPTED: HeaderValue = HeaderValue::from_static(
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*",
);

/// Client of all registries.
#[derive(Debug)]
pub struct Client {
    registries: Registries,
    authorised: Authorised,
}

/// Whose credentials a pull may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'a> {
    /// The credential for the registry itself.
    pub(crate) origin: Option<&'a Credential>,
    /// Where credentials of mirrors are looked up.
    pub(crate) keychain: &'a Keychain,
}

impl<'a> Who<'a> {
    /// The credential for an endpoint. A mirror only gets one that a secret names for its own host.
    fn at(&self, endpoint: &Endpoint, repository: &str) -> Option<std::borrow::Cow<'a, Credential>> {
        if endpoint.origin {
            return self.origin.map(std::borrow::Cow::Borrowed);
        }
        self.keychain.at(&endpoint.host, repository).into_iter().next().map(std::borrow::Cow::Owned)
    }
}

impl Client {
    /// A client that asks as `registries` says.
    ///
    /// # Errors
    /// A file of authorities cannot be used.
    pub fn new(registries: Registries, timeouts: Timeouts) -> Result<Self, TrustError> {
        let connections = Arc::new(Connections::new(trust::Trust::new(&registries)?, timeouts));
        Ok(Self { registries, authorised: Authorised::new(connections) })
    }

    /// What a name stands for now. The bytes come along where the registry does not tell the digest without them.
    pub(crate) async fn resolve(
        &self,
        image: &Reference,
        who: Who<'_>,
    ) -> Result<(Descriptor, Option<Vec<u8>>), Failure> {
        let mut worst = None;
        for endpoint in self.registries.endpoints(image.registry()) {
            match self.resolve_at(&endpoint, image, who).await {
                Ok(found) => return Ok(found),
                Err(failure) => keep_heavier(&mut worst, failure),
            }
        }
        Err(worst.unwrap_or_else(|| Failure::NotFound(image.to_string())))
    }

    /// The bytes of a manifest or index whose digest is known.
    pub(crate) async fn manifest(&self, image: &Reference, digest: Digest, who: Who<'_>) -> Result<Vec<u8>, Failure> {
        let mut worst = None;
        for endpoint in self.registries.endpoints(image.registry()) {
            let path = format!("manifests/{digest}");
            match self.document_at(&endpoint, image, &path, who).await {
                Ok((bytes, _)) if Digest::of(&bytes) == digest => return Ok(bytes),
                Ok((bytes, _)) => {
                    let found = Digest::of(&bytes);
                    keep_heavier(&mut worst, crate::content::Error::Digest { expected: digest, found }.into());
                }
                Err(failure) => keep_heavier(&mut worst, failure),
            }
        }
        Err(worst.unwrap_or_else(|| error::missing(&digest)))
    }

    async fn resolve_at(
        &self,
        endpoint: &Endpoint,
        image: &Reference,
        who: Who<'_>,
    ) -> Result<(Descriptor, Option<Vec<u8>>), Failure> {
        let path = format!("manifests/{}", image.object());
        let headers = HeaderMap::from_iter([(ACCEPT, ACCEPTED)]);
        let answer = self.try_at(endpoint, image, &path, Method::HEAD, headers, who).await;
        match answer {
            Ok(answer) => {
                let told = described(&answer.headers, image.digest());
                answer.discard().await;
                if let Some(descriptor) = told {
                    return Ok((descriptor, None));
                }
            }
            Err(Failure::Status { code: 405, .. }) => {}
            Err(failure) => return Err(failure),
        }
        let (bytes, media_type) = self.document_at(endpoint, image, &path, who).await?;
        let descriptor = Descriptor::of(&media_type, &bytes);
        match image.digest() {
            Some(expected) if expected != descriptor.digest => {
                Err(crate::content::Error::Digest { expected, found: descriptor.digest }.into())
            }
            _ => Ok((descriptor, Some(bytes))),
        }
    }

    async fn document_at(
        &self,
        endpoint: &Endpoint,
        image: &Reference,
        path: &str,
        who: Who<'_>,
    ) -> Result<(Vec<u8>, String), Failure> {
        let mut tries = 0;
        loop {
            tries += 1;
            let headers = HeaderMap::from_iter([(ACCEPT, ACCEPTED)]);
            let answer = self.try_at(endpoint, image, path, Method::GET, headers, who).await?;
            let media_type = media_type_of(&answer.headers);
            let limit = usize::try_from(MANIFEST_BYTES).unwrap_or(usize::MAX);
            match answer.collect(limit).await {
                Ok(bytes) => return Ok((bytes, media_type)),
                Err(failure) => wait(tries, failure).await?,
            }
        }
    }

    /// A request for something of an image, made again as [`retry`] decides. Only success comes back as an answer.
    async fn try_at(
        &self,
        endpoint: &Endpoint,
        image: &Reference,
        path: &str,
        method: Method,
        headers: HeaderMap,
        who: Who<'_>,
    ) -> Result<Answer, Failure> {
        let address = address_of(endpoint, image, path)?;
        let ask = Ask { method, headers, body: Bytes::new() };
        let credential = who.at(endpoint, image.repository());
        let mut tries = 0;
        loop {
            tries += 1;
            let sent = self.authorised.send(&address, image.repository(), &ask, credential.as_deref()).await;
            let failure = match sent {
                Ok(answer) => match answer.status {
                    StatusCode::OK | StatusCode::PARTIAL_CONTENT => return Ok(answer),
                    StatusCode::NOT_FOUND => return Err(Failure::NotFound(image.to_string())),
                    status => {
                        let method = if ask.method == Method::HEAD { "HEAD" } else { "GET" };
                        let mut failure = Failure::of_status(method, &address, status, &answer.headers);
                        if let Failure::Status { detail, .. } = &mut failure {
                            *detail = said(answer).await;
                        }
                        failure
                    }
                },
                Err(failure) => failure,
            };
            wait(tries, failure).await?;
        }
    }
}

/// Waits as [`retry`] decides, or gives the failure back.
async fn wait(tries: u32, failure: Failure) -> Result<(), Failure> {
    match retry::decide(tries, &failure) {
        Verdict::GiveUp => Err(failure),
        Verdict::Again(after) => {
            tracing::debug!(%failure, ?after, "asking a registry again");
            sleep_until(Instant::now() + after).await;
            Ok(())
        }
    }
}

fn keep_heavier(worst: &mut Option<Failure>, failure: Failure) {
    if worst.as_ref().is_none_or(|worst| worst.weight() < failure.weight()) {
        *worst = Some(failure);
    }
}

fn address_of(endpoint: &Endpoint, image: &Reference, path: &str) -> Result<Address, Failure> {
    let origin = Origin::new(endpoint.tls, &endpoint.host)
        .ok_or_else(|| Failure::Dial(format!("invalid host {:?}", endpoint.host)))?;
    Ok(Address { origin, path: format!("{}/{}/{path}", endpoint.prefix, image.repository()) })
}

/// What the head of an answer says of a manifest; nothing when it does not tell all.
fn described(headers: &HeaderMap, wanted: Option<Digest>) -> Option<Descriptor> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let told: Option<Digest> = text("docker-content-digest").and_then(|digest| digest.parse().ok());
    let digest = match (told, wanted) {
        (Some(told), Some(wanted)) if told != wanted => return None,
        (told, wanted) => wanted.or(told)?,
    };
    let size = text(CONTENT_LENGTH.as_str())?.parse().ok()?;
    let media_type = media_type_of(headers);
    let known = [media_type::INDEX, media_type::MANIFEST, media_type::DOCKER_LIST, media_type::DOCKER_MANIFEST];
    known.contains(&media_type.as_str()).then(|| Descriptor {
        media_type,
        digest,
        size,
        platform: None,
        annotations: std::collections::BTreeMap::new(),
    })
}

fn media_type_of(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_owned()
}

/// The first message of a registry's error document, cut short.
async fn said(answer: Answer) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Errors {
        errors: Vec<One>,
    }
    #[derive(serde::Deserialize)]
    struct One {
        #[serde(default)]
        message: String,
    }
    let bytes = answer.collect(16 * 1024).await.ok()?;
    let errors: Errors = serde_json::from_slice(&bytes).ok()?;
    let message = errors.errors.into_iter().next()?.message;
    let message: String = message.chars().filter(|letter| !letter.is_control()).take(256).collect();
    (!message.is_empty()).then_some(message)
}
