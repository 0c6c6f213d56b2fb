//! Failures in the words of containerd, because users and tools search events for them.

use std::time::Duration;

use coracle_image_layout::Digest;
use http::{HeaderMap, StatusCode};

use super::address::Address;
use crate::content;

/// Why one endpoint did not serve.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection.
    #[error("failed to do request: {0}")]
    Dial(String),
    /// The connection ended too early.
    #[error("failed to do request: {0}")]
    Broken(String),
    /// The registry's answer.
    #[error("unexpected status from {method} request to {address}: {}{}", status(*code), more(detail.as_deref()))]
    Status {
        /// Method of the request.
        method: &'static str,
        /// Address of the request.
        address: String,
        /// Number of the status.
        code: u16,
        /// What the registry says.
        detail: Option<String>,
        /// When to ask again.
        retry_after: Option<Duration>,
    },
    /// There is no such image.
    #[error("{0}: not found")]
    NotFound(String),
    /// Who asks may not have it, or it does not exist.
    #[error("pull access denied, repository does not exist or may require authorization: {0}")]
    Denied(String),
    /// The token service gave none.
    #[error("failed to authorize: failed to fetch {kind} token: {cause}")]
    Token {
        /// `oauth` for somebody, `anonymous` for nobody.
        kind: &'static str,
        /// What went wrong.
        cause: Box<Failure>,
    },
    /// The registry breaks its own protocol.
    #[error("{0}")]
    Protocol(String),
    /// What came is not what was asked for, or cannot be kept.
    #[error(transparent)]
    Content(#[from] content::Error),
}

impl Failure {
    /// Of several endpoints' failures the one of the highest weight is told: what a registry said weighs more than
    /// that it could not be reached.
    pub(crate) const fn weight(&self) -> u8 {
        match self {
            Self::Content(content::Error::Io(_)) => 4,
            Self::Status { .. } | Self::Protocol(_) | Self::Content(_) => 3,
            Self::NotFound(_) => 2,
            _ => 1,
        }
    }

    /// Whether asking another endpoint can help.
    pub(crate) const fn is_local(&self) -> bool {
        matches!(self, Self::Content(content::Error::Io(_)))
    }

    /// The gRPC code under which a container runtime would report it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NotFound",
            Self::Content(content::Error::Digest { .. } | content::Error::Size { .. }) => "FailedPrecondition",
            _ => "Unknown",
        }
    }

    /// What a status that was not expected says.
    pub(crate) fn of_status(method: &'static str, address: &Address, code: StatusCode, headers: &HeaderMap) -> Self {
        let seconds = headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Self::Status {
            method,
            address: address.to_string(),
            code: code.as_u16(),
            detail: None,
            retry_after: seconds.map(Duration::from_secs),
        }
    }
}

/// The blob or manifest `digest` is missing although its image is there.
pub(crate) fn missing(digest: &Digest) -> Failure {
    Failure::NotFound(format!("content at {digest}"))
}

fn status(code: u16) -> String {
    let reason = StatusCode::from_u16(code).ok().and_then(|code| code.canonical_reason());
    reason.map_or_else(|| code.to_string(), |reason| format!("{code} {reason}"))
}

fn more(text: Option<&str>) -> String {
    text.map(|text| format!(": {text}")).unwrap_or_default()
}

/// The Go name of a method, as it stands in texts of failed requests.
pub(crate) fn go_method(method: &str) -> &'static str {
    match method {
        "HEAD" => "Head",
        "POST" => "Post",
        _ => "Get",
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Content(content::Error::Io(error))
    }
}
