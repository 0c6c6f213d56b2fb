//! At which addresses others reach this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use tokio::sync::watch;

/// An address beyond this machine, from the range for documentation; nothing is ever sent there.
const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// The addresses of this machine at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// The one that is told to others; none while there is only loopback.
    pub(crate) primary: Option<IpAddr>,
    /// All that a client may use, the primary one among them.
    pub(crate) all: Vec<IpAddr>,
}

/// The addresses now, and each time they change. What is once known stays until there is something else: a pulled
/// cable does not take the name of a node away.
pub(crate) type Changing = watch::Receiver<Addresses>;

impl Addresses {
    /// The API's socket that is told to others.
    pub(crate) fn advertised(&self, port: u16) -> Option<SocketAddr> {
        self.primary.map(|ip| SocketAddr::new(ip, port))
    }
}

/// The addresses of a machine whose network belongs to somebody else: the one that the listener is bound to, or the one
/// that the default route uses now.
pub(crate) fn of_host(bound: IpAddr) -> Addresses {
    let primary = bound_to(bound).unwrap_or_else(routed);
    Addresses { primary, all: primary.into_iter().collect() }
}

/// What a listener's address alone decides: the primary address, or that there is none.
pub(crate) fn bound_to(bound: IpAddr) -> Option<Option<IpAddr>> {
    if bound.is_unspecified() { None } else { Some(Some(bound).filter(|ip| !ip.is_loopback())) }
}

fn routed() -> Option<IpAddr> {
    // Connecting a datagram socket only looks up the route.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    Some(ip).filter(|ip| !ip.is_unspecified() && !ip.is_loopback())
}

/// Waits for a change, which never comes where nobody is left to make one.
pub(crate) async fn change<T>(of: &mut watch::Receiver<T>) {
    if of.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::of_host;

    #[test]
    fn loopback_is_never_told_to_others() {
        assert_eq!(of_host("127.0.0.1".parse().unwrap()).primary, None);
        let given = "192.168.7.1".parse().unwrap();
        assert_eq!(of_host(given).primary, Some(given));
        assert!(of_host("0.0.0.0".parse().unwrap()).primary.is_none_or(|ip| !ip.is_loopback()));
    }
}
