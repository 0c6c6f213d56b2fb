//! Connections to the ports of pods.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use coracle_node_connection::{Connection, Error};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::oneshot;

/// How long a pod's own loopback may take.
const WITHIN: Duration = Duration::from_secs(30);

/// Where a pod's network is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Network {
    /// The host's.
    Host,
    /// Its own, at a path.
    Own(PathBuf),
}

/// Connects to a port of a pod's loopback address.
pub(super) async fn connect(network: Network, sandbox: &str, port: u16) -> Result<Connection, Error> {
    let (sender, answer) = oneshot::channel();
    // A thread of its own, which ends with the connection made: no other thread ever changes its place.
    let work = move || drop(sender.send(dial(&network, port)));
    let spawned = std::thread::Builder::new().name("port-forward".to_owned()).spawn(work);
    spawned.map_err(|error| Error::Failed(error.to_string()))?;
    let dialled = answer.await.map_err(|_| Error::Failed("the connection was given up".to_owned()))?;
    let stream = dialled.map_err(|(four, six)| {
        Error::Failed(format!(
            "failed to connect to localhost:{port} inside namespace {sandbox:?}, IPv4: dial tcp4 127.0.0.1:{port}: {four} IPv6 dial tcp6: [::1]:{port}: {six}"
        ))
    })?;
    let stream = stream.set_nonblocking(true).and_then(|()| tokio::net::TcpStream::from_std(stream));
    Ok(Box::new(stream.map_err(|error| Error::Failed(error.to_string()))?))
}

/// Blocks.
fn dial(network: &Network, port: u16) -> Result<TcpStream, (String, String)> {
    if let Network::Own(path) = network {
        let enter = || -> io::Result<()> {
            let namespace = File::open(path)?;
            Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
        };
        enter().map_err(|error| (error.to_string(), error.to_string()))?;
    }
    let to = |ip| TcpStream::connect_timeout(&SocketAddr::new(ip, port), WITHIN).map_err(|error| words(&error));
    to(IpAddr::V4(Ipv4Addr::LOCALHOST)).or_else(|four| to(IpAddr::V6(Ipv6Addr::LOCALHOST)).map_err(|six| (four, six)))
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
        io::ErrorKind::AddrNotAvailable => "connect: cannot assign requested address".to_owned(),
        _ => error.to_string(),
    }
}
