//! One client: what it sent so far, what it has not taken yet, and the descriptors it passed.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use coracle_shim_protocol::frame::{self, Decoder};
use coracle_shim_protocol::message::Message;
use coracle_shim_protocol::socket;

/// A client that leaves more bytes than this untaken is cut off; it can come back and ask for the list.
const MAXIMUM_UNTAKEN: usize = 2 << 20;
/// Above this many untaken bytes no more requests are read.
const CROWDED: usize = 64 << 10;

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    /// Frames as they come.
    pub(super) decoder: Decoder,
    /// Descriptors that no frame has taken yet.
    pub(super) received: VecDeque<OwnedFd>,
    untaken: VecDeque<Untaken>,
    size: usize,
    /// It said hello.
    pub(super) greeted: bool,
    /// It wants events.
    pub(super) events: bool,
    /// Requests that are not answered yet.
    pub(super) open: usize,
    /// It sends nothing more.
    pub(super) ended: bool,
    /// It gets what is untaken and is closed then.
    pub(super) closing: bool,
}

#[derive(Debug)]
struct Untaken {
    bytes: Vec<u8>,
    sent: usize,
    descriptor: Option<OwnedFd>,
}

impl Connection {
    /// Of an accepted socket, which does not block.
    pub(super) const fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            decoder: Decoder::new(),
            received: VecDeque::new(),
            untaken: VecDeque::new(),
            size: 0,
            greeted: false,
            events: false,
            open: 0,
            ended: false,
            closing: false,
        }
    }

    /// Whether requests are to be read.
    pub(super) const fn wants_input(&self) -> bool {
        !self.ended && !self.closing && self.size < CROWDED
    }

    /// Whether something waits to be taken.
    pub(super) fn wants_output(&self) -> bool {
        !self.untaken.is_empty()
    }

    /// Whether nothing can come of it any more.
    pub(super) fn is_over(&self) -> bool {
        self.untaken.is_empty() && (self.closing || (self.ended && self.open == 0 && !self.events))
    }

    /// Reads once; false at the end.
    pub(super) fn receive(&mut self, buffer: &mut Vec<u8>) -> io::Result<bool> {
        buffer.resize(4 << 10, 0);
        let mut descriptors = Vec::new();
        let read = match socket::receive(&self.socket, buffer, &mut descriptors) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            outcome => outcome?,
        };
        self.received.extend(descriptors);
        if self.received.len() > 2 * socket::MAXIMUM_DESCRIPTORS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "descriptors without requests"));
        }
        self.decoder.push(buffer.get(..read).unwrap_or_default());
        Ok(read > 0)
    }

    /// Queues a message, and sends what can be sent now.
    pub(super) fn send(&mut self, message: &Message, descriptor: Option<OwnedFd>) -> io::Result<()> {
        let bytes = frame::encode(message).map_err(io::Error::other)?;
        self.size = self.size.saturating_add(bytes.len());
        self.untaken.push_back(Untaken { bytes, sent: 0, descriptor });
        self.flush()?;
        if self.size > MAXIMUM_UNTAKEN {
            return Err(io::Error::other("the client takes nothing"));
        }
        Ok(())
    }

    /// Sends what can be sent now.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while let Some(first) = self.untaken.front_mut() {
            let descriptor: Vec<BorrowedFd<'_>> = first.descriptor.iter().map(AsFd::as_fd).collect();
            let rest = first.bytes.get(first.sent..).unwrap_or_default();
            match socket::send(&self.socket, rest, &descriptor) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
                Ok(sent) => {
                    first.descriptor = None;
                    first.sent = first.sent.saturating_add(sent);
                    self.size = self.size.saturating_sub(sent);
                    if first.sent >= first.bytes.len() {
                        self.untaken.pop_front();
                    }
                }
            }
        }
        // Given back: a shim is idle most of its life.
        self.untaken = VecDeque::new();
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
