//! The startup chain of the initrd: from an empty memory file system to the slot's verified root.

use std::path::{Path, PathBuf};

use coracle_contract::marker::Marker;
use coracle_contract::paths;
use coracle_slots::gpt::Table;
use coracle_slots::layout::Role;
use coracle_slots::verity::table_line;
use rustix::mount::MountFlags;

use crate::arguments::Arguments;
use crate::boot_facts::Facts;
use crate::boot_state;
use crate::console::Console;
use crate::context::{Chain, Context};
use crate::devmapper;
use crate::disk::select::{Candidate, Decision, decide};
use crate::disk::{self, Disk};
use crate::error::{Error, Result, invalid};
use crate::fatal::{install_panic_hook, report_and_reset};
use crate::files;
use crate::modules::load::Loader;
use crate::mounts::{self, mount_file_system};
use crate::slot::{self, Verified};
use crate::stages::Stage;
use crate::switch_root::{self, NEW_ROOT};
use crate::uevent::Socket;
use crate::wait::{self, Moment};
use crate::watchdog::{self, Watchdog};

/// What the root needs beyond disks: mapper, verity, its hash, the file system.
const ROOT_MODULES: [&str; 4] = ["dm_verity", "crypto-sha256", "squashfs", "loop"];

/// Largest board list that is read.
const LIST_LIMIT: u64 = 64 * 1024;

/// Runs as `/init` of the initrd. Ends in the system stage or in a reset.
pub fn main() -> ! {
    install_panic_hook();
    let mounted = mounts::mount_all(&mounts::EARLY);
    let mut console = Console::open();
    let arguments = match mounted.and_then(|()| Arguments::read()) {
        Ok(arguments) => arguments,
        Err(error) => report_and_reset(&mut console, Stage::PseudoFs, &error),
    };
    let mut context = Context { console, watchdog: Watchdog::absent(), arguments, development: false };
    context.end_of(Stage::PseudoFs);
    let mut boot = Boot::default();
    match boot.run(&mut context) {
        Ok(()) => {
            let error = switch_root::enter_system(&context.watchdog);
            report_and_reset(&mut context.console, Stage::Root, &error)
        }
        Err(failure) => {
            boot.give_up_slot(&mut context);
            report_and_reset(&mut context.console, failure.stage, &failure.error)
        }
    }
}

/// What the chain has found so far.
#[derive(Default)]
struct Boot {
    disk: Option<(Disk, Table)>,
}

impl Boot {
    fn run(&mut self, context: &mut Context) -> Chain<()> {
        let mut loader = context.stage(Stage::Modules, load_board_modules)?;
        context.stage(Stage::Watchdog, |context| open_watchdog(context, &mut loader))?;
        let (disk, table) = context.stage(Stage::Disk, |context| find_disk(context, &mut loader))?;
        let (disk, table) = self.disk.insert((disk, table));
        let verified = context.stage(Stage::Footer, |context| read_footer(context, disk, table))?;
        let root = context.stage(Stage::Verity, |context| map_root(context, disk, table, &verified))?;
        context.stage(Stage::Root, |context| enter_root(context, disk, &root, &verified))
    }

    /// A slot whose footer or root is bad will not be better at the next boot: the other one is taken at once.
    fn give_up_slot(&self, context: &mut Context) {
        let Some((disk, table)) = &self.disk else { return };
        let running = context.arguments.boot.slot;
        let other_is_usable = slot::is_usable(disk, table, running.other(), paths::FOOTER_KEYS);
        match boot_state::reject_running(disk, table, running, other_is_usable) {
            Ok(true) => context.console.say("this slot is given up; the next boot takes the other one"),
            Ok(false) => {}
            Err(error) => context.warn(&error),
        }
    }
}

/// The board's list, in its order. The module helper is this executable; in the initrd it may load all there is.
fn load_board_modules(context: &mut Context) -> Result<Loader> {
    let helper = Path::new(paths::MODPROBE);
    if !helper.exists() {
        files::make_directory(helper.parent().unwrap_or_else(|| Path::new("/")))?;
        // Without it only those modules are missing that the kernel asks for itself; the stages say which.
        let _ = std::os::unix::fs::symlink("/init", helper);
    }
    if !Path::new(paths::MODPROBE_ALLOW).exists() {
        files::make_directory("/etc/coracle")?;
        files::write(paths::MODPROBE_ALLOW, b"*\n")?;
    }
    files::write_kernel("/proc/sys/kernel/modprobe", paths::MODPROBE)?;
    let mut loader = Loader::open();
    let list = files::read_text(paths::MODULES_BOOT, LIST_LIMIT).unwrap_or_default();
    let board = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for name in board.chain(ROOT_MODULES) {
        if let Err(error) = loader.load(name) {
            context.warn(&error);
        }
    }
    Ok(loader)
}

/// Tries the watchdog modules until one offers a device. A machine without one boots on, and says so.
fn open_watchdog(context: &mut Context, loader: &mut Loader) -> Result<()> {
    for module in watchdog::MODULES {
        if !Path::new("/dev/watchdog0").exists()
            && let Err(error) = loader.load(module)
        {
            context.warn(&error);
        }
    }
    match Watchdog::open() {
        Ok(watchdog) => {
            let marker = Marker::new("watchdog").with("device", Watchdog::identity());
            context.console.marker(&marker.with("timeout-s", watchdog.timeout_seconds()));
            context.watchdog = watchdog;
        }
        Err(error) => {
            context.warn(&error);
            context.console.marker(&Marker::new("watchdog").with("device", "none"));
        }
    }
    let keys = slot::keys(paths::FOOTER_KEYS);
    context.development = keys.is_ok_and(|keys| slot::only_development(&keys));
    Ok(())
}

/// Loads modules for the devices there are, then waits on the kernel's events until the boot disk is there.
fn find_disk(context: &mut Context, loader: &mut Loader) -> Result<(Disk, Table)> {
    let socket = Socket::open()?;
    for error in loader.load_for_devices() {
        context.warn(&error);
    }
    let wanted = (context.arguments.boot.seq, context.arguments.boot.id);
    let began = Moment::now();
    let mut changed = began;
    let mut search = Search::default();
    search.look();
    loop {
        match decide(&search.candidates(), wanted, began, changed, Moment::now()) {
            Decision::Take(name) => return search.take(&name),
            Decision::GiveUp(why) => return Err(Error::Found(format!("{why}{}", search.refusals()))),
            Decision::Wait(until) => {
                use std::os::fd::AsFd as _;
                wait::readable_feeding(&[socket.as_fd()], until, &mut context.watchdog)?;
            }
        }
        let batch = socket.drain();
        for alias in batch.events.iter().filter(|event| event.action == "add").filter_map(|e| e.modalias.as_deref()) {
            if let Err(error) = loader.load(alias) {
                context.warn(&error);
            }
        }
        if (batch.lost || batch.events.iter().any(|event| event.subsystem == "block")) && search.look() {
            changed = Moment::now();
        }
    }
}

/// The disks looked at so far, each once.
#[derive(Default)]
struct Search {
    found: Vec<(Disk, Table, Candidate)>,
    refused: Vec<(String, Error)>,
}

impl Search {
    /// Looks at disks that are new. True when one of ours appeared.
    fn look(&mut self) -> bool {
        let mut appeared = false;
        for name in disk::names() {
            let known = self.found.iter().any(|(disk, ..)| disk.name == name);
            if known {
                continue;
            }
            self.refused.retain(|(refused, _)| *refused != name);
            match inspect(&name) {
                Ok(found) => {
                    self.found.push(found);
                    appeared = true;
                }
                Err(error) => self.refused.push((name, error)),
            }
        }
        appeared
    }

    fn candidates(&self) -> Vec<Candidate> {
        self.found.iter().map(|(_, _, candidate)| candidate.clone()).collect()
    }

    fn take(self, name: &str) -> Result<(Disk, Table)> {
        let found = self.found.into_iter().find(|(disk, ..)| disk.name == name);
        found.map(|(disk, table, _)| (disk, table)).ok_or_else(|| Error::Found(format!("{name} has gone")))
    }

    /// Why the other disks are not ours.
    fn refusals(&self) -> String {
        self.refused.iter().map(|(name, error)| format!("; {name}: {}", crate::error::chain(error))).collect()
    }
}

fn inspect(name: &str) -> Result<(Disk, Table, Candidate)> {
    let disk = Disk::open(name)?;
    let (table, _) = Table::read(&disk).map_err(|error| invalid("read partition table of", name)(Box::new(error)))?;
    if table.find(Role::Esp).is_none() || table.find(Role::SlotA).is_none() {
        return Err(Error::Found("it has not our partitions".to_owned()));
    }
    let newest = boot_state::newest(&disk, &table).ok().flatten();
    let candidate = Candidate { name: name.to_owned(), newest };
    Ok((disk, table, candidate))
}

fn read_footer(context: &mut Context, disk: &Disk, table: &Table) -> Result<Verified> {
    let keys = slot::keys(paths::FOOTER_KEYS)?;
    let boot = &context.arguments.boot;
    let verified = slot::verify(disk, table, boot.slot, &keys, &slot::board()?)?;
    context.development = verified.role == coracle_slots::footer::KeyRole::Development;
    context.console.marker(
        &Marker::new("slot")
            .with("slot", boot.slot.letter())
            .with("version", verified.footer.version.as_str())
            .with("key-role", verified.role.name())
            .with("key-id", verified.footer.key_id)
            .with("seq", format!("{:010}", boot.seq))
            .with("id", format!("{:016x}", boot.id)),
    );
    Ok(verified)
}

/// Makes the verified device. A block that does not match panics the kernel, which resets: the fall-back counts it.
fn map_root(context: &mut Context, disk: &Disk, table: &Table, verified: &Verified) -> Result<PathBuf> {
    let device = slot::device(disk, table, context.arguments.boot.slot)?;
    let device = device.display().to_string();
    let parameters = table_line(&verified.footer.verity, &device, &device, &["panic_on_corruption"]);
    devmapper::create_read_only("coracle-root", "verity", verified.footer.verity.sectors(), &parameters)
}

fn enter_root(context: &mut Context, disk: &Disk, root: &Path, verified: &Verified) -> Result<()> {
    files::make_directory(NEW_ROOT)?;
    mount_file_system(root, NEW_ROOT, "squashfs", MountFlags::RDONLY | MountFlags::NODEV, "")?;
    let boot = &context.arguments.boot;
    let mut facts = Facts::default();
    facts.set("slot", boot.slot.letter());
    facts.set("seq", format!("{:010}", boot.seq));
    facts.set("id", format!("{:016x}", boot.id));
    facts.set("disk", &disk.name);
    facts.set("version", verified.footer.version.as_str());
    facts.set("board", verified.footer.board.as_str());
    facts.set("key-role", verified.role.name());
    facts.set("key-id", verified.footer.key_id);
    facts.set("security-floor", verified.footer.security_floor);
    facts.write()?;
    let keys = files::read(paths::FOOTER_KEYS, LIST_LIMIT)?;
    files::write(slot::KEYS_IN_RUN, &keys)?;
    switch_root::switch()
}
