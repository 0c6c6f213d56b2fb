//! The boot as data: every stage, its name in markers and faults, and the part that runs it.

/// One step of the boot. The order of the variants is the order of the boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Pseudo file systems and the console.
    PseudoFs,
    /// Modules of the board's list, then by modalias.
    Modules,
    /// The hardware watchdog is open and fed from here on.
    Watchdog,
    /// The disk that GRUB booted from.
    Disk,
    /// The slot's signed footer.
    Footer,
    /// The verified block device.
    Verity,
    /// The root is mounted; the initrd is left after this.
    Root,
    /// Mounts of the running system and the module helper.
    Mounts,
    /// Modules for the devices that the initrd has no modules for.
    Devices,
    /// Partition table grown, STATE mounted.
    State,
    /// DATA mounted.
    Data,
    /// `/etc` files of this device, `/var`, shared mounts.
    Contract,
    /// The cgroup v2 tree.
    Cgroups,
    /// The loopback interface and kernel parameters.
    Network,
    /// The clock is not before its floor.
    Clock,
    /// The kernel's random generator is seeded.
    Entropy,
    /// What the sources of the machine configuration hold is copied. This late, so that most devices are there.
    Seed,
    /// The orchestrator is started; PID 1 stays in its loop.
    Supervise,
}

/// Which executable entry runs a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// `/init` of the initrd.
    Initrd,
    /// `/sbin/init` of the slot.
    System,
}

/// A row of the stage table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// The stage.
    pub(crate) stage: Stage,
    /// Its name in markers, faults and documents. Frozen.
    pub(crate) name: &'static str,
    /// Who runs it.
    pub(crate) part: Part,
}

/// All stages in boot order.
pub(crate) const TABLE: [Row; 18] = [
    row(Stage::PseudoFs, "pseudo-fs", Part::Initrd),
    row(Stage::Modules, "modules", Part::Initrd),
    row(Stage::Watchdog, "watchdog", Part::Initrd),
    row(Stage::Disk, "disk", Part::Initrd),
    row(Stage::Footer, "footer", Part::Initrd),
    row(Stage::Verity, "verity", Part::Initrd),
    row(Stage::Root, "root", Part::Initrd),
    row(Stage::Mounts, "mounts", Part::System),
    row(Stage::Devices, "devices", Part::System),
    row(Stage::State, "state", Part::System),
    row(Stage::Data, "data", Part::System),
    row(Stage::Contract, "contract", Part::System),
    row(Stage::Cgroups, "cgroups", Part::System),
    row(Stage::Network, "network", Part::System),
    row(Stage::Clock, "clock", Part::System),
    row(Stage::Entropy, "entropy", Part::System),
    row(Stage::Seed, "seed", Part::System),
    row(Stage::Supervise, "supervise", Part::System),
];

const fn row(stage: Stage, name: &'static str, part: Part) -> Row {
    Row { stage, name, part }
}

impl Stage {
    /// The name in markers and fault arguments.
    pub(crate) fn name(self) -> &'static str {
        TABLE.iter().find(|row| row.stage == self).map_or("unknown", |row| row.name)
    }

    /// The stage of a name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.stage)
    }

    /// Who runs this stage.
    pub(crate) fn part(self) -> Part {
        TABLE.iter().find(|row| row.stage == self).map_or(Part::System, |row| row.part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_ordered_and_unambiguous() {
        for pair in TABLE.windows(2) {
            assert!(pair[0].stage < pair[1].stage, "{:?}", pair[1]);
            assert!(pair[0].part == pair[1].part || pair[0].stage == Stage::Root);
        }
        for row in TABLE {
            assert_eq!(Stage::from_name(row.name), Some(row.stage));
            assert_eq!(row.stage.name(), row.name);
            assert_eq!(row.stage.part(), row.part);
        }
        assert_eq!(TABLE.last().map(|row| row.stage), Some(Stage::Supervise));
    }
}
