//! Connections to ports of a pod, each a pair of SPDY streams: one for data, one for what went wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coracle_apimachinery::field::quote;
use coracle_node_connection::{Node, Pod};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::socket;
use super::spdy::{Received, Session, Stream};

/// The protocol, as WebSocket names it.
pub(super) const PROTOCOLS: [(&str, ()); 1] = [("SPDY/3.1+portforward.k8s.io", ())];

/// Time for the second stream of a pair.
const PAIR_LIMIT: Duration = Duration::from_secs(30);

/// Most bytes in one frame.
const PIECE: usize = 32 << 10;

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Data,
    Error,
}

/// The headers of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    port: u16,
    role: Role,
    request: String,
}

/// Forwards connections for a client until the client goes.
pub(super) async fn serve<S>(connection: S, node: Arc<dyn Node>, pod: Pod)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (incoming, outgoing) = socket::open(connection).await;
    let mut session = Session::new(incoming, outgoing.clone());
    // What is forwarded ends with the session: dropping the set ends its tasks.
    let mut tasks = JoinSet::new();
    let mut waiting: BTreeMap<String, (Role, oneshot::Sender<Stream<S>>)> = BTreeMap::new();
    while let Some(stream) = session.next().await {
        while tasks.try_join_next().is_some() {}
        let wanted = match Wanted::read(stream.id(), |name| stream.headers().get(name)) {
            Ok(wanted) => wanted,
            Err(problem) => {
                tracing::debug!(%problem, "a stream for port-forward is refused");
                let _ = stream.sender().reset().await;
                continue;
            }
        };
        if session.accept(&stream).await.is_err() {
            break;
        }
        waiting.retain(|_, (_, partner)| !partner.is_closed());
        match waiting.remove(&wanted.request) {
            Some((role, partner)) if role != wanted.role => {
                // A partner whose time has run out this moment has told the client.
                let _ = partner.send(stream);
            }
            Some(before) => {
                let name = if wanted.role == Role::Data { "data" } else { "error" };
                let problem = format!("{name} stream already assigned");
                let text = format!("error processing stream for request {}: {problem}", wanted.request);
                let _ = stream.sender().end(text.as_bytes()).await;
                waiting.insert(wanted.request, before);
            }
            None => {
                let (sender, partner) = oneshot::channel();
                waiting.insert(wanted.request.clone(), (wanted.role, sender));
                let (node, pod) = (Arc::clone(&node), pod.clone());
                tasks.spawn(pair(wanted, stream, partner, node, pod));
            }
        }
    }
    drop(tasks);
    outgoing.finish().await;
}

impl Wanted {
    /// Reads the headers, in the words of upstream.
    fn read<'a>(id: u32, header: impl Fn(&str) -> &'a str) -> Result<Self, String> {
        let port = header("port");
        if port.is_empty() {
            return Err("\"port\" header is required".to_owned());
        }
        let number: u16 =
            port.parse().map_err(|error| format!("unable to parse {} as a port: {error}", quote(port)))?;
        if number == 0 {
            return Err(format!("port {} must be > 0", quote(port)));
        }
        let role = match header("streamtype") {
            "" => return Err("\"streamType\" header is required".to_owned()),
            "data" => Role::Data,
            "error" => Role::Error,
            other => return Err(format!("invalid stream type {}", quote(other))),
        };
        let request = match (header("requestid"), role) {
            // Old clients open the error stream first and give no number.
            ("", Role::Error) => id.to_string(),
            ("", Role::Data) => id.saturating_sub(2).to_string(),
            (request, _) => request.to_owned(),
        };
        Ok(Self { port: number, role, request })
    }
}

/// Waits for the other stream of a pair, then forwards.
async fn pair<S>(
    wanted: Wanted,
    stream: Stream<S>,
    partner: oneshot::Receiver<Stream<S>>,
    node: Arc<dyn Node>,
    pod: Pod,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let partner = match timeout(PAIR_LIMIT, partner).await {
        Ok(Ok(partner)) => partner,
        _ => {
            let text = format!("(request={}) timed out waiting for streams", wanted.request);
            let sender = stream.sender();
            let _ = match wanted.role {
                Role::Error => sender.end(text.as_bytes()).await,
                Role::Data => sender.reset().await,
            };
            return;
        }
    };
    let (data, error) = match wanted.role {
        Role::Data => (stream, partner),
        Role::Error => (partner, stream),
    };
    forward(wanted.port, data, error, &*node, pod).await;
}

/// Forwards one connection.
async fn forward<S>(port: u16, mut data: Stream<S>, error: Stream<S>, node: &dyn Node, pod: Pod)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (to_client, errors) = (data.sender(), error.sender());
    let who = format!("pod {}, uid {}", pod.name, pod.uid);
    let connection = match node.port_forward(pod, port).await {
        Ok(connection) => connection,
        Err(error) => {
            let text = format!("error forwarding port {port} to {who}: {error}");
            let _ = errors.end(text.as_bytes()).await;
            let _ = to_client.reset().await;
            return;
        }
    };
    let (mut from_pod, to_pod) = tokio::io::split(connection);
    let down = async {
        let mut piece = vec![0; PIECE];
        loop {
            let length = from_pod.read(&mut piece).await.unwrap_or(0);
            let content = piece.get(..length).unwrap_or_default();
            if content.is_empty() {
                return to_client.end(b"").await;
            }
            to_client.send(content).await?;
        }
    };
    let (ended, end) = oneshot::channel();
    // Either direction may end first, and the connection lasts until both have; a reset by the client ends it at once.
    tokio::select! {
        () = up(&mut data, to_pod, ended) => {}
        () = async {
            let _ = down.await;
            let _ = end.await;
        } => {}
    }
    let _ = errors.end(b"").await;
}

/// Brings the client's bytes to the pod, says when the client has ended them, and returns when it resets the stream.
async fn up<S>(data: &mut Stream<S>, to_pod: impl AsyncWrite + Unpin, ended: oneshot::Sender<()>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut to_pod = Some(to_pod);
    let mut ended = Some(ended);
    while let Some(received) = data.receive().await {
        match (received, &mut to_pod) {
            (Received::Data(content, _place), Some(pod)) => {
                if pod.write_all(&content).await.is_err() {
                    // The pod takes no more but may still send; what comes now is dropped.
                    to_pod = None;
                }
            }
            (Received::Data(..), None) => {}
            (Received::End, pod) => {
                if let Some(mut pod) = pod.take() {
                    let _ = pod.shutdown().await;
                }
                let _ = ended.take().map(|ended| ended.send(()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
