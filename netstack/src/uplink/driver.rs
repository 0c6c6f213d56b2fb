//! The thread that does it: waits for changes of the network, for servers' answers and for times.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    rand::{GetRandomFlags, getrandom},
    time::{ClockId, clock_gettime},
};
use tokio::sync::watch;

use super::{
    kernel::{self, Events},
    lease::{self, Saved},
    machine::{Machine, Outgoing},
    message::Identity,
    plan::{self, Action, Link, Seen, Wanted},
    report::{Source, report},
    settings::{Addressing, NicSettings, UplinkSettings},
    socket::Sockets,
    state::UplinkState,
};
use crate::{Error, sysctl, wire::Wire};

/// When something that failed is tried again, if nothing happens before, in milliseconds.
const RETRY: u64 = 5_000;
/// How many messages of one interface are taken until others have their turn.
const TURN: usize = 32;

/// After so many looks that all found something to change, somebody else changes it back.
const PATIENCE: u32 = 32;

type Random = Box<dyn FnMut() -> u32 + Send>;

/// What the thread is given.
pub(super) struct Parts {
    pub(super) settings: UplinkSettings,
    pub(super) saved: String,
    pub(super) save: Box<dyn FnMut(&str) + Send>,
    pub(super) state: watch::Sender<UplinkState>,
    /// Readable when [`Parts::stop`] is set.
    pub(super) wake: Arc<OwnedFd>,
    pub(super) stop: Arc<AtomicBool>,
}

/// What the thread knows.
pub(super) struct Driver {
    parts: Parts,
    boot: String,
    wire: Wire,
    events: Events,
    seen: Seen,
    /// Interfaces of the uplink, by number.
    nics: BTreeMap<u32, Nic>,
    /// Leases by hardware address, also those of interfaces that are not there now.
    saved: BTreeMap<[u8; 6], Saved>,
    /// When to look again because something failed.
    retry: Option<u64>,
    /// How many looks in a row found something to change.
    busy: u32,
}

struct Nic {
    link: Link,
    settings: NicSettings,
    client: Option<Client>,
    /// The largest packet before it was changed.
    usual_mtu: Option<u32>,
}

struct Client {
    machine: Machine<Random>,
    sockets: Option<Sockets>,
}

impl Driver {
    /// Begins to listen, and looks for the first time.
    pub(super) fn open(parts: Parts) -> Result<Self, Error> {
        let boot = sysctl::read("kernel/random/boot_id")?.unwrap_or_default();
        let saved = lease::read(&parts.saved);
        let events = Events::open()?;
        let mut wire = Wire::route()?;
        let seen = kernel::look(&mut wire)?;
        Ok(Self { parts, boot, wire, events, seen, nics: BTreeMap::new(), saved, retry: None, busy: 0 })
    }

    /// Works until it is told to stop. Everything stays as it is then.
    pub(super) fn run(mut self) {
        let mut look = true;
        while !self.parts.stop.load(Ordering::Acquire) {
            let now = now();
            if look {
                self.look(now);
            }
            look = match self.wait() {
                Ok(changed) => changed,
                Err(error) => {
                    tracing::error!(%error, "the uplink cannot wait for anything");
                    return;
                }
            };
        }
    }

    /// Makes everything as it should be, and tells what it is like.
    fn look(&mut self, now: u64) {
        self.retry = None;
        if let Err(error) = self.adjust(now) {
            tracing::warn!(%error, "the uplink cannot be set up; it will be tried again");
            self.retry = Some(now.saturating_add(RETRY));
        }
        if self.busy > PATIENCE {
            tracing::warn!("somebody else changes what the uplink sets up");
            self.retry = Some(now.saturating_add(RETRY));
        }
        self.save();
        self.tell();
    }

    fn adjust(&mut self, now: u64) -> Result<(), Error> {
        self.seen = kernel::look(&mut self.wire)?;
        self.follow(now);
        let (mut failed, mut changed) = (None, false);
        let (nics, seen) = (&mut self.nics, &mut self.seen);
        for nic in nics.values_mut() {
            // Without that of the former one, a setting that cannot be read is not changed.
            seen.settings.clear();
            for (key, _) in plan::settings(&nic.link.name, &nic.settings) {
                if let Ok(Some(value)) = sysctl::read(&key) {
                    seen.settings.insert(key, value);
                }
            }
            let lease = nic.client.as_ref().and_then(|client| client.machine.held()).map(|held| &held.lease);
            let wanted = Wanted::new(&nic.link, &nic.settings, lease, nic.usual_mtu);
            for action in wanted.changes(&nic.link, &nic.settings, seen) {
                tracing::debug!(nic = nic.link.name, ?action, "uplink");
                changed = true;
                if matches!(action, Action::Mtu(..)) {
                    nic.usual_mtu = nic.usual_mtu.or(Some(nic.link.mtu));
                }
                // The others may work; one that others of its kind need fails them too.
                if let Err(error) = kernel::execute(&mut self.wire, &action) {
                    tracing::debug!(nic = nic.link.name, %error, "one change of the uplink failed");
                    failed = failed.or(Some(error));
                }
            }
        }
        self.busy = if changed { self.busy.saturating_add(1) } else { 0 };
        // What the kernel made of it is told, and its events will say nothing new.
        self.seen = kernel::look(&mut self.wire)?;
        failed.map_or(Ok(()), Err)
    }

    /// Takes in which interfaces came, went or changed.
    fn follow(&mut self, now: u64) {
        let links: BTreeMap<u32, (Link, NicSettings)> = self
            .seen
            .links
            .iter()
            .filter_map(|link| {
                let named = self.parts.settings.nics.get(&link.name);
                let settings = named.cloned().or_else(|| link.wired.then(NicSettings::default))?;
                (settings.addressing != Addressing::Off).then(|| (link.index, (link.clone(), settings)))
            })
            .collect();
        self.nics.retain(|index, nic| {
            // With another name it may have other settings, with another hardware address it is somebody else.
            links.get(index).is_some_and(|(link, _)| link.name == nic.link.name && link.mac == nic.link.mac)
        });
        for (index, (link, settings)) in links {
            let there = link.carrier;
            let nic = match self.nics.remove(&index) {
                Some(nic) => Nic { link, ..nic },
                None => {
                    let client = self.client(&link, &settings, now);
                    Nic { link, settings, client, usual_mtu: None }
                }
            };
            let nic = self.nics.entry(index).or_insert(nic);
            if let Some(client) = &mut nic.client {
                let outgoing = client.machine.carrier(there, now);
                client.send(&nic.link, outgoing);
            }
        }
    }

    fn client(&self, link: &Link, settings: &NicSettings, now: u64) -> Option<Client> {
        let mac = link.mac.filter(|_| settings.addressing == Addressing::Dhcp)?;
        let who = Identity::new(mac, self.parts.settings.machine, self.parts.settings.hostname.clone());
        let random: Random = Box::new(random);
        let machine = Machine::new(who, random, self.saved.get(&mac), &self.boot, now);
        Some(Client { machine, sockets: None })
    }

    /// Waits, and takes in what came. Tells whether anything of it changes what should be or what is.
    fn wait(&mut self) -> io::Result<bool> {
        let deadlines = self.nics.values().filter_map(|nic| nic.client.as_ref()?.machine.deadline());
        let deadline = deadlines.chain(self.retry).min();
        let timeout = deadline.map(|deadline| Duration::from_millis(deadline.saturating_sub(now())));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let sockets = self.nics.values().filter_map(|nic| nic.client.as_ref()?.sockets.as_ref());
        let wanted = if self.busy > PATIENCE { PollFlags::empty() } else { PollFlags::IN };
        let events = PollFd::from_borrowed_fd(self.events.as_fd(), wanted);
        let others = [self.parts.wake.as_fd()].into_iter().chain(sockets.map(AsFd::as_fd));
        let others = others.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let mut fds: Vec<PollFd<'_>> = [events].into_iter().chain(others).collect();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let told = fds.first().is_some_and(|events| !events.revents().is_empty());
        if told {
            self.events.drain();
        }
        let now = now();
        let due = self.retry.is_some_and(|retry| retry <= now);
        if due {
            self.busy = 0;
        }
        let mut changed = told || due;
        for nic in self.nics.values_mut() {
            if let Some(client) = &mut nic.client {
                changed |= client.turn(&nic.link, now);
            }
        }
        Ok(changed)
    }

    fn save(&mut self) {
        let before = self.saved.clone();
        for nic in self.nics.values() {
            let (Some(client), Some(mac)) = (&nic.client, nic.link.mac) else { continue };
            match client.machine.held() {
                Some(held) => {
                    let (start, answer) = (held.start, held.answer.clone());
                    self.saved.insert(mac, Saved { boot: self.boot.clone(), start, answer });
                }
                // One of a former start of the machine is worth asking for until something else is known.
                None if client.machine.hopes() => {}
                None => drop(self.saved.remove(&mac)),
            }
        }
        if self.saved != before {
            (self.parts.save)(&lease::write(&self.saved));
        }
    }

    fn tell(&self) {
        let source = |nic: &Nic| {
            let link = self.seen.links.iter().find(|link| link.index == nic.link.index).unwrap_or(&nic.link).clone();
            (link, nic.settings.clone())
        };
        let links: Vec<_> = self.nics.values().map(source).collect();
        let sources = links.iter().zip(self.nics.values()).map(|((link, settings), nic)| {
            let held = nic.client.as_ref().and_then(|client| client.machine.held());
            Source { link, settings, lease: held.map(|held| (&held.lease, held.end())) }
        });
        let state = report(sources.collect(), &self.seen);
        self.parts.state.send_if_modified(|told| {
            let changed = *told != state;
            if changed {
                *told = state;
            }
            changed
        });
    }
}

impl Client {
    /// Takes messages and time in. Tells whether the lease is another one.
    fn turn(&mut self, link: &Link, now: u64) -> bool {
        let before = self.machine.held().cloned();
        for _ in 0..TURN {
            let Some(message) = self.sockets.as_ref().and_then(Sockets::receive) else { break };
            let outgoing = self.machine.answer(&message, now);
            self.send(link, outgoing);
        }
        let outgoing = self.machine.tick(now);
        self.send(link, outgoing);
        self.machine.held() != before.as_ref()
    }

    /// Sends, and listens as long as the machine does. What cannot be sent is as good as lost on its way.
    fn send(&mut self, link: &Link, outgoing: Option<Outgoing>) {
        if !self.machine.listens() {
            self.sockets = None;
            return;
        }
        let done = self.open(link.index).and_then(|sockets| match outgoing {
            Some(outgoing) => sockets.send(&link.name, &outgoing),
            None => Ok(()),
        });
        if let Err(error) = done {
            tracing::warn!(nic = link.name, %error, "a DHCP message cannot be sent");
        }
    }

    fn open(&mut self, index: u32) -> io::Result<&mut Sockets> {
        match &mut self.sockets {
            Some(sockets) => Ok(sockets),
            sockets => Ok(sockets.insert(Sockets::open(index)?)),
        }
    }
}

/// Milliseconds since the machine started, also those that it slept. Nobody can set this clock.
pub(super) fn now() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let rest = u64::try_from(time.tv_nsec).unwrap_or_default() / 1_000_000;
    seconds.saturating_mul(1000).saturating_add(rest)
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    // The kernel has some long before there is a network.
    let _ = getrandom(&mut bytes, GetRandomFlags::empty());
    u32::from_ne_bytes(bytes)
}
