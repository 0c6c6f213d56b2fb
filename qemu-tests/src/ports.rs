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
    forwards_like(&[], guest, is_free)
}

/// The same, but first the ports of an earlier choice where they are still free.
pub fn forwards_like(earlier: &[Forward], guest: &[u16], is_free: impl Fn(u16) -> bool) -> Vec<Forward> {
    let mut forwards: Vec<Forward> = Vec::new();
    for &guest in guest {
        let chosen: Vec<u16> = forwards.iter().map(|forward| forward.host).collect();
        let kept = earlier.iter().find(|forward| forward.guest == guest).map(|forward| forward.host);
        let kept = kept.filter(|port| !chosen.contains(port) && is_free(*port));
        forwards.extend(kept.or_else(|| choose(guest, &chosen, &is_free)).map(|host| Forward { host, guest }));
    }
    forwards
}

/// The record of a choice: a line for each port of the guest, with the host's behind it.
#[must_use]
pub fn record(forwards: &[Forward]) -> String {
    forwards.iter().map(|forward| format!("{} {}\n", forward.guest, forward.host)).collect()
}

/// A choice from its record; `None` if that is damaged.
#[must_use]
pub fn read(record: &str) -> Option<Vec<Forward>> {
    let port = |text: &str| text.parse().ok().filter(|port: &u16| *port > 0);
    let line = |line: &str| {
        let (guest, host) = line.split_once(' ')?;
        Some(Forward { guest: port(guest)?, host: port(host)? })
    };
    record.lines().map(line).collect()
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

    #[test]
    fn an_earlier_choice_is_kept_where_it_is_free() {
        let ports = |api: u16, web: u16| [(6443, api), (8080, web)].map(|(guest, host)| Forward { host, guest });
        for (earlier, taken, want) in [
            (&[][..], &[][..], ports(6443, 8080)),
            (&[], &[6443, 6444, 8080], ports(6445, 8081)),
            (&ports(6445, 8081), &[], ports(6445, 8081)),
            (&ports(6445, 8081), &[6445], ports(6443, 8081)),
            (&ports(6445, 8081), &[6445, 6443, 8081, 8080], ports(6444, 8082)),
            // Whatever stands in the record, no port is given away twice.
            (&ports(8080, 8080), &[], ports(8080, 8081)),
        ] {
            let found = forwards_like(earlier, &[6443, 8080], |port| !taken.contains(&port));
            assert_eq!(found, want, "{earlier:?} {taken:?}");
        }
        assert_eq!(read(&record(&ports(6445, 8080))), Some(ports(6445, 8080).to_vec()));
        for damaged in ["6443", "6443 x", "6443 0\n", "6443 70000\n", "a 1\n"] {
            assert_eq!(read(damaged), None, "{damaged:?}");
        }
    }
}
