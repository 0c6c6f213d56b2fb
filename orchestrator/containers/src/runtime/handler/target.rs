//! Where a probe or hook of the network goes.

use std::io;

use coracle_agent::runtime::HandlerSpec;
use coracle_apimachinery::Value;
use coracle_client::object;

/// A host, a port, and what HTTP says besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    /// The path with query, with a slash in front.
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
}

impl Target {
    /// The target of a handler of a pod with this address.
    pub(super) fn of(spec: &HandlerSpec, ip: &str) -> Result<Self, String> {
        let kinds = ["httpGet", "tcpSocket", "grpc"];
        let handler = kinds.iter().find_map(|kind| spec.handler.at(&[kind])).ok_or("missing probe handler")?;
        let host = handler.text_at(&["host"]);
        let path = handler.text_at(&["path"]);
        let headers = object::items(handler, &["httpHeaders"]);
        let header = |header: &Value| (header.text_at(&["name"]).to_owned(), header.text_at(&["value"]).to_owned());
        Ok(Self {
            host: if host.is_empty() { ip } else { host }.to_owned(),
            port: port(spec, handler)?,
            tls: handler.text_at(&["scheme"]).eq_ignore_ascii_case("https"),
            path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
            headers: headers.iter().map(header).collect(),
        })
    }

    /// Host and port.
    pub(super) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    pub(super) fn url(&self) -> String {
        format!("{}://{}{}", if self.tls { "https" } else { "http" }, self.authority(), self.path)
    }
}

fn port(spec: &HandlerSpec, handler: &Value) -> Result<u16, String> {
    let invalid = |port: i64| format!("invalid port number: {port}");
    let named = match handler.at(&["port"]) {
        Some(Value::Int(port)) => {
            return u16::try_from(*port).ok().filter(|port| *port > 0).ok_or_else(|| invalid(*port));
        }
        Some(Value::String(name)) => name,
        _ => return Err(invalid(0)),
    };
    let lists = ["containers", "initContainers"];
    let container =
        lists.iter().find_map(|list| object::named(object::items(&spec.pod, &["spec", list]), "name", &spec.container));
    let ports = container.map(|container| object::items(container, &["ports"])).unwrap_or_default();
    let found = object::named(ports, "name", named).map(|port| object::int(port, &["containerPort"], 0));
    let number = found.or_else(|| named.parse().ok());
    let port = number.and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0);
    port.ok_or_else(|| format!("port {named:?} of container {:?} is not known", spec.container))
}

/// Why a connection did not come about, in Go's words.
pub(super) fn dial_error(target: &Target, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        io::ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".to_owned(),
        io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
        _ => error.to_string(),
    };
    format!("dial tcp {}: {why}", target.authority())
}
