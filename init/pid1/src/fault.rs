//! Faults for tests: PID 1 hangs or crashes where the kernel command line says so.
//!
//! `coracle.fault=hang-at:STAGE` and `coracle.fault=crash-at:STAGE` fire at the end of a stage. They are honoured only on
//! a development slot: once the footer is verified its key role decides; before that (stages watchdog to disk) every
//! key in the initrd has to be a development key.

use crate::stages::Stage;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// PID 1 stops doing anything: the watchdog has to reset.
    Hang,
    /// PID 1 exits: the kernel panics and resets.
    Crash,
}

/// A requested fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What goes wrong.
    pub(crate) kind: Kind,
    /// Where.
    pub(crate) stage: Stage,
}

impl Fault {
    /// Reads the value of `coracle.fault`. `None`: not a fault of this release.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (kind, stage) = value.split_once(':')?;
        let kind = match kind {
            "hang-at" => Kind::Hang,
            "crash-at" => Kind::Crash,
            _ => return None,
        };
        Some(Self { kind, stage: Stage::from_name(stage)? })
    }

    /// Whether this fault fires at the end of `stage` on a slot that is (or is not) a development slot.
    pub(crate) fn fires(self, stage: Stage, development: bool) -> bool {
        development && self.stage == stage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_faults_are_read() {
        let hang = Fault { kind: Kind::Hang, stage: Stage::Verity };
        assert_eq!(Fault::parse("hang-at:verity"), Some(hang));
        assert_eq!(Fault::parse("crash-at:state"), Some(Fault { kind: Kind::Crash, stage: Stage::State }));
        for bad in ["", "hang-at", "hang-at:", "hang-at:nowhere", "burn-at:state", "hang-at:verity "] {
            assert_eq!(Fault::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_fault_needs_its_stage_and_a_development_slot() {
        let hang = Fault { kind: Kind::Hang, stage: Stage::Verity };
        assert!(hang.fires(Stage::Verity, true));
        assert!(!hang.fires(Stage::Verity, false));
        assert!(!hang.fires(Stage::Root, true));
    }
}
