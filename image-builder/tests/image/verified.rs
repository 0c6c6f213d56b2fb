//! Each format of the image, read by somebody else's program.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, copy};
use std::path::{Path, PathBuf};

use coracle_slots::boot_state;
use coracle_slots::layout::{Role, SECTOR, SHIPPED_SECTORS};
use image_builder::cpio;
use image_builder::tree::Tree;
use tempfile::TempDir;

use crate::built::{BOARD, built};
use crate::host_tools::{printed, tool};

/// Copies the partition of `role` out of the disk.
fn partition(role: Role, into: &TempDir) -> PathBuf {
    let mut disk = File::open(built().first.join("disk.raw")).unwrap();
    disk.seek(SeekFrom::Start(role.first_sector() * SECTOR)).unwrap();
    let path = into.path().join(role.name());
    copy(&mut disk.take(role.size_bytes().unwrap()), &mut File::create(&path).unwrap()).unwrap();
    path
}

#[test]
fn sfdisk_reads_the_partition_table() {
    let dump = printed(&tool("sfdisk", "fdisk").argument("--dump").argument(built().first.join("disk.raw")));
    assert!(dump.contains("label: gpt\n"), "{dump}");
    for role in [Role::BiosBoot, Role::Esp, Role::SlotA] {
        let size = role.size_bytes().unwrap() / SECTOR;
        let line = dump.lines().find(|line| line.contains(&format!("name=\"{}\"", role.name()))).unwrap();
        let words: String = line.split_whitespace().collect::<Vec<_>>().join("");
        assert!(words.contains(&format!("start={},size={size},", role.first_sector())), "{line}");
        assert!(words.to_lowercase().contains(&format!("type={}", role.type_guid()).to_lowercase()), "{line}");
    }
    let verified = printed(&tool("sfdisk", "fdisk").argument("--verify").argument(built().first.join("disk.raw")));
    assert!(verified.contains("No errors detected"), "{verified}");
}

#[test]
fn fsck_and_mtools_read_the_fat() {
    let scratch = tempfile::tempdir().unwrap();
    let esp = partition(Role::Esp, &scratch);
    let checked = printed(&tool("fsck.fat", "dosfstools").argument("-n").argument("-v").argument(&esp));
    assert!(checked.contains("2 FATs, 32 bit entries"), "{checked}");
    let listed =
        printed(&tool("mdir", "mtools").argument("-b").argument("-/").argument("-i").argument(&esp).argument("::/"));
    for path in [
        "EFI/BOOT/BOOTX64.EFI",
        "EFI/BOOT/grubx64.efi",
        "EFI/BOOT/grub.cfg",
        "CORACLE/STATE1.ENV",
        "CORACLE/STATE2.ENV",
    ] {
        assert!(listed.contains(path), "{path} in {listed}");
    }
    let read =
        |path: &str| tool("mtype", "mtools").argument("-i").argument(&esp).argument(format!("::{path}")).run().unwrap();
    let config = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("grub/grub.cfg")).unwrap();
    assert_eq!(read("/EFI/BOOT/grub.cfg"), config);
    let blocks = boot_state::FILES.map(read);
    let reading = boot_state::read([Some(&blocks[0]), Some(&blocks[1])]);
    assert_eq!((reading.state, reading.canonical), (boot_state::State::DEFAULT, [true, true]));
}

#[test]
fn qemu_reads_the_qcow2_and_finds_the_raw_disk_in_it() {
    let [raw, qcow2] = ["disk.raw", "disk.qcow2"].map(|name| built().first.join(name));
    let qemu_img = || tool("qemu-img", "qemu-utils");
    let checked = printed(&qemu_img().arguments(["check", "-f", "qcow2"]).argument(&qcow2));
    assert!(checked.contains("No errors were found"), "{checked}");
    let compared =
        printed(&qemu_img().arguments(["compare", "-f", "raw", "-F", "qcow2"]).argument(&raw).argument(&qcow2));
    assert!(compared.contains("Images are identical"), "{compared}");
    assert_eq!(std::fs::metadata(&raw).unwrap().len(), SHIPPED_SECTORS * SECTOR);
    assert!(std::fs::metadata(&qcow2).unwrap().len() < 64 << 20, "the qcow2 stores holes");
}

#[test]
fn veritysetup_accepts_the_tree_and_refuses_a_flipped_bit() {
    let built = built();
    let params = built.footer().verity;
    let scratch = tempfile::tempdir().unwrap();
    let verify = |slot: &Path| {
        tool("veritysetup", "cryptsetup-bin")
            .arguments(["verify", "--no-superblock", "--hash=sha256", "--format=1"])
            .arguments(["--data-block-size=4096", "--hash-block-size=4096"])
            .argument(format!("--data-blocks={}", params.data_blocks))
            .argument(format!("--hash-offset={}", params.hash_start_block * 4096))
            .argument(format!("--salt={}", hex::encode(params.salt)))
            .argument(slot)
            .argument(slot)
            .argument(hex::encode(params.root_hash))
            .run()
    };
    let slot = built.first.join("slot.img");
    verify(&slot).unwrap();
    let mut bytes = std::fs::read(&slot).unwrap();
    bytes[123_456] ^= 1;
    let damaged = scratch.path().join("damaged");
    std::fs::write(&damaged, bytes).unwrap();
    assert!(verify(&damaged).is_err(), "a flipped bit went unnoticed");
}

#[test]
fn the_partition_holds_slot_and_footer() {
    let scratch = tempfile::tempdir().unwrap();
    let partition = std::fs::read(partition(Role::SlotA, &scratch)).unwrap();
    let [slot, footer] = ["slot.img", "slot.footer"].map(|name| std::fs::read(built().first.join(name)).unwrap());
    assert!(partition.starts_with(&slot) && partition.ends_with(&footer));
    let read = built().footer();
    assert_eq!((read.board.as_str(), read.architecture.as_str()), (BOARD, "x86_64"));
    read.check_fit(partition.len() as u64).unwrap();
}

#[test]
fn unsquashfs_lists_the_root_contract() {
    let slot = built().first.join("slot.img");
    let unsquashfs = || tool("unsquashfs", "squashfs-tools");
    let listed = printed(&unsquashfs().arguments(["-lls", "-UTC", "-dest", ""]).argument(&slot));
    assert!(listed.lines().filter(|line| line.contains(" /")).all(|line| line.contains(" root/root ")), "{listed}");
    for wanted in [
        "/boot/vmlinuz",
        "/boot/initrd",
        "/boot/slot.cfg",
        "/boot/sha256sums",
        "/usr/sbin/init",
        "/usr/bin/coracle",
        "/usr/sbin/modprobe -> init",
        "/etc/machine-id -> /run/coracle/etc/machine-id",
        "/usr/sbin/mke2fs",
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/coracle/modprobe.allow",
        "/state",
        "/data",
        "/usr/share/zoneinfo/Europe/Berlin",
    ] {
        assert!(listed.lines().any(|line| line.ends_with(wanted)), "{wanted}");
    }
    let times: Vec<&str> = listed.lines().filter(|line| line.contains(" root/root ")).collect();
    assert!(times.iter().all(|line| line.contains(" 2026-01-01 00:00 ")), "a file has another time");
    let described = printed(&unsquashfs().arguments(["-stat", "-UTC"]).argument(&slot));
    assert!(described.contains("Compression gzip"), "{described}");
    let allowed = printed(&unsquashfs().argument("-cat").argument(&slot).argument("etc/coracle/modprobe.allow"));
    for alias in ["nft_masq", "wireguard", "nft-chain-2-nat", "rtnl-link-vxlan"] {
        assert!(allowed.lines().any(|line| line == alias), "{alias}");
    }
}

/// GRUB reads these; a damaged block must not go through a decompressor first.
#[test]
fn what_grub_reads_is_stored_plain() {
    let slot = built().first.join("slot.img");
    let bytes = std::fs::read(&slot).unwrap();
    for path in ["boot/vmlinuz", "boot/initrd", "boot/slot.cfg", "boot/sha256sums"] {
        let content =
            tool("unsquashfs", "squashfs-tools").argument("-cat").argument(&slot).argument(path).run().unwrap();
        let start = &content[..content.len().min(4096)];
        assert!(bytes.windows(start.len()).any(|window| window == start), "{path} is compressed");
    }
}

#[test]
fn cpio_reads_the_initrd() {
    let scratch = tempfile::tempdir().unwrap();
    let slot = built().first.join("slot.img");
    let initrd =
        tool("unsquashfs", "squashfs-tools").argument("-cat").argument(slot).argument("boot/initrd").run().unwrap();
    let archive = scratch.path().join("initrd.cpio");
    std::fs::write(&archive, zstd::decode_all(&initrd[..]).unwrap()).unwrap();
    let listed = list_cpio(&archive);
    for wanted in ["init", "etc/coracle/footer.keys", "etc/coracle/modules.boot", "sysroot"] {
        assert!(listed.iter().any(|line| line.ends_with(&format!(" {wanted}"))), "{wanted} in {listed:?}");
    }
    for module in ["dm-verity.ko", "squashfs.ko", "virtio_blk.ko", "i6300esb.ko"] {
        assert!(listed.iter().any(|line| line.ends_with(&format!("/{module}"))), "{module} in {listed:?}");
    }
}

#[test]
fn cpio_reads_every_kind_of_entry() {
    let mut tree = Tree::default();
    tree.file("directory/file", 0o4755, *b"content").unwrap();
    tree.file("directory/empty", 0o600, *b"").unwrap();
    tree.symlink("link", "directory/file").unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let archive = scratch.path().join("archive.cpio");
    std::fs::write(&archive, cpio::archive(&tree).unwrap()).unwrap();
    let fields: Vec<String> = list_cpio(&archive)
        .iter()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            format!("{} {} {} {} {}", words[0], words[2], words[3], words[4], words[8..].join(" "))
        })
        .collect();
    assert_eq!(
        fields,
        [
            "drwxr-xr-x 0 0 0 directory",
            "-rw------- 0 0 0 directory/empty",
            "-rwsr-xr-x 0 0 7 directory/file",
            "lrwxrwxrwx 0 0 14 link -> directory/file",
        ]
    );
}

fn list_cpio(archive: &Path) -> Vec<String> {
    let listed =
        tool("cpio", "cpio").arguments(["--list", "--verbose", "--numeric-uid-gid", "--quiet", "-F"]).argument(archive);
    printed(&listed).lines().map(str::to_owned).collect()
}
