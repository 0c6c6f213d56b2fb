//! A WebSocket of a client: messages in bounded memory, and the end noticed whichever way the client goes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

/// Longest message of a client. kubectl sends 32 KiB at most, libraries whatever they are given at once.
pub(super) const LONGEST_MESSAGE: usize = 4 << 20;

/// A client that is silent for so long is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(60);

/// A client that gives none so many times is gone.
const UNANSWERED: u32 = 4;

/// A client whose message has to wait gets a sign of life so often: kubectl gives up after 61 seconds without one, and its
/// question may stand behind the message.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Time that the last messages get.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// The client is gone, or takes nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// What comes from the client.
pub(super) struct Incoming<S> {
    stream: SplitStream<WebSocketStream<S>>,
    outgoing: Outgoing<S>,
}

/// What goes to the client; clones share the connection.
pub(super) struct Outgoing<S>(Arc<Mutex<SplitSink<WebSocketStream<S>, Message>>>);

impl<S> Clone for Outgoing<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Speaks WebSocket on a connection whose handshake is done.
pub(super) async fn open<S>(connection: S) -> (Incoming<S>, Outgoing<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = WebSocketConfig::default()
        .read_buffer_size(32 << 10)
        .write_buffer_size(0)
        .max_message_size(Some(LONGEST_MESSAGE))
        .max_frame_size(Some(LONGEST_MESSAGE));
    let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await;
    let (sink, stream) = socket.split();
    let outgoing = Outgoing(Arc::new(Mutex::new(sink)));
    (Incoming { stream, outgoing: outgoing.clone() }, outgoing)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Incoming<S> {
    /// The content of the next message. None when the client closes, goes, falls silent or breaks the protocol; it has
    /// been told why then.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        let mut unanswered = 0;
        loop {
            let Ok(message) = timeout(SILENCE, self.stream.next()).await else {
                unanswered += 1;
                let asked = timeout(LAST_WORDS, self.outgoing.message(Message::Ping(Bytes::new()))).await;
                // A client that takes nothing at the moment has not read the question either.
                if unanswered == UNANSWERED || asked == Ok(Err(Gone)) {
                    return None;
                }
                continue;
            };
            unanswered = 0;
            match message {
                Some(Ok(Message::Binary(content))) => return Some(content),
                Some(Ok(Message::Text(content))) => return Some(content.into()),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => {
                    self.refuse(&error).await;
                    return None;
                }
                Some(Ok(Message::Close(_))) => {
                    // Reading on sends the answer.
                    let _ = timeout(LAST_WORDS, self.stream.next()).await;
                    return None;
                }
                None => return None,
            }
        }
    }

    /// Says why the client's message cannot be taken.
    async fn refuse(&self, error: &Error) {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                let reason = format!("a message may have {LONGEST_MESSAGE} bytes");
                self.outgoing.close(CloseCode::Size, &reason).await;
            }
            Error::Protocol(problem) => self.outgoing.close(CloseCode::Protocol, &problem.to_string()).await,
            Error::Utf8(_) => self.outgoing.close(CloseCode::Invalid, "a text is no UTF-8").await,
            _ => {}
        }
    }

    /// Lets the client read the last messages: bytes of its own that nobody reads would reset the connection.
    pub(super) async fn linger(mut self) {
        let _ = timeout(LAST_WORDS, async { while self.stream.next().await.is_some_and(|it| it.is_ok()) {} }).await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Outgoing<S> {
    /// Sends bytes as one message, and waits until the connection has taken them.
    pub(super) async fn send(&self, content: Bytes) -> Result<(), Gone> {
        self.message(Message::Binary(content)).await
    }

    /// Sends the last message but one; a client that does not take it in time is gone.
    pub(super) async fn send_last(&self, content: Bytes) -> Result<(), Gone> {
        timeout(LAST_WORDS, self.send(content)).await.unwrap_or(Err(Gone))
    }

    async fn message(&self, message: Message) -> Result<(), Gone> {
        self.0.lock().await.send(message).await.map_err(|_| Gone)
    }

    /// Ends the conversation with a reason, which is cut to what a close frame can hold.
    pub(super) async fn close(&self, code: CloseCode, reason: &str) {
        let end = reason.floor_char_boundary(120);
        let reason = reason.get(..end).unwrap_or_default().to_owned().into();
        // A client that is gone needs no goodbye.
        let _ = timeout(LAST_WORDS, self.message(Message::Close(Some(CloseFrame { code, reason })))).await;
    }

    /// Ends the conversation in peace.
    pub(super) async fn finish(&self) {
        self.close(CloseCode::Normal, "").await;
    }

    /// Ends a conversation whose other side breaks the protocol.
    pub(super) async fn complain(&self, problem: &str) {
        self.close(CloseCode::Protocol, problem).await;
    }

    /// Waits for what keeps the client's next message waiting, with signs of life meanwhile.
    pub(super) async fn meanwhile<T>(&self, work: impl Future<Output = T>) -> Result<T, Gone> {
        tokio::pin!(work);
        loop {
            let sign = async {
                sleep_until(Instant::now() + HEARTBEAT).await;
                self.message(Message::Pong(Bytes::new())).await
            };
            tokio::select! {
                done = &mut work => return Ok(done),
                sent = sign => sent?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    /// A frame as clients mask it, with a mask of zeros.
    fn frame(first: u8, content: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match content.len() {
            short @ ..126 => frame.push(0x80 | u8::try_from(short).unwrap()),
            length => {
                frame.push(0x80 | 127);
                frame.extend(u64::try_from(length).unwrap().to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(content);
        frame
    }

    async fn closed_with(client: &mut DuplexStream) -> Option<u16> {
        let mut head = [0; 2];
        client.read_exact(&mut head).await.unwrap();
        assert_eq!(head[0], 0x88, "no close frame");
        let mut content = vec![0; head[1].into()];
        client.read_exact(&mut content).await.unwrap();
        content.first_chunk().map(|code| u16::from_be_bytes(*code))
    }

    #[tokio::test]
    async fn messages_come_whole() {
        let (mut client, server) = duplex(1 << 16);
        let (mut incoming, outgoing) = open(server).await;
        client.write_all(&frame(0x82, b"one")).await.unwrap();
        client.write_all(&frame(0x02, b"t")).await.unwrap();
        client.write_all(&frame(0x89, b"ping")).await.unwrap();
        client.write_all(&frame(0x80, b"wo")).await.unwrap();
        client.write_all(&frame(0x81, b"text")).await.unwrap();
        for expected in ["one", "two", "text"] {
            assert_eq!(incoming.next().await.unwrap(), expected);
        }
        outgoing.send(Bytes::from_static(b"x")).await.unwrap();
        client.write_all(&frame(0x88, &1000_u16.to_be_bytes())).await.unwrap();
        assert_eq!(incoming.next().await, None);
        let mut seen = [0; 9];
        client.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"\x8a\x04ping\x82\x01x");
        assert_eq!(closed_with(&mut client).await, Some(1000));
    }

    #[tokio::test]
    async fn wrong_frames_are_answered() {
        let too_long = [&[0x82, 0x80 | 127][..], &(LONGEST_MESSAGE as u64 + 1).to_be_bytes(), &[0; 4]].concat();
        for (bytes, code) in [
            (too_long, Some(1009)),
            (frame(0x83, b""), Some(1002)),
            (frame(0x80, b"no beginning"), Some(1002)),
            (vec![0x82, 1, b'x'], Some(1002)),
            (frame(0x81, b"\xff"), Some(1007)),
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Some(1002)),
        ] {
            let (mut client, server) = duplex(1 << 16);
            let (mut incoming, _outgoing) = open(server).await;
            client.write_all(&bytes).await.unwrap();
            assert_eq!(incoming.next().await, None, "{bytes:?}");
            assert_eq!(closed_with(&mut client).await, code, "{bytes:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_asked_and_then_given_up() {
        let (mut client, server) = duplex(1 << 16);
        let (mut incoming, _outgoing) = open(server).await;
        let begin = Instant::now();
        assert_eq!(incoming.next().await, None);
        assert_eq!(begin.elapsed().as_secs(), 240);
        let mut ping = [0; 2];
        client.read_exact(&mut ping).await.unwrap();
        assert_eq!(ping, [0x89, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_client_gets_signs_of_life() {
        let (mut client, server) = duplex(1 << 16);
        let (_incoming, outgoing) = open(server).await;
        let work = sleep_until(Instant::now() + Duration::from_secs(25));
        assert_eq!(outgoing.meanwhile(work).await, Ok(()));
        let mut pongs = [0; 4];
        client.read_exact(&mut pongs).await.unwrap();
        assert_eq!(pongs, [0x8a, 0, 0x8a, 0]);
        drop(client);
        let never = std::future::pending::<()>();
        assert_eq!(outgoing.meanwhile(never).await, Err(Gone));
    }
}
