//! A blocking netlink socket: requests with acknowledgement, dumps, transactions.
//!
//! A socket belongs to the network namespace that it was opened in, whichever thread uses it later.

use std::{io, time::Duration};

use netlink_sys::{Socket, SocketAddr, protocols};
use rustix::net::sockopt;

use crate::Error;

/// The kernel answers at once; this only bounds a defect.
const PATIENCE: Duration = Duration::from_secs(10);
/// A transaction goes out as one datagram, so it has to fit.
const SEND_BUFFER: usize = 8 << 20;
const HEADER: usize = 16;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const REQUEST: u16 = 1;
const MULTI: u16 = 2;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;
const DUMP_INTERRUPTED: u16 = 0x10;
const ACK_TLVS: u16 = 0x200;
const ATTEMPTS: usize = 8;

/// A netlink socket.
pub(crate) struct Wire {
    socket: Socket,
    sequence: u32,
}

/// A message to send, without its header.
pub(crate) struct Frame {
    /// Message type.
    pub(crate) kind: u16,
    /// Flags besides those of the request itself.
    pub(crate) flags: u16,
    /// What follows the header.
    pub(crate) payload: Vec<u8>,
}

/// A message that came.
pub(crate) struct Reply {
    /// Message type.
    pub(crate) kind: u16,
    /// What follows the header.
    pub(crate) payload: Vec<u8>,
}

struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
}

impl Wire {
    /// A socket for links, addresses and routes.
    pub(crate) fn route() -> Result<Self, Error> {
        Self::open(protocols::NETLINK_ROUTE)
    }

    /// A socket for rules and connections.
    pub(crate) fn netfilter() -> Result<Self, Error> {
        Self::open(protocols::NETLINK_NETFILTER)
    }

    fn open(protocol: isize) -> Result<Self, Error> {
        let open = || {
            let mut socket = Socket::new(protocol)?;
            socket.bind_auto()?;
            socket.set_ext_ack(true)?;
            socket.set_cap_ack(true)?;
            sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
            // Refused where this process may not administer the network: then small transactions still work.
            let _ = sockopt::set_socket_send_buffer_size_force(&socket, SEND_BUFFER);
            io::Result::Ok(socket)
        };
        Ok(Self { socket: open().map_err(Error::io("opening a netlink socket"))?, sequence: 0 })
    }

    /// Sends one request and waits for its acknowledgement.
    pub(crate) fn act(&mut self, what: &str, frame: &Frame) -> Result<Vec<Reply>, Error> {
        let sequence = self.send(std::slice::from_ref(frame), ACK)?;
        let mut replies = Vec::new();
        loop {
            let datagram = self.receive(what)?;
            for message in messages(&datagram) {
                match message {
                    Message { sequence: other, .. } if other != sequence => {}
                    Message { kind: ERROR, .. } => return acknowledged(what, &message).map(|()| replies),
                    Message { kind, payload, .. } => replies.push(Reply { kind, payload: payload.to_vec() }),
                }
            }
        }
    }

    /// Asks for all there is of something; asked again when it changed meanwhile.
    pub(crate) fn dump(&mut self, what: &str, kind: u16, payload: &[u8]) -> Result<Vec<Reply>, Error> {
        self.dump_some(what, kind, payload, |_| true)
    }

    /// Asks for all there is of something, and keeps only some of it.
    pub(crate) fn dump_some(
        &mut self,
        what: &str,
        kind: u16,
        payload: &[u8],
        keep: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<Reply>, Error> {
        for _ in 0..ATTEMPTS {
            let sequence = self.send(&[Frame { kind, flags: DUMP, payload: payload.to_vec() }], 0)?;
            if let Some(replies) = self.dumped(what, sequence, &keep)? {
                return Ok(replies);
            }
        }
        Err(Error::Answer("dump"))
    }

    fn dumped(
        &mut self,
        what: &str,
        sequence: u32,
        keep: &impl Fn(&[u8]) -> bool,
    ) -> Result<Option<Vec<Reply>>, Error> {
        let (mut replies, mut interrupted) = (Vec::new(), false);
        loop {
            let datagram = self.receive(what)?;
            for message in messages(&datagram).filter(|message| message.sequence == sequence) {
                interrupted |= message.flags & DUMP_INTERRUPTED != 0;
                match message.kind {
                    DONE => return acknowledged(what, &message).map(|()| (!interrupted).then_some(replies)),
                    ERROR => return acknowledged(what, &message).map(|()| Some(replies)),
                    kind if keep(message.payload) => replies.push(Reply { kind, payload: message.payload.to_vec() }),
                    _ => {}
                }
                if message.flags & MULTI == 0 {
                    return Ok((!interrupted).then_some(replies));
                }
            }
        }
    }

    /// Sends frames as one datagram; the last but one (the last before the end of the transaction) is acknowledged,
    /// and each that fails is. The socket must not be used again after an error.
    pub(crate) fn transaction(&mut self, what: &str, frames: &[Frame]) -> Result<(), Error> {
        let first = self.sequence.wrapping_add(1);
        let end = self.send(frames, 0)?;
        let last = end.wrapping_sub(1);
        loop {
            let datagram = self.receive(what)?;
            for message in messages(&datagram) {
                if message.kind == ERROR && (first..=end).contains(&message.sequence) {
                    let part = message.sequence.wrapping_sub(first);
                    acknowledged(&format!("{what}, part {part}"), &message)?;
                    if message.sequence == last {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Sends frames as one datagram and tells the number of the last.
    fn send(&mut self, frames: &[Frame], flags: u16) -> Result<u32, Error> {
        let mut datagram = Vec::new();
        for frame in frames {
            self.sequence = self.sequence.wrapping_add(1);
            let length = HEADER.saturating_add(frame.payload.len());
            datagram.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
            datagram.extend(frame.kind.to_ne_bytes());
            datagram.extend((REQUEST | flags | frame.flags).to_ne_bytes());
            datagram.extend(self.sequence.to_ne_bytes());
            datagram.extend(0_u32.to_ne_bytes());
            datagram.extend(&frame.payload);
            datagram.resize(datagram.len().next_multiple_of(4), 0);
        }
        self.socket
            .send_to(&datagram, &SocketAddr::new(0, 0), 0)
            .map_err(Error::io("sending a netlink message"))
            .map(|_| self.sequence)
    }

    fn receive(&self, what: &str) -> Result<Vec<u8>, Error> {
        loop {
            match self.socket.recv_from_full() {
                // Only the kernel has port 0.
                Ok((datagram, sender)) if sender.port_number() == 0 => return Ok(datagram),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Io { what: format!("{what}: waiting for the kernel"), source }),
            }
        }
    }
}

/// A frame that asks for an acknowledgement.
impl Frame {
    pub(crate) fn acknowledged(mut self) -> Self {
        self.flags |= ACK;
        self
    }
}

fn messages(mut rest: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32::from_ne_bytes(*rest.first_chunk()?)).ok()?;
        let message = rest.get(..length)?;
        let (header, payload) = message.split_first_chunk::<HEADER>()?;
        let [_, _, _, _, k0, k1, f0, f1, s0, s1, s2, s3, _, _, _, _] = *header;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            payload,
        })
    })
}

/// Reads an acknowledgement or the end of a dump: an error number and perhaps the kernel's words.
fn acknowledged(what: &str, message: &Message<'_>) -> Result<(), Error> {
    let Some((number, rest)) = message.payload.split_first_chunk::<4>() else {
        return if message.kind == DONE { Ok(()) } else { Err(Error::Answer("acknowledgement")) };
    };
    let number = i32::from_ne_bytes(*number);
    if number == 0 {
        return Ok(());
    }
    let told = if message.kind == ERROR { rest.get(HEADER..).unwrap_or_default() } else { rest };
    let detail = if message.flags & ACK_TLVS == 0 { String::new() } else { words(told) };
    let source = io::Error::from_raw_os_error(number.saturating_neg());
    Err(Error::Kernel { what: what.to_owned(), source, detail })
}

/// The kernel's words among the attributes of an acknowledgement.
fn words(attributes: &[u8]) -> String {
    const WORDS: u16 = 1;
    crate::nft::attributes(attributes)
        .find(|(kind, _)| *kind == WORDS)
        .map(|(_, text)| String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(HEADER + payload.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(7_u32.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn errors_carry_the_kernels_words() {
        let mut payload = (-17_i32).to_ne_bytes().to_vec();
        payload.extend([0; HEADER]);
        payload.extend([10_u16.to_ne_bytes(), 1_u16.to_ne_bytes()].concat());
        payload.extend(b"there\0\0\0");
        let bytes = message(ERROR, ACK_TLVS, &payload);
        let error = acknowledged("making x", &messages(&bytes).next().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "making x: File exists (os error 17): there");
        assert_eq!(error.errno(), Some(17));
    }

    #[test]
    fn cut_datagrams_end_quietly() {
        let mut bytes = message(16, 0, &[1, 2, 3]);
        bytes.extend(message(17, 0, &[]));
        assert_eq!(messages(&bytes).map(|message| message.kind).collect::<Vec<_>>(), [16, 17]);
        for cut in 0..bytes.len() {
            assert!(messages(&bytes[..cut]).count() < 2);
        }
        assert_eq!(messages(&[0; 64]).count(), 0, "a length of nothing is no message");
    }
}
