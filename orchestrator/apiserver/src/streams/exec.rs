//! A command's streams on the channels of a WebSocket.

use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use coracle_apimachinery::json;
use coracle_apimachinery::status::Status;
use coracle_node_connection::{Bytes, Error, ExecRequest, ExecSession, Node, Sink, Size};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{oneshot, watch};

use super::channels::{self, Input, Output, Version};
use super::socket::{self, Gone, Incoming, Outgoing};

/// Most bytes of output in one message.
const PIECE: usize = 32 << 10;

/// Where the client's input goes, once the command runs.
struct Inputs {
    stdin: Option<Sink>,
    resize: Option<watch::Sender<Size>>,
}

/// Why a command is no longer served.
enum Stop {
    Gone,
    Failed(Error),
}

/// Runs a command for a client until it ends or the client goes.
pub(super) async fn serve<S>(connection: S, version: Version, node: Arc<dyn Node>, request: ExecRequest)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut incoming, outgoing) = socket::open(connection).await;
    // An empty message says that the connection stands, as upstream's does.
    let first = match (request.stdout, request.stderr) {
        (true, _) => Output::Stdout,
        (_, true) => Output::Stderr,
        _ => Output::Status,
    };
    if outgoing.send(channels::encode(first, b"")).await.is_err() {
        return;
    }
    let (ready, inputs) = oneshot::channel();
    let work = async {
        let ExecSession { stdin, stdout, stderr, resize, exit } = node.exec(request).await.map_err(Stop::Failed)?;
        // Nobody listens only when the client is gone, which ends this, too.
        let _ = ready.send(Inputs { stdin, resize });
        let exit = async { exit.await.map_err(Stop::Failed) };
        let (stdout, stderr) = (copy(stdout, Output::Stdout, &outgoing), copy(stderr, Output::Stderr, &outgoing));
        tokio::try_join!(exit, stdout, stderr).map(|(code, (), ())| code)
    };
    let status = tokio::select! {
        biased;
        ended = work => match ended {
            Ok(code) => channels::ended(code),
            Err(Stop::Failed(error)) => json::encode_any(&failure(&error).to_value()),
            Err(Stop::Gone) => return,
        },
        () = take(&mut incoming, &outgoing, version, inputs) => return,
    };
    if outgoing.send_last(channels::encode(Output::Status, &status)).await.is_ok() {
        outgoing.finish().await;
        incoming.linger().await;
    }
}

/// Brings the client's messages to the command until the client goes.
async fn take<S>(incoming: &mut Incoming<S>, outgoing: &Outgoing<S>, version: Version, ready: oneshot::Receiver<Inputs>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut ready = Some(ready);
    let mut inputs = Inputs { stdin: None, resize: None };
    while let Some(message) = incoming.next().await {
        let input = match channels::decode(version, message) {
            Ok(Input::Nothing) => continue,
            Ok(input) => input,
            Err(problem) => return outgoing.complain(problem).await,
        };
        if let Some(ready) = ready.take() {
            match outgoing.meanwhile(ready).await {
                Ok(Ok(made)) => inputs = made,
                // The command did not start, which the client is about to be told.
                Ok(Err(_)) => return std::future::pending().await,
                Err(Gone) => return,
            }
        }
        if inputs.take(input, outgoing).await.is_err() {
            return;
        }
    }
}

impl Inputs {
    async fn take<S>(&mut self, input: Input, outgoing: &Outgoing<S>) -> Result<(), Gone>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match (input, &mut self.stdin, &self.resize) {
            (Input::Stdin(content), Some(stdin), _) => {
                let written = async {
                    stdin.write_all(&content).await?;
                    stdin.flush().await
                };
                if outgoing.meanwhile(written).await?.is_err() {
                    // The command does not read any more; it decides itself what to make of that.
                    self.stdin = None;
                }
            }
            (Input::StdinEnds, stdin @ Some(_), _) => {
                if let Some(mut stdin) = stdin.take() {
                    // An error says that there is nobody to tell.
                    let _ = outgoing.meanwhile(stdin.shutdown()).await?;
                }
            }
            (Input::Resize(size), _, Some(resize)) => drop(resize.send_replace(size)),
            _ => {}
        }
        Ok(())
    }
}

/// Brings output to the client until it ends.
async fn copy<S>(from: Option<Bytes>, channel: Output, outgoing: &Outgoing<S>) -> Result<(), Stop>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(mut from) = from else { return Ok(()) };
    let mut message = BytesMut::new();
    loop {
        message.reserve(1 + PIECE);
        message.put_u8(channel as u8);
        match (&mut from).take(PIECE as u64).read_buf(&mut message).await {
            // An error is the end of a terminal, among others.
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) => outgoing.send(message.split().freeze()).await.map_err(|Gone| Stop::Gone)?,
        }
    }
}

/// What the client is told about a command that failed otherwise than by its exit code.
fn failure(error: &Error) -> Status {
    match error {
        Error::Unavailable(_) => Status::internal(error),
        Error::NotFound(text) => Status::internal(format!("unable to upgrade connection: {text}")),
        Error::Refused(text) => Status::bad_request(text),
        Error::Failed(text) => Status::internal(format!("error executing command in container: {text}")),
    }
}
