//! The device as a user names it: `HOST` or `HOST:PORT`.

use std::fmt;
use std::net::Ipv6Addr;

use rustls::pki_types::ServerName;

/// Port of the API unless another one is named.
const PORT: u16 = 6443;

/// Where a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    /// A name or an address, without brackets.
    pub(super) name: String,
    pub(super) port: u16,
}

impl Host {
    /// Reads `HOST[:PORT]`; an IPv6 address with a port needs brackets. A pasted `https://HOST:PORT/` is read too.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix("https://").unwrap_or(text);
        let text = text.strip_suffix('/').unwrap_or(text);
        let (name, port) = if let Some(rest) = text.strip_prefix('[') {
            let (name, port) = rest.split_once(']').ok_or("an address that begins with [ must end with ]")?;
            (name, port.strip_prefix(':').or_else(|| port.is_empty().then_some("")).ok_or("after ] comes :PORT")?)
        } else if text.parse::<Ipv6Addr>().is_ok() {
            (text, "")
        } else {
            text.split_once(':').unwrap_or((text, ""))
        };
        let port = match port {
            "" if text.ends_with(':') && !text.ends_with("::") => return Err("the port is missing after :".to_owned()),
            "" => PORT,
            port => match port.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err("the port must be a number from 1 to 65535".to_owned()),
            },
        };
        let host = Self { name: name.to_owned(), port };
        host.server_name()?;
        Ok(host)
    }

    /// The name that the device's certificate should have.
    pub(super) fn server_name(&self) -> Result<ServerName<'static>, String> {
        let wrong = |_| format!("{:?} is neither a host name nor an address", self.name);
        ServerName::try_from(self.name.clone()).map_err(wrong)
    }
}

/// As it stands in a URL.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, port } = self;
        if name.contains(':') { write!(f, "[{name}]:{port}") } else { write!(f, "{name}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::Host;

    #[test]
    fn hosts_are_read_as_users_write_them() {
        let table = [
            ("device", Some("device:6443")),
            ("device.local:6444", Some("device.local:6444")),
            ("192.0.2.1", Some("192.0.2.1:6443")),
            ("192.0.2.1:1", Some("192.0.2.1:1")),
            ("2001:db8::1", Some("[2001:db8::1]:6443")),
            ("::1", Some("[::1]:6443")),
            ("::", Some("[::]:6443")),
            ("[2001:db8::1]", Some("[2001:db8::1]:6443")),
            ("[2001:db8::1]:7000", Some("[2001:db8::1]:7000")),
            ("https://device:6443/", Some("device:6443")),
            ("https://[::1]:6443", Some("[::1]:6443")),
            ("", None),
            ("device:", None),
            ("device:0", None),
            ("device:65536", None),
            ("device:http", None),
            ("[::1", None),
            ("[::1]7", None),
            ("[::1]:", None),
            ("a b", None),
            ("http://device", None),
            ("device/path", None),
        ];
        for (text, printed) in table {
            assert_eq!(Host::parse(text).ok().map(|host| host.to_string()).as_deref(), printed, "{text}");
        }
    }
}
