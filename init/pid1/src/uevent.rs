//! The kernel's device events: an awaited disk, a new device that wants a module, a power button.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with};

use crate::error::{Attempt as _, Result};

/// Bytes that the kernel may queue for us while modules load.
const QUEUE_BYTES: usize = 1 << 20;

/// The kernel's messages stay below 2 KiB of environment plus header.
const MESSAGE_BYTES: usize = 8192;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// `add`, `change`, `remove`, …
    pub(crate) action: String,
    /// `block`, `input`, …
    pub(crate) subsystem: String,
    /// Path below `/sys`.
    pub(crate) path: String,
    /// Alias of the module that the device wants.
    pub(crate) modalias: Option<String>,
    /// Name below `/dev`.
    pub(crate) device_name: Option<String>,
}

/// The subscription.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: OwnedFd,
}

/// What one drain of the queue found.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The events in order.
    pub(crate) events: Vec<Event>,
    /// The queue overflowed and events are missing: look at everything.
    pub(crate) lost: bool,
}

impl Socket {
    /// Subscribes; open it before looking at `/sys`, so that nothing falls between.
    pub(crate) fn open() -> Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(KOBJECT_UEVENT),
        )
        .attempt("open", "uevent socket")?;
        // A smaller queue only makes `lost` more likely.
        let _ = set_socket_recv_buffer_size(&socket, QUEUE_BYTES);
        bind(&socket, &SocketAddrNetlink::new(0, 1)).attempt("bind", "uevent socket")?;
        Ok(Self { socket })
    }

    /// Takes all queued events without waiting.
    pub(crate) fn drain(&self) -> Batch {
        let mut batch = Batch::default();
        let mut buffer = vec![0_u8; MESSAGE_BYTES];
        loop {
            match recvfrom(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((_, length, sender)) => {
                    let from_kernel = sender
                        .and_then(|sender| SocketAddrNetlink::try_from(sender).ok())
                        .is_some_and(|a| a.pid() == 0);
                    if let (true, Some(message)) = (from_kernel, buffer.get(..length)) {
                        batch.events.extend(parse(message));
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::NOBUFS) => batch.lost = true,
                Err(_) => return batch,
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Reads one message: `ACTION@PATH`, then `KEY=VALUE` items, each closed by NUL.
fn parse(message: &[u8]) -> Option<Event> {
    let text = String::from_utf8_lossy(message);
    let mut items = text.split('\0');
    let (action, path) = items.next()?.split_once('@')?;
    let mut event = Event { action: action.to_owned(), path: path.to_owned(), ..Event::default() };
    for (key, value) in items.filter_map(|item| item.split_once('=')) {
        match key {
            "SUBSYSTEM" => value.clone_into(&mut event.subsystem),
            "MODALIAS" => event.modalias = Some(value.to_owned()),
            "DEVNAME" => event.device_name = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read() {
        let message = b"add@/devices/pci0/virtio1/block/vda\0ACTION=add\0DEVPATH=/x\0SUBSYSTEM=block\0DEVNAME=vda\0";
        let event = parse(message).unwrap();
        assert_eq!(event.action, "add");
        assert_eq!(event.path, "/devices/pci0/virtio1/block/vda");
        assert_eq!((event.subsystem.as_str(), event.device_name.as_deref()), ("block", Some("vda")));
        assert_eq!(event.modalias, None);
        let event = parse(b"add@/d\0MODALIAS=pci:v00001AF4d00001042\0").unwrap();
        assert_eq!(event.modalias.as_deref(), Some("pci:v00001AF4d00001042"));
    }

    #[test]
    fn foreign_messages_are_ignored() {
        for bad in [&b""[..], b"libudev\0\xfe\xed", b"\0\0"] {
            assert_eq!(parse(bad), None);
        }
    }
}
