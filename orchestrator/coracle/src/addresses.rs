//! Which address of this machine others reach it at.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// An address beyond this machine, from the range for documentation; nothing is ever sent there.
const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// The address that is told to others: the one that the listener is bound to, or the one that the default route uses.
/// `None` when there is only loopback.
pub(crate) fn advertised(bound: IpAddr) -> Option<IpAddr> {
    let usable = |ip: &IpAddr| !ip.is_unspecified() && !ip.is_loopback();
    if usable(&bound) {
        return Some(bound);
    }
    if bound.is_loopback() {
        return None;
    }
    // Connecting a datagram socket only looks up the route.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(usable)
}

#[cfg(test)]
mod tests {
    use super::advertised;

    #[test]
    fn loopback_is_never_told_to_others() {
        assert_eq!(advertised("127.0.0.1".parse().unwrap()), None);
        let given = "192.168.7.1".parse().unwrap();
        assert_eq!(advertised(given), Some(given));
        assert!(advertised("0.0.0.0".parse().unwrap()).is_none_or(|ip| !ip.is_loopback()));
    }
}
