//! Accepts TLS connections and serves HTTP/1.1 and HTTP/2 on them until told to stop.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::front::Front;

/// A client that has not finished its TLS handshake by then is dropped.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// Open connections beyond this wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 2_000;

/// Longest pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Time that requests in flight get at shutdown.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// Setting up the server failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is in use or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Certificate and key do not fit together.
    #[error("cannot use the serving certificate")]
    Tls(#[source] rustls::Error),
}

/// A bound server that does not accept yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    front: Front,
}

impl Server {
    /// Binds `address` (port 0: any free one).
    ///
    /// # Errors
    /// The address cannot be bound, or the identity is unusable.
    pub async fn bind(address: SocketAddr, tls: rustls::ServerConfig, front: Front) -> Result<Self, Error> {
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        Ok(Self { listener, address, acceptor: TlsAcceptor::from(Arc::new(tls)), front })
    }

    /// The bound address with its real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` resolves, then lets requests in flight finish within a bound.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = accept(&self.listener, &places) => accepted,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((stream, place)) => {
                    let (acceptor, front, watcher) = (self.acceptor.clone(), self.front.clone(), graceful.watcher());
                    connections.spawn(async move {
                        let _place = place;
                        connection(stream, &acceptor, front, watcher).await;
                    });
                }
                // The peer is gone already, or this process has no descriptor left. The latter passes when a
                // connection ends; the bound is for descriptors that somebody else holds.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    let _ = timeout(ACCEPT_PAUSE, connections.join_next()).await;
                }
            }
        }
        if timeout(DRAIN_LIMIT, graceful.shutdown()).await.is_err() {
            tracing::warn!("connections still open at shutdown are cut");
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}

async fn connection(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    front: Front,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let stream = match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => return tracing::debug!("TLS handshake took too long"),
    };
    let peer = stream.get_ref().1.peer_certificates().map(Arc::from);
    let service = service_fn(move |request| {
        let (front, peer) = (front.clone(), peer.clone());
        async move { Ok::<_, Infallible>(front.answer(peer, request).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(served).await {
        tracing::debug!(%error, "connection ended with an error");
    }
}
