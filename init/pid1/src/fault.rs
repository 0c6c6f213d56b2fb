//! Faults for tests, asked for by `coracle.fault=NAME` and honoured only on a development slot.
//!
//! `hang-at:STAGE` and `crash-at:STAGE` fire at the end of a stage, `fill-at:state` and `fill-at:data` too, `stop-orchestrator` sends SIGSTOP when the process
//! says ready, `ignore-ready` leaves the health gate open. Once the footer is verified its key role decides; before that
//! (stages watchdog and disk) every key in the initrd has to be a development key.

use crate::stages::Stage;

/// What goes wrong with PID 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It stops doing anything: the watchdog has to reset.
    Hang,
    /// It exits: the kernel panics and resets.
    Crash,
    /// It fills the file system that the stage mounted, to the last block.
    Fill,
}

/// A requested fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// PID 1 fails at the end of a stage.
    At(Kind, Stage),
    /// The orchestrator is stopped when it says ready: a live process without heartbeat.
    StopOrchestrator,
    /// The orchestrator's ready message counts as alive only: the health gate fails.
    IgnoreReady,
}

impl Kind {
    /// The word in markers.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hang => "hang",
            Self::Crash => "crash",
            Self::Fill => "fill",
        }
    }
}

impl Fault {
    /// Reads the value of `coracle.fault`. `None`: not a fault of this release.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        match value.split_once(':').unwrap_or((value, "")) {
            ("hang-at", stage) => Some(Self::At(Kind::Hang, Stage::from_name(stage)?)),
            ("crash-at", stage) => Some(Self::At(Kind::Crash, Stage::from_name(stage)?)),
            ("fill-at", stage) => match Stage::from_name(stage)? {
                stage @ (Stage::State | Stage::Data) => Some(Self::At(Kind::Fill, stage)),
                _ => None,
            },
            ("stop-orchestrator", "") => Some(Self::StopOrchestrator),
            ("ignore-ready", "") => Some(Self::IgnoreReady),
            _ => None,
        }
    }

    /// What this fault does to PID 1 at the end of `stage`.
    pub(crate) fn at_end_of(self, stage: Stage) -> Option<Kind> {
        match self {
            Self::At(kind, at) if at == stage => Some(kind),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_faults_are_read() {
        for (value, want) in [
            ("hang-at:verity", Some(Fault::At(Kind::Hang, Stage::Verity))),
            ("crash-at:state", Some(Fault::At(Kind::Crash, Stage::State))),
            ("stop-orchestrator", Some(Fault::StopOrchestrator)),
            ("ignore-ready", Some(Fault::IgnoreReady)),
            ("fill-at:data", Some(Fault::At(Kind::Fill, Stage::Data))),
            ("fill-at:root", None),
            ("", None),
            ("hang-at", None),
            ("hang-at:", None),
            ("hang-at:nowhere", None),
            ("burn-at:state", None),
            ("hang-at:verity ", None),
            ("ignore-ready:x", None),
        ] {
            assert_eq!(Fault::parse(value), want, "{value}");
        }
    }

    #[test]
    fn a_fault_fires_at_its_stage_only() {
        let hang = Fault::At(Kind::Hang, Stage::Verity);
        assert_eq!(hang.at_end_of(Stage::Verity), Some(Kind::Hang));
        assert_eq!(hang.at_end_of(Stage::Root), None);
        assert_eq!(Fault::IgnoreReady.at_end_of(Stage::Verity), None);
    }
}
