//! The device's way to the world: DHCP on every wired interface, or addresses that were set by hand.
//!
//! One thread does it. It hears from the kernel that links, addresses or routes changed, and from servers; then it
//! compares what should be with what is ([`plan`]) and changes the difference. Each interface has its own client
//! ([`machine`]), which decides without any socket or clock. Version 6 is the kernel's: it makes addresses and routes
//! from router advertisements.
//!
//! The client is our own. Of the two crates there were, `mozim` 0.3 decides inside of its own sockets and tasks (no
//! table of its transitions could be tested, no lease of a former run be confirmed), and brings second versions of
//! `nix`, `rand` and `rtnetlink`. `dhcproto` 0.15 is a codec only, whose names are those of `hickory-proto`: over forty
//! crates with all of Unicode's tables for about 200 lines of ours, which read the dozen options that are used here and
//! refuse what could say something else in `resolv.conf`. It writes the answers in our tests instead, so that the two
//! check each other.
//!
//! Not done: asking by ARP whether somebody else has a leased address (and so DHCPDECLINE), DHCPRELEASE when the program
//! ends, as addresses outlive it, and DHCPv6.

mod driver;
mod frame;
mod kernel;
mod lease;
mod machine;
mod message;
mod names;
mod plan;
mod report;
mod settings;
mod socket;
mod state;
mod sys;

use std::{
    fmt,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::watch;

pub use settings::{Addressing, NicSettings, UplinkSettings};
pub use state::{NicState, UplinkState};

use crate::Error;
use driver::{Driver, Parts};

/// The uplink of the network namespace that [`Uplink::run`] was called in.
///
/// When it is dropped, the work ends and everything stays as it is: the next one, of this program or of its next run,
/// adopts what it finds. That is also the way to change the settings.
pub struct Uplink {
    state: watch::Receiver<UplinkState>,
    wake: Arc<OwnedFd>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Uplink {
    /// Starts. `saved` is what `save` was given last, in this run or a former one, or nothing. `save` is called on the
    /// working thread, when leases changed.
    ///
    /// # Errors
    /// When the settings make no sense or the kernel does not tell about its links.
    pub fn run(
        settings: UplinkSettings,
        saved: impl Into<String>,
        save: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, Error> {
        settings.check().map_err(Error::Uplink)?;
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let wake = Arc::new(eventfd(0, flags).map_err(Error::io("making an event descriptor"))?);
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, state) = watch::channel(UplinkState::default());
        let driver = Driver::open(Parts {
            settings,
            saved: saved.into(),
            save: Box::new(save),
            state: sender,
            wake: Arc::clone(&wake),
            stop: Arc::clone(&stop),
        })?;
        let thread = thread::Builder::new().name("uplink".to_owned()).spawn(move || driver.run());
        let thread = Some(thread.map_err(Error::io("starting a thread"))?);
        Ok(Self { state, wake, stop, thread })
    }

    /// What it is like now, and each time it changes. It begins with nothing known.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<UplinkState> {
        self.state.clone()
    }
}

impl Drop for Uplink {
    /// Waits until nothing is being changed any more, which takes milliseconds.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let woken = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        let thread = self.thread.take().filter(|thread| thread.thread().id() != thread::current().id());
        if let (Ok(_), Some(thread)) = (woken, thread) {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Uplink {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Uplink").field("state", &*self.state.borrow()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
