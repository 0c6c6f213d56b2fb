//! The change from HTTP to another protocol: what the client offers, and the answer.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coracle_apimachinery::status::Status;
use http::header::{
    CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, Response, StatusCode};

use crate::front::{Body, full};

/// What RFC 6455 adds to a client's key.
const KEY_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Length of a key, decoded.
const KEY_LENGTH: usize = 16;

/// What a client wants to change to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Upgrade {
    /// Nothing: an ordinary request.
    None,
    /// SPDY, which kubectl tries when WebSocket did not work.
    Spdy,
    /// WebSocket with one of these protocols.
    WebSocket { key: String, protocols: Vec<String> },
    /// WebSocket, but not in a way that can work.
    Malformed(&'static str),
}

/// The agreed change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed<T> {
    key: String,
    name: &'static str,
    /// The protocol.
    pub(super) protocol: T,
}

impl Upgrade {
    /// Reads the head of a request.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        if !tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade")) {
            return Self::None;
        }
        let wanted = |name: &str| tokens(headers, &UPGRADE).any(|token| token.eq_ignore_ascii_case(name));
        if wanted("spdy/3.1") {
            return Self::Spdy;
        }
        if !wanted("websocket") {
            return Self::None;
        }
        if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Self::Malformed("the only supported version of WebSocket is 13");
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok()).unwrap_or_default();
        if STANDARD.decode(key).map_or(0, |key| key.len()) != KEY_LENGTH {
            return Self::Malformed("the key of the WebSocket handshake is missing or malformed");
        }
        let protocols = tokens(headers, &SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect();
        Self::WebSocket { key: key.to_owned(), protocols }
    }

    /// Agrees on the first protocol of the client's that is served.
    ///
    /// # Errors
    /// There is none, or the client does not offer WebSocket at all.
    pub(super) fn agree<T: Copy>(&self, served: &[(&'static str, T)]) -> Result<Agreed<T>, Status> {
        let (key, protocols) = match self {
            Self::WebSocket { key, protocols } => (key, protocols),
            Self::None => return Err(Status::bad_request("Upgrade request required")),
            Self::Spdy => {
                let message = "unable to upgrade: SPDY is not supported, use a client that speaks WebSocket \
                               (kubectl 1.31 or later, without KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false or \
                               KUBECTL_PORT_FORWARD_WEBSOCKETS=false)";
                return Err(Status::bad_request(message));
            }
            Self::Malformed(problem) => return Err(Status::bad_request(format!("unable to upgrade: {problem}"))),
        };
        let found = protocols.iter().find_map(|offered| served.iter().find(|(name, _)| name == offered));
        let (name, protocol) = found.ok_or_else(|| {
            let names = served.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
            let offered = protocols.join(" ");
            let message = format!("requested protocol(s) are not supported: [{offered}]; supports [{names}]");
            Status::bad_request(format!("unable to upgrade: {message}"))
        })?;
        Ok(Agreed { key: key.clone(), name, protocol: *protocol })
    }
}

impl<T> Agreed<T> {
    /// The answer after which the connection speaks the agreed protocol.
    pub(super) fn response(&self) -> Response<Body> {
        let mut response = Response::new(full(""));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(self.name));
        if let Ok(accept) = HeaderValue::from_str(&accept(&self.key)) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        response
    }
}

/// The proof that the key was read.
fn accept(key: &str) -> String {
    let text = format!("{key}{KEY_SUFFIX}");
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

/// The items of a header that is a list, over all its lines.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn read(lines: &[(&'static str, &str)]) -> Upgrade {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        Upgrade::read(&headers)
    }

    #[test]
    fn offers_are_read() {
        let socket = [("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")];
        let good = [("sec-websocket-version", "13"), ("sec-websocket-key", KEY)];
        let protocols = |list: &[&str]| Upgrade::WebSocket {
            key: KEY.to_owned(),
            protocols: list.iter().map(|it| (*it).to_owned()).collect(),
        };
        for (lines, expected) in [
            (vec![], Upgrade::None),
            (vec![("upgrade", "websocket")], Upgrade::None),
            (vec![("connection", "upgrade"), ("upgrade", "h2c")], Upgrade::None),
            (vec![("connection", "Upgrade"), ("upgrade", "SPDY/3.1")], Upgrade::Spdy),
            ([&socket[..], &good].concat(), protocols(&[])),
            (
                [&socket[..], &good, &[("sec-websocket-protocol", "a, b"), ("sec-websocket-protocol", "c")]].concat(),
                protocols(&["a", "b", "c"]),
            ),
            (socket.to_vec(), Upgrade::Malformed("the only supported version of WebSocket is 13")),
            (
                [&socket[..], &good[..1], &[("sec-websocket-key", "c2hvcnQ=")]].concat(),
                Upgrade::Malformed("the key of the WebSocket handshake is missing or malformed"),
            ),
        ] {
            assert_eq!(read(&lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_protocol_is_agreed_on() {
        let served = [("b", 2), ("a", 1)];
        let offer = |protocols: &[&str]| Upgrade::WebSocket {
            key: KEY.to_owned(),
            protocols: protocols.iter().map(|it| (*it).to_owned()).collect(),
        };
        let agreed = offer(&["x", "a", "b"]).agree(&served).unwrap();
        assert_eq!((agreed.name, agreed.protocol), ("a", 1));
        let response = agreed.response();
        assert_eq!(response.status(), 101);
        // The example of RFC 6455.
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.headers()["sec-websocket-protocol"], "a");
        for (upgrade, message) in [
            (Upgrade::None, "Upgrade request required"),
            (Upgrade::Malformed("x"), "unable to upgrade: x"),
            (offer(&[]), "unable to upgrade: requested protocol(s) are not supported: []; supports [b a]"),
            (offer(&["x", "y"]), "unable to upgrade: requested protocol(s) are not supported: [x y]; supports [b a]"),
        ] {
            let refused = upgrade.agree(&served).unwrap_err();
            assert_eq!((refused.code, &*refused.message), (400, message));
        }
        assert!(Upgrade::Spdy.agree(&served).unwrap_err().message.starts_with("unable to upgrade: SPDY is not supp"));
    }
}
