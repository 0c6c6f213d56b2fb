//! Messages of a supervised process to PID 1, one per packet of a `SOCK_SEQPACKET` socket pair.
//!
//! PID 1 passes the descriptor's number in [`DESCRIPTOR_VARIABLE`]. A message is `VERSION SP WORD [SP TEXT]`, at most
//! [`MAX_LENGTH`] bytes of UTF-8. PID 1 ignores, and says so, what it cannot read: a newer orchestrator must not be
//! able to stop it.

use std::fmt;

/// Version of the message format.
pub const VERSION: u32 = 1;

/// Environment variable with the descriptor's number.
pub const DESCRIPTOR_VARIABLE: &str = "CORACLE_HEARTBEAT_FD";

/// Longest message in bytes; a longer reason is cut by the sender.
pub const MAX_LENGTH: usize = 512;

/// A process says `alive` at least this often, in seconds. PID 1 calls it stale after [`STALE_SECONDS`].
pub const PERIOD_SECONDS: u64 = 5;

/// Age in seconds at which a heartbeat no longer counts and the watchdog is no longer fed.
pub const STALE_SECONDS: u64 = 20;

/// What a supervised process tells PID 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The process makes progress.
    Alive,
    /// The process passed its own readiness check; the health gate of a boot.
    Ready,
    /// The process asks for an orderly reboot and says why.
    Reboot(String),
}

/// Why a packet is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Empty, longer than [`MAX_LENGTH`], or not UTF-8.
    Malformed,
    /// Of another format version.
    Version,
    /// A word that this version does not know.
    Unknown,
}

impl Message {
    /// The packet for this message.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = match self {
            Self::Alive => format!("{VERSION} alive"),
            Self::Ready => format!("{VERSION} ready"),
            Self::Reboot(reason) => format!("{VERSION} reboot {reason}"),
        };
        while text.len() > MAX_LENGTH {
            text.pop();
        }
        text
    }

    /// Reads one packet.
    ///
    /// # Errors
    /// The packet is not a message of this version.
    pub fn decode(packet: &[u8]) -> Result<Self, Error> {
        if packet.len() > MAX_LENGTH {
            return Err(Error::Malformed);
        }
        let text = std::str::from_utf8(packet).map_err(|_| Error::Malformed)?;
        let (version, rest) = text.split_once(' ').ok_or(Error::Malformed)?;
        if version.parse() != Ok(VERSION) {
            return Err(Error::Version);
        }
        match rest.split_once(' ').unwrap_or((rest, "")) {
            ("alive", "") => Ok(Self::Alive),
            ("ready", "") => Ok(Self::Ready),
            ("reboot", reason) => Ok(Self::Reboot(reason.to_owned())),
            _ => Err(Error::Unknown),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "heartbeat packet is empty, too long or not UTF-8",
            Self::Version => "heartbeat packet has another format version",
            Self::Unknown => "heartbeat packet has an unknown word",
        })
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_format_is_frozen() {
        assert_eq!(Message::Alive.encode(), "1 alive");
        assert_eq!(Message::Ready.encode(), "1 ready");
        assert_eq!(Message::Reboot("update staged".into()).encode(), "1 reboot update staged");
        assert_eq!(Message::Reboot("ä".repeat(600)).encode().len(), 511, "cut at a character, not inside one");
    }

    #[test]
    fn foreign_packets_are_refused() {
        let table: [(&[u8], Error); 6] = [
            (b"", Error::Malformed),
            (b"\xff alive", Error::Malformed),
            (b"2 alive", Error::Version),
            (b"1 alive now", Error::Unknown),
            (b"1 Alive", Error::Unknown),
            (&[b'1'; 513], Error::Malformed),
        ];
        for (packet, want) in table {
            assert_eq!(Message::decode(packet), Err(want), "{packet:?}");
        }
    }

    proptest! {
        #[test]
        fn messages_round_trip(reason in "[a-z ]{0,400}") {
            for message in [Message::Alive, Message::Ready, Message::Reboot(reason)] {
                prop_assert_eq!(Message::decode(message.encode().as_bytes()), Ok(message));
            }
        }

        #[test]
        fn any_packet_is_read_or_refused(packet in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(message) = Message::decode(&packet) {
                prop_assert!(message.encode().len() <= MAX_LENGTH);
            }
        }
    }
}
