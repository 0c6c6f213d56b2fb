//! Addresses of requests, and where a redirection leads.

use std::fmt;

use http::Uri;
use http::header::HeaderMap;

use crate::reference::is_host;

/// Whom a connection is made to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) tls: bool,
    /// As it is written, with brackets around an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// An address of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) origin: Origin,
    /// Path and query.
    pub(crate) path: String,
}

/// Why a redirection is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("redirection without a usable location")]
    Location,
    #[error("redirection from https to http")]
    Downgrade,
}

impl Origin {
    /// `HOST[:PORT]`.
    pub(crate) fn new(tls: bool, host: &str) -> Option<Self> {
        if !is_host(host) {
            return None;
        }
        let default = if tls { 443 } else { 80 };
        match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => {
                Some(Self { tls, host: name.to_owned(), port: port.parse().ok()? })
            }
            _ => Some(Self { tls, host: host.to_owned(), port: default }),
        }
    }

    /// Without brackets, as resolvers and certificates want it.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Host, and port where it is not the usual one.
    pub(crate) fn authority(&self) -> String {
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

impl Address {
    /// Reads an absolute address. One with a user name is refused.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return None,
        };
        let origin = Origin::new(tls, uri.authority()?.as_str())?;
        Some(Self { origin, path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned() })
    }

    /// Where `headers` redirect to.
    pub(crate) fn redirected(&self, headers: &HeaderMap) -> Result<Self, Refused> {
        let location = headers.get(http::header::LOCATION).and_then(|location| location.to_str().ok());
        let location = location.ok_or(Refused::Location)?;
        let next = if location.starts_with('/') && !location.starts_with("//") {
            let path = location.split('#').next().unwrap_or(location);
            path.parse::<Uri>().map_err(|_| Refused::Location)?;
            Self { origin: self.origin.clone(), path: path.to_owned() }
        } else {
            Self::parse(location).ok_or(Refused::Location)?
        };
        if self.origin.tls && !next.origin.tls {
            return Err(Refused::Downgrade);
        }
        Ok(next)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.origin.tls { "https" } else { "http" };
        write!(formatter, "{scheme}://{}{}", self.origin.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_lead_where_they_may() {
        let from = Address::parse("https://q.io:5000/v2/a?b").unwrap();
        for (location, want) in [
            ("https://cdn.io/blob?sig=x%2F", Ok("https://cdn.io/blob?sig=x%2F")),
            ("/other", Ok("https://q.io:5000/other")),
            ("https://[::1]:8/x#part", Ok("https://[::1]:8/x")),
            ("https://cdn.io:443", Ok("https://cdn.io/")),
            ("http://q.io:5000/x", Err(Refused::Downgrade)),
            ("https://user:pass@cdn.io/x", Err(Refused::Location)),
            ("//cdn.io/x", Err(Refused::Location)),
            ("file:///etc/passwd", Err(Refused::Location)),
            ("relative", Err(Refused::Location)),
            ("", Err(Refused::Location)),
        ] {
            let headers = HeaderMap::from_iter([(http::header::LOCATION, location.parse().unwrap())]);
            let found = from.redirected(&headers).map(|address| address.to_string());
            assert_eq!(found, want.map(str::to_owned), "{location}");
        }
        assert_eq!(from.redirected(&HeaderMap::new()), Err(Refused::Location));
    }
}
