//! Streams between clients and nodes: logs, commands, forwarded ports.
//!
//! `prepare` checks a request and finds the node; `response` answers and, where the protocol changes, leaves a task that
//! serves the client. A task owns everything of its stream and ends when the client or the node does.

mod channels;
mod container;
mod exec;
mod handshake;
mod log;
mod options;
mod port_forward;
mod socket;
mod spdy;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;
use coracle_node_connection::{Bytes, Error, ExecRequest, LogQuery, Node, Nodes, Pod};
use http::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::front::Body;
use crate::http::query::Query;
use channels::Version;
use handshake::{Agreed, Upgrade};
use options::{ExecOptions, LogOptions};

/// Streams that are open at once.
const MAX_STREAMS: usize = 1_000;

/// The nodes that streams go to, and the streams that are open.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) nodes: Nodes,
    places: Arc<Semaphore>,
}

/// What a client asks for.
#[derive(Debug)]
pub struct Ask(Asked);

#[derive(Debug)]
enum Asked {
    Log(LogOptions),
    Exec(ExecOptions, Upgrade),
    Attach,
    PortForward(Upgrade),
}

/// A request that has been checked and can be answered.
pub struct Ready {
    place: OwnedSemaphorePermit,
    what: What,
}

enum What {
    /// The pod has no node yet, so its log is empty.
    NoLog,
    Log(Bytes),
    Exec(Agreed<Version>, Arc<dyn Node>, ExecRequest),
    PortForward(Agreed<()>, Arc<dyn Node>, Pod),
}

impl Default for Streams {
    fn default() -> Self {
        Self { nodes: Nodes::default(), places: Arc::new(Semaphore::new(MAX_STREAMS)) }
    }
}

impl Streams {
    /// How many streams are open.
    pub(crate) fn open(&self) -> usize {
        MAX_STREAMS - self.places.available_permits()
    }
}

impl Ask {
    /// Reads what is asked of a subresource of pods; none for those that are no streams.
    ///
    /// # Errors
    /// A parameter cannot be read.
    pub(crate) fn read(
        group: &str,
        resource: &str,
        subresource: &str,
        head: &http::request::Parts,
    ) -> Result<Option<Self>, Status> {
        if !group.is_empty() || resource != "pods" {
            return Ok(None);
        }
        let query = Query::parse(head.uri.query().unwrap_or_default());
        let asked = match subresource {
            "log" => Asked::Log(LogOptions::read(&query)?),
            "exec" => Asked::Exec(ExecOptions::read(&query), Upgrade::read(&head.headers)),
            "attach" => Asked::Attach,
            "portforward" => Asked::PortForward(Upgrade::read(&head.headers)),
            _ => return Ok(None),
        };
        Ok(Some(Self(asked)))
    }
}

impl Ask {
    /// Checks what needs no pod.
    ///
    /// # Errors
    /// A parameter is out of its range.
    pub(crate) fn check(&self, pod: &str) -> Result<(), Status> {
        match &self.0 {
            Asked::Log(options) => options.check(pod),
            _ => Ok(()),
        }
    }

    /// Whether it needs the right to create, too, whichever method asks: what runs in a pod can change it.
    pub(crate) fn creates(&self) -> bool {
        !matches!(self.0, Asked::Log(_))
    }
}

impl Ready {
    /// The HTTP status of the answer.
    pub(crate) fn code(&self) -> u16 {
        match self.what {
            What::NoLog | What::Log(_) => 200,
            What::Exec(..) | What::PortForward(..) => 101,
        }
    }
}

/// Checks what is asked of a pod, in upstream's order and words, and finds the node.
pub(crate) async fn prepare(
    streams: &Streams,
    pod: &Value,
    ask: &Ask,
    node_exists: impl Fn(&str) -> Result<(), Status>,
) -> Result<Ready, Status> {
    let place = Arc::clone(&streams.places).try_acquire_owned().map_err(|_| {
        let message = format!("{MAX_STREAMS} streams are open already, please try again later");
        Status::new(429, "TooManyRequests", message).retry_after(1)
    })?;
    let id = Pod {
        namespace: pod.text_at(&["metadata", "namespace"]).to_owned(),
        name: pod.text_at(&["metadata", "name"]).to_owned(),
        uid: pod.text_at(&["metadata", "uid"]).to_owned(),
    };
    let node_name = pod.text_at(&["spec", "nodeName"]);
    let node = || -> Result<Arc<dyn Node>, Status> {
        if node_name.is_empty() {
            return Err(Status::bad_request(format!("pod {} does not have a host assigned", id.name)));
        }
        node_exists(node_name)?;
        streams.nodes.get(node_name).map_err(|error| Status::new(500, "", error.to_string()))
    };
    let what = match &ask.0 {
        Asked::Log(options) => {
            let container = container::chosen(pod, &options.container)?;
            if node_name.is_empty() {
                return Ok(Ready { place, what: What::NoLog });
            }
            let node = node()?;
            container::check_log(pod, &container, options.previous)?;
            let name = id.name.clone();
            let log = node.logs(query(id, container, options)).await;
            What::Log(log.map_err(|error| log_failure(&error, &name))?)
        }
        Asked::Exec(options, upgrade) => {
            let container = container::chosen(pod, &options.container)?;
            let node = node()?;
            options.check()?;
            let agreed = upgrade.agree(&channels::PROTOCOLS)?;
            let request = ExecRequest {
                pod: id,
                container,
                command: options.command.clone(),
                stdin: options.stdin,
                stdout: options.stdout,
                stderr: options.stderr,
                tty: options.tty,
            };
            What::Exec(agreed, node, request)
        }
        Asked::Attach => {
            let message = "attaching to a container's first process is not part of this version, it joins with \
                           version 2 of the shim protocol: use logs -f for its output, or exec for another process";
            return Err(Status::new(501, "NotImplemented", message));
        }
        Asked::PortForward(upgrade) => {
            let node = node()?;
            What::PortForward(upgrade.agree(&port_forward::PROTOCOLS)?, node, id)
        }
    };
    Ok(Ready { place, what })
}

fn query(pod: Pod, container: String, options: &LogOptions) -> LogQuery {
    let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    LogQuery {
        pod,
        container,
        follow: options.follow,
        previous: options.previous,
        timestamps: options.timestamps,
        tail_lines: number(options.tail_lines),
        since: options.since(SystemTime::now()),
        limit_bytes: number(options.limit_bytes),
    }
}

/// A node's refusal of a log as upstream passes it on.
fn log_failure(error: &Error, pod: &str) -> Status {
    match error {
        Error::Unavailable(_) => Status::new(500, "", error.to_string()),
        Error::NotFound(_) => {
            let message = format!("the server could not find the requested resource ( pods/log {pod})");
            Status::new(404, "NotFound", message).about("", "pods/log", pod)
        }
        Error::Refused(text) => Status::bad_request(text),
        Error::Failed(text) => Status::internal(text),
    }
}

/// Answers. Where the protocol changes, a task serves the client from then on.
pub(crate) fn response(ready: Ready, upgrade: Option<OnUpgrade>) -> Response<Body> {
    let Ready { place, what } = ready;
    match what {
        What::NoLog => log::response(Box::new(tokio::io::empty()), place),
        What::Log(log) => log::response(log, place),
        What::Exec(agreed, node, request) => {
            let version = agreed.protocol;
            serve(place, upgrade, move |connection| exec::serve(connection, version, node, request));
            agreed.response()
        }
        What::PortForward(agreed, node, pod) => {
            serve(place, upgrade, move |connection| port_forward::serve(connection, node, pod));
            agreed.response()
        }
    }
}

/// Leaves a task that serves the client as soon as the protocol has changed.
fn serve<F>(
    place: OwnedSemaphorePermit,
    upgrade: Option<OnUpgrade>,
    work: impl FnOnce(TokioIo<Upgraded>) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send,
{
    // Without it the connection cannot change, and the client sees that it does not.
    let Some(upgrade) = upgrade else { return };
    tokio::spawn(async move {
        match upgrade.await {
            Ok(connection) => work(TokioIo::new(connection)).await,
            Err(error) => tracing::debug!(%error, "a client went before its stream began"),
        }
        drop(place);
    });
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("code", &self.code()).finish_non_exhaustive()
    }
}
