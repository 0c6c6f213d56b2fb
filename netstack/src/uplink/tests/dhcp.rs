//! Messages of servers, written by another implementation.

use std::net::Ipv4Addr;

use dhcproto::{
    Decodable, Decoder, Encodable,
    v4::{DhcpOption, Message, MessageType, Opcode, OptionCode},
};

pub(in crate::uplink) const SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);

/// Reads a client's message.
pub(in crate::uplink) fn query(bytes: &[u8]) -> Message {
    let message = Message::decode(&mut Decoder::new(bytes)).unwrap();
    assert_eq!(message.opcode(), Opcode::BootRequest);
    message
}

/// The kind of a client's message.
pub(in crate::uplink) fn kind(message: &Message) -> MessageType {
    message.opts().msg_type().unwrap()
}

/// The address that a client asks for.
pub(in crate::uplink) fn wants(message: &Message) -> Option<Ipv4Addr> {
    match message.opts().get(OptionCode::RequestedIpAddress) {
        Some(DhcpOption::RequestedIpAddress(address)) => Some(*address),
        _ => None,
    }
}

/// The server that a client asks.
pub(in crate::uplink) fn asks(message: &Message) -> Option<Ipv4Addr> {
    match message.opts().get(OptionCode::ServerIdentifier) {
        Some(DhcpOption::ServerIdentifier(address)) => Some(*address),
        _ => None,
    }
}

/// An answer to a client's message.
pub(in crate::uplink) fn answer(
    query: &Message,
    kind: MessageType,
    address: Ipv4Addr,
    options: impl IntoIterator<Item = DhcpOption>,
) -> Message {
    let mut message = Message::default();
    message.set_opcode(Opcode::BootReply).set_xid(query.xid()).set_flags(query.flags());
    message.set_chaddr(query.chaddr()).set_yiaddr(address);
    let all = message.opts_mut();
    all.insert(DhcpOption::MessageType(kind));
    all.insert(DhcpOption::ServerIdentifier(SERVER));
    for option in options {
        all.insert(option);
    }
    message
}

/// The options of a plain lease.
pub(in crate::uplink) fn plain(seconds: u32) -> Vec<DhcpOption> {
    vec![
        DhcpOption::SubnetMask([255, 255, 255, 0].into()),
        DhcpOption::Router(vec![SERVER]),
        DhcpOption::AddressLeaseTime(seconds),
    ]
}

/// The bytes of an answer.
pub(in crate::uplink) fn bytes(message: &Message) -> Vec<u8> {
    message.to_vec().unwrap()
}
