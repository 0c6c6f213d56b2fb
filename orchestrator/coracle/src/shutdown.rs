//! Waits for the signals that end the process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Registered handlers of SIGTERM and SIGINT.
#[derive(Debug)]
pub(crate) struct Shutdown {
    terminate: Signal,
    interrupt: Signal,
}

impl Shutdown {
    /// Registers the handlers; from here on the signals no longer end the process by themselves.
    ///
    /// # Errors
    /// The kernel refused a handler.
    pub(crate) fn register() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Resolves at the first signal with its name.
    pub(crate) async fn wait(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
