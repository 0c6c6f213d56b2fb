//! The client's side of DHCP (RFC 2131) for one interface: what to send and which lease holds, decided from answers and
//! times that are handed in. No socket, no clock, no randomness of its own.
//!
//! Times are milliseconds of a clock that never jumps and goes on while the machine sleeps.
//!
//! What the RFC leaves open: the first query is sent at once (one device does not need to wait for others); a lease that
//! can neither be confirmed nor is refused, because nobody answers, holds until its end while offers are looked for.

use std::net::Ipv4Addr;

use super::{
    lease::{Lease, Saved, Times},
    message::{Answer, Identity, Kind, Query},
};

/// The first wait for an answer; each further one is twice as long.
const FIRST_WAIT: u64 = 4_000;
/// The first wait when only a former address has to be confirmed: nobody may be there who knows it.
const CONFIRM_WAIT: u64 = 2_000;
const LONGEST_WAIT: u64 = 64_000;
/// Waits differ by up to that much to both sides, so that devices that started together do not stay together.
const SPREAD: u64 = 1_000;
/// How often an offer is asked for until another one is looked for.
const REQUESTS: u32 = 4;
/// How often a former address is asked for.
const CONFIRMATIONS: u32 = 2;
/// The shortest wait for an answer while the lease still holds.
const PATIENT_WAIT: u64 = 60_000;

/// How a message goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From nobody to everybody, on the link.
    Raw,
    /// From the address that the interface has to everybody.
    Everybody(Ipv4Addr),
    /// From the address that the interface has to the server.
    Server(Ipv4Addr, Ipv4Addr),
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outgoing {
    /// The bytes.
    pub(super) message: Vec<u8>,
    /// How.
    pub(super) way: Way,
}

/// A lease that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// What was given.
    pub(super) lease: Lease,
    /// When it started.
    pub(super) start: u64,
    /// The server's answer, to be saved.
    pub(super) answer: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No carrier.
    Down,
    /// A server refused what it had offered: not again at once.
    Waiting,
    /// INIT and SELECTING.
    Selecting,
    Requesting {
        server: Ipv4Addr,
        address: Ipv4Addr,
    },
    /// INIT-REBOOT and REBOOTING.
    Confirming {
        address: Ipv4Addr,
    },
    Bound,
    Renewing,
    Rebinding,
}

/// The client of one interface.
#[derive(Debug)]
pub(super) struct Machine<R> {
    who: Identity,
    /// Any numbers, hard to guess.
    random: R,
    phase: Phase,
    exchange: u32,
    /// When this exchange began.
    began: u64,
    /// When something was sent last.
    sent: u64,
    /// How often in this exchange.
    tries: u32,
    /// When to do something next, besides what the lease says.
    next: Option<u64>,
    /// How often a server refused its own offers since there was a lease.
    refused: u32,
    held: Option<Held>,
    /// The address that the interface had last.
    last: Option<Ipv4Addr>,
}

impl<R: FnMut() -> u32> Machine<R> {
    /// A client that waits for its carrier. A lease of the same start of the machine that has not ended holds from now
    /// on; another one only tells which address to ask for.
    pub(super) fn new(who: Identity, random: R, saved: Option<&Saved>, boot: &str, now: u64) -> Self {
        let known = saved.and_then(|saved| {
            let answer = Answer::decode(&saved.answer).filter(|answer| answer.mac == who.mac)?;
            let lease = Lease::of(&answer)?;
            Some((Held { lease, start: saved.start, answer: saved.answer.clone() }, saved.boot == boot))
        });
        let last = known.as_ref().map(|(held, _)| held.lease.address);
        let holds = |held: &Held| held.start <= now && held.end().is_none_or(|end| now < end);
        let held = known.and_then(|(held, same)| (same && holds(&held)).then_some(held));
        Self {
            who,
            random,
            phase: Phase::Down,
            exchange: 0,
            began: now,
            sent: now,
            tries: 0,
            next: None,
            refused: 0,
            held,
            last,
        }
    }

    /// The lease that holds.
    pub(super) fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// Whether it asks or will ask for the address that it had.
    pub(super) fn hopes(&self) -> bool {
        self.last.is_some()
    }

    /// Whether answers may come.
    pub(super) fn listens(&self) -> bool {
        !matches!(self.phase, Phase::Down | Phase::Waiting | Phase::Bound)
    }

    /// When [`Machine::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<u64> {
        let at = |pick: fn(&Times) -> u64| self.held.as_ref().and_then(|held| held.at(pick));
        let turn = match self.phase {
            Phase::Bound => at(|times| times.renew),
            Phase::Renewing => at(|times| times.rebind),
            _ => None,
        };
        [turn, self.next, at(|times| times.end)].into_iter().flatten().min()
    }

    /// The link came or went. A lease outlives its absence, but has to be confirmed: it may be another link now.
    pub(super) fn carrier(&mut self, there: bool, now: u64) -> Option<Outgoing> {
        if !there {
            self.phase = Phase::Down;
            self.next = None;
            return None;
        }
        if self.phase != Phase::Down {
            return None;
        }
        self.refused = 0;
        self.expire(now);
        match self.last {
            Some(address) => {
                self.begin(Phase::Confirming { address }, now);
                Some(self.send(now))
            }
            None => Some(self.select(now)),
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: u64) -> Option<Outgoing> {
        let ended = self.expire(now);
        let due = self.next.is_some_and(|next| next <= now);
        let past = |machine: &Self, pick: fn(&Times) -> u64| {
            machine.held.as_ref().and_then(|held| held.at(pick)).is_some_and(|at| at <= now)
        };
        match self.phase {
            Phase::Bound | Phase::Renewing | Phase::Rebinding if ended => Some(self.select(now)),
            Phase::Bound if past(self, |times| times.rebind) => self.ask_again(Phase::Rebinding, now),
            Phase::Bound if past(self, |times| times.renew) => self.ask_again(Phase::Renewing, now),
            Phase::Renewing if past(self, |times| times.rebind) => self.ask_again(Phase::Rebinding, now),
            Phase::Requesting { .. } if due && self.tries >= REQUESTS => Some(self.select(now)),
            Phase::Confirming { .. } if due && self.tries >= CONFIRMATIONS => Some(self.select(now)),
            Phase::Waiting if due => Some(self.select(now)),
            Phase::Down | Phase::Bound | Phase::Waiting => None,
            _ if due => Some(self.send(now)),
            _ => None,
        }
    }

    /// A message came. What is not an answer to this client's last question is ignored.
    pub(super) fn answer(&mut self, bytes: &[u8], now: u64) -> Option<Outgoing> {
        let answer = Answer::decode(bytes)?;
        if !self.listens() || answer.exchange != self.exchange || answer.mac != self.who.mac {
            return None;
        }
        match (self.phase, answer.kind) {
            (Phase::Selecting, Kind::Offer) => {
                let offered = Lease::of(&answer)?;
                self.phase = Phase::Requesting { server: offered.server, address: offered.address };
                self.tries = 0;
                Some(self.send(now))
            }
            (Phase::Requesting { server, .. }, Kind::Ack | Kind::Nak) if answer.server != Some(server) => None,
            (
                Phase::Requesting { .. } | Phase::Confirming { .. } | Phase::Renewing | Phase::Rebinding,
                Kind::Ack | Kind::Nak,
            ) => self.decided(&answer, bytes, now),
            _ => None,
        }
    }

    /// A server gave what was asked for, or refused.
    fn decided(&mut self, answer: &Answer, bytes: &[u8], now: u64) -> Option<Outgoing> {
        if answer.kind == Kind::Nak {
            self.held = None;
            self.last = None;
            if matches!(self.phase, Phase::Requesting { .. }) {
                let wait = self.wait(SPREAD, self.refused);
                self.refused = self.refused.saturating_add(1);
                self.phase = Phase::Waiting;
                self.next = Some(now.saturating_add(wait));
                return None;
            }
            return Some(self.select(now));
        }
        let lease = Lease::of(answer)?;
        self.last = Some(lease.address);
        // It counts from the question: the answer may have been on its way for long.
        self.held = Some(Held { lease, start: self.sent, answer: bytes.to_vec() });
        self.phase = Phase::Bound;
        self.next = None;
        self.refused = 0;
        // The end may be there already.
        if self.expire(now) { Some(self.select(now)) } else { None }
    }

    /// Drops the lease when it has ended, and tells whether that was so.
    fn expire(&mut self, now: u64) -> bool {
        let ended = self.held.as_ref().and_then(Held::end).is_some_and(|end| end <= now);
        if ended {
            self.held = None;
        }
        ended
    }

    fn select(&mut self, now: u64) -> Outgoing {
        self.begin(Phase::Selecting, now);
        self.send(now)
    }

    fn ask_again(&mut self, phase: Phase, now: u64) -> Option<Outgoing> {
        self.begin(phase, now);
        Some(self.send(now))
    }

    fn begin(&mut self, phase: Phase, now: u64) {
        self.phase = phase;
        self.exchange = (self.random)();
        self.began = now;
        self.tries = 0;
    }

    /// Asks what the phase asks, and decides when to ask again.
    fn send(&mut self, now: u64) -> Outgoing {
        let held = self.held.as_ref().map(|held| (held.lease.address, held.lease.server));
        let seconds = now.saturating_sub(self.began) / 1000;
        let mut query = Query {
            kind: Kind::Request,
            exchange: self.exchange,
            seconds: u16::try_from(seconds).unwrap_or(u16::MAX),
            has: None,
            wants: None,
            server: None,
        };
        let mut way = Way::Raw;
        match (self.phase, held) {
            (Phase::Requesting { server, address }, _) => {
                (query.wants, query.server) = (Some(address), Some(server));
            }
            (Phase::Confirming { address }, _) => query.wants = Some(address),
            (Phase::Renewing, Some((address, server))) => {
                query.has = Some(address);
                way = Way::Server(address, server);
            }
            (Phase::Rebinding, Some((address, _))) => {
                query.has = Some(address);
                way = Way::Everybody(address);
            }
            _ => (query.kind, query.wants) = (Kind::Discover, self.last),
        }
        let wait = match self.phase {
            Phase::Renewing => self.patience(now, |times| times.rebind),
            Phase::Rebinding => self.patience(now, |times| times.end),
            Phase::Confirming { .. } => self.wait(CONFIRM_WAIT, self.tries),
            _ => self.wait(FIRST_WAIT, self.tries),
        };
        self.next = Some(now.saturating_add(wait));
        self.sent = now;
        self.tries = self.tries.saturating_add(1);
        Outgoing { message: query.encode(&self.who), way }
    }

    /// Half of what is left until a time of the lease.
    fn patience(&self, now: u64, pick: fn(&Times) -> u64) -> u64 {
        let left = self.held.as_ref().and_then(|held| held.at(pick)).unwrap_or_default().saturating_sub(now);
        (left / 2).max(PATIENT_WAIT)
    }

    /// Twice as long each time, and a little more or less.
    fn wait(&mut self, first: u64, times: u32) -> u64 {
        let whole = first.checked_shl(times.min(16)).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        let spread = SPREAD.min(whole / 2);
        let off =
            u64::from((self.random)()).checked_rem(spread.saturating_mul(2).saturating_add(1)).unwrap_or_default();
        whole.saturating_sub(spread).saturating_add(off)
    }
}

impl Held {
    /// When it ends.
    pub(super) fn end(&self) -> Option<u64> {
        self.at(|times| times.end)
    }

    fn at(&self, pick: fn(&Times) -> u64) -> Option<u64> {
        self.lease.times.as_ref().map(|times| self.start.saturating_add(pick(times)))
    }
}

#[cfg(test)]
mod tests;
