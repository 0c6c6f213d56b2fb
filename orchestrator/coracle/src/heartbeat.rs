//! Tells PID 1 that this process makes progress. Without PID 1 (host mode) there is nobody to tell.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::time::Duration;

use coracle_contract::heartbeat::{DESCRIPTOR_VARIABLE, Message, PERIOD_SECONDS};
use rustix::net::{SendFlags, send};
use tokio::time::{Instant, sleep_until};

use crate::sys::inherited_descriptor;

/// The socket to PID 1.
#[derive(Debug)]
pub(crate) struct Heartbeat(OwnedFd);

/// The heartbeat descriptor cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The variable is not the number of an open descriptor.
    #[error("{DESCRIPTOR_VARIABLE}={0:?} is not an open descriptor")]
    Descriptor(String),
}

impl Heartbeat {
    /// The socket that PID 1 passed, or none in host mode.
    ///
    /// # Errors
    /// PID 1 named a descriptor that is not open.
    pub(crate) fn from_environment() -> Result<Option<Self>, Error> {
        let Some(value) = std::env::var_os(DESCRIPTOR_VARIABLE) else { return Ok(None) };
        let text = value.to_string_lossy().into_owned();
        let number: RawFd = text.parse().map_err(|_| Error::Descriptor(text.clone()))?;
        inherited_descriptor(number).map(|socket| Some(Self(socket))).ok_or(Error::Descriptor(text))
    }

    /// Sends one message. A full socket means that PID 1 has not read the last ones yet: nothing is lost by waiting
    /// for the next period.
    ///
    /// # Errors
    /// PID 1 has closed its end.
    pub(crate) fn say(&self, message: &Message) -> io::Result<()> {
        match send(&self.0, message.encode().as_bytes(), SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Says `alive` at each period until PID 1 no longer listens, and returns what the kernel said then. It runs on the
    /// runtime that serves clients, so that a runtime that no longer turns is noticed.
    pub(crate) async fn beat(&self) -> io::Error {
        let mut next = Instant::now();
        loop {
            if let Err(error) = self.say(&Message::Alive) {
                return error;
            }
            next += Duration::from_secs(PERIOD_SECONDS);
            sleep_until(next).await;
        }
    }
}
