//! The sockets of one interface's DHCP client.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use super::{
    frame,
    machine::{Outgoing, Way},
    message, sys,
};

/// Sockets that are open while answers may come. All answers are heard by the packet socket.
pub(super) struct Sockets {
    index: u32,
    packets: OwnedFd,
    /// The one that sends from the interface's address; it also keeps the kernel from telling servers that nobody listens.
    datagrams: Option<(Ipv4Addr, OwnedFd)>,
}

impl Sockets {
    /// Listens on an interface.
    pub(super) fn open(index: u32) -> io::Result<Self> {
        Ok(Self { index, packets: sys::packet_socket(index)?, datagrams: None })
    }

    /// Sends a message.
    pub(super) fn send(&mut self, name: &str, outgoing: &Outgoing) -> io::Result<()> {
        let (own, to) = match outgoing.way {
            Way::Raw => {
                let packet = frame::broadcast(&outgoing.message);
                net::sendto(&self.packets, &packet, SendFlags::empty(), &sys::link_address(self.index)?)?;
                return Ok(());
            }
            Way::Everybody(own) => (own, Ipv4Addr::BROADCAST),
            Way::Server(own, server) => (own, server),
        };
        let to = SocketAddr::V4(SocketAddrV4::new(to, frame::SERVER));
        net::sendto(self.datagrams(name, own)?, &outgoing.message, SendFlags::empty(), &to)?;
        Ok(())
    }

    /// The next message that came.
    pub(super) fn receive(&self) -> Option<Vec<u8>> {
        // Longer packets than a frame can hold are none of a DHCP server.
        let mut buffer = [0_u8; message::LONGEST + 100];
        loop {
            match net::recv(&self.packets, &mut buffer[..], RecvFlags::empty()) {
                Ok((length, _)) => {
                    if let Some(message) = buffer.get(..length).and_then(frame::message) {
                        return Some(message.to_vec());
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                // The interface went down: it is told by that once, and the socket goes on with the interface.
                Err(rustix::io::Errno::NETDOWN) => {}
                Err(_) => return None,
            }
        }
    }

    fn datagrams(&mut self, name: &str, own: Ipv4Addr) -> io::Result<&OwnedFd> {
        if self.datagrams.as_ref().is_none_or(|(bound, _)| *bound != own) {
            // The port is free for the next one only when this one is closed.
            self.datagrams = None;
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
            sockopt::set_socket_broadcast(&socket, true)?;
            sys::bind_to_device(&socket, name)?;
            net::bind(&socket, &SocketAddr::V4(SocketAddrV4::new(own, frame::CLIENT)))?;
            self.datagrams = Some((own, socket));
        }
        self.datagrams.as_ref().map(|(_, socket)| socket).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsFd for Sockets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.packets.as_fd()
    }
}
