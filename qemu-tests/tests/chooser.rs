//! The chooser suite, second part: the shipped GRUB of each machine kind, from its firmware on, reset after reset, with
//! slots that say what they were given and reset. What each boot chose and both block files at the end must be what the
//! model in `coracle-slots` says. The first part, with every state, is in `image-builder/tests/chooser`.
//!
//! Needs the images of `make images`.

use coracle_slots::boot_state::{Block, Slot, SlotContent, State, run};
use coracle_slots::gpt::{Guid, Guids, plan_grow};
use qemu_tests::command_line::Spec;
use qemu_tests::device::Device;
use qemu_tests::disk::Disk;
use qemu_tests::lab::DISK_BYTES;
use qemu_tests::machine::{ARM64_UEFI, Machine, X86_64_BIOS, X86_64_UEFI};
use qemu_tests::pattern::{Pattern, event, line};
use qemu_tests::record::Wait;
use qemu_tests::{Guest, Lab, Result, scenario};
use std::time::Duration;

/// Firmware and GRUB of one boot, on a loaded machine.
const BOOT_BOUND: Duration = Duration::from_secs(60);

/// A trial with two boots left, then each slot until it has none left, then the first again: every rule of the chooser,
/// and a carry over two digits.
const BOOTS: u32 = 12;
const START: State =
    State { seq: 95, active: Slot::A, trial: Some(Slot::B), left: 2, failed: None, id: 0x0123_4567_89ab_cdef };

/// A FAT12 volume with nothing but `/boot/slot.cfg`: GRUB reads a slot with whatever file system it has.
fn slot_volume(script: &str) -> Vec<u8> {
    const SECTORS: u16 = 64;
    let entry = |name: &[u8; 11], attributes: u8, cluster: u8, size: usize| {
        let mut entry = [0; 32];
        entry[..11].copy_from_slice(name);
        entry[11] = attributes;
        entry[26] = cluster;
        entry[28..30].copy_from_slice(&u16::try_from(size).unwrap_or(0).to_le_bytes());
        entry
    };
    let mut volume = vec![0; usize::from(SECTORS) * 512];
    // Jump, name, 512-byte sectors, 1 a cluster, 1 reserved, 1 table, 16 root entries, sectors, medium, table sectors.
    volume[..11].copy_from_slice(b"\xeb\x3c\x90CORACLE ");
    volume[11..19].copy_from_slice(&[0, 2, 1, 1, 0, 1, 16, 0]);
    volume[19..21].copy_from_slice(&SECTORS.to_le_bytes());
    volume[21..24].copy_from_slice(&[0xf8, 1, 0]);
    volume[38] = 0x29;
    volume[54..62].copy_from_slice(b"FAT12   ");
    volume[510..512].copy_from_slice(&[0x55, 0xaa]);
    // Clusters 2 (directory) and 3 to 4 (file), each chain closed.
    volume[512..520].copy_from_slice(&[0xf8, 0xff, 0xff, 0xff, 0x4f, 0x00, 0xff, 0x0f]);
    volume[1024..1056].copy_from_slice(&entry(b"BOOT       ", 0x10, 2, 0));
    volume[1536..1568].copy_from_slice(&entry(b"SLOT    CFG", 0x20, 3, script.len()));
    volume[2048..2048 + script.len()].copy_from_slice(script.as_bytes());
    volume
}

/// A freshly flashed disk with stub slots and the state to start from.
fn prepared(lab: &Lab, kind: &'static Machine, last: u64) -> Result<Disk> {
    let disk = lab.flashed(kind)?;
    let guids = Guids { disk: Guid::from_u128(1), partitions: [2, 3, 4, 5, 6, 7].map(Guid::from_u128) };
    if let Some(table) = plan_grow(Device::open(&disk)?.table(), DISK_BYTES / 512, &guids) {
        for piece in table.encode().in_write_order() {
            disk.write(piece.offset, &piece.bytes)?;
        }
    }
    let script = format!(
        "echo \"[[slot=$coracle_slot seq=$coracle_seq id=$coracle_id boot=$coracle_boot]]\"\n\
         if [ \"$coracle_seq\" = {last:010} ]; then halt; fi\n\
         reboot\n"
    );
    let device = Device::open(&disk)?;
    for slot in [Slot::A, Slot::B] {
        disk.write(device.slot(slot)?.offset, &slot_volume(&script))?;
    }
    for (index, block) in start_blocks().iter().enumerate() {
        device.write_state_block(index, block)?;
    }
    Ok(disk)
}

/// The state to start from in the second block, an older one in the first.
fn start_blocks() -> [Block; 2] {
    [State { seq: START.seq - 1, ..START }.encode(), START.encode()]
}

/// Boots until the last one, and compares.
fn resets_follow_the_model(kind: &'static Machine) -> Result<()> {
    scenario(&format!("chooser-{kind}"), |lab| {
        let mut files = start_blocks().map(Some);
        let expected: Vec<Pattern> = (0..BOOTS)
            .map(|_| {
                let outcome = run(&mut files, |_| SlotContent::Boots);
                let slot = outcome.started.map_or("none", Slot::letter);
                line(&format!("[[slot={slot} seq={:010} id={:016x} boot=1]]", outcome.seq, outcome.id))
            })
            .collect();
        let disk = prepared(lab, kind, START.seq + u64::from(BOOTS))?;
        let mut guest = Guest::start(lab, &Spec::new(kind).disk(&disk))?;
        for pattern in &expected {
            guest.wait(pattern, BOOT_BOUND)?;
        }
        // QEMU's events and the console come by two ways: the last line may stand behind the event.
        let halted = event("SHUTDOWN").with("reason", "guest-shutdown");
        let wait = Wait { wanted: &halted, forbidden: &[], bound: BOOT_BOUND };
        assert!(guest.record().wait(0, &wait).is_ok(), "the last boot halts the machine");
        guest.ended(BOOT_BOUND)?;
        let said = guest.record().entries().iter().filter(|entry| line("[[slot=").matches(entry)).count();
        assert_eq!(said, expected.len(), "no boot beside those of the model");
        assert_eq!(Device::open(&disk)?.state_blocks()?.map(Some), files, "both block files");
        Ok(())
    })
}

#[test]
fn resets_of_a_bios_machine_follow_the_model() -> Result<()> {
    resets_follow_the_model(&X86_64_BIOS)
}

#[test]
fn resets_of_an_x86_64_uefi_machine_follow_the_model() -> Result<()> {
    resets_follow_the_model(&X86_64_UEFI)
}

#[test]
fn resets_of_an_arm64_uefi_machine_follow_the_model() -> Result<()> {
    resets_follow_the_model(&ARM64_UEFI)
}
