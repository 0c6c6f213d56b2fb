//! A small DHCP server, which does as it is told and tells what it was asked.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, mpsc},
    thread,
};

use dhcproto::v4::{DhcpOption, Message, MessageType};

use super::{
    dhcp,
    rig::{PATIENCE, Space},
};
use crate::uplink::sys;

/// How it answers.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    /// The address it gives; other addresses it refuses.
    pub(super) address: Ipv4Addr,
    /// Options of its answers.
    pub(super) options: Vec<DhcpOption>,
    /// Whether it says nothing.
    pub(super) silent: bool,
    /// Whether it gives its address to who has another one, rather than refusing.
    pub(super) corrects: bool,
}

pub(super) struct Server {
    manner: Arc<Mutex<Manner>>,
    heard: mpsc::Receiver<(Message, SocketAddr)>,
}

/// Times of a lease in seconds, as options.
pub(super) fn times(renew: u32, rebind: u32, end: u32) -> Vec<DhcpOption> {
    vec![DhcpOption::Renewal(renew), DhcpOption::Rebinding(rebind), DhcpOption::AddressLeaseTime(end)]
}

impl Server {
    /// Serves the network `192.168.NUMBER.0/24`: the address ends with 50, and the lease lasts for an hour.
    pub(super) fn start(space: &Space, number: u8) -> Self {
        let router = Ipv4Addr::new(192, 168, number, 1);
        let mut options = dhcp::plain(3600);
        options.push(DhcpOption::Router(vec![router]));
        options.push(DhcpOption::ServerIdentifier(router));
        options.push(DhcpOption::DomainNameServer(vec![[10, 0, number, 53].into()]));
        let address = [192, 168, number, 50].into();
        let manner = Arc::new(Mutex::new(Manner { address, options, silent: false, corrects: false }));
        let (tell, heard) = mpsc::channel();
        let socket = space.run(|| {
            let socket = UdpSocket::bind("0.0.0.0:67").unwrap();
            socket.set_broadcast(true).unwrap();
            sys::bind_to_device(&socket, "net0").unwrap();
            socket
        });
        let shared = Arc::clone(&manner);
        thread::spawn(move || {
            let mut buffer = [0; 2000];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let query = dhcp::query(&buffer[..length]);
                let manner = shared.lock().unwrap().clone();
                if let Some(answer) = manner.answer(&query, router) {
                    // To who has an address, and to all others.
                    let to = if query.ciaddr().is_unspecified() { Ipv4Addr::BROADCAST } else { query.ciaddr() };
                    let _ = socket.send_to(&dhcp::bytes(&answer), (to, 68));
                }
                if tell.send((query, from)).is_err() {
                    return;
                }
            }
        });
        Self { manner, heard }
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.manner.lock().unwrap());
    }

    /// The next question.
    pub(super) fn next(&self) -> (Message, SocketAddr) {
        self.heard.recv_timeout(PATIENCE).unwrap()
    }

    /// Forgets what was asked so far.
    pub(super) fn forget(&self) {
        while self.heard.try_recv().is_ok() {}
    }
}

impl Manner {
    fn answer(&self, query: &Message, router: Ipv4Addr) -> Option<Message> {
        if self.silent || dhcp::asks(query).is_some_and(|server| server != router) {
            return None;
        }
        let wanted = dhcp::wants(query).unwrap_or_else(|| query.ciaddr());
        let kind = match dhcp::kind(query) {
            MessageType::Discover => MessageType::Offer,
            MessageType::Request if wanted == self.address || self.corrects => MessageType::Ack,
            _ => MessageType::Nak,
        };
        let address = if kind == MessageType::Nak { Ipv4Addr::UNSPECIFIED } else { self.address };
        Some(dhcp::answer(query, kind, address, self.options.clone()))
    }
}
