//! Network namespaces for tests: a host, an outside world that has no way back to pods, and pods.

use std::{
    fs::{self, File},
    future::Future,
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    thread,
    time::Duration,
};

use nix::sched::{CloneFlags, unshare};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{
    Attached, HostPort, Namespace, NodeNetwork, PodNetwork, PodNetworks, Protocol,
    wire::{Wire, route},
};

pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for a packet that would come, short enough for one that must not.
pub(super) const BRIEF: Duration = Duration::from_millis(400);

/// A network namespace.
#[derive(Clone)]
pub(super) struct Space(Arc<OwnedFd>);

/// A host whose interface `up0` leads to the outside.
pub(super) struct Rig {
    pub(super) host: Space,
    pub(super) outside: Space,
}

impl Space {
    pub(super) fn new() -> Self {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("tests of the network need root");
            let file = File::open("/proc/thread-self/ns/net").unwrap();
            Self(Arc::new(file.into()))
        };
        thread::spawn(make).join().unwrap()
    }

    pub(super) fn fd(&self) -> &Arc<OwnedFd> {
        &self.0
    }

    /// Runs in a thread inside.
    pub(super) fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| scope.spawn(|| self.enter_and(act)).join()).unwrap()
    }

    fn enter_and<T>(&self, act: impl FnOnce() -> T) -> T {
        move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        act()
    }

    pub(super) fn proc(&self, file: &str) -> String {
        self.run(|| fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default())
    }

    pub(super) fn sysctl(&self, key: &str) -> String {
        self.run(|| fs::read_to_string(format!("/proc/sys/net/{key}")).unwrap()).trim().to_owned()
    }

    /// Names of the links, as the kernel's text file has them.
    pub(super) fn interfaces(&self) -> Vec<String> {
        let text = self.proc("dev");
        let mut names: Vec<String> =
            text.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect();
        names.sort();
        names
    }

    /// A server of one connection, which tells the client who it is. It listens when this returns.
    pub(super) fn serve_tcp(&self, address: &str) {
        let listener = self.run(|| TcpListener::bind(address).unwrap());
        thread::spawn(move || {
            while let Ok((mut stream, peer)) = listener.accept() {
                let _ = stream.write_all(peer.ip().to_string().as_bytes());
            }
        });
    }

    /// The same for datagrams; each answer begins with a name.
    pub(super) fn serve_udp(&self, address: &str, name: &'static str) {
        let socket = self.run(|| UdpSocket::bind(address).unwrap());
        thread::spawn(move || {
            let mut buffer = [0; 64];
            while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(format!("{name} {}", peer.ip()).as_bytes(), peer);
            }
        });
    }

    /// Who the server at that address says that we are.
    pub(super) fn ask_tcp(&self, address: &str) -> Option<IpAddr> {
        let address: SocketAddr = address.parse().unwrap();
        self.run(|| {
            let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).ok()?;
            text.parse().ok()
        })
    }

    pub(super) fn refused_tcp(&self, address: &str) -> bool {
        let address: SocketAddr = address.parse().unwrap();
        self.run(|| TcpStream::connect_timeout(&address, BRIEF).is_err())
    }

    /// What the server of datagrams answers to that port of ours.
    pub(super) fn ask_udp(&self, from: &str, to: &str, patience: Duration) -> Option<String> {
        self.run(|| {
            let socket = UdpSocket::bind(from).unwrap();
            socket.set_read_timeout(Some(patience)).unwrap();
            socket.send_to(b"who", to.parse::<SocketAddr>().unwrap()).ok()?;
            let mut buffer = [0; 64];
            let length = socket.recv(&mut buffer).ok()?;
            String::from_utf8(buffer[..length].to_vec()).ok()
        })
    }

    /// Sends an echo request and waits for the answer.
    pub(super) fn ping(&self, address: &str) -> bool {
        let address: IpAddr = address.parse().unwrap();
        self.run(|| {
            use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketType, ipproto, sockopt};
            let (family, protocol, kind) = match address {
                IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, 8),
                IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, 128),
            };
            let socket = net::socket(family, SocketType::DGRAM, Some(protocol)).unwrap();
            sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE)).unwrap();
            let echo = [kind, 0, 0, 0, 0, 0, 0, 1];
            net::sendto(&socket, &echo, SendFlags::empty(), &SocketAddr::new(address, 0)).unwrap();
            net::recv(&socket, &mut [0_u8; 64][..], RecvFlags::empty()).is_ok()
        })
    }
}

impl Rig {
    /// The host is 192.168.7.1 and fd07::1, the outside .2 and ::2, and 192.168.8.2 behind it.
    pub(super) fn new() -> Self {
        let (host, outside) = (Space::new(), Space::new());
        host.run(|| {
            let mut wire = Wire::route().unwrap();
            route::add_veth(&mut wire, "up0", outside.fd().as_fd(), "up0", 1500, [2, 0, 0, 0, 7, 2]).unwrap();
            bring_up(&mut wire, &["192.168.7.1/24", "fd07::1/64"]);
        });
        outside.run(|| bring_up(&mut Wire::route().unwrap(), &["192.168.7.2/24", "fd07::2/64", "192.168.8.2/24"]));
        host.run(|| {
            let mut wire = Wire::route().unwrap();
            let index = route::index(&mut wire, "up0").unwrap();
            route::set_default_route(&mut wire, "route", index, "192.168.7.2".parse().unwrap()).unwrap();
        });
        Self { host, outside }
    }

    pub(super) fn open(&self) -> PodNetworks {
        self.open_with(network()).unwrap()
    }

    pub(super) fn open_with(&self, network: NodeNetwork) -> Result<PodNetworks, crate::Error> {
        self.host.run(|| wait(PodNetworks::open(network)))
    }
}

pub(super) fn network() -> NodeNetwork {
    NodeNetwork {
        pod_cidrs: vec!["10.42.0.0/24".parse().unwrap(), "fd42::/64".parse().unwrap()],
        cluster_cidrs: vec!["10.42.0.0/16".parse().unwrap(), "fd42::/56".parse().unwrap()],
        bridge: "cni0".to_owned(),
        mtu: 1450,
    }
}

pub(super) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(super) fn pod(uid: &str, space: &Space) -> PodNetwork {
    PodNetwork {
        uid: uid.to_owned(),
        namespace: Namespace::Descriptor(Arc::clone(space.fd())),
        ips: Vec::new(),
        host_ports: Vec::new(),
        sysctls: vec![("net.ipv4.ping_group_range".to_owned(), "0 2147483647".to_owned())],
    }
}

pub(super) fn host_port(protocol: Protocol, host_ip: Option<&str>, host_port: u16, container_port: u16) -> HostPort {
    HostPort { protocol, host_ip: host_ip.map(|ip| ip.parse().unwrap()), host_port, container_port }
}

pub(super) fn attach(networks: &PodNetworks, pod: PodNetwork) -> Attached {
    wait(networks.attach(pod)).unwrap()
}

pub(super) fn bring_up(wire: &mut Wire, addresses: &[&str]) {
    for name in ["lo", "up0"] {
        let index = route::index(wire, name).unwrap();
        route::set_link(wire, name, index, true, Vec::new()).unwrap();
    }
    let index = route::index(wire, "up0").unwrap();
    for address in addresses {
        route::add_address(wire, address, index, address.parse().unwrap()).unwrap();
    }
}

/// Removes our rules from the calling thread's namespace.
pub(super) fn without_rules() {
    let frame = |kind, payload| crate::wire::Frame { kind, flags: 0, payload };
    let begin = frame(0x10, vec![0, 0, 0, 10]);
    let name = [vec![1, 0, 0, 0, 12, 0, 1, 0], b"coracle\0".to_vec()].concat();
    let delete = frame((10 << 8) | 2, name).acknowledged();
    let end = frame(0x11, vec![0, 0, 0, 10]);
    Wire::netfilter().unwrap().transaction("no rules", &[begin, delete, end]).unwrap();
}
