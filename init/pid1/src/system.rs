//! The startup chain of the running system, from the verified root to the supervision loop.

use std::path::Path;

use coracle_contract::marker::Marker;
use coracle_contract::{cgroups as groups, paths};
use coracle_slots::gpt::Table;
use coracle_slots::layout::Role;

use crate::arguments::Arguments;
use crate::boot_facts::Facts;
use crate::boot_state::Gatekeeper;
use crate::cgroups;
use crate::clock_floor::{self, Outcome};
use crate::console::Console;
use crate::context::{Chain, Context};
use crate::disk::Disk;
use crate::entropy;
use crate::error::{Error, Result};
use crate::fatal::{install_panic_hook, report_and_reset};
use crate::files;
use crate::limits;
use crate::loopback;
use crate::modules::load::Loader;
use crate::mounts;
use crate::power_button::Buttons;
use crate::process::Program;
use crate::reaper;
use crate::root_contract;
use crate::seed;
use crate::signals::Signals;
use crate::stages::Stage;
use crate::storage::execute::{self, Status, Volume};
use crate::supervise::event_loop::{EventLoop, Orchestrator};
use crate::supervise::policy::{Hold, Policy};
use crate::sysctl;
use crate::uevent::Socket;
use crate::wait::Moment;
use crate::watchdog::Watchdog;

const STATE: Volume = Volume { role: Role::State, mount_point: paths::STATE, guards_identity: true };
const DATA: Volume = Volume { role: Role::Data, mount_point: paths::DATA, guards_identity: false };

/// Modules that PID 1 itself needs; ext4 does not ask for the quota format of a file system that is being mounted.
const MODULES: [&str; 3] = ["ext4", "quota_tree", "quota_v2"];

/// Runs as `/sbin/init` of the slot. Never returns.
pub fn main() -> ! {
    install_panic_hook();
    let mut console = Console::open();
    let watchdog = Watchdog::inherit();
    let opened = Signals::open().and_then(|signals| Ok((signals, Arguments::read()?, Facts::read()?)));
    let (signals, arguments, facts) = match opened {
        Ok(opened) => opened,
        Err(error) => report_and_reset(&mut console, Stage::Mounts, &error),
    };
    let development = facts.get("key-role") == Some("development");
    let mut context = Context { console, watchdog, arguments, development };
    match start(&mut context, facts) {
        Ok(started) => started.supervise(context, signals),
        Err(failure) => report_and_reset(&mut context.console, failure.stage, &failure.error),
    }
}

/// What the chain has brought up.
struct Started {
    facts: Facts,
    uevents: Socket,
    loader: Loader,
    disk: Disk,
    state: Status,
}

fn start(context: &mut Context, mut facts: Facts) -> Chain<Started> {
    context.stage(Stage::Mounts, |_| set_up_mounts())?;
    let (uevents, mut loader) = context.stage(Stage::Devices, find_devices)?;
    let (disk, mut table, state) = context.stage(Stage::State, |context| {
        load_own_modules(context, &mut loader);
        bring_up_state(context, &mut facts)
    })?;
    let data = context.stage(Stage::Data, |context| bring_up_data(context, &disk, &mut table, &mut facts))?;
    context.stage(Stage::Contract, |context| {
        root_contract::establish(context, state, data)?;
        facts.write()
    })?;
    context.stage(Stage::Cgroups, make_cgroups)?;
    context.stage(Stage::Network, |context| {
        for error in sysctl::apply() {
            context.warn(&error);
        }
        limits::apply()?;
        loopback::up()
    })?;
    context.stage(Stage::Clock, |context| raise_clock(context, state))?;
    context.stage(Stage::Entropy, |context| {
        entropy::seed(context, state.is_writable())?;
        store_first(context, state, entropy::SEED, entropy::store_fresh_seed);
        Ok(())
    })?;
    context.stage(Stage::Seed, |context| {
        seed::copy(context, &disk, &table, &mut facts);
        Ok(())
    })?;
    Ok(Started { facts, uevents, loader, disk, state })
}

impl Started {
    fn supervise(self, mut context: Context, signals: Signals) -> ! {
        if context.development && context.arguments.probe_root_contract {
            root_contract::probe(&mut context);
        }
        // Ctrl-Alt-Del becomes a signal to PID 1. Without the right to say so the kernel resets at once.
        let _ = rustix::system::reboot(rustix::system::RebootCommand::CadOff);
        context.end_of(Stage::Supervise);
        let now = Moment::now();
        let hold = match self.state {
            Status::Lost | Status::Damaged => Some(Hold::StateLost),
            Status::NoRoom => Some(Hold::NoRoom),
            Status::Made | Status::Clean | Status::Repaired | Status::Grown => None,
        };
        let gate_ms = context.arguments.gate_ms(context.development);
        let event_loop = EventLoop {
            gate: Box::new(Gatekeeper::new(self.disk, context.arguments.boot.slot)),
            program: orchestrator,
            context,
            signals,
            uevents: self.uevents,
            loader: self.loader,
            facts: self.facts,
            state_writable: self.state.is_writable(),
            owns_mounts: true,
            policy: hold.map_or_else(|| Policy::new(now, gate_ms), Policy::held),
            orchestrator: Orchestrator::default(),
            table: reaper::Table::default(),
            buttons: Buttons::of_machine(),
            fed: now,
            store_clock_at: now.after(clock_floor::STORE_EVERY_MS),
        };
        event_loop.run(hold)
    }
}

/// The supervised program.
fn orchestrator() -> Program {
    Program::new(paths::ORCHESTRATOR).arguments(["server"]).cgroup(Path::new(groups::ROOT).join(groups::ORCHESTRATOR))
}

fn set_up_mounts() -> Result<()> {
    files::write_kernel("/proc/sys/kernel/modprobe", paths::MODPROBE)?;
    mounts::mount_all(&mounts::SYSTEM)?;
    mounts::link_devices();
    Ok(())
}

/// Subscribes to device events before it looks at the devices, so that none is missed.
fn find_devices(context: &mut Context) -> Result<(Socket, Loader)> {
    let socket = Socket::open()?;
    let mut loader = Loader::open();
    for error in loader.load_for_devices() {
        context.warn(&error);
    }
    Ok((socket, loader))
}

fn load_own_modules(context: &mut Context, loader: &mut Loader) {
    for name in MODULES {
        if let Err(error) = loader.load(name) {
            context.warn(&error);
        }
    }
}

fn bring_up_state(context: &mut Context, facts: &mut Facts) -> Result<(Disk, Table, Status)> {
    let name = facts.get("disk").ok_or_else(|| Error::Found("the initrd did not name the boot disk".to_owned()))?;
    let disk = Disk::open(name)?;
    let mut table = execute::grow_table(context, &disk)?;
    let device_has_run = context.arguments.boot.id != 0;
    let status = execute::bring_up(context, &disk, &mut table, STATE, device_has_run)?;
    context.console.marker(&Marker::new("state").with("status", status.name()));
    facts.set("state", status.name());
    Ok((disk, table, status))
}

/// DATA never stops a boot: without it the system runs, says so, and formats nothing by itself.
fn bring_up_data(context: &mut Context, disk: &Disk, table: &mut Table, facts: &mut Facts) -> Result<Status> {
    let device_has_run = context.arguments.boot.id != 0;
    let mut status = execute::bring_up(context, disk, table, DATA, device_has_run).unwrap_or_else(|error| {
        context.warn(&error);
        Status::Damaged
    });
    if status == Status::Damaged
        && let Err(error) = execute::mount_damaged(disk, table, DATA)
    {
        context.warn(&error);
        status = Status::Lost;
    }
    context.console.marker(&Marker::new("data").with("status", status.name()));
    facts.set("data", status.name());
    Ok(status)
}

fn make_cgroups(context: &mut Context) -> Result<()> {
    let tree = cgroups::make(Path::new(groups::ROOT))?;
    if !tree.missing.is_empty() {
        context.console.say(&format!("warning: this kernel lacks the controllers {}", tree.missing.join(", ")));
    }
    Ok(())
}

fn raise_clock(context: &mut Context, state: Status) -> Result<()> {
    if let Outcome::Raised { to } = clock_floor::apply()? {
        context.console.say(&format!("the clock stood before its floor and was set to {to} seconds after 1970"));
    }
    store_first(context, state, clock_floor::STORED, clock_floor::store);
    Ok(())
}

/// Makes a file of STATE that later boots read, if there is none yet. A full STATE is no reason not to boot.
fn store_first(context: &mut Context, state: Status, path: &str, store: fn() -> Result<()>) {
    if state.is_writable()
        && !Path::new(path).exists()
        && let Err(error) = store()
    {
        context.warn(&error);
    }
}
