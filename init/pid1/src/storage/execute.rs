//! Carrying out the plans for STATE and DATA with Debian's e2fsprogs.

use std::fs::File;
use std::path::{Path, PathBuf};

use coracle_slots::gpt::{Table, plan_grow};
use coracle_slots::layout::Role;
use rustix::mount::{MountFlags, UnmountFlags, unmount};

use super::plan::{Checked, Observed, Step, checked, first_step, should_grow};
use super::{probe, superblock};
use crate::context::Context;
use crate::disk::{Disk, partition, table};
use crate::error::{Attempt as _, Error, Result, invalid};
use crate::mounts::mount_file_system;
use crate::process::{Ended, Program};
use crate::wait::Moment;

/// Bounds in milliseconds. The watchdog is fed meanwhile; a tool that takes longer is killed.
const MAKE_MS: u64 = 10 * 60_000;
const CHECK_MS: u64 = 30 * 60_000;
const GROW_MS: u64 = 30 * 60_000;

/// Project quota is on from the start: adding it later means an unmounted file system and a full check.
const MAKE_OPTIONS: [&str; 10] = [
    "-q",
    "-F",
    "-t",
    "ext4",
    "-O",
    "project,quota",
    "-E",
    "quotatype=prjquota,lazy_itable_init=1,lazy_journal_init=1",
    "-b",
    "4096",
];

const MOUNT_OPTIONS: &str = "prjquota,errors=remount-ro";
const MOUNT_FLAGS: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::RELATIME);

/// How a partition came out of this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Made at this boot.
    Made,
    /// Mounted as it was.
    Clean,
    /// Mounted after a repair without loss.
    Repaired,
    /// Mounted and enlarged to its partition.
    Grown,
    /// Not repairable. DATA is mounted read-only, STATE is not mounted.
    Damaged,
    /// It existed and is gone. Nothing is mounted.
    Lost,
    /// The disk has no room for it.
    NoRoom,
}

impl Status {
    /// The word in markers and facts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Clean => "clean",
            Self::Repaired => "repaired",
            Self::Grown => "grown",
            Self::Damaged => "damaged",
            Self::Lost => "lost",
            Self::NoRoom => "no-room",
        }
    }

    /// Whether the file system is mounted read-write.
    pub(crate) const fn is_writable(self) -> bool {
        matches!(self, Self::Made | Self::Clean | Self::Repaired | Self::Grown)
    }
}

/// A partition to bring up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volume {
    /// Its place in the table.
    pub(crate) role: Role,
    /// Where it is mounted.
    pub(crate) mount_point: &'static str,
    /// Whether its loss loses the device's identity.
    pub(crate) guards_identity: bool,
}

/// Grows the partition table to the disk, and makes the kernel see what is new.
pub(crate) fn grow_table(context: &mut Context, disk: &Disk) -> Result<Table> {
    let (found, source) =
        Table::read(disk).map_err(|error| invalid("read partition table of", &disk.name)(Box::new(error)))?;
    let grown = plan_grow(&found, disk.sectors(), &table::fresh_guids()?);
    let repair = source == coracle_slots::gpt::Source::Backup;
    if grown.is_some() || repair {
        context.console.say(&format!("partition table of {} is written ({source:?} copy was read)", disk.name));
    }
    let table = match grown {
        Some(grown) => grown,
        None if repair => found,
        None => return Ok(found),
    };
    table::write(&disk.writable()?, disk.path(), &table)?;
    Ok(table)
}

/// Brings one partition up: makes it once, checks it, mounts it, enlarges it. A damaged one is a status, not an error.
pub(crate) fn bring_up(
    context: &mut Context,
    disk: &Disk,
    table: &mut Table,
    volume: Volume,
    device_has_run: bool,
) -> Result<Status> {
    let device = match table.find(volume.role) {
        None => None,
        Some(entry) => Some(partition::ensure(disk, entry)?),
    };
    let size = match &device {
        None => None,
        Some(device) => superblock::size_bytes(&open(device)?, &device.display().to_string())?,
    };
    let formatted = table.find(volume.role).is_some_and(|entry| entry.attributes & coracle_slots::gpt::FORMATTED != 0);
    let observed = Observed { present: device.is_some(), formatted, file_system: size.is_some(), device_has_run };
    let step = first_step(observed, volume.guards_identity);
    let (Some(device), Step::Make | Step::Check) = (device, step) else {
        return Ok(if step == Step::NoRoom { Status::NoRoom } else { Status::Lost });
    };
    if step == Step::Make {
        make(context, &device, volume)?;
        *table = table.clone().with_formatted(volume.role);
        table::write(&disk.writable()?, disk.path(), table)?;
        mount(&device, volume.mount_point)?;
        return Ok(Status::Made);
    }
    let status = match check(context, &device) {
        Checked::Clean => Status::Clean,
        Checked::Repaired => Status::Repaired,
        Checked::Damaged => return Ok(Status::Damaged),
    };
    if let Err(error) = mount(&device, volume.mount_point) {
        context.warn(&error);
        return Ok(Status::Damaged);
    }
    // e2fsck -p looks only briefly at a file system that was unmounted in order; what it missed shows at the first write.
    if let Err(error) = probe::takes_writes(Path::new(volume.mount_point)) {
        context.warn(&error);
        unmount(volume.mount_point, UnmountFlags::empty()).attempt("unmount", volume.mount_point)?;
        return Ok(Status::Damaged);
    }
    let partition_bytes = table.find(volume.role).map_or(0, coracle_slots::gpt::Entry::size_bytes);
    if should_grow(size.unwrap_or(0), partition_bytes) {
        match grow(context, &device) {
            Ok(()) => return Ok(Status::Grown),
            Err(error) => context.warn(&error),
        }
    }
    Ok(status)
}

/// Mounts a damaged partition without writing a byte to it.
pub(crate) fn mount_damaged(disk: &Disk, table: &Table, volume: Volume) -> Result<()> {
    let entry = table.find(volume.role).ok_or_else(|| Error::Found("the partition is missing".to_owned()))?;
    let device = partition::ensure(disk, entry)?;
    let flags = MOUNT_FLAGS | MountFlags::RDONLY;
    mount_file_system(device, volume.mount_point, "ext4", flags, "noload,errors=continue")
}

fn open(device: &Path) -> Result<File> {
    File::open(device).attempt("open", device)
}

fn mount(device: &PathBuf, mount_point: &str) -> Result<()> {
    mount_file_system(device, mount_point, "ext4", MOUNT_FLAGS, MOUNT_OPTIONS)
}

fn make(context: &mut Context, device: &Path, volume: Volume) -> Result<()> {
    let program = Program::new("/sbin/mke2fs")
        .arguments(MAKE_OPTIONS)
        .arguments(["-L", volume.role.name()])
        .arguments([device.display().to_string()]);
    let ended = program.run(Moment::now().after(MAKE_MS), &mut context.watchdog)?;
    if ended != Ended::Code(0) {
        return Err(Error::Found(format!("mke2fs {} ended with {ended}", device.display())));
    }
    // The attribute that follows must never be on disk before the file system is.
    open(device)?.sync_all().attempt("flush", device)
}

fn check(context: &mut Context, device: &Path) -> Checked {
    let program = Program::new("/sbin/e2fsck").arguments(["-p".to_owned(), device.display().to_string()]);
    match program.run(Moment::now().after(CHECK_MS), &mut context.watchdog) {
        Ok(Ended::Code(code)) => checked(Some(code)),
        Ok(Ended::Signal(_)) => checked(None),
        Err(error) => {
            context.warn(&error);
            checked(None)
        }
    }
}

fn grow(context: &mut Context, device: &Path) -> Result<()> {
    let program = Program::new("/sbin/resize2fs").arguments([device.display().to_string()]);
    match program.run(Moment::now().after(GROW_MS), &mut context.watchdog)? {
        Ended::Code(0) => Ok(()),
        ended => Err(Error::Found(format!("resize2fs {} ended with {ended}", device.display()))),
    }
}
