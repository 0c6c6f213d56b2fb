//! Which ports of the loopback a guest's ports are reached at.

use crate::command_line::Forward;
use std::net::{Ipv4Addr, TcpListener};

/// How far to look beyond a wanted port that is taken.
const REACH: u16 = 200;

/// The wanted port, or the next one that `is_free` and not chosen for another port of the same guest.
pub fn choose(wanted: u16, chosen: &[u16], is_free: impl Fn(u16) -> bool) -> Option<u16> {
    (wanted..wanted.saturating_add(REACH)).find(|port| !chosen.contains(port) && is_free(*port))
}

/// Whether nobody listens there now.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Free ports of the host for ports of the guest, the same numbers where they are free.
#[must_use]
pub fn forwards(guest: &[u16]) -> Vec<Forward> {
    let mut forwards: Vec<Forward> = Vec::new();
    for &guest in guest {
        let chosen: Vec<u16> = forwards.iter().map(|forward| forward.host).collect();
        forwards.extend(choose(guest, &chosen, is_free).map(|host| Forward { host, guest }));
    }
    forwards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_gives_way_to_the_next() {
        let taken = |ports: &'static [u16]| move |port: u16| !ports.contains(&port);
        assert_eq!(choose(6443, &[], taken(&[])), Some(6443));
        assert_eq!(choose(6443, &[], taken(&[6443, 6444])), Some(6445));
        assert_eq!(choose(6443, &[6443], taken(&[])), Some(6444));
        assert_eq!(choose(6443, &[], |_| false), None);
        assert_eq!(choose(65535, &[65535], |_| true), None);
    }

    #[test]
    fn a_port_with_a_listener_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(port));
        let found = forwards(&[port]);
        assert!(found.iter().all(|forward| forward.guest == port && forward.host != port), "{found:?}");
    }
}
