//! Packet sockets: addresses and options that no crate of ours has words for.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use rustix::net::{
    self, AddressFamily, Protocol, SocketAddrAny, SocketFlags, SocketType,
    addr::{SocketAddrLen, SocketAddrOpaque},
};

/// `ETH_P_IP`.
const IP: u16 = 0x0800;
const ETHERNET: u16 = 1;

/// One instruction of a socket's filter, as the kernel wants it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    value: u32,
}

const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF_BEHIND: u16 = 0x48;
const LOAD_HEADER_LENGTH: u16 = 0xb1;
const EQUAL: u16 = 0x15;
const ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
/// Where the kernel keeps what it knows about a packet: its kind, and whether it had a VLAN's tag.
const KNOWN: u32 = 0xffff_f000;
const FOR_OTHERS: u32 = 3;

const fn step(code: u16, value: u32) -> Instruction {
    Instruction { code, if_true: 0, if_false: 0, value }
}

const fn jump(code: u16, value: u32, if_true: u8, if_false: u8) -> Instruction {
    Instruction { code, if_true, if_false, value }
}

/// Lets through whole UDP datagrams of version 4 to the client's port that are for this host and of no VLAN.
const TO_CLIENT: [Instruction; 13] = [
    step(LOAD_WORD, KNOWN.wrapping_add(4)),
    jump(EQUAL, FOR_OTHERS, 10, 0),
    step(LOAD_WORD, KNOWN.wrapping_add(48)),
    jump(EQUAL, 0, 0, 8),
    step(LOAD_BYTE, 9),
    jump(EQUAL, 17, 0, 6),
    step(LOAD_HALF, 6),
    jump(ANY_BIT, 0x3fff, 4, 0),
    step(LOAD_HEADER_LENGTH, 0),
    step(LOAD_HALF_BEHIND, 2),
    jump(EQUAL, super::frame::CLIENT as u32, 0, 1),
    step(RETURN, u32::MAX),
    step(RETURN, 0),
];

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    first: *const Instruction,
}

/// An address on a link: `struct sockaddr_ll`.
#[repr(C)]
struct LinkAddress {
    family: u16,
    protocol: u16,
    index: i32,
    hardware: u16,
    packet: u8,
    length: u8,
    address: [u8; 8],
}

/// A socket for IP packets of one link, which hears only [`TO_CLIENT`] and does not block.
pub(super) fn packet_socket(index: u32) -> io::Result<OwnedFd> {
    // Of no protocol at first: nothing comes before the filter is there.
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(AddressFamily::PACKET, SocketType::DGRAM, flags, None::<Protocol>)?;
    let program = Program { length: u16::try_from(TO_CLIENT.len()).unwrap_or_default(), first: TO_CLIENT.as_ptr() };
    set_option(&socket, libc::SO_ATTACH_FILTER, &program)?;
    net::bind(&socket, &link_address(index)?)?;
    Ok(socket)
}

/// Everybody on a link.
pub(super) fn link_address(index: u32) -> io::Result<SocketAddrAny> {
    let index = i32::try_from(index).map_err(io::Error::other)?;
    let address = LinkAddress {
        family: AddressFamily::PACKET.as_raw(),
        protocol: IP.to_be(),
        index,
        hardware: ETHERNET,
        packet: 0,
        length: 6,
        address: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0],
    };
    let length = SocketAddrLen::try_from(size_of::<LinkAddress>()).map_err(io::Error::other)?;
    Ok(any(&address, length))
}

/// Binds a socket to a link by its name.
pub(super) fn bind_to_device(socket: &impl AsFd, name: &str) -> io::Result<()> {
    const LONGEST: usize = 15;
    let mut device = [0_u8; LONGEST + 1];
    let place = device.get_mut(..LONGEST).and_then(|place| place.get_mut(..name.len()));
    place.ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(name.as_bytes());
    set_option(socket, libc::SO_BINDTODEVICE, &device)
}

#[expect(unsafe_code, reason = "no crate of ours makes addresses of links")]
fn any(address: &LinkAddress, length: SocketAddrLen) -> SocketAddrAny {
    struct Borrowed<'a>(&'a LinkAddress, SocketAddrLen);
    // SAFETY: the pointer is that of a borrowed `sockaddr_ll`, readable for its length, which is the one that is passed.
    unsafe impl net::addr::SocketAddrArg for Borrowed<'_> {
        unsafe fn with_sockaddr<R>(&self, act: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R) -> R {
            act(std::ptr::from_ref(self.0).cast(), self.1)
        }
    }
    net::addr::SocketAddrArg::as_any(&Borrowed(address, length))
}

#[expect(unsafe_code, reason = "no crate of ours sets these options")]
fn set_option<T>(socket: &impl AsFd, name: i32, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel reads `length` bytes of a live `T`, and nothing after the call; the filter's instructions that
    // a program points to are constant.
    let done = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, name, std::ptr::from_ref(value).cast(), length) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
