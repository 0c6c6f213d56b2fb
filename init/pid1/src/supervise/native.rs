//! The event loop outside a device: as process 1 of a PID namespace, with no watchdog, no boot state and no mounts of
//! its own. It lets a test run the real loop, reaping and shutdown at native speed.

use std::fs::File;

use super::event_loop::{EventLoop, Orchestrator};
use super::policy::{GATE_MS, Policy};
use crate::arguments::Arguments;
use crate::boot_facts::Facts;
use crate::boot_state::{Gate, Verdict};
use crate::clock_floor;
use crate::console::Console;
use crate::context::Context;
use crate::error::{Result, chain};
use crate::modules::load::Loader;
use crate::power_button::Buttons;
use crate::process::Program;
use crate::reaper;
use crate::signals::Signals;
use crate::uevent::Socket;
use crate::wait::Moment;
use crate::watchdog::Watchdog;

/// The command line of a native run; nothing reads it but the loop's own fields.
const ARGUMENTS: &str = "coracle.boot=1 coracle.slot=a coracle.seq=0000000001 coracle.id=0000000000000001";

/// The program that a native run supervises. It decides by itself what it does.
const PROGRAM: &str = "/supervised";

/// Supervises `/supervised` as process 1 of a PID namespace and writes messages and markers to `console`. Returns only
/// when it cannot begin, with the reason.
#[must_use]
pub fn supervise(console: File) -> String {
    match prepare(console) {
        Ok(event_loop) => event_loop.run(None),
        Err(error) => chain(&error),
    }
}

fn prepare(console: File) -> Result<EventLoop> {
    let now = Moment::now();
    let arguments = Arguments::parse(ARGUMENTS)?;
    Ok(EventLoop {
        context: Context { console: Console::to(console), watchdog: Watchdog::absent(), arguments, development: false },
        signals: Signals::open()?,
        uevents: Socket::open()?,
        loader: Loader::empty(),
        facts: Facts::default(),
        gate: Box::new(NoBootState),
        program: || Program::new(PROGRAM),
        state_writable: false,
        owns_mounts: false,
        policy: Policy::new(now, GATE_MS),
        orchestrator: Orchestrator::default(),
        table: reaper::Table::default(),
        buttons: Buttons::none(),
        fed: now,
        store_clock_at: now.after(clock_floor::STORE_EVERY_MS),
    })
}

struct NoBootState;

impl Gate for NoBootState {
    fn passed(&self) -> Result<&'static str> {
        Ok("none")
    }

    fn failed(&self) -> Result<Verdict> {
        Ok(Verdict::Stay)
    }
}
