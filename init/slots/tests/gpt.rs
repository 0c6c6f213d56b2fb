//! The partition table against Debian's sgdisk and sfdisk as independent readers and writers, and against damage.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that starts the tools it compares with"
)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use coracle_slots::gpt::{self, Encoded, Entry, Guid, Guids, Name, Source, Table, plan_grow, shipped};
use coracle_slots::layout::{Role, SHIPPED_SECTORS};
use proptest::prelude::*;

const GIB_SECTORS: u64 = 2 * 1024 * 1024;

fn guids(seed: u8) -> Guids {
    let guid = |n: u8| Guid::from_random([seed.wrapping_mul(7).wrapping_add(n); 16]);
    Guids { disk: guid(0), partitions: [1, 2, 3, 4, 5, 6].map(guid) }
}

fn write(path: &Path, table: &Table) {
    let file = File::create(path).unwrap();
    file.set_len(table.disk_sectors * 512).unwrap();
    for piece in table.encode().in_write_order() {
        file.write_all_at(&piece.bytes, piece.offset).unwrap();
    }
}

fn run(program: &str, arguments: &[&str], disk: &Path) -> String {
    let output = Command::new(program)
        .args(arguments)
        .arg(disk)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .unwrap_or_else(|error| panic!("{program} (Debian package gdisk or fdisk) cannot be started: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn other_tools_read_our_tables() {
    let directory = tempfile::tempdir().unwrap();
    let image = shipped(&guids(1));
    let grown = plan_grow(&image, 16 * GIB_SECTORS, &guids(2)).unwrap().with_formatted(Role::State);
    for (name, table) in [("shipped", image), ("grown", grown)] {
        let disk = directory.path().join(name);
        write(&disk, &table);
        let verdict = run("sgdisk", &["--verify"], &disk);
        assert!(verdict.contains("No problems found"), "{verdict}");

        let dump = run("sfdisk", &["--dump"], &disk).to_lowercase();
        assert!(dump.contains(&format!("label-id: {}", table.disk_guid)), "{dump}");
        for entry in &table.entries {
            let size = entry.last_lba - entry.first_lba + 1;
            let want = [
                format!("{}{} : start=", disk.display().to_string().to_lowercase(), entry.number),
                format!("{}, size=", entry.first_lba),
                format!("{size}, type={}", entry.type_guid),
                format!("uuid={}", entry.unique_guid),
                format!("name=\"{}\"", entry.name),
            ];
            let row = |line: &&str| want.iter().all(|part| line.contains(part.as_str()));
            let line = dump.lines().find(row).unwrap_or_else(|| panic!("{want:?} not in {dump}"));
            assert_eq!(line.contains("guid:56"), entry.attributes & gpt::FORMATTED != 0, "{line}");
        }
    }
}

#[test]
fn we_read_the_tables_of_other_tools() {
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("disk");
    File::create(&disk).unwrap().set_len(100 << 20).unwrap();
    let type_guid = Role::SlotA.type_guid().to_string();
    let arguments = [
        "--disk-guid=01234567-89ab-4def-8123-456789abcdef",
        "--new=1:2048:+1M",
        "--typecode=1:21686148-6449-6E6F-744E-656564454649",
        "--new=3:6144:20479",
        &format!("--typecode=3:{type_guid}"),
        "--change-name=3:coracle-slot-a",
        "--attributes=3:set:56",
        "--partition-guid=3:fedcba98-7654-4210-8edc-ba9876543210",
    ];
    run("sgdisk", &arguments, &disk);
    let (table, source) = Table::read(&File::open(&disk).unwrap()).unwrap();
    assert_eq!(source, Source::Primary);
    assert_eq!(table.disk_guid, Guid::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef));
    assert_eq!(table.disk_sectors, 204_800);
    assert_eq!(table.find(Role::BiosBoot).unwrap().offset_bytes(), 1 << 20);
    let slot = Entry {
        number: 3,
        type_guid: Role::SlotA.type_guid(),
        unique_guid: Guid::from_u128(0xfedc_ba98_7654_4210_8edc_ba98_7654_3210),
        first_lba: 6144,
        last_lba: 20_479,
        attributes: gpt::FORMATTED,
        name: Name::new("coracle-slot-a"),
    };
    assert_eq!(table.find(Role::SlotA), Some(&slot));

    // Our bytes of the same table are theirs.
    let bytes = fs::read(&disk).unwrap();
    let ours = table.encode();
    assert_eq!(bytes[1024..1024 + 16_384], ours.primary_entries.bytes);
    let usize_offset = usize::try_from(ours.backup_entries.offset).unwrap();
    assert_eq!(bytes[usize_offset..usize_offset + 16_384], ours.backup_entries.bytes);
    assert_eq!(bytes[512..1024], ours.primary_header.bytes);
    assert_eq!(bytes[bytes.len() - 512..], ours.backup_header.bytes);
    // Type, start, size and signature of the protective entry; cylinder addresses mean nothing on such a disk.
    assert_eq!(bytes[450], ours.protective_mbr.bytes[10]);
    assert_eq!(bytes[454..512], ours.protective_mbr.bytes[14..]);
}

/// A small disk in memory with two partitions.
fn small_disk() -> (Table, Vec<u8>) {
    let entry = |role: Role, first_lba, last_lba| Entry {
        number: role.gpt_number(),
        type_guid: role.type_guid(),
        unique_guid: guids(3).disk,
        first_lba,
        last_lba,
        attributes: 0,
        name: Name::new(role.name()),
    };
    let entries = vec![entry(Role::Esp, 34, 60), entry(Role::State, 61, 94)];
    let table = Table { disk_guid: guids(4).disk, disk_sectors: 128, entries };
    let mut disk = vec![0; 128 * 512];
    put(&mut disk, &table.encode());
    (table, disk)
}

fn put(disk: &mut [u8], encoded: &Encoded) {
    for piece in encoded.in_write_order() {
        let at = usize::try_from(piece.offset).unwrap();
        disk[at..at + piece.bytes.len()].copy_from_slice(&piece.bytes);
    }
}

#[test]
fn one_damaged_byte_never_changes_the_answer() {
    let (table, mut disk) = small_disk();
    assert_eq!(Table::read(&disk).unwrap(), (table.clone(), Source::Primary));
    let covered = (512..512 + 92).chain(1024..1024 + 16_384);
    for at in covered {
        disk[at] ^= 0x41;
        assert_eq!(Table::read(&disk).unwrap(), (table.clone(), Source::Backup), "byte {at}");
        disk[at] ^= 0x41;
    }
    disk[600] ^= 1;
    for at in (127 * 512..127 * 512 + 92).chain(95 * 512..96 * 512) {
        disk[at] ^= 0x41;
        assert!(matches!(Table::read(&disk), Err(gpt::Error::Both { .. })), "byte {at}");
        disk[at] ^= 0x41;
    }
}

/// Whatever prefix of the writes of a growth reaches the disk, the next boot reads the old or the new table.
#[test]
fn a_torn_growth_leaves_one_whole_table() {
    let (old, before) = small_disk();
    let mut new = old.clone().with_formatted(Role::State);
    new.disk_guid = guids(5).disk;
    let encoded = new.encode();
    let mut disk = before.clone();
    for piece in encoded.in_write_order() {
        for sector in 0..piece.bytes.len().div_ceil(512) {
            let (read, _) = Table::read(&disk).unwrap();
            assert!(read == old || read == new, "before sector {sector} of the piece at {}", piece.offset);
            let start = usize::try_from(piece.offset).unwrap() + sector * 512;
            let from = &piece.bytes[sector * 512..piece.bytes.len().min(sector * 512 + 512)];
            disk[start..start + from.len()].copy_from_slice(from);
        }
    }
    assert_eq!(Table::read(&disk).unwrap(), (new, Source::Primary));
}

#[test]
fn a_flashed_image_is_read_on_a_larger_disk_and_keeps_its_boot_code() {
    let table = shipped(&guids(1));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("disk");
    write(&path, &table);
    let disk = File::options().read(true).write(true).open(&path).unwrap();
    disk.write_all_at(&[0x90; 440], 0).unwrap();
    disk.set_len(16 * GIB_SECTORS * 512).unwrap();
    assert_eq!(Table::read(&disk).unwrap(), (table.clone(), Source::Primary));
    let grown = plan_grow(&table, 16 * GIB_SECTORS, &guids(2)).unwrap();
    for piece in grown.encode().in_write_order() {
        disk.write_all_at(&piece.bytes, piece.offset).unwrap();
    }
    let mut code = [0; 440];
    disk.read_exact_at(&mut code, 0).unwrap();
    assert_eq!(code, [0x90; 440]);
    assert!(run("sgdisk", &["--verify"], &path).contains("No problems found"));
    disk.set_len((SHIPPED_SECTORS + 4096) * 512).unwrap();
    assert!(Table::read(&disk).is_err(), "a disk cut short is refused");
}

#[test]
fn large_sectors_are_named() {
    let mut disk = vec![0; 1 << 20];
    disk[4096..4104].copy_from_slice(b"EFI PART");
    assert!(matches!(Table::read(&disk), Err(gpt::Error::SectorSize)));
}

proptest! {
    /// Wrong contents under right checksums: refused or read, never a panic, and never partitions that overlap.
    #[test]
    fn forged_tables_are_bounded(
        rows in prop::collection::vec((1_u32..=128, any::<u64>(), any::<u64>(), 0_u64..140, 0_u64..140, any::<bool>()), 0..5),
        disk_sectors in 0_u64..200,
        field in 0_usize..84,
        value in any::<u32>(),
    ) {
        let entries = rows.into_iter().map(|(number, first, last, near_first, near_last, near)| Entry {
            number,
            type_guid: Guid::from_u128(1),
            unique_guid: Guid::from_u128(2),
            first_lba: if near { near_first } else { first },
            last_lba: if near { near_last } else { last },
            attributes: 0,
            name: Name::new("x"),
        }).collect();
        let table = Table { disk_guid: Guid::from_u128(3), disk_sectors, entries };
        let mut header = table.encode().primary_header.bytes;
        header[field..field + 4].copy_from_slice(&value.to_le_bytes());
        header[16..20].fill(0);
        let crc = gpt::crc32(&header[..92]);
        header[16..20].copy_from_slice(&crc.to_le_bytes());
        let mut disk = vec![0; 128 * 512];
        disk[512..1024].copy_from_slice(&header);
        disk[1024..1024 + 16_384].copy_from_slice(&table.encode().primary_entries.bytes);
        if let Ok((read, _)) = Table::read(&disk) {
            let mut places: Vec<_> = read.entries.iter().map(|entry| (entry.first_lba, entry.last_lba)).collect();
            places.sort_unstable();
            prop_assert!(places.iter().all(|(first, last)| first <= last && *last < 128));
            prop_assert!(places.windows(2).all(|pair| pair[0].1 < pair[1].0));
            let _ = plan_grow(&read, u64::MAX, &guids(1));
        }
    }
}
