//! When the orchestrator is started again, when its silence counts, when the watchdog deserves food, and when a boot is
//! healthy. Pure: time and events in, actions out.

use coracle_contract::heartbeat::{Message, STALE_SECONDS};

use crate::process::Ended;
use crate::wait::Moment;

/// Pause before the n-th start in a row, in milliseconds; the last one repeats. No jitter: one process on one machine.
pub(crate) const BACK_OFF_MS: [u64; 8] = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];

/// A process that lived this long and was ready has earned a fresh back-off.
const HEALTHY_MS: u64 = 60_000;

/// A new process may take this long to its first message.
const START_GRACE_MS: u64 = 60_000;

const STALE_MS: u64 = STALE_SECONDS * 1000;

/// Time from the start of supervision in which the process has to become ready, in milliseconds.
pub(crate) const GATE_MS: u64 = 600_000;

/// Why PID 1 stays up although no orchestrator makes progress. The watchdog is fed in a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// STATE existed and is gone, or cannot be repaired.
    StateLost,
    /// The disk has no room for STATE.
    NoRoom,
    /// The gate failed and there is no other slot to go to.
    NoOtherSlot,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The process runs.
    Started,
    /// It could not be started.
    StartFailed,
    /// It said something.
    Heard(Message),
    /// It ended.
    Exited(Ended),
    /// A deadline may have passed.
    Tick,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start the process.
    Start,
    /// Say that the next start waits this long.
    BackOff(u64),
    /// Say that the process is silent; the watchdog is no longer fed.
    Stale,
    /// The boot is healthy: record it. At most once a boot.
    GatePassed,
    /// The process did not get ready in time. At most once a boot.
    GateFailed,
    /// Reboot in order.
    Reboot(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A start is due at that moment.
    Waiting { until: Moment },
    /// The start was ordered.
    Starting,
    /// The process runs; it was heard last, or started, so that it is fresh until then.
    Running { since: Moment, fresh_until: Moment, ready: bool, stale: bool },
    /// No process at all.
    Held,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open { deadline: Moment },
    Closed,
}

/// The supervision of one process.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    state: State,
    failures: usize,
    gate: Gate,
    hold: Option<Hold>,
}

impl Policy {
    /// Starts the process at once; the gate closes `gate_ms` from now.
    pub(crate) const fn new(now: Moment, gate_ms: u64) -> Self {
        let gate = Gate::Open { deadline: now.after(gate_ms) };
        Self { state: State::Waiting { until: now }, failures: 0, gate, hold: None }
    }

    /// Never starts the process.
    pub(crate) const fn held(hold: Hold) -> Self {
        Self { state: State::Held, failures: 0, gate: Gate::Closed, hold: Some(hold) }
    }

    /// Enters a hold in which the process goes on being supervised.
    pub(crate) const fn hold(&mut self, hold: Hold) {
        self.hold = Some(hold);
    }

    /// Takes an event and returns what to do now, in order.
    pub(crate) fn step(&mut self, now: Moment, input: &Input) -> Vec<Action> {
        let mut actions = match input {
            Input::Started => {
                self.state =
                    State::Running { since: now, fresh_until: now.after(START_GRACE_MS), ready: false, stale: false };
                Vec::new()
            }
            Input::StartFailed => self.back_off(now),
            Input::Exited(_) => self.exited(now),
            Input::Heard(message) => self.heard(now, message),
            Input::Tick => Vec::new(),
        };
        actions.extend(self.deadlines(now));
        actions
    }

    /// The next moment at which [`Self::step`] has something to do by itself.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let state = match self.state {
            State::Waiting { until } => Some(until),
            State::Running { fresh_until, stale: false, .. } => Some(fresh_until),
            State::Running { .. } | State::Starting | State::Held => None,
        };
        let gate = match self.gate {
            Gate::Open { deadline } => Some(deadline),
            Gate::Closed => None,
        };
        state.into_iter().chain(gate).min()
    }

    /// Whether the watchdog is to be fed: the heartbeat is fresh, a restart is scheduled within its bounded back-off, or
    /// PID 1 is in a named hold. A live process without a heartbeat is none of these.
    pub(crate) fn deserves_food(&self, now: Moment) -> bool {
        match self.state {
            State::Running { fresh_until, .. } => now < fresh_until,
            State::Waiting { .. } | State::Starting => true,
            State::Held => self.hold.is_some(),
        }
    }

    fn heard(&mut self, now: Moment, message: &Message) -> Vec<Action> {
        let State::Running { since, ready, .. } = self.state else { return Vec::new() };
        let says_ready = *message == Message::Ready;
        self.state =
            State::Running { since, fresh_until: now.after(STALE_MS), ready: ready || says_ready, stale: false };
        match message {
            Message::Reboot(reason) => vec![Action::Reboot(reason.clone())],
            Message::Ready if self.gate != Gate::Closed => {
                self.gate = Gate::Closed;
                vec![Action::GatePassed]
            }
            Message::Ready | Message::Alive => Vec::new(),
        }
    }

    fn exited(&mut self, now: Moment) -> Vec<Action> {
        if let State::Running { since, ready: true, .. } = self.state
            && now.since(since) >= HEALTHY_MS
        {
            self.failures = 0;
        }
        self.back_off(now)
    }

    fn back_off(&mut self, now: Moment) -> Vec<Action> {
        let [.., longest] = BACK_OFF_MS;
        let pause = BACK_OFF_MS.get(self.failures).copied().unwrap_or(longest);
        self.failures = self.failures.saturating_add(1);
        self.state = State::Waiting { until: now.after(pause) };
        vec![Action::BackOff(pause)]
    }

    fn deadlines(&mut self, now: Moment) -> Vec<Action> {
        let mut actions = Vec::new();
        match &mut self.state {
            State::Waiting { until } if now >= *until => {
                self.state = State::Starting;
                actions.push(Action::Start);
            }
            State::Running { fresh_until, stale, .. } if !*stale && now >= *fresh_until => {
                *stale = true;
                actions.push(Action::Stale);
            }
            _ => {}
        }
        if let Gate::Open { deadline } = self.gate
            && now >= deadline
        {
            self.gate = Gate::Closed;
            actions.push(Action::GateFailed);
        }
        actions
    }
}

impl Hold {
    /// The word in markers.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::StateLost => "state-lost",
            Self::NoRoom => "disk-too-small",
            Self::NoOtherSlot => "no-other-slot",
        }
    }

    /// What a person at the console needs to know.
    pub(crate) const fn explanation(self) -> &'static str {
        match self {
            Self::StateLost => {
                "STATE existed and is lost or not repairable. The orchestrator is not started and nothing is \
                 formatted: look at the disk, restore it, or flash the device anew."
            }
            Self::NoRoom => "the disk has no room for STATE. At least 4 GiB are needed.",
            Self::NoOtherSlot => {
                "the orchestrator did not get ready in time, and there is no other slot to go back to. \
                 The machine stays up."
            }
        }
    }
}
