//! Decides between KVM and TCG: hardware help is used only after it has proved itself, because nested KVM may stop a
//! guest after some seconds without a word.

use crate::error::{Error, Result};
use crate::machine::Architecture;
use std::fmt;

/// How a guest's instructions are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// By the host's processor.
    Kvm,
    /// By translation: slow, dependable.
    Tcg,
}

/// What the user allows, from `CORACLE_ACCEL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// KVM where the probe passes.
    Auto,
    /// No KVM, and no probe.
    Tcg,
}

/// A decision and its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The accelerator.
    pub accelerator: Accelerator,
    /// For people.
    pub reason: String,
}

/// Name of the variable.
const VARIABLE: &str = "CORACLE_ACCEL";

impl Setting {
    /// Reads the environment.
    ///
    /// # Errors
    /// The variable has another value than `tcg` or `auto`.
    pub fn from_environment() -> Result<Self> {
        Self::parse(std::env::var(VARIABLE).ok().as_deref())
    }

    fn parse(value: Option<&str>) -> Result<Self> {
        match value {
            None | Some("" | "auto") => Ok(Self::Auto),
            Some("tcg") => Ok(Self::Tcg),
            Some(other) => Err(Error::Setting {
                variable: VARIABLE,
                value: other.to_owned(),
                allowed: "use tcg, or auto for KVM where a probe guest shows that it works",
            }),
        }
    }
}

/// Decides for one guest. The probe costs 20 seconds and runs only when everything else speaks for KVM.
pub fn decide(
    setting: Setting,
    guest: Architecture,
    host: Option<Architecture>,
    kvm_opens: bool,
    probe: impl FnOnce() -> std::result::Result<(), String>,
) -> Decision {
    let tcg = |reason: &str| Decision { accelerator: Accelerator::Tcg, reason: reason.to_owned() };
    if setting == Setting::Tcg {
        return tcg("CORACLE_ACCEL=tcg");
    }
    if host != Some(guest) {
        return tcg("the guest has another architecture than this machine");
    }
    if !kvm_opens {
        return tcg("/dev/kvm cannot be opened");
    }
    match probe() {
        Ok(()) => Decision { accelerator: Accelerator::Kvm, reason: "the probe guest computed for 20 s".into() },
        Err(why) => tcg(&format!("the probe guest failed under KVM: {why}")),
    }
}

/// Runs `attempt` with the choice left open and, when it fails in a way that speaks against KVM, once more under TCG.
///
/// # Errors
/// Those of the last attempt.
pub fn with_one_rerun<T>(
    mut attempt: impl FnMut(Option<Accelerator>) -> Result<T>,
    say: impl FnOnce(&str),
) -> Result<T> {
    match attempt(None) {
        Err(error) if error.suspects_kvm() => {
            say(&format!("KVM IS SUSPECTED; THE WHOLE SCENARIO RUNS ONCE MORE UNDER TCG: {error}"));
            attempt(Some(Accelerator::Tcg))
        }
        other => other,
    }
}

impl fmt::Display for Accelerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Accelerator::{Kvm, Tcg};
    use Architecture::{Aarch64, X86_64};
    use std::time::Duration;

    #[test]
    fn kvm_is_used_only_after_a_passed_probe() {
        // setting, guest, host, /dev/kvm opens, probe passes -> accelerator, probe was run
        let table = [
            (Setting::Auto, X86_64, Some(X86_64), true, true, Kvm, true),
            (Setting::Auto, X86_64, Some(X86_64), true, false, Tcg, true),
            (Setting::Auto, X86_64, Some(X86_64), false, true, Tcg, false),
            (Setting::Auto, Aarch64, Some(X86_64), true, true, Tcg, false),
            (Setting::Auto, X86_64, None, true, true, Tcg, false),
            (Setting::Auto, Aarch64, Some(Aarch64), true, true, Kvm, true),
            (Setting::Tcg, X86_64, Some(X86_64), true, true, Tcg, false),
        ];
        for row in table {
            let (setting, guest, host, opens, passes, want, want_probe) = row;
            let mut probed = false;
            let probe = || {
                probed = true;
                if passes { Ok(()) } else { Err("no count for 5 s".to_owned()) }
            };
            let decision = decide(setting, guest, host, opens, probe);
            assert_eq!((decision.accelerator, probed), (want, want_probe), "{row:?}: {}", decision.reason);
        }
    }

    #[test]
    fn the_setting_is_read_strictly() {
        for (value, want) in [
            (None, Setting::Auto),
            (Some(""), Setting::Auto),
            (Some("auto"), Setting::Auto),
            (Some("tcg"), Setting::Tcg),
        ] {
            assert_eq!(Setting::parse(value).unwrap(), want);
        }
        assert!(Setting::parse(Some("kvm")).unwrap_err().to_string().contains("CORACLE_ACCEL=kvm"));
    }

    fn silent() -> Error {
        Error::SilentUnderKvm {
            wanted: "marker readyz".into(),
            silence: Duration::from_secs(30),
            console: String::new(),
        }
    }

    #[test]
    fn a_silent_kvm_guest_is_rerun_under_tcg_once_and_aloud() {
        let mut forced = Vec::new();
        let mut said = String::new();
        let outcome = with_one_rerun(
            |force| {
                forced.push(force);
                if force.is_none() { Err(silent()) } else { Ok("ready") }
            },
            |text| said = text.to_owned(),
        );
        assert_eq!(outcome.unwrap(), "ready");
        assert_eq!(forced, [None, Some(Tcg)]);
        assert!(said.contains("UNDER TCG") && said.contains("30s"), "{said}");
    }

    #[test]
    fn neither_a_second_silence_nor_another_failure_is_rerun() {
        let mut attempts = 0;
        let outcome = with_one_rerun(
            |_| -> Result<()> {
                attempts += 1;
                Err(silent())
            },
            |_| {},
        );
        assert!(outcome.is_err());
        assert_eq!(attempts, 2);
        let mut attempts = 0;
        let other = || Error::Qmp { command: "quit".into(), message: "no".into() };
        let outcome = with_one_rerun(
            |_| -> Result<()> {
                attempts += 1;
                Err(other())
            },
            |_| {},
        );
        assert!(outcome.is_err());
        assert_eq!(attempts, 1);
    }
}
