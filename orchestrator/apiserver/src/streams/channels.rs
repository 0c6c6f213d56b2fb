//! The messages of `v4.channel.k8s.io` and `v5.channel.k8s.io`: a byte that names a channel, then what goes through it.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use coracle_node_connection::Size;
use serde::Deserialize;

const STDIN: u8 = 0;
const RESIZE: u8 = 4;
/// The first byte of a message that closes the channel named behind it.
const CLOSE: u8 = 255;

/// Longest description of a terminal's size; it has some thirty bytes.
const LONGEST_SIZE: usize = 1024;

/// A channel to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    Stdout = 1,
    Stderr = 2,
    Status = 3,
}

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Input has no end but that of the connection.
    V4,
    /// A channel can be closed.
    V5,
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// Bytes for the command.
    Stdin(Bytes),
    /// That was all of them.
    StdinEnds,
    /// The terminal has another size.
    Resize(Size),
    /// Nothing that matters; upstream passes over it, too.
    Nothing,
}

/// Names of the versions, the better first.
pub(super) const PROTOCOLS: [(&str, Version); 2] =
    [("v5.channel.k8s.io", Version::V5), ("v4.channel.k8s.io", Version::V4)];

/// A size as clients write it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    #[serde(default)]
    width: u16,
    #[serde(default)]
    height: u16,
}

/// Reads a message.
///
/// # Errors
/// The client breaks the protocol: what is wrong, for the close frame.
pub(super) fn decode(version: Version, mut message: Bytes) -> Result<Input, &'static str> {
    if message.is_empty() {
        return Ok(Input::Nothing);
    }
    let channel = message.get_u8();
    match (channel, version) {
        (CLOSE, Version::V5) => match message.as_ref() {
            [STDIN] => Ok(Input::StdinEnds),
            [channel] if *channel <= RESIZE => Ok(Input::Nothing),
            [_] => Err("a channel that does not exist cannot be closed"),
            _ => Err("one channel must follow the signal to close it"),
        },
        (STDIN, _) if message.is_empty() => Ok(Input::Nothing),
        (STDIN, _) => Ok(Input::Stdin(message)),
        (RESIZE, _) if message.is_empty() => Ok(Input::Nothing),
        (RESIZE, _) if message.len() > LONGEST_SIZE => Err("the size of a terminal is too long"),
        (RESIZE, _) => {
            let written: Written = serde_json::from_slice(&message).map_err(|_| "the size of a terminal is no JSON")?;
            Ok(Input::Resize(Size { columns: written.width, rows: written.height }))
        }
        _ => Ok(Input::Nothing),
    }
}

/// Writes a message.
pub(super) fn encode(channel: Output, content: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(1 + content.len());
    message.put_u8(channel as u8);
    message.put_slice(content);
    message.freeze()
}

/// How a command ended, for the channel that says so.
pub(super) fn ended(code: i32) -> Vec<u8> {
    if code == 0 {
        return br#"{"metadata":{},"status":"Success"}"#.to_vec();
    }
    let message = format!("command terminated with non-zero exit code: command terminated with exit code {code}");
    let status = serde_json::json!({
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "NonZeroExitCode",
        "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
    });
    status.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_of_clients() {
        let stdin = |text: &'static str| Ok(Input::Stdin(Bytes::from_static(text.as_bytes())));
        let size = |columns, rows| Ok(Input::Resize(Size { columns, rows }));
        for (version, message, expected) in [
            (Version::V5, &b""[..], Ok(Input::Nothing)),
            (Version::V5, b"\x00", Ok(Input::Nothing)),
            (Version::V5, b"\x00ab", stdin("ab")),
            (Version::V4, b"\x00\x00", stdin("\0")),
            (Version::V5, b"\x01ab", Ok(Input::Nothing)),
            (Version::V5, b"\x63ab", Ok(Input::Nothing)),
            (Version::V5, b"\xff\x00", Ok(Input::StdinEnds)),
            (Version::V5, b"\xff\x01", Ok(Input::Nothing)),
            (Version::V5, b"\xff\x05", Err("a channel that does not exist cannot be closed")),
            (Version::V5, b"\xff", Err("one channel must follow the signal to close it")),
            (Version::V5, b"\xff\x00\x00", Err("one channel must follow the signal to close it")),
            (Version::V4, b"\xff\x00", Ok(Input::Nothing)),
            (Version::V4, b"\x04{\"Width\":80,\"Height\":24}", size(80, 24)),
            (Version::V5, b"\x04{\"Width\":80,\"Height\":24}\n", size(80, 24)),
            (Version::V5, b"\x04{\"Width\":80}", size(80, 0)),
            (Version::V5, b"\x04", Ok(Input::Nothing)),
            (Version::V5, b"\x04{\"Width\":-1}", Err("the size of a terminal is no JSON")),
            (Version::V5, b"\x04x", Err("the size of a terminal is no JSON")),
        ] {
            assert_eq!(decode(version, Bytes::copy_from_slice(message)), expected, "{message:?}");
        }
        let long = [&[4_u8][..], &[b' '; 2000]].concat();
        assert_eq!(decode(Version::V5, long.into()), Err("the size of a terminal is too long"));
    }

    #[test]
    fn messages_to_clients() {
        for (channel, first) in [(Output::Stdout, 1), (Output::Stderr, 2), (Output::Status, 3)] {
            assert_eq!(encode(channel, b"ab").as_ref(), [first, b'a', b'b']);
        }
        assert_eq!(ended(0), br#"{"metadata":{},"status":"Success"}"#);
        let failed: serde_json::Value = serde_json::from_slice(&ended(7)).unwrap();
        assert_eq!(failed["status"], "Failure");
        assert_eq!(failed["reason"], "NonZeroExitCode");
        assert_eq!(failed["details"]["causes"][0]["reason"], "ExitCode");
        assert_eq!(failed["details"]["causes"][0]["message"], "7");
    }

    proptest! {
        #[test]
        fn any_message_gets_an_answer(message: Vec<u8>, new: bool) {
            let version = if new { Version::V5 } else { Version::V4 };
            let decoded = decode(version, message.clone().into());
            if message.first() == Some(&0) && message.len() > 1 {
                prop_assert_eq!(decoded, Ok(Input::Stdin(Bytes::copy_from_slice(&message[1..]))));
            } else {
                prop_assert!(!matches!(decoded, Ok(Input::Stdin(_))));
            }
        }
    }
}
