//! Faults of one slot, each returning to the other by itself, or staying up and saying why where there is no other.
//!
//! SLOT-B is a copy of SLOT-A that goes on trial with a fault in it; `left` says how many boots it has. The fault
//! arguments are honoured because the images are signed by a development key.

mod settled;

use coracle_slots::boot_state::{Block, Slot, State};
use coracle_slots::layout::Role;
use ed25519_dalek::SigningKey;
use qemu_tests::command_line::Spec;
use qemu_tests::device::Device;
use qemu_tests::disk::Disk;
use qemu_tests::healthy::{self, BOOT_BOUND};
use qemu_tests::image::development_key;
use qemu_tests::machine::{Machine, X86_64_BIOS, X86_64_UEFI};
use qemu_tests::pattern::{Pattern, event, marker};
use qemu_tests::{Guest, Lab, Result, scenario};
use settled::settled;
use std::time::Duration;

/// A settled disk whose SLOT-B holds the same system, on trial with this many boots left.
fn on_trial(lab: &Lab, left: u8, key: &SigningKey) -> Result<Disk> {
    let disk = settled(lab)?;
    let device = Device::open(&disk)?;
    device.copy_slot(Slot::A, Slot::B, key)?;
    let state = device.boot_state()?.state;
    device.set_boot_state(&State { trial: Some(Slot::B), left, ..state })?;
    Ok(disk)
}

fn start(lab: &Lab, kind: &'static Machine, disk: &Disk) -> Result<Guest> {
    Guest::start(lab, &Spec::new(kind).disk(disk))
}

/// Waits for what the fault makes the device say and for the reset that ends it.
fn fails(guest: &mut Guest, said: &[Pattern]) -> Result<()> {
    for pattern in said {
        guest.wait(pattern, BOOT_BOUND)?;
    }
    Ok(())
}

/// The device is healthy on SLOT-A after this many boots, and SLOT-B has failed and is not on trial any more.
fn ends_on_a(mut guest: Guest, disk: &Disk, boots: usize) -> Result<()> {
    let boot = healthy::boot(&mut guest)?;
    assert_eq!(boot.get("slot", "slot"), Some("a"));
    assert_eq!(guest.boots(), boots);
    healthy::power_off(guest)?;
    let state = Device::open(disk)?.boot_state()?.state;
    assert_eq!((state.active, state.trial, state.left), (Slot::A, None, 4), "{state:?}");
    Ok(())
}

/// A trial with kernel arguments that break it: the given signs, a reset, then SLOT-A.
fn argument_breaks(name: &str, arguments: &str, left: u8, said: &[Pattern]) -> Result<()> {
    scenario(name, |lab| {
        let key = development_key()?;
        let disk = on_trial(lab, left, &key)?;
        Device::open(&disk)?.add_arguments(Slot::B, arguments, &key)?;
        let mut guest = start(lab, settled::KIND, &disk)?;
        fails(&mut guest, said)?;
        fails(&mut guest, &[event("RESET")])?;
        ends_on_a(guest, &disk, 2)
    })
}

fn slot_is(slot: Slot) -> Pattern {
    marker("slot").with("slot", slot.letter())
}

#[test]
fn a_healthy_trial_is_committed() -> Result<()> {
    scenario("commit", |lab| {
        let key = development_key()?;
        let disk = on_trial(lab, 4, &key)?;
        let mut guest = start(lab, settled::KIND, &disk)?;
        let boot = healthy::boot(&mut guest)?;
        assert_eq!((boot.get("slot", "slot"), boot.get("gate", "boot-state")), (Some("b"), Some("committed")));
        healthy::power_off(guest)?;
        let state = Device::open(&disk)?.boot_state()?.state;
        assert_eq!((state.active, state.trial, state.left, state.failed), (Slot::B, None, 4, None));
        Ok(())
    })
}

#[test]
fn an_init_that_crashes_falls_back() -> Result<()> {
    let said = [marker("fault").with("kind", "crash").with("stage", "watchdog")];
    argument_breaks("crash", "coracle.fault=crash-at:watchdog", 1, &said)
}

#[test]
fn kernel_arguments_that_panic_fall_back() -> Result<()> {
    argument_breaks("panic", "rdinit=/no", 1, &[qemu_tests::pattern::line("Kernel panic")])
}

#[test]
fn a_process_that_never_gets_ready_is_rejected_at_once() -> Result<()> {
    let said = [slot_is(Slot::B), marker("gate").with("result", "failed"), marker("power").with("action", "reboot")];
    argument_breaks("never-ready", "coracle.gate-seconds=0", 4, &said)
}

#[test]
fn a_corrupt_footer_is_rejected_at_once() -> Result<()> {
    scenario("footer", |lab| {
        let key = development_key()?;
        let disk = on_trial(lab, 4, &key)?;
        disk.flip_bit(Device::open(&disk)?.footer_extent(Slot::B)?.offset + 100, 3)?;
        let mut guest = start(lab, settled::KIND, &disk)?;
        fails(&mut guest, &[marker("fatal").with("stage", "footer"), event("RESET")])?;
        ends_on_a(guest, &disk, 2)
    })
}

/// Bits of the programs and modules of the root: verity notices when the first of them is read. Kernel, initrd and
/// slot.cfg come before them in the image and stay whole, as do the tables at its end, which GRUB reads too.
#[test]
fn a_flipped_bit_of_the_root_falls_back() -> Result<()> {
    scenario("flipped-bit", |lab| {
        let key = development_key()?;
        let disk = on_trial(lab, 1, &key)?;
        let device = Device::open(&disk)?;
        let image = device.image_extent(Slot::B, &key)?;
        let programs = kernel_end(&device, &disk)? + (64 << 10);
        assert!(programs + (4 << 20) < image.length, "the root holds at least 4 MiB of programs");
        for offset in (programs..image.length - (256 << 10)).step_by(64 << 10) {
            disk.flip_bit(image.offset + offset, 0)?;
        }
        let mut guest = start(lab, settled::KIND, &disk)?;
        fails(&mut guest, &[slot_is(Slot::B), qemu_tests::pattern::line("Kernel panic"), event("RESET")])?;
        ends_on_a(guest, &disk, 2)
    })
}

/// Where the kernel ends in SLOT-B, by the sizes in its header (the boot protocol's `setup_sects` and `syssize`).
fn kernel_end(device: &Device<'_>, disk: &Disk) -> Result<u64> {
    let kernel = kernel(device, Role::SlotB)?;
    let header = disk.read(device.partition(Role::SlotB)?.offset + kernel + 0x1f1, 7)?;
    let paragraphs = u32::from_le_bytes([header[3], header[4], header[5], header[6]]);
    Ok(kernel + (u64::from(header[0]) + 1) * 512 + u64::from(paragraphs) * 16)
}

/// Where the kernel begins in a slot: the boot protocol's signature stands at a fixed place in it.
fn kernel(device: &Device<'_>, role: Role) -> Result<u64> {
    const SIGNATURE_AT: u64 = 0x202;
    Ok(device.find(role, b"HdrS", 512 << 20)? - SIGNATURE_AT)
}

#[test]
fn an_unreadable_kernel_takes_the_other_slot_in_the_same_boot() -> Result<()> {
    scenario("kernel-header", |lab| {
        let key = development_key()?;
        let disk = on_trial(lab, 4, &key)?;
        let device = Device::open(&disk)?;
        let kernel = kernel(&device, Role::SlotB)?;
        device.zero(Role::SlotB, kernel..kernel + 4096)?;
        ends_on_a_with_failed_want(start(lab, settled::KIND, &disk)?, &disk)
    })
}

/// The running slot is not the wanted one: it was unreadable, so the trial is over without a reset.
fn ends_on_a_with_failed_want(guest: Guest, disk: &Disk) -> Result<()> {
    ends_on_a(guest, disk, 1)?;
    assert_eq!(Device::open(disk)?.boot_state()?.state.failed, Some(Slot::B));
    Ok(())
}

/// Garbage inside the kernel's payload, which the kernel's own unpacker may answer with a hang: neither firmware hangs.
fn damaged_payload_returns(name: &str, kind: &'static Machine) -> Result<()> {
    scenario(name, |lab| {
        let key = development_key()?;
        let disk = on_trial(lab, 1, &key)?;
        let device = Device::open(&disk)?;
        let payload = kernel(&device, Role::SlotB)? + (3 << 20);
        device.scribble(Role::SlotB, payload..payload + 4096)?;
        let mut guest = start(lab, kind, &disk)?;
        let boot = guest.wait(&marker("gate").with("result", "passed"), BOOT_BOUND);
        boot?;
        let slots = guest.markers("slot");
        assert_eq!(slots.len(), 1, "SLOT-B never got as far as PID 1");
        assert_eq!(slots[0].get("slot"), Some("a"));
        healthy::power_off(guest)
    })
}

#[test]
fn a_damaged_kernel_returns_by_uefi() -> Result<()> {
    damaged_payload_returns("kernel-payload-uefi", &X86_64_UEFI)
}

#[test]
fn a_damaged_kernel_returns_by_bios() -> Result<()> {
    damaged_payload_returns("kernel-payload-bios", &X86_64_BIOS)
}

/// PID 1 hangs at the end of each stage from the first one with an open watchdog on: one reset a stage. The boot count
/// of a slot that is not on trial goes down by one each time, so one disk serves four stages.
#[test]
fn a_hang_at_any_stage_is_ended_by_the_watchdog() -> Result<()> {
    let first = healthy::STAGES.iter().position(|&stage| stage == "watchdog").unwrap_or(0);
    for stage in &healthy::STAGES[first..] {
        scenario(&format!("hang-{stage}"), |lab| {
            let key = development_key()?;
            let disk = on_trial(lab, 4, &key)?;
            Device::open(&disk)?.add_arguments(Slot::B, &format!("coracle.fault=hang-at:{stage}"), &key)?;
            let mut guest = start(lab, settled::KIND, &disk)?;
            let hung = marker("fault").with("kind", "hang").with("stage", stage);
            fails(&mut guest, &[hung, event("WATCHDOG").with("action", "reset"), event("RESET")])?;
            guest.power_cut()?;
            let state = Device::open(&disk)?.boot_state()?.state;
            assert_eq!((state.trial, state.left), (Some(Slot::B), 3), "{stage}: the boot was counted");
            Ok(())
        })?;
    }
    Ok(())
}

/// The same where the fall-back itself is the point: the last boot of the trial hangs, the next one is SLOT-A.
#[test]
fn a_hang_in_the_last_boot_falls_back() -> Result<()> {
    let said =
        [marker("fault").with("kind", "hang").with("stage", "verity"), event("WATCHDOG").with("action", "reset")];
    argument_breaks("hang-last", "coracle.fault=hang-at:verity", 1, &said)
}

/// The orchestrator is stopped after it was ready (SIGSTOP): it lives and says nothing, so the watchdog is not fed, and
/// the next boot counts on.
#[test]
fn a_stopped_orchestrator_is_ended_by_the_watchdog() -> Result<()> {
    scenario("stop-orchestrator", |lab| {
        let disk = lab.flashed(settled::KIND)?;
        let key = development_key()?;
        Device::open(&disk)?.add_arguments(Slot::A, "coracle.fault=stop-orchestrator", &key)?;
        let mut guest = start(lab, settled::KIND, &disk)?;
        healthy::boot(&mut guest)?;
        let stale = marker("orchestrator").with("event", "stale");
        fails(&mut guest, &[stale, event("WATCHDOG").with("action", "reset"), event("RESET"), slot_is(Slot::A)])?;
        guest.power_cut()?;
        let state = Device::open(&disk)?.boot_state()?.state;
        assert_eq!((state.active, state.trial, state.left), (Slot::A, None, 3), "the second boot was counted");
        Ok(())
    })
}

/// A disk fresh from the factory whose orchestrator never gets ready has nowhere to go: it stays up and says why.
#[test]
fn a_bad_gate_without_another_slot_stays_up() -> Result<()> {
    scenario("no-other-slot", |lab| {
        let disk = lab.flashed(settled::KIND)?;
        let key = development_key()?;
        Device::open(&disk)?.add_arguments(Slot::A, "coracle.gate-seconds=0", &key)?;
        let mut guest = start(lab, settled::KIND, &disk)?;
        let armed = guest.wait_marker(&marker("watchdog"), BOOT_BOUND)?;
        let seconds: u64 = armed.get("timeout-s").and_then(|text| text.parse().ok()).unwrap_or(30);
        guest.wait_marker(&marker("hold").with("reason", "no-other-slot"), BOOT_BOUND)?;
        guest.nothing_within(&[event("RESET"), event("WATCHDOG")], Duration::from_secs(2 * seconds + 5))?;
        healthy::power_off(guest)
    })
}

/// Both blocks beyond GRUB's own repair: it cannot write, boots SLOT-A uncounted, and the OS makes them whole again.
#[test]
fn blocks_that_grub_cannot_write_are_made_whole() -> Result<()> {
    scenario("grub-cannot-write", |lab| {
        let disk = settled(lab)?;
        let device = Device::open(&disk)?;
        for index in 0..2 {
            device.write_state_block(index, &[0; 1024])?;
        }
        let mut guest = start(lab, settled::KIND, &disk)?;
        let boot = healthy::boot(&mut guest)?;
        assert_eq!((boot.get("slot", "slot"), boot.get("slot", "seq")), (Some("a"), Some("0000000000")));
        healthy::power_off(guest)?;
        let reading = Device::open(&disk)?.boot_state()?;
        assert_eq!((reading.canonical, reading.state.left), ([true, true], 4));
        assert_ne!(reading.state.id, 0);
        Ok(())
    })
}

/// The newer block is torn between its two sectors, either way round: the older one counts.
#[test]
fn a_torn_block_is_one_step_back() -> Result<()> {
    for kept in [0..512, 512..1024] {
        scenario("torn", |lab| {
            let disk = settled(lab)?;
            let device = Device::open(&disk)?;
            let before = device.boot_state()?;
            let older = before.state.seq;
            device.set_boot_state(&State { left: 2, ..before.state })?;
            let newest = device.boot_state()?;
            let index = newest.source.map_or(0, coracle_slots::boot_state::Position::index);
            let mut torn: Block = [b'.'; 1024];
            torn[kept.clone()].copy_from_slice(&device.state_blocks()?[index][kept.clone()]);
            device.write_state_block(index, &torn)?;
            let mut guest = start(lab, settled::KIND, &disk)?;
            let boot = healthy::boot(&mut guest)?;
            assert_eq!(boot.get("slot", "seq"), Some(format!("{:010}", older + 1).as_str()));
            Ok(())
        })?;
    }
    Ok(())
}
