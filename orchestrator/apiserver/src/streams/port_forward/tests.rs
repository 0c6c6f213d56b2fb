//! Sessions spoken by hand.

use std::time::Duration;

use bytes::Bytes;
use coracle_node_connection::{Answer, Connection, Error, ExecRequest, ExecSession, LogQuery};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{DuplexStream, duplex};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role as Side};

use super::super::spdy::client::{self, Writer};
use super::*;

#[test]
fn headers_say_what_a_stream_is_for() {
    let wanted = |port, role, request: &str| Ok(Wanted { port, role, request: request.to_owned() });
    for (id, port, kind, request, expected) in [
        (1, "80", "error", "7", wanted(80, Role::Error, "7")),
        (3, "80", "data", "7", wanted(80, Role::Data, "7")),
        (5, "65535", "error", "", wanted(65535, Role::Error, "5")),
        (7, "1", "data", "", wanted(1, Role::Data, "5")),
        (1, "", "data", "1", Err("\"port\" header is required".to_owned())),
        (1, "0", "data", "1", Err("port \"0\" must be > 0".to_owned())),
        (1, "80", "", "1", Err("\"streamType\" header is required".to_owned())),
        (1, "80", "x", "1", Err("invalid stream type \"x\"".to_owned())),
    ] {
        let header = |name: &str| match name {
            "port" => port,
            "streamtype" => kind,
            "requestid" => request,
            _ => "",
        };
        assert_eq!(Wanted::read(id, header), expected);
    }
    for port in ["65536", "-1", "x", "80 "] {
        let refused = Wanted::read(1, |_| port).unwrap_err();
        assert!(refused.starts_with("unable to parse "), "{refused}");
    }
}

/// A node where port 80 is a pipe whose other end the test holds, and nothing else listens.
struct Pipe(std::sync::Mutex<Option<DuplexStream>>);

impl Node for Pipe {
    fn logs(&self, _: LogQuery) -> Answer<'_, coracle_node_connection::Bytes> {
        Box::pin(async { Err(Error::Failed(String::new())) })
    }

    fn exec(&self, _: ExecRequest) -> Answer<'_, ExecSession> {
        Box::pin(async { Err(Error::Failed(String::new())) })
    }

    fn port_forward(&self, _: Pod, port: u16) -> Answer<'_, Connection> {
        let end = if port == 80 { self.0.lock().unwrap().take() } else { None };
        Box::pin(async { end.map(|end| Box::new(end) as Connection).ok_or_else(|| Error::Failed("closed".to_owned())) })
    }
}

/// A client that writes SPDY by hand, and the pod's end of port 80.
struct Client {
    socket: WebSocketStream<DuplexStream>,
    writer: Writer,
    pod: DuplexStream,
    served: tokio::task::JoinHandle<()>,
}

impl Client {
    async fn start() -> Self {
        let (ours, theirs) = duplex(1 << 20);
        let (pod, end) = duplex(16);
        let node = Arc::new(Pipe(std::sync::Mutex::new(Some(end))));
        let id = Pod { namespace: "ns".to_owned(), name: "p".to_owned(), uid: "u".to_owned() };
        let served = tokio::spawn(serve(theirs, node, id));
        let socket = WebSocketStream::from_raw_socket(ours, Side::Client, None).await;
        Self { socket, writer: Writer::new(), pod, served }
    }

    async fn send(&mut self, frame: Bytes) {
        self.socket.send(Message::Binary(frame)).await.unwrap();
    }

    async fn open(&mut self, stream: u32, port: &str, kind: &str, request: &str) {
        let headers = [("port", port), ("streamtype", kind), ("requestid", request)];
        let frame = client::open(&mut self.writer, stream, &headers);
        self.send(frame).await;
    }

    /// The next frame in words.
    async fn next(&mut self) -> String {
        loop {
            match self.socket.next().await.unwrap().unwrap() {
                Message::Binary(frame) => return client::shown(&frame),
                Message::Close(frame) => return format!("close {}", u16::from(frame.unwrap().code)),
                _ => {}
            }
        }
    }

    async fn frames(&mut self, count: usize) -> Vec<String> {
        let mut frames = Vec::new();
        for _ in 0..count {
            frames.push(self.next().await);
        }
        frames
    }
}

#[tokio::test]
async fn each_direction_ends_by_itself() {
    let mut client = Client::start().await;
    client.open(1, "80", "error", "0").await;
    client.open(3, "80", "data", "0").await;
    assert_eq!(client.frames(2).await, ["reply 1", "reply 3"]);
    client.send(client::data(1, b"", true)).await;
    client.send(client::data(3, b"question", true)).await;
    let mut question = String::new();
    client.pod.read_to_string(&mut question).await.unwrap();
    assert_eq!(question, "question");
    client.pod.write_all(b"answer").await.unwrap();
    assert_eq!(client.next().await, "data 3 answer");
    client.pod.shutdown().await.unwrap();
    assert_eq!(client.frames(2).await, ["data 3  end", "data 1  end"]);
    client.socket.close(None).await.unwrap();
    client.served.await.unwrap();
}

#[tokio::test]
async fn a_reset_ends_the_connection_of_the_pod() {
    // Before the client has ended its direction, and after.
    for ends in [false, true] {
        let mut client = Client::start().await;
        client.open(1, "80", "error", "0").await;
        client.open(3, "80", "data", "0").await;
        client.send(client::data(3, b"x", ends)).await;
        assert_eq!(client.pod.read_u8().await.unwrap(), b'x');
        client.send(client::reset(3)).await;
        assert_eq!(client.frames(3).await, ["reply 1", "reply 3", "data 1  end"]);
        assert!(client.pod.write_all(&[0; 64]).await.is_err());
    }
}

#[tokio::test]
async fn failures_are_told_where_they_belong() {
    let mut client = Client::start().await;
    client.open(1, "81", "error", "0").await;
    client.open(3, "81", "data", "0").await;
    let failure = "data 1 error forwarding port 81 to pod p, uid u: closed end";
    assert_eq!(client.frames(4).await, ["reply 1", "reply 3", failure, "reset 3 5"]);
    for (stream, port, kind, expected) in [
        (5, "0", "data", "reset 5 5"),
        (7, "x", "error", "reset 7 5"),
        (9, "80", "other", "reset 9 5"),
        (8, "80", "data", "reset 8 3"),
    ] {
        client.open(stream, port, kind, "1").await;
        assert_eq!(client.next().await, expected);
    }
    client.open(11, "80", "error", "2").await;
    client.open(13, "80", "error", "2").await;
    let twice = "data 13 error processing stream for request 2: error stream already assigned end";
    assert_eq!(client.frames(3).await, ["reply 11", "reply 13", twice]);
    client.send(client::ping(77)).await;
    assert_eq!(client.next().await, "ping 77");
    // The session goes on after all that.
    client.open(15, "80", "data", "2").await;
    client.send(client::data(15, b"x", false)).await;
    assert_eq!(client.next().await, "reply 15");
    assert_eq!(client.pod.read_u8().await.unwrap(), b'x');
    client.send(Bytes::from_static(&[0x80, 9, 0, 0, 0, 0, 0, 0])).await;
    assert_eq!(client.next().await, "close 1002");
    client.served.await.unwrap();
    assert!(client.pod.write_all(&[0; 64]).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn half_a_pair_is_not_waited_for_for_ever() {
    let mut client = Client::start().await;
    let begin = Instant::now();
    client.open(1, "80", "error", "0").await;
    client.open(3, "80", "data", "1").await;
    assert_eq!(client.frames(2).await, ["reply 1", "reply 3"]);
    let mut ends = client.frames(2).await;
    ends.sort();
    assert_eq!(ends, ["data 1 (request=0) timed out waiting for streams end", "reset 3 5"]);
    assert!(begin.elapsed() >= Duration::from_secs(30));
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused() {
    let mut client = Client::start().await;
    for number in 0..513 {
        let stream = 2 * number + 1;
        client.open(stream, "80", "error", &number.to_string()).await;
        let expected = if number < 512 { format!("reply {stream}") } else { format!("reset {stream} 3") };
        assert_eq!(client.next().await, expected);
    }
}
