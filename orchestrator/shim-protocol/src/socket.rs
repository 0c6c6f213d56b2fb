//! Bytes and descriptors over a UNIX stream socket. Works on blocking and non-blocking sockets alike.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// The most descriptors that travel with one message.
pub const MAXIMUM_DESCRIPTORS: usize = 8;

/// Sends a part of `bytes` with all `descriptors` and says how many bytes went. The descriptors travel with the first of
/// them; send the rest with an empty list.
pub fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAXIMUM_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors for one message"));
    }
    loop {
        match sendmsg(&socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
            Err(rustix::io::Errno::INTR) => {}
            outcome => return Ok(outcome?),
        }
    }
}

/// Sends all of `bytes` over a blocking socket, `descriptors` with the first of them.
pub fn send_all(socket: impl AsFd, mut bytes: &[u8], mut descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent = send(&socket, bytes, descriptors)?;
        descriptors = &[];
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    Ok(())
}

/// Receives bytes into `buffer` and descriptors (close-on-exec) into `descriptors`; 0 bytes is the end. More descriptors
/// than [`MAXIMUM_DESCRIPTORS`] in one message are an error.
pub fn receive(socket: impl AsFd, buffer: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAXIMUM_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = loop {
        match recvmsg(&socket, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            outcome => break outcome?,
        }
    };
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = part {
            descriptors.extend(received);
        }
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too many descriptors in one message"));
    }
    Ok(message.bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_descriptor_travels_with_bytes() {
        let (left, right) = UnixStream::pair().unwrap();
        let (mut kept, sent) = UnixStream::pair().unwrap();
        send_all(&left, b"hello", &[sent.as_fd()]).unwrap();
        drop(sent);
        let (mut buffer, mut descriptors) = ([0; 16], Vec::new());
        assert_eq!(receive(&right, &mut buffer, &mut descriptors).unwrap(), 5);
        assert_eq!(descriptors.len(), 1);
        drop(descriptors);
        assert_eq!(kept.read(&mut buffer).unwrap(), 0, "the only other end is closed");
        drop(left);
        assert_eq!(receive(&right, &mut buffer, &mut Vec::new()).unwrap(), 0);
    }
}
