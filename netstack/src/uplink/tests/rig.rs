//! Network namespaces for tests: a device, and networks that its interfaces lead to.

use std::{
    fs::{self, File},
    net::IpAddr,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use netlink_sys::{Socket, protocols};
use nix::sched::{CloneFlags, unshare};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use tokio::sync::watch;

use crate::{
    uplink::{
        Addressing, NicSettings, NicState, Uplink, UplinkSettings, UplinkState, kernel,
        plan::{Address, Link, Route, Seen},
    },
    wire::{Wire, route},
};

pub(super) const PATIENCE: Duration = Duration::from_secs(12);

/// A network namespace.
#[derive(Clone)]
pub(super) struct Space(Arc<OwnedFd>);

/// A device, and the text that its uplink saved last.
pub(super) struct Device {
    pub(super) space: Space,
    pub(super) saved: Arc<Mutex<String>>,
}

impl Space {
    pub(super) fn new() -> Self {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("tests of the network need root");
            Self(Arc::new(File::open("/proc/thread-self/ns/net").unwrap().into()))
        };
        thread::spawn(make).join().unwrap()
    }

    /// Runs in a thread inside.
    pub(super) fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            act()
        };
        thread::scope(|scope| scope.spawn(inside).join()).unwrap()
    }

    pub(super) fn seen(&self) -> Seen {
        self.run(|| kernel::look(&mut Wire::route().unwrap()).unwrap())
    }

    pub(super) fn link(&self, name: &str) -> Link {
        self.seen().links.into_iter().find(|link| link.name == name).unwrap()
    }

    /// Addresses of version 4 on a link.
    pub(super) fn addresses(&self, name: &str) -> Vec<Address> {
        let (seen, index) = (self.seen(), self.link(name).index);
        seen.addresses.into_iter().filter(|address| address.link == index && address.cidr.is_v4()).collect()
    }

    /// Routes of version 4 through a link, but those that the kernel makes of addresses.
    pub(super) fn routes(&self, name: &str) -> Vec<Route> {
        let (seen, index) = (self.seen(), self.link(name).index);
        seen.routes.into_iter().filter(|route| route.link == index && route.to.is_v4() && route.ours).collect()
    }

    pub(super) fn setting(&self, key: &str) -> String {
        self.run(|| fs::read_to_string(format!("/proc/sys/net/{key}")).unwrap()).trim().to_owned()
    }

    /// Switches a link on or off.
    pub(super) fn switch(&self, name: &str, on: bool) {
        use netlink_packet_route::link::{LinkFlags, LinkMessage};
        let index = self.link(name).index;
        self.run(|| {
            if on {
                return route::set_link(&mut Wire::route().unwrap(), "up", index, true, Vec::new()).unwrap();
            }
            let mut message = LinkMessage::default();
            message.header.index = index;
            message.header.change_mask = LinkFlags::Up;
            let frame = kernel::frame(&netlink_packet_route::RouteNetlinkMessage::SetLink(message), 0);
            Wire::route().unwrap().act("down", &frame).map(drop).unwrap();
        });
    }

    pub(super) fn add_address(&self, name: &str, address: &str) {
        let index = self.link(name).index;
        self.run(|| {
            route::add_address(&mut Wire::route().unwrap(), "test", index, address.parse().unwrap()).unwrap();
        });
    }

    pub(super) fn remove_address(&self, name: &str, address: &str) {
        let index = self.link(name).index;
        self.run(|| {
            route::delete_address(&mut Wire::route().unwrap(), "test", index, address.parse().unwrap()).unwrap();
        });
    }

    /// Hears of addresses from now on.
    pub(super) fn addresses_told(&self) -> Socket {
        self.told(&[5])
    }

    /// Nobody changes addresses of version 4 and routes of both any more, once what was begun is done.
    pub(super) fn assert_quiet(&self) {
        let told = self.told(&[5, 7, 11]);
        // The kernel itself is busy with a link of version 6 for about two seconds.
        for _ in 0..50 {
            if !hears(&told, Duration::from_millis(900)) {
                return;
            }
            while told.recv_from_full().is_ok() {}
        }
        panic!("somebody goes on changing addresses or routes");
    }

    /// Waits until the kernel has it like that.
    pub(super) fn until(&self, what: &str, like: impl Fn() -> bool) {
        let told = self.told(&[1, 5, 7]);
        while !like() {
            assert!(hears(&told, PATIENCE), "{what}");
            while told.recv_from_full().is_ok() {}
        }
    }

    fn told(&self, groups: &[u32]) -> Socket {
        self.run(|| {
            let mut socket = Socket::new(protocols::NETLINK_ROUTE).unwrap();
            socket.bind_auto().unwrap();
            for group in groups {
                socket.add_membership(*group).unwrap();
            }
            socket.set_non_blocking(true).unwrap();
            socket
        })
    }
}

fn hears(socket: &Socket, patience: Duration) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::try_from(patience).unwrap())).unwrap() > 0
}

/// Whether somebody told that an address went.
pub(super) fn told_of_loss(socket: &Socket) -> bool {
    const GONE: u16 = 21;
    let mut lost = false;
    while let Ok((datagram, _)) = socket.recv_from_full() {
        lost |= u16::from_ne_bytes([datagram[4], datagram[5]]) == GONE;
    }
    lost
}

impl Device {
    pub(super) fn new() -> Self {
        Self { space: Space::new(), saved: Arc::default() }
    }

    /// Connects a new interface with a network, whose end of it is on and has an address.
    pub(super) fn connect(&self, name: &str, network: &Space, number: u8) {
        self.space.run(|| {
            let mut wire = Wire::route().unwrap();
            route::add_veth(&mut wire, name, network.0.as_fd(), "net0", 1500, [2, 0, 0, 0, number, 1]).unwrap();
        });
        network.switch("net0", true);
        network.switch("lo", true);
        network.add_address("net0", &format!("192.168.{number}.1/24"));
    }

    /// Starts an uplink with what was saved.
    pub(super) fn start(&self, nics: &[(&str, NicSettings)]) -> (Uplink, watch::Receiver<UplinkState>) {
        let settings = UplinkSettings {
            machine: [7; 16],
            hostname: Some("device-1".to_owned()),
            nics: nics.iter().map(|(name, nic)| ((*name).to_owned(), nic.clone())).collect(),
        };
        let (saved, keep) = (self.saved.lock().unwrap().clone(), Arc::clone(&self.saved));
        let uplink = self
            .space
            .run(|| Uplink::run(settings, saved, move |text| text.clone_into(&mut keep.lock().unwrap())).unwrap());
        let state = uplink.state();
        (uplink, state)
    }
}

pub(super) fn dhcp() -> NicSettings {
    NicSettings::default()
}

pub(super) fn fixed(addresses: &[&str], gateways: &[&str]) -> NicSettings {
    NicSettings {
        addressing: Addressing::Static {
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            gateways: gateways.iter().map(|text| text.parse().unwrap()).collect(),
        },
        ..NicSettings::default()
    }
}

/// Waits until the state is like that.
pub(super) fn until(
    state: &mut watch::Receiver<UplinkState>,
    what: &str,
    like: impl FnMut(&UplinkState) -> bool,
) -> UplinkState {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let found = runtime.block_on(async {
        tokio::time::timeout(PATIENCE, state.wait_for(like)).await.map(|found| found.unwrap().clone())
    });
    found.unwrap_or_else(|_| panic!("{what}: {:#?}", state.borrow()))
}

pub(super) fn nic<'a>(state: &'a UplinkState, name: &str) -> &'a NicState {
    state.nics.iter().find(|nic| nic.name == name).unwrap()
}

/// Waits until the device's address is that one.
pub(super) fn until_primary(state: &mut watch::Receiver<UplinkState>, address: &str) -> UplinkState {
    let address: IpAddr = address.parse().unwrap();
    until(state, &address.to_string(), |state| state.primary_v4 == Some(address))
}
