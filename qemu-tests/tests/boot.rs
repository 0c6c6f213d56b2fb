//! The built image boots: on every machine kind to `/readyz`, a second time, grown, damaged, beside its own clone.
//!
//! Needs the images of `make images`. What the guest says is in `docs/serial-markers.md`.

mod settled;

use coracle_slots::layout::Role;
use qemu_tests::command_line::Spec;
use qemu_tests::device::Device;
use qemu_tests::healthy::{self, BOOT_BOUND};
use qemu_tests::image::development_key;
use qemu_tests::lab::DISK_BYTES;
use qemu_tests::machine::{ARM64_UEFI, Machine, X86_64_BIOS, X86_64_UEFI};
use qemu_tests::pattern::{event, marker};
use qemu_tests::{Guest, Lab, Result, scenario};
use settled::settled;
use std::time::Duration;

/// A beginning of a partition that holds its first directory.
const BEGINNING: usize = 192 << 20;

/// First boot of a freshly flashed disk, then the power button; the disk holds what the boot said.
fn first_boot(lab: &Lab, kind: &'static Machine) -> Result<qemu_tests::disk::Disk> {
    let disk = lab.flashed(kind)?;
    let mut guest = Guest::start(lab, &Spec::new(kind).disk(&disk))?;
    let boot = healthy::boot(&mut guest)?;
    assert_eq!(boot.stages(), healthy::STAGES);
    let said = |name, key| boot.get(name, key).unwrap_or("nothing");
    assert_eq!((said("slot", "slot"), said("slot", "key-role")), ("a", "development"));
    assert_eq!((said("slot", "seq"), said("slot", "id")), ("0000000001", "0000000000000000"));
    assert_eq!((said("state", "status"), said("data", "status")), ("made", "made"));
    assert_eq!(said("watchdog", "device"), "i6300ESB timer", "the watchdog is a real one");
    assert_eq!(said("orchestrator", "event"), "started");
    assert_eq!((said("readyz", "status"), said("readyz", "body")), ("200", "ok"));
    assert_eq!((said("heartbeat", "message"), said("gate", "boot-state")), ("ready", "healthy"));
    assert_eq!(guest.boots(), 1);
    healthy::power_off(guest)?;

    let device = Device::open(&disk)?;
    let reading = device.boot_state()?;
    assert_eq!((reading.state.left, reading.canonical), (4, [true, true]), "{:?}", reading.state);
    assert_ne!(reading.state.id, 0, "the disk got its identity");
    for role in [Role::SlotB, Role::State, Role::Data] {
        device.partition(role)?;
    }
    Ok(disk)
}

#[test]
fn x86_64_by_uefi_boots_and_grows() -> Result<()> {
    scenario("x86_64-uefi", |lab| {
        let disk = first_boot(lab, &X86_64_UEFI)?;
        let before = Device::open(&disk)?.partition(Role::Data)?.length;
        let id = Device::open(&disk)?.boot_state()?.state.id;

        disk.enlarge(DISK_BYTES + (2 << 30))?;
        let mut guest = Guest::start(lab, &Spec::new(&X86_64_UEFI).disk(&disk))?;
        let boot = healthy::boot(&mut guest)?;
        assert_eq!((boot.get("state", "status"), boot.get("data", "status")), (Some("clean"), Some("grown")));
        assert_eq!(boot.get("slot", "id"), Some(format!("{id:016x}").as_str()));
        healthy::power_off(guest)?;
        let after = Device::open(&disk)?.partition(Role::Data)?.length;
        assert_eq!(after - before, 2 << 30);
        Ok(())
    })
}

#[test]
fn x86_64_by_bios_boots() -> Result<()> {
    scenario("x86_64-bios", |lab| first_boot(lab, &X86_64_BIOS).map(|_| ()))
}

#[test]
fn arm64_by_uefi_boots() -> Result<()> {
    scenario("arm64-uefi", |lab| first_boot(lab, &ARM64_UEFI).map(|_| ()))
}

/// The second boot finds everything as it was, and the root keeps its contract.
#[test]
fn the_root_keeps_its_contract() -> Result<()> {
    scenario("root-contract", |lab| {
        let disk = settled(lab)?;
        let device = Device::open(&disk)?;
        device.add_arguments(coracle_slots::boot_state::Slot::A, "coracle.probe=root-contract", &development_key()?)?;
        let mut guest = Guest::start(lab, &Spec::new(settled::KIND).disk(&disk))?;
        let boot = healthy::boot(&mut guest)?;
        assert_eq!((boot.get("state", "status"), boot.get("data", "status")), (Some("clean"), Some("clean")));
        // path, mount that holds it, words among its options
        let table: [(&str, &str, &[&str]); 17] = [
            ("/", "/", &["squashfs", "ro", "shared"]),
            ("/dev", "/dev", &["devtmpfs", "rw"]),
            ("/dev/pts", "/dev/pts", &["devpts", "rw", "noexec"]),
            ("/dev/shm", "/dev/shm", &["tmpfs", "rw", "nosuid"]),
            ("/etc/ssl/certs/ca-certificates.crt", "/", &["ro"]),
            ("/etc/machine-id", "/run", &["tmpfs"]),
            ("/etc/hostname", "/run", &["tmpfs"]),
            ("/etc/hosts", "/run", &["tmpfs"]),
            ("/etc/resolv.conf", "/run", &["tmpfs"]),
            ("/lib/modules", "/", &["ro"]),
            ("/proc", "/proc", &["proc", "nosuid"]),
            ("/run", "/run", &["tmpfs", "rw", "shared"]),
            ("/sys", "/sys", &["sysfs"]),
            ("/sys/fs/cgroup", "/sys/fs/cgroup", &["cgroup2", "rw"]),
            ("/usr/share/zoneinfo", "/", &["ro"]),
            ("/var", "/var", &["ext4", "rw", "shared"]),
            ("/state", "/state", &["ext4", "rw", "nosuid", "nodev"]),
        ];
        for (path, mount, words) in table {
            let found = boot.all("contract").find(|marker| marker.get("path") == Some(path));
            let found = found.unwrap_or_else(|| panic!("{path} is not promised"));
            assert_eq!((found.get("exists"), found.get("mount")), (Some("true"), Some(mount)), "{found}");
            let options: Vec<_> = found.get("options").unwrap_or_default().split(',').collect();
            for word in words {
                assert!(options.contains(word), "{found} lacks {word}");
            }
        }
        healthy::power_off(guest)
    })
}

/// Power goes away without a word; the next boot repairs what there is to repair and is healthy.
#[test]
fn a_power_cut_is_survived() -> Result<()> {
    scenario("power-cut", |lab| {
        let disk = settled(lab)?;
        let guest = Guest::start(lab, &Spec::new(settled::KIND).disk(&disk))?;
        guest.power_cut_at(&marker("orchestrator").with("event", "started"), BOOT_BOUND)?;
        let mut guest = Guest::start(lab, &Spec::new(settled::KIND).disk(&disk))?;
        let boot = healthy::boot(&mut guest)?;
        for volume in ["state", "data"] {
            assert!(matches!(boot.get(volume, "status"), Some("clean" | "repaired")), "{volume}");
        }
        Ok(())
    })
}

/// STATE existed and is gone: no orchestrator, a hold that says why, and the watchdog is fed.
#[test]
fn a_lost_state_holds_and_does_not_reset() -> Result<()> {
    scenario("state-lost", |lab| {
        let disk = settled(lab)?;
        Device::open(&disk)?.zero(Role::State, 0..64 << 20)?;
        let mut guest = Guest::start(lab, &Spec::new(settled::KIND).disk(&disk))?;
        let armed = guest.wait_marker(&marker("watchdog"), BOOT_BOUND)?;
        let seconds: u64 = armed.get("timeout-s").and_then(|text| text.parse().ok()).unwrap();
        guest.wait_marker(&marker("state").with("status", "lost"), BOOT_BOUND)?;
        guest.wait_marker(&marker("hold").with("reason", "state-lost"), BOOT_BOUND)?;
        let unwanted = [event("RESET"), event("WATCHDOG"), marker("orchestrator"), marker("power")];
        guest.nothing_within(&unwanted, Duration::from_secs(2 * seconds + 5))?;
        assert!(guest.markers("orchestrator").is_empty());
        healthy::power_off(guest)
    })
}

/// STATE has damage that the quick check of a cleanly unmounted file system does not see: the first write meets it, and
/// PID 1 holds. Nothing repairs it unasked.
#[test]
fn a_damaged_state_holds() -> Result<()> {
    scenario("state-damaged", |lab| {
        let disk = settled(lab)?;
        let (place, bytes) = damage_first_directory(&Device::open(&disk)?, &disk, Role::State)?;
        let mut guest = Guest::start(lab, &Spec::new(settled::KIND).disk(&disk))?;
        guest.wait(&marker("state").with("status", "damaged"), BOOT_BOUND)?;
        guest.wait_unless(&marker("hold").with("reason", "state-lost"), &[marker("orchestrator")], BOOT_BOUND)?;
        healthy::power_off(guest)?;
        assert_eq!(disk.read(place, bytes.len())?, bytes, "the damage is left for a person to look at");
        Ok(())
    })
}

/// The same damage to DATA stops no boot: DATA is mounted read-only, and the orchestrator runs, at the next boot too,
/// when the check sees the damage first.
#[test]
fn a_damaged_data_is_read_only_and_the_orchestrator_runs() -> Result<()> {
    scenario("data-damaged", |lab| {
        let disk = settled(lab)?;
        let (place, bytes) = damage_first_directory(&Device::open(&disk)?, &disk, Role::Data)?;
        let mut guest = Guest::start(lab, &Spec::new(settled::KIND).disk(&disk))?;
        let boot = healthy::boot(&mut guest)?;
        assert_eq!((boot.get("state", "status"), boot.get("data", "status")), (Some("clean"), Some("damaged")));
        guest.reset_button()?;
        guest.wait(&event("RESET"), BOOT_BOUND)?;
        let boot = healthy::boot(&mut guest)?;
        assert_eq!(boot.get("data", "status"), Some("damaged"));
        healthy::power_off(guest)?;
        assert_eq!(disk.read(place, bytes.len())?, bytes, "nothing was written to it");
        Ok(())
    })
}

/// Full file systems stop no boot: the orchestrator runs, at the boot that makes them and at the next.
fn full_volume_boots(name: &str, role: Role, fault: &str) -> Result<()> {
    scenario(name, |lab| {
        let disk = lab.flashed(settled::KIND)?;
        let device = Device::open(&disk)?;
        device.add_arguments(
            coracle_slots::boot_state::Slot::A,
            &format!("coracle.fault={fault}"),
            &development_key()?,
        )?;
        let volume = if role == Role::State { "state" } else { "data" };
        for status in ["made", "clean"] {
            let mut guest = Guest::start(lab, &Spec::new(settled::KIND).disk(&disk))?;
            let boot = healthy::boot(&mut guest)?;
            assert_eq!(boot.get(volume, "status"), Some(status));
            assert_eq!(boot.get("fault", "kind"), Some("fill"));
            assert_eq!(boot.get("readyz", "status"), Some("200"));
            healthy::power_off(guest)?;
        }
        Ok(())
    })
}

#[test]
fn a_full_state_boots() -> Result<()> {
    full_volume_boots("state-full", Role::State, "fill-at:state")
}

#[test]
fn a_full_data_boots() -> Result<()> {
    full_volume_boots("data-full", Role::Data, "fill-at:data")
}

/// Overwrites entries of a file system's root directory, which no checker repairs without being asked.
fn damage_first_directory(device: &Device<'_>, disk: &qemu_tests::disk::Disk, role: Role) -> Result<(u64, Vec<u8>)> {
    let name = device.find(role, b"lost+found", BEGINNING)?;
    let block = name - name % 4096;
    device.scribble(role, block..block + 2048)?;
    let place = device.partition(role)?.offset + block;
    Ok((place, disk.read(place, 2048)?))
}

/// Two disks flashed from one image in one machine: the first in boot order boots and the other stays untouched.
#[test]
fn two_clones_do_not_mix() -> Result<()> {
    scenario("clones", |lab| {
        let (one, two) = (lab.flashed(settled::KIND)?, lab.flashed(settled::KIND)?);
        let mut guest = Guest::start(lab, &Spec::new(settled::KIND).disk(&one).disk(&two))?;
        healthy::boot(&mut guest)?;
        healthy::power_off(guest)?;
        assert!(two.is_untouched()?, "the clone was not written");
        let first = Device::open(&one)?.boot_state()?.state;

        let mut guest = Guest::start(lab, &Spec::new(settled::KIND).disk(&two).disk(&one))?;
        healthy::boot(&mut guest)?;
        healthy::power_off(guest)?;
        let second = Device::open(&two)?.boot_state()?.state;
        assert_eq!(Device::open(&one)?.boot_state()?.state, first, "the first disk was left alone");
        assert_ne!((second.id, 0), (first.id, second.id), "each has its own identity");
        Ok(())
    })
}
