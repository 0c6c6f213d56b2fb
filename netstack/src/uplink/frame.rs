//! Datagrams with their headers, for the time when the interface has no address and the kernel cannot make them.

use std::net::Ipv4Addr;

use super::message;

const UDP: u8 = 17;
const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
/// The client's port.
pub(super) const CLIENT: u16 = 68;
/// The server's port.
pub(super) const SERVER: u16 = 67;

/// A message from nobody to everybody.
pub(super) fn broadcast(message: &[u8]) -> Vec<u8> {
    let (from, to) = (Ipv4Addr::UNSPECIFIED.octets(), Ipv4Addr::BROADCAST.octets());
    let datagram = u16::try_from(message.len().saturating_add(UDP_HEADER)).unwrap_or(u16::MAX);
    let total = u16::try_from(message.len().saturating_add(UDP_HEADER + IP_HEADER)).unwrap_or(u16::MAX);
    let [t0, t1] = total.to_be_bytes();
    // Version and length, low delay (as DHCP clients mark it), length, not to be cut, 64 hops.
    let head = |c0, c1| [&[0x45, 0x10, t0, t1, 0, 0, 0x40, 0, 64, UDP, c0, c1][..], &from, &to].concat();
    let [c0, c1] = checksum(&head(0, 0)).to_be_bytes();
    let ports = [CLIENT.to_be_bytes(), SERVER.to_be_bytes(), datagram.to_be_bytes()].concat();
    let pseudo = [&from[..], &to, &[0, UDP], &datagram.to_be_bytes(), &ports, &[0, 0], message].concat();
    // Zero would mean that there is none.
    let sum = Some(checksum(&pseudo)).filter(|sum| *sum != 0).unwrap_or(u16::MAX);
    [&head(c0, c1), &ports[..], &sum.to_be_bytes(), message].concat()
}

/// The message to the client's port in a packet, if it is one.
///
/// Sums are not checked: the sender's kernel leaves them out where both ends are on one machine, and the exchange's number
/// has to be right anyway.
pub(super) fn message(packet: &[u8]) -> Option<&[u8]> {
    let [first, _, t0, t1, _, _, f0, f1, _, UDP, ..] = *packet.first_chunk::<IP_HEADER>()? else { return None };
    let header = usize::from(first & 0xf).checked_mul(4)?;
    // A part of a datagram, or another version.
    if first >> 4 != 4 || header < IP_HEADER || u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
        return None;
    }
    let datagram = packet.get(header..usize::from(u16::from_be_bytes([t0, t1])))?;
    let [_, _, p0, p1, l0, l1, _, _] = *datagram.first_chunk::<UDP_HEADER>()?;
    if u16::from_be_bytes([p0, p1]) != CLIENT {
        return None;
    }
    let message = datagram.get(UDP_HEADER..usize::from(u16::from_be_bytes([l0, l1])))?;
    (message.len() <= message::LONGEST).then_some(message)
}

fn checksum(bytes: &[u8]) -> u16 {
    let (pairs, last) = bytes.as_chunks::<2>();
    let odd = last.first().map_or(0, |byte| u32::from(u16::from_be_bytes([*byte, 0])));
    let sum = pairs.iter().fold(odd, |sum, pair| sum.saturating_add(u32::from(u16::from_be_bytes(*pair))));
    let folded = (sum >> 16).saturating_add(sum & 0xffff);
    let folded = (folded >> 16).saturating_add(folded & 0xffff);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_add_up(payload in proptest::collection::vec(any::<u8>(), 0..1400)) {
            let packet = broadcast(&payload);
            prop_assert_eq!(checksum(&packet[..IP_HEADER]), 0);
            let pseudo = [&packet[12..20], &[0, UDP], &packet[24..26], &packet[20..]].concat();
            prop_assert_eq!(checksum(&pseudo), 0);
            prop_assert_eq!(packet.len(), payload.len() + 28);
        }

        #[test]
        fn a_message_comes_out_as_it_went_in(payload in proptest::collection::vec(any::<u8>(), 0..1400), pad in 0_usize..20) {
            let mut packet = broadcast(&payload);
            packet[23] = 68;
            packet.resize(packet.len() + pad, 0);
            prop_assert_eq!(message(&packet), Some(&payload[..]), "frames are padded");
        }

        #[test]
        fn any_bytes(packet in proptest::collection::vec(any::<u8>(), 0..1600)) {
            let _ = message(&packet);
            let mut near = broadcast(&packet);
            near[23] = 68;
            for at in 0..28.min(near.len()) {
                let mut near = near.clone();
                near[at] ^= packet.first().copied().unwrap_or(1);
                let _ = message(&near);
            }
        }
    }
}
