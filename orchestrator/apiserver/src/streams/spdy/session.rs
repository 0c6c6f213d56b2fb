//! One SPDY connection inside a WebSocket: streams that the client opens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::socket::{Gone, Incoming, Outgoing};
use super::Reset;
use super::frames::{self, Decoder, Frame};
use super::header_block::Headers;

/// Streams of one connection; each forwarded connection has two.
const MAX_STREAMS: usize = 512;

/// Bytes of all streams that wait for their readers. When they are used up, nothing more is read from the client.
const BUFFER: usize = 4 << 20;

/// What a piece costs besides its bytes.
const PIECE: usize = 128;

/// The streams that are open, with the way to each.
type Table = Arc<Mutex<BTreeMap<u32, UnboundedSender<Received>>>>;

/// The connection.
pub(crate) struct Session<S> {
    incoming: Incoming<S>,
    outgoing: Outgoing<S>,
    decoder: Decoder,
    streams: Table,
    buffer: Arc<Semaphore>,
    replied: bool,
    leaving: bool,
}

/// A stream. It is forgotten when this is dropped; the client should have been told its end by then.
pub(crate) struct Stream<S> {
    id: u32,
    headers: Headers,
    received: UnboundedReceiver<Received>,
    outgoing: Outgoing<S>,
    streams: Table,
}

/// What comes through a stream.
#[derive(Debug)]
pub(crate) enum Received {
    /// Bytes, with their part of the buffer.
    Data(Bytes, OwnedSemaphorePermit),
    /// The client sends no more, but may still take.
    End,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub(crate) fn new(incoming: Incoming<S>, outgoing: Outgoing<S>) -> Self {
        Self {
            incoming,
            outgoing,
            decoder: Decoder::new(),
            streams: Table::default(),
            buffer: Arc::new(Semaphore::new(BUFFER)),
            replied: false,
            leaving: false,
        }
    }

    /// The next stream that the client opens, before it is accepted. None when the connection is over. Data of the
    /// other streams flows only while this is waited for.
    pub(crate) async fn next(&mut self) -> Option<Stream<S>> {
        loop {
            match self.decoder.next() {
                Ok(Some(frame)) => match self.take(frame).await {
                    Ok(Some(stream)) => return Some(stream),
                    Ok(None) => {}
                    Err(Gone) => return None,
                },
                Ok(None) => {
                    let message = self.incoming.next().await?;
                    self.decoder.push(&message);
                }
                Err(problem) => {
                    self.outgoing.complain(problem).await;
                    return None;
                }
            }
        }
    }

    async fn take(&mut self, frame: Frame) -> Result<Option<Stream<S>>, Gone> {
        match frame {
            Frame::Open { stream, headers, ends } => return self.open(stream, headers, ends).await,
            Frame::Data { stream, content, ends } => {
                let Some(way) = locked(&self.streams).get(&stream).cloned() else { return Ok(None) };
                if !content.is_empty() {
                    let price = u32::try_from((content.len() + PIECE).min(BUFFER)).unwrap_or(u32::MAX);
                    let place = Arc::clone(&self.buffer).acquire_many_owned(price);
                    let place = self.outgoing.meanwhile(place).await?.map_err(|_| Gone)?;
                    // A stream that has ended meanwhile needs it no more.
                    let _ = way.send(Received::Data(content, place));
                }
                if ends {
                    let _ = way.send(Received::End);
                }
            }
            Frame::Reset { stream } => drop(locked(&self.streams).remove(&stream)),
            Frame::Ping { id } => self.outgoing.send(frames::pong(id)).await?,
            Frame::GoAway => self.leaving = true,
            Frame::Other => {}
        }
        Ok(None)
    }

    async fn open(&mut self, id: u32, headers: Headers, ends: bool) -> Result<Option<Stream<S>>, Gone> {
        let (way, received) = unbounded_channel();
        if ends {
            let _ = way.send(Received::End);
        }
        // Clients number their streams oddly.
        if id.is_multiple_of(2) || self.leaving || !self.enter(id, way) {
            self.outgoing.send(frames::reset(id, Reset::Refused)).await?;
            return Ok(None);
        }
        let (outgoing, streams) = (self.outgoing.clone(), Arc::clone(&self.streams));
        Ok(Some(Stream { id, headers, received, outgoing, streams }))
    }

    /// Puts a stream into the table, if it has a place there.
    fn enter(&self, id: u32, way: UnboundedSender<Received>) -> bool {
        let mut streams = locked(&self.streams);
        let fits = streams.len() < MAX_STREAMS && !streams.contains_key(&id);
        if fits {
            streams.insert(id, way);
        }
        fits
    }

    /// Tells the client that its stream is accepted.
    pub(crate) async fn accept(&mut self, stream: &Stream<S>) -> Result<(), Gone> {
        let first = !std::mem::replace(&mut self.replied, true);
        self.outgoing.send(frames::reply(stream.id, first)).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn headers(&self) -> &Headers {
        &self.headers
    }

    /// What comes next; None when the client has reset the stream.
    pub(crate) async fn receive(&mut self) -> Option<Received> {
        self.received.recv().await
    }

    /// The sending side, which can be used beside [`Self::receive`].
    pub(crate) fn sender(&self) -> Sender<S> {
        Sender { id: self.id, outgoing: self.outgoing.clone() }
    }
}

impl<S> Drop for Stream<S> {
    fn drop(&mut self) {
        locked(&self.streams).remove(&self.id);
    }
}

/// The sending side of a stream.
pub(crate) struct Sender<S> {
    id: u32,
    outgoing: Outgoing<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sender<S> {
    /// Sends bytes.
    pub(crate) async fn send(&self, content: &[u8]) -> Result<(), Gone> {
        self.outgoing.send(frames::data(self.id, content, false)).await
    }

    /// Sends the last bytes.
    pub(crate) async fn end(&self, content: &[u8]) -> Result<(), Gone> {
        self.outgoing.send(frames::data(self.id, content, true)).await
    }

    /// Ends both directions.
    pub(crate) async fn reset(&self) -> Result<(), Gone> {
        self.outgoing.send(frames::reset(self.id, Reset::Cancelled)).await
    }
}

/// The table; every change of it is one call, so a holder that panicked has left it whole.
fn locked<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}
