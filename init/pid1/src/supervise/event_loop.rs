//! The loop in which PID 1 spends its life: one wait on all descriptors, one deadline, then the policy's actions.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use coracle_contract::heartbeat::{DESCRIPTOR_VARIABLE, MAX_LENGTH, Message};
use coracle_contract::marker::Marker;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};

use super::policy::{Action, Hold, Input, Policy};
use crate::boot_facts::Facts;
use crate::boot_state::{Gate, Verdict};
use crate::clock_floor;
use crate::context::Context;
use crate::error::{Attempt as _, Result};
use crate::fatal;
use crate::fault::Fault;
use crate::modules::load::Loader;
use crate::power_button::Buttons;
use crate::process::Program;
use crate::reaper::{Owner, Table};
use crate::shutdown::{Ending, Shutdown};
use crate::signals::{Request, Signals};
use crate::uevent::Socket;
use crate::wait::{self, Moment};

/// Everything that PID 1 holds while the system runs.
pub(crate) struct EventLoop {
    /// Console, watchdog, arguments.
    pub(crate) context: Context,
    /// Signals as messages.
    pub(crate) signals: Signals,
    /// Device events.
    pub(crate) uevents: Socket,
    /// Modules for devices that appear.
    pub(crate) loader: Loader,
    /// Facts of this boot.
    pub(crate) facts: Facts,
    /// What a passed or failed gate means for the boot state.
    pub(crate) gate: Box<dyn Gate>,
    /// How to start the orchestrator.
    pub(crate) program: fn() -> Program,
    /// Whether STATE takes records.
    pub(crate) state_writable: bool,
    /// Whether the end unmounts everything and stops the machine's disks.
    pub(crate) owns_mounts: bool,
    /// Supervision.
    pub(crate) policy: Policy,
    /// The supervised program.
    pub(crate) orchestrator: Orchestrator,
    /// Who owns which child.
    pub(crate) table: Table,
    /// Power keys.
    pub(crate) buttons: Buttons,
    /// When the watchdog was last fed.
    pub(crate) fed: Moment,
    /// When the time is stored next.
    pub(crate) store_clock_at: Moment,
}

/// The supervised process, if it runs.
#[derive(Debug, Default)]
pub(crate) struct Orchestrator {
    pid: Option<i32>,
    heartbeat: Option<OwnedFd>,
}

/// Which descriptor of a turn is ready; buttons come last.
const SIGNALS: usize = 0;
const UEVENTS: usize = 1;
const HEARTBEAT: usize = 2;

impl EventLoop {
    /// Runs for ever, in a hold if there is a reason for one.
    pub(crate) fn run(mut self, hold: Option<Hold>) -> ! {
        // What happened to the devices while the stages ran is still queued. Whoever reads that the machine holds may
        // press the power button at once, so the buttons come first.
        self.take_uevents();
        self.buttons.look();
        if let Some(hold) = hold {
            self.hold(hold);
        }
        self.feed(Moment::now(), &Input::Tick);
        loop {
            let deadline = self.deadline();
            let ready = wait::readable(&self.descriptors(), deadline).unwrap_or_default();
            let is_ready = |index: usize| ready.get(index).copied().unwrap_or(false);
            if is_ready(UEVENTS) {
                self.take_uevents();
            }
            // Messages before signals: what a process said before it asked for the end still counts.
            self.take_messages();
            if is_ready(SIGNALS) {
                self.take_signals();
            }
            if ready.iter().skip(HEARTBEAT).any(|ready| *ready) && self.buttons.pressed() {
                self.end(Ending::PowerOff, "power-button");
            }
            let now = Moment::now();
            self.feed(now, &Input::Tick);
            self.store_clock(now);
        }
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let mut descriptors = vec![self.signals.as_fd(), self.uevents.as_fd()];
        descriptors.extend(self.orchestrator.heartbeat.as_ref().map(|socket| socket.as_fd()));
        descriptors.extend(self.buttons.descriptors());
        descriptors
    }

    fn deadline(&self) -> Moment {
        let food = Moment::now().after(self.context.watchdog.feed_interval_ms());
        let policy = self.policy.next_deadline().unwrap_or(food);
        food.min(policy).min(self.store_clock_at)
    }

    /// Gives an input to the policy, does what it says, and feeds the watchdog if the policy grants it.
    fn feed(&mut self, now: Moment, input: &Input) {
        let actions = self.policy.step(now, input);
        for action in actions {
            self.act(&action);
        }
        if self.policy.deserves_food(now) {
            self.context.watchdog.feed();
            self.fed = now;
        } else if !self.context.watchdog.is_present() && now.since(self.fed) > self.starving_ms() {
            // No hardware to do it for us.
            fatal::reset(&mut self.context.console, "orchestrator-stale-and-no-watchdog", 0);
        }
    }

    fn starving_ms(&self) -> u64 {
        u64::from(self.context.watchdog.timeout_seconds()).saturating_mul(1000)
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Start => {
                let now = Moment::now();
                match self.start() {
                    Ok(()) => self.feed(now, &Input::Started),
                    Err(error) => {
                        self.context.warn(&error);
                        self.feed(now, &Input::StartFailed);
                    }
                }
            }
            Action::BackOff(pause) => {
                let marker = self.event("back-off").with("backoff-ms", pause);
                self.context.console.marker(&marker);
            }
            Action::Stale => {
                let marker = self.event("stale");
                self.context.console.marker(&marker);
                self.context.console.say("the orchestrator is silent; the watchdog is no longer fed");
            }
            Action::GatePassed => self.gate_passed(),
            Action::GateFailed => self.gate_failed(),
            Action::Reboot(reason) => self.end(Ending::Reboot, reason),
        }
    }

    fn event(&self, event: &str) -> Marker {
        let pid = self.orchestrator.pid.map_or_else(|| "none".to_owned(), |pid| pid.to_string());
        Marker::new("orchestrator").with("event", event).with("pid", pid)
    }

    fn start(&mut self) -> Result<()> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
                .attempt("make", "heartbeat socket")?;
        let pid = (self.program)().keep(DESCRIPTOR_VARIABLE, theirs).start()?;
        self.table.adopt(pid, Owner::Orchestrator);
        self.orchestrator = Orchestrator { pid: Some(pid.as_raw_nonzero().get()), heartbeat: Some(ours) };
        let marker = self.event("started");
        self.context.console.marker(&marker);
        Ok(())
    }

    fn take_signals(&mut self) {
        for request in self.signals.take() {
            match request {
                Request::Reap => self.reap(),
                Request::Reboot(reason) => self.end(Ending::Reboot, reason),
                Request::PowerOff(reason) => self.end(Ending::PowerOff, reason),
            }
        }
    }

    fn reap(&mut self) {
        for report in self.table.reap() {
            let Owner::Orchestrator = report.owner;
            let marker = Marker::new("orchestrator").with("event", "exited").with("pid", report.pid);
            let marker = marker.with("status", report.ended).with("orphans-reaped", self.table.orphans());
            self.context.console.marker(&marker);
            // Its last words may still be in the socket.
            self.take_messages();
            self.orchestrator = Orchestrator::default();
            self.feed(Moment::now(), &Input::Exited(report.ended));
        }
    }

    /// Reads the heartbeat. What cannot be read is said once a packet and ignored.
    fn take_messages(&mut self) {
        let mut packet = [0_u8; MAX_LENGTH + 1];
        loop {
            let Some(socket) = &self.orchestrator.heartbeat else { return };
            match recv(socket, &mut packet[..], RecvFlags::empty()) {
                Ok((_, 0)) => {
                    // The process closed its end; from here on it counts as silent.
                    self.orchestrator.heartbeat = None;
                    return;
                }
                Ok((_, length)) => match Message::decode(packet.get(..length).unwrap_or_default()) {
                    Ok(message) => self.heard(message),
                    Err(error) => self.context.console.say(&format!("warning: {error}")),
                },
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    fn heard(&mut self, message: Message) {
        let now = Moment::now();
        if message != Message::Alive {
            let word = if message == Message::Ready { "ready" } else { "reboot" };
            self.context.console.marker(&Marker::new("heartbeat").with("message", word).with("at-ms", now.0));
        }
        match (self.context.fault(), &message) {
            (Some(Fault::IgnoreReady), Message::Ready) => self.feed(now, &Input::Heard(Message::Alive)),
            (Some(Fault::StopOrchestrator), Message::Ready) => {
                self.feed(now, &Input::Heard(message));
                self.stop_orchestrator();
            }
            _ => self.feed(now, &Input::Heard(message)),
        }
    }

    /// A fault for tests: the process lives and says nothing.
    fn stop_orchestrator(&mut self) {
        self.context.console.marker(&Marker::new("fault").with("kind", "stop-orchestrator"));
        if let Some(pid) = self.orchestrator.pid.and_then(rustix::process::Pid::from_raw) {
            // ESRCH: it has ended meanwhile, which is reported on its own.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::STOP);
        }
    }

    fn take_uevents(&mut self) {
        let batch = self.uevents.drain();
        let mut inputs = batch.lost;
        for event in batch.events.iter().filter(|event| event.action == "add") {
            inputs |= event.subsystem == "input";
            if let Some(Err(error)) = event.modalias.as_deref().map(|alias| self.loader.load(alias)) {
                self.context.warn(&error);
            }
        }
        if batch.lost {
            for error in self.loader.load_for_devices() {
                self.context.warn(&error);
            }
        }
        if inputs {
            self.buttons.look();
        }
    }

    fn gate_passed(&mut self) {
        match self.gate.passed() {
            Ok(what) => {
                self.context.console.marker(&Marker::new("gate").with("result", "passed").with("boot-state", what));
                self.facts.set("gate", "passed");
            }
            Err(error) => {
                self.context.warn(&error);
                self.context
                    .console
                    .marker(&Marker::new("gate").with("result", "passed").with("boot-state", "unwritten"));
                self.facts.set("gate", "unwritten");
            }
        }
        self.write_facts();
    }

    fn gate_failed(&mut self) {
        self.context.console.marker(&Marker::new("gate").with("result", "failed"));
        match self.gate.failed() {
            Ok(Verdict::Leave(reason)) => self.end(Ending::Reboot, reason),
            Ok(Verdict::Stay) => {
                self.hold(Hold::NoOtherSlot);
            }
            Err(error) => {
                self.context.warn(&error);
                self.end(Ending::Reboot, "gate-failed");
            }
        }
    }

    /// Enters a hold and says so.
    fn hold(&mut self, hold: Hold) {
        self.policy.hold(hold);
        self.context.console.say(hold.explanation());
        self.context.console.marker(&Marker::new("hold").with("reason", hold.name()));
        self.facts.set("hold", hold.name());
        self.write_facts();
    }

    fn write_facts(&mut self) {
        if let Err(error) = self.facts.write() {
            self.context.warn(&error);
        }
    }

    fn store_clock(&mut self, now: Moment) {
        if now < self.store_clock_at {
            return;
        }
        self.store_clock_at = now.after(clock_floor::STORE_EVERY_MS);
        if self.state_writable
            && let Err(error) = clock_floor::store()
        {
            self.context.warn(&error);
        }
    }

    fn end(&mut self, ending: Ending, reason: &str) -> ! {
        let shutdown = Shutdown {
            orchestrator: self.orchestrator.pid,
            state_writable: self.state_writable,
            owns_mounts: self.owns_mounts,
            ending,
        };
        shutdown.perform(&mut self.context, &self.signals, reason)
    }
}
