//! Clients that are not kubectl, well-behaved and otherwise.

use std::sync::Arc;

use bytes::Bytes;
use coracle_auth::pki::Lifetime;
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use crate::cluster::{Cluster, LIMIT};

type Socket = WebSocketStream<TlsStream<TcpStream>>;

const POD: &str = "/api/v1/namespaces/default/pods/one";

/// A connection with a client certificate of these groups.
async fn connect(cluster: &Cluster, groups: &[&str]) -> TlsStream<TcpStream> {
    let credential = cluster.authorities.client("somebody", groups, Lifetime::Device).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cluster.authorities.server.certificate().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = builder.with_client_auth_cert(credential.chain().to_vec(), credential.key()).unwrap();
    let stream = TcpStream::connect(cluster.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// Asks for an upgrade and gives the head of the answer, with what follows it if it is a refusal.
async fn ask(stream: &mut TlsStream<TcpStream>, path: &str, protocols: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: {protocols}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(LIMIT, stream.read_u8()).await.unwrap().unwrap());
    }
    let text = String::from_utf8(head).unwrap().to_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    text + std::str::from_utf8(&body).unwrap()
}

async fn open(cluster: &Cluster, path: &str, protocol: &str) -> Socket {
    let mut stream = connect(cluster, &["system:masters"]).await;
    let head = ask(&mut stream, path, protocol).await;
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    assert!(head.contains(&format!("sec-websocket-protocol: {}\r\n", protocol.to_lowercase())), "{head}");
    WebSocketStream::from_raw_socket(stream, Role::Client, None).await
}

async fn next(socket: &mut Socket) -> Message {
    timeout(LIMIT, socket.next()).await.unwrap().unwrap().unwrap()
}

fn binary(bytes: &[u8]) -> Message {
    Message::Binary(Bytes::copy_from_slice(bytes))
}

/// The code of the close frame that comes next.
async fn closed_with(socket: &mut Socket) -> u16 {
    loop {
        match next(socket).await {
            Message::Close(Some(frame)) => return frame.code.into(),
            Message::Close(None) => return 1005,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_the_protocol_run_a_command() {
    let cluster = Cluster::start().await;
    for (protocol, ends) in [("v4.channel.k8s.io", false), ("v5.channel.k8s.io", true)] {
        let path = format!("{POD}/exec?command=cat&stdin=true&stdout=true&stderr=true&container=c");
        let mut socket = open(&cluster, &path, protocol).await;
        assert_eq!(next(&mut socket).await, binary(b"\x01"));
        socket.send(binary(b"\x00hello")).await.unwrap();
        socket.send(Message::Ping(Bytes::from_static(b"p"))).await.unwrap();
        let mut seen = [next(&mut socket).await, next(&mut socket).await];
        seen.sort_by_key(Message::is_pong);
        assert_eq!(seen, [binary(b"\x01hello"), Message::Pong(Bytes::from_static(b"p"))]);
        if ends {
            socket.send(binary(b"\xff\x00")).await.unwrap();
            assert_eq!(next(&mut socket).await, binary(b"\x03{\"metadata\":{},\"status\":\"Success\"}"));
            assert_eq!(closed_with(&mut socket).await, 1000);
        }
        drop(socket);
        cluster.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_messages_end_the_connection_with_a_reason() {
    let cluster = Cluster::start().await;
    let exec = format!("{POD}/exec?command=cat&stdin=true&stdout=true");
    let forward = format!("{POD}/portforward");
    let spdy = "SPDY/3.1+portforward.k8s.io";
    for (path, protocol, message, code) in [
        (&exec, "v5.channel.k8s.io", binary(b"\xff"), 1002),
        (&exec, "v5.channel.k8s.io", binary(b"\x04nonsense"), 1002),
        (&exec, "v5.channel.k8s.io", binary(&vec![0; (4 << 20) + 1]), 1009),
        (&forward, spdy, binary(b"\x80\x02\x00\x01\x00\x00\x00\x00"), 1002),
        (&forward, spdy, binary(b"\x80\x03\x00\x01\x00\xff\xff\xff"), 1002),
        (&forward, spdy, binary(b"GET / HTTP/1.1\r\n\r\nxxxxxxxxxxx"), 1000),
    ] {
        let mut socket = open(&cluster, path, protocol).await;
        // The server may close before all is sent.
        let _ = socket.send(message.clone()).await;
        if code == 1000 {
            // As data of a stream that does not exist it means nothing; the client ends.
            socket.close(None).await.unwrap();
        } else {
            assert_eq!(closed_with(&mut socket).await, code);
        }
        drop(socket);
        cluster.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_handshakes_are_answered() {
    let cluster = Cluster::start().await;
    let exec = format!("{POD}/exec?command=cat&stdout=true");
    let forward = format!("{POD}/portforward");
    for (groups, path, protocols, code, part) in [
        ("system:masters", &exec, "channel.k8s.io", 400, "supports [v5.channel.k8s.io v4.channel.k8s.io]"),
        ("system:masters", &exec, "", 400, "requested protocol(s) are not supported: []"),
        ("system:masters", &forward, "v4.channel.k8s.io", 400, "supports [spdy/3.1+portforward.k8s.io]"),
        ("nobody", &exec, "v5.channel.k8s.io", 403, "cannot get resource"),
        ("nobody", &forward, "SPDY/3.1+portforward.k8s.io", 403, "cannot get resource"),
    ] {
        let mut stream = connect(&cluster, &[groups]).await;
        let answer = ask(&mut stream, path, protocols).await;
        assert!(answer.starts_with(&format!("http/1.1 {code} ")), "{answer}");
        assert!(answer.to_lowercase().contains(part), "{answer}");
    }
    // A request that is no upgrade.
    let mut stream = connect(&cluster, &["system:masters"]).await;
    let request = format!("GET {exec} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = timeout(LIMIT, stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.contains("Upgrade request required"), "{answer}");
    assert_eq!(cluster.api.open_streams(), 0);
}

/// A client that reads nothing stops the command instead of filling the server's memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_stops_the_command() {
    let cluster = Cluster::start().await;
    let socket = open(&cluster, &format!("{POD}/exec?command=flood&stdout=true"), "v5.channel.k8s.io").await;
    let flooded = || *cluster.node.flooded.lock().unwrap();
    let standing = async {
        let mut last = 0;
        loop {
            tokio::time::sleep_until(tokio::time::Instant::now() + std::time::Duration::from_millis(500)).await;
            let now = flooded();
            if now > 0 && now == last {
                return now;
            }
            last = now;
        }
    };
    // The buffers of two sockets, a pipe and some messages.
    let written = timeout(LIMIT, standing).await.unwrap();
    assert!(written < 32 << 20, "{written} bytes were taken from the command");
    drop(socket);
    cluster.settled().await;
}
