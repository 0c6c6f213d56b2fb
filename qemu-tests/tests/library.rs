//! The library against the real QEMU, with programs of some hundred bytes on the bare PC instead of an image.

use qemu_tests::bare::{self, Step};
use qemu_tests::command_line::{Boot, Spec};
use qemu_tests::disk::Disk;
use qemu_tests::pattern::{event, line, marker};
use qemu_tests::{Error, Guest, Lab, Result, machine, scenario};
use std::time::Duration;

/// Generous: a loaded machine starts QEMU and its BIOS in some seconds.
const BOUND: Duration = Duration::from_secs(60);

fn spec(lab: &Lab, steps: &[Step]) -> Result<Spec> {
    let program = lab.path("program");
    std::fs::write(&program, bare::image(steps)).map_err(|source| Error::File {
        operation: "write",
        path: program.clone(),
        source,
    })?;
    let mut spec = Spec::new(&machine::X86_64_BIOS);
    spec.boot = Boot::Kernel { kernel: program, initrd: None, append: String::new() };
    Ok(spec)
}

fn start(lab: &Lab, steps: &[Step]) -> Result<Guest> {
    Guest::start(lab, &spec(lab, steps)?)
}

fn say(text: &str) -> Step {
    Step::Print(format!("CORACLE-MARK {text}"))
}

#[test]
fn waits_see_markers_in_order_and_nothing_else() -> Result<()> {
    scenario("waits", |lab| {
        let mut guest = start(lab, &[say("stage name=one"), say("stage name=two"), say("fatal stage=three")])?;
        let stage = |name| marker("stage").with("name", name);
        assert_eq!(guest.sequence(&[stage("one"), stage("two")], BOUND)?.len(), 2);
        let refused = guest.wait_marker(&marker("readyz"), BOUND).unwrap_err();
        assert!(matches!(refused, Error::Forbidden { .. }), "{refused}");
        let late = guest.wait(&stage("one"), Duration::from_millis(1)).unwrap_err();
        assert!(matches!(late, Error::Timeout { .. }), "it came before: {late}");
        assert!(late.to_string().contains("CORACLE-MARK stage name=two"), "the end of the console is shown: {late}");
        guest.nothing_within(&[event("RESET")], Duration::from_millis(1))?;
        assert_eq!(guest.markers("stage").len(), 2);
        assert_eq!(guest.boots(), 1);
        Ok(())
    })
}

#[test]
fn a_triple_fault_is_a_reset_and_resets_are_counted() -> Result<()> {
    scenario("triple-fault", |lab| {
        let mut guest = start(lab, &[say("up"), Step::TripleFault])?;
        for boot in 1..=3 {
            guest.wait(&marker("up"), BOUND)?;
            guest.wait(&event("RESET").with("reason", "guest-reset"), BOUND)?;
            assert_eq!(guest.boots(), boot + 1);
        }
        let refused = guest.nothing_within(&[event("RESET")], BOUND).unwrap_err();
        assert!(matches!(refused, Error::Forbidden { .. }), "{refused}");
        Ok(())
    })
}

#[test]
fn an_unfed_watchdog_resets() -> Result<()> {
    scenario("watchdog", |lab| {
        let mut guest = start(lab, &[say("armed"), Step::Watchdog { milliseconds: 500 }, Step::Halt])?;
        guest.wait(&marker("armed"), BOUND)?;
        guest.wait(&event("WATCHDOG").with("action", "reset"), BOUND)?;
        guest.wait(&event("RESET"), BOUND)?;
        guest.wait(&marker("armed"), BOUND)?;
        assert_eq!(guest.boots(), 2);
        Ok(())
    })
}

#[test]
fn a_power_off_ends_qemu_and_is_told_apart() -> Result<()> {
    scenario("power-off", |lab| {
        let mut guest = start(lab, &[say("leaving"), Step::PowerOff])?;
        guest.wait(&event("SHUTDOWN").with("reason", "guest-shutdown"), BOUND)?;
        assert!(guest.ended(BOUND)?.success());
        let gone = guest.wait(&marker("readyz"), BOUND).unwrap_err();
        assert!(matches!(gone, Error::Exited { .. }), "{gone}");
        Ok(())
    })
}

#[test]
fn a_panic_is_an_event() -> Result<()> {
    scenario("panic", |lab| {
        let mut spec = spec(lab, &[say("up"), Step::Panic])?;
        spec.extra = ["-device", "pvpanic", "-action", "panic=none"].map(str::to_owned).to_vec();
        let mut guest = Guest::start(lab, &spec)?;
        guest.wait(&event("GUEST_PANICKED"), BOUND)?;
        Ok(())
    })
}

#[test]
fn buttons_kill_and_quit() -> Result<()> {
    scenario("buttons", |lab| {
        let mut guest = start(lab, &[say("up")])?;
        guest.wait(&marker("up"), BOUND)?;
        guest.power_button()?;
        guest.wait(&event("POWERDOWN"), BOUND)?;
        guest.reset_button()?;
        guest.wait(&event("RESET").with("reason", "host-qmp-system-reset"), BOUND)?;
        guest.wait(&marker("up"), BOUND)?;
        let refused = guest.command("no-such-command", &serde_json::json!({})).unwrap_err();
        assert!(refused.to_string().contains("CommandNotFound"), "{refused}");
        guest.quit()?;

        let guest = start(lab, &[say("up")])?;
        guest.power_cut_at(&marker("up"), BOUND)
    })
}

#[test]
fn a_guest_ends_with_its_owner() -> Result<()> {
    scenario("owner", |lab| {
        let mut guest = start(lab, &[say("up"), Step::Count { rounds: 1_000_000 }])?;
        guest.wait(&marker("probe"), BOUND)?;
        let record = guest.record().clone();
        drop(guest);
        let count = record.len();
        assert!(count >= 2);
        assert_eq!(record.len(), count, "no reader is left");
        let pattern = line("never");
        let wait = qemu_tests::record::Wait { wanted: &pattern, forbidden: &[], bound: BOUND };
        assert!(matches!(record.wait(0, &wait), Err(qemu_tests::record::Miss::Closed)));
        Ok(())
    })
}

#[test]
fn arguments_that_qemu_refuses_are_told_with_its_words() -> Result<()> {
    scenario("refused", |lab| {
        let mut spec = spec(lab, &[])?;
        spec.extra = vec!["-no-such-option".into()];
        let refused = Guest::start(lab, &spec).unwrap_err().to_string();
        assert!(refused.contains("no-such-option"), "{refused}");
        Ok(())
    })
}

/// The machine kinds that boot through UEFI start, and the firmware looks at the first disk and speaks on the serial line.
#[test]
fn uefi_firmware_tries_the_disk() -> Result<()> {
    for kind in [&machine::X86_64_UEFI, &machine::ARM64_UEFI] {
        scenario("firmware", |lab| {
            let disk = Disk::blank(lab.path("blank"), 1 << 20)?;
            let mut guest = Guest::start(lab, &Spec::new(kind).disk(&disk))?;
            guest.wait(&line("BdsDxe: failed to load Boot0001"), BOUND).map(|_| ())
        })?;
    }
    Ok(())
}
