//! `kubectl port-forward`.

use std::path::Path;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::timeout;

use crate::cluster::{Cluster, LIMIT, kill, kubectls};
use crate::node::{SENT, pattern};

/// Starts a port-forward and waits until it listens.
async fn forward(cluster: &Cluster, program: &Path, what: &str, ports: &[u16]) -> (Child, Vec<u16>) {
    let specifications: Vec<String> = ports.iter().map(|port| format!(":{port}")).collect();
    let mut arguments = vec!["port-forward", "--address=127.0.0.1", what];
    arguments.extend(specifications.iter().map(String::as_str));
    let mut child = cluster.kubectl(program, &arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut local = Vec::new();
    for _ in ports {
        let line = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap();
        let port = line.strip_prefix("Forwarding from 127.0.0.1:").unwrap().split(' ').next().unwrap();
        local.push(port.parse().unwrap());
    }
    // kubectl says when it handles a connection; nobody reading would end it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, local)
}

async fn connect(port: u16) -> TcpStream {
    timeout(LIMIT, TcpStream::connect(("127.0.0.1", port))).await.unwrap().unwrap()
}

/// Sends everything, ends, and gives what came back.
async fn exchange(port: u16, sent: &[u8]) -> Vec<u8> {
    let (mut from, mut to) = connect(port).await.into_split();
    let mut received = Vec::new();
    let sending = async {
        // The other side may close before all has come.
        let _ = to.write_all(sent).await;
        let _ = to.shutdown().await;
    };
    let receiving = async { from.read_to_end(&mut received).await.unwrap() };
    timeout(LIMIT, async { tokio::join!(sending, receiving) }).await.unwrap();
    received
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_carry_much_at_once() {
    let cluster = Cluster::start().await;
    for program in kubectls().await {
        let (child, ports) = forward(&cluster, &program, "pod/one", &[80, 82, 83]).await;
        let mut clients = tokio::task::JoinSet::new();
        for number in 0..8 {
            let (echo, sends) = (ports[0], ports[1]);
            clients.spawn(async move {
                if number % 4 == 3 {
                    assert!(exchange(sends, b"").await == pattern(SENT));
                } else {
                    let content = pattern(2 << 20).split_off(number);
                    assert!(exchange(echo, &content).await == content);
                }
            });
        }
        while let Some(done) = clients.join_next().await {
            done.unwrap();
        }
        // One connection after another, over the same session.
        for number in 0..20_u8 {
            assert_eq!(exchange(ports[0], &[number; 10]).await, [number; 10]);
        }
        // The pod answers only when the client has ended its direction.
        assert_eq!(exchange(ports[2], &pattern(300_000)).await, b"300000");
        kill(child).await;
        cluster.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_leads_to_its_pod() {
    let cluster = Cluster::start().await;
    let [program, _] = kubectls().await;
    let (child, ports) = forward(&cluster, &program, "service/s", &[8000]).await;
    assert_eq!(exchange(ports[0], b"hello").await, b"hello");
    kill(child).await;
    cluster.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_is_reported() {
    let cluster = Cluster::start().await;
    for program in kubectls().await {
        let (mut child, ports) = forward(&cluster, &program, "pod/one", &[81]).await;
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        // kubectl closes the connection, perhaps without having read.
        let mut connection = connect(ports[0]).await;
        assert!(matches!(timeout(LIMIT, connection.read(&mut [0; 1])).await.unwrap(), Ok(0) | Err(_)));
        let line = timeout(LIMIT, stderr.next_line()).await.unwrap().unwrap().unwrap();
        assert!(line.to_lowercase().contains("an error occurred forwarding"), "{line}");
        assert!(line.contains("error forwarding port 81 to pod one, uid "), "{line}");
        assert!(line.contains(": dial tcp4 127.0.0.1:81: connect: connection refused"), "{line}");
        kill(child).await;
        cluster.settled().await;
    }
    let [program, _] = kubectls().await;
    for (what, part) in [
        ("port-forward pod/far :80", "error dialing backend: node \"away\" is not connected"),
        ("port-forward pod/none :80", "pods \"none\" not found"),
    ] {
        let (status, _, stderr) = cluster.run(&program, what).await;
        assert!(status == 1 && stderr.contains(part), "{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_client_leaves_nothing() {
    let cluster = Cluster::start().await;
    for program in kubectls().await {
        let (child, ports) = forward(&cluster, &program, "pod/one", &[80, 82]).await;
        let mut open = connect(ports[0]).await;
        open.write_all(b"x").await.unwrap();
        open.read_exact(&mut [0; 1]).await.unwrap();
        // One whose data nobody takes.
        let mut stuck = connect(ports[1]).await;
        stuck.read_exact(&mut [0; 1]).await.unwrap();
        assert!(cluster.node.running() >= 2 && cluster.api.open_streams() == 1);
        kill(child).await;
        cluster.settled().await;
    }
}
