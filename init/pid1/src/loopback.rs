//! The loopback interface, up. Everything else about networks belongs to the orchestrator.

use std::os::fd::AsFd as _;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::error::{Attempt as _, Result};
use crate::sys;

const IFF_UP: i16 = 1;

/// Sets the interface flag; the kernel adds 127.0.0.1 and ::1 itself.
pub(crate) fn up() -> Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
        .attempt("open", "socket for loopback")?;
    sys::set_interface_flags(socket.as_fd(), &mut request("lo", IFF_UP)).attempt("bring up", "lo")
}

/// `struct ifreq`: 16 bytes of name, then the flags.
fn request(name: &str, flags: i16) -> [u8; sys::IFREQ_SIZE] {
    let mut bytes = [0; sys::IFREQ_SIZE];
    for (to, from) in bytes.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    for (to, from) in bytes.iter_mut().skip(16).zip(flags.to_ne_bytes()) {
        *to = from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_the_kernels() {
        let bytes = request("lo", IFF_UP);
        assert_eq!(&bytes[..3], b"lo\0");
        assert_eq!(&bytes[16..18], &1_i16.to_ne_bytes());
        assert_eq!(request("a-name-longer-than-fifteen", 0)[15], 0, "names are closed by NUL");
    }
}
