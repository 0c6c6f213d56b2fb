//! Finds out whether KVM really runs a guest: a program on the bare machine must compute correctly for 20 seconds.

use crate::acceleration::Accelerator;
use crate::bare::{self, Step};
use crate::command_line::{Boot, Spec};
use crate::error::{Error, Result};
use crate::guest::Guest;
use crate::lab::{Lab, say};
use crate::machine;
use crate::pattern::{event, marker};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// How long the guest must compute; nested KVM has been seen to stop after about ten seconds.
const PROOF: Duration = Duration::from_secs(20);
/// Longest gap between two counts.
const GAP: Duration = Duration::from_secs(5);
/// Rounds between two counts: some tenths of a second for a processor.
const ROUNDS: u32 = 100_000_000;

/// What is known about KVM on this machine: asked once a process, and once a boot of the host across processes.
pub(crate) fn verdict(lab: &Lab) -> std::result::Result<(), String> {
    static VERDICT: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    VERDICT.get_or_init(|| remembered().unwrap_or_else(|| probe_and_remember(lab))).clone()
}

/// Where processes leave the verdict for each other. The host's boot id is part of the name, so it dies with the boot.
fn memory() -> Option<PathBuf> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(std::env::temp_dir().join(format!("coracle-kvm-{}", boot.trim())))
}

fn remembered() -> Option<std::result::Result<(), String>> {
    let text = std::fs::read_to_string(memory()?).ok()?;
    read_verdict(&text)
}

fn read_verdict(text: &str) -> Option<std::result::Result<(), String>> {
    match text.trim_end() {
        "usable" => Some(Ok(())),
        text => text.strip_prefix("unusable ").map(|why| Err(why.to_owned())),
    }
}

fn probe_and_remember(lab: &Lab) -> std::result::Result<(), String> {
    say(&format!("{}: /dev/kvm is there; a probe guest computes for {PROOF:?} under it first", lab.name()));
    let outcome = run(lab, Accelerator::Kvm, PROOF).map_err(|error| first_line(&error));
    let text = match &outcome {
        Ok(()) => "usable\n".to_owned(),
        Err(why) => format!("unusable {why}\n"),
    };
    let written = memory().map(|path| std::fs::write(path, &text));
    if !matches!(written, Some(Ok(()))) {
        say("the verdict on KVM could not be kept: the next test program probes again");
    }
    say(&format!("KVM is {}", text.trim_end()));
    outcome
}

fn first_line(error: &Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Runs the counting guest for a time and checks each of its results.
pub(crate) fn run(lab: &Lab, accelerator: Accelerator, proof: Duration) -> Result<()> {
    // Translated code is about a hundred times slower; only tests of the probe itself run it under TCG.
    let rounds = if accelerator == Accelerator::Kvm { ROUNDS } else { ROUNDS / 100 };
    let program = lab.path("probe");
    std::fs::write(&program, bare::image(&[Step::Count { rounds }])).map_err(Error::file("write", &program))?;
    let mut spec = Spec::new(&machine::X86_64_BIOS);
    spec.boot = Boot::Kernel { kernel: program, initrd: None, append: String::new() };
    let mut guest = Guest::start_with(lab, &spec, accelerator)?;

    let forbidden = [event("RESET")];
    let (mut expected, mut count, mut begun) = (0_u32, 0_u32, None);
    loop {
        let bound = if begun.is_none() { PROOF } else { GAP };
        let entry = guest.wait_unless(&marker("probe"), &forbidden, bound)?;
        count += 1;
        expected = bare::advance(expected, rounds);
        let right = marker("probe").with("count", format!("{count:08x}")).with("sum", format!("{expected:08x}"));
        if !right.matches(&entry) {
            let message = format!("said {entry}, where {right} is right");
            return Err(Error::Unexpected { subject: "probe guest".into(), message });
        }
        // The time of the entries counts, not of this loop, which may be late.
        if entry.at.saturating_sub(*begun.get_or_insert(entry.at)) >= proof {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_read_back_or_not_believed() {
        assert_eq!(read_verdict("usable\n"), Some(Ok(())));
        assert_eq!(read_verdict("unusable no count for 5 s\n"), Some(Err("no count for 5 s".into())));
        for text in ["", "\n", "usable perhaps", "usab"] {
            assert_eq!(read_verdict(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_guest_that_computes_passes() {
        let lab = Lab::open("probe-passes", None).unwrap();
        run(&lab, Accelerator::Tcg, Duration::from_millis(500)).unwrap();
    }
}
