//! A raw disk image laid out as a device's, with stub slots that say what GRUB did.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use coracle_slots::Part;
use coracle_slots::boot_state::{BLOCK_BYTES, Block, FILES, LEAST_DISTANCE, SlotContent, State};
use coracle_slots::fat::find;
use coracle_slots::gpt::{Guid, Guids, plan_grow, shipped};
use coracle_slots::layout::{MIB, Role, SECTOR};
use image_builder::fat;
use image_builder::libraries::Tools;
use image_builder::slot;
use image_builder::tree::Tree;

/// How slots are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartitionTable {
    Gpt,
    Mbr,
}

/// What a stub slot does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// `slot.cfg` runs, says so, and loads nothing: kernel or initrd is missing.
    NotLoaded,
    /// There is no file system.
    Zeroed,
    /// Says so and ends the run, as a kernel would.
    Starts,
    /// Claims to have loaded a kernel; GRUB's `boot` then comes back.
    Returns,
}

/// One disk image and what is where on it.
pub(crate) struct Disk {
    pub(crate) path: PathBuf,
    file: File,
    block_offsets: [u64; 2],
    slot_offsets: [u64; 2],
    stubs: Stubs,
}

/// Images of the stub slots.
#[derive(Clone)]
pub(crate) struct Stubs {
    not_loaded: Vec<u8>,
    starts: Vec<u8>,
    returns: Vec<u8>,
}

impl Content {
    /// All pairs for slots a and b.
    pub(crate) const PAIRS: [[Self; 2]; 9] = {
        use Content::{NotLoaded, Returns, Starts, Zeroed};
        [
            [Starts, Starts],
            [Starts, Zeroed],
            [Starts, Returns],
            [NotLoaded, Starts],
            [NotLoaded, NotLoaded],
            [Zeroed, Returns],
            [Returns, Starts],
            [Returns, NotLoaded],
            [Zeroed, Zeroed],
        ]
    };

    /// The model's word for it.
    pub(crate) fn meaning(self) -> SlotContent {
        match self {
            Self::NotLoaded | Self::Zeroed => SlotContent::Unreadable,
            Self::Starts => SlotContent::Boots,
            Self::Returns => SlotContent::Returns,
        }
    }
}

impl Stubs {
    pub(crate) fn make(tools: &Tools, scratch: &Path) -> Self {
        let say = "echo \"[[slot=$coracle_slot seq=$coracle_seq id=$coracle_id boot=$coracle_boot root=$root]]\"\n";
        let squash = |more: &str| {
            let mut tree = Tree::default();
            tree.directory("boot").unwrap();
            tree.file("boot/slot.cfg", 0o644, format!("{say}{more}\n").into_bytes()).unwrap();
            slot::squash(&tree, tools, scratch).unwrap()
        };
        Self {
            not_loaded: squash(""),
            starts: squash("echo \"[[started]]\"\nreboot"),
            returns: squash("set slot_ok=$coracle_slot"),
        }
    }

    fn image(&self, content: Content) -> &[u8] {
        match content {
            Content::NotLoaded => &self.not_loaded,
            Content::Starts => &self.starts,
            Content::Returns => &self.returns,
            // A squashfs begins with its superblock.
            Content::Zeroed => &[0; 4096],
        }
    }
}

impl Disk {
    /// A disk whose block files are there as `present` says.
    pub(crate) fn make(path: &Path, table: PartitionTable, script: &str, present: [bool; 2], stubs: Stubs) -> Self {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap();
        file.set_len(4096 * MIB).unwrap();
        match table {
            PartitionTable::Gpt => write_gpt(&file),
            PartitionTable::Mbr => write_mbr(&file),
        }
        let esp_offset = Role::Esp.first_sector() * SECTOR;
        let mut files = vec![fat::File { path: "EFI/BOOT/grub.cfg".into(), bytes: script.into(), gap_before: 0 }];
        for (name, present) in FILES.into_iter().zip(present) {
            let path = name.trim_start_matches('/');
            // A missing file's place is taken by one of another name.
            let path = if present { path.to_owned() } else { path.replace("STATE", "NONE") };
            let gap_before = usize::try_from(LEAST_DISTANCE).unwrap();
            files.push(fat::File { path, bytes: State::DEFAULT.encode().to_vec(), gap_before });
        }
        let size = Role::Esp.size_bytes().unwrap();
        let first_sector = u32::try_from(Role::Esp.first_sector()).unwrap();
        let volume = fat::format(&fat::Volume { size, first_sector, serial: 1 }, &files).unwrap();
        file.write_all_at(&volume, esp_offset).unwrap();

        let part = Part::new(&file, esp_offset, size);
        let block_offsets = [0, 1].map(|index| {
            let name = if present[index] { FILES[index].to_owned() } else { FILES[index].replace("STATE", "NONE") };
            let found = find(&part, &name).unwrap();
            assert_eq!((found.size, found.extents.len()), (1024, 1));
            esp_offset + found.extents[0].offset
        });
        let slot_offsets = [Role::SlotA, Role::SlotB].map(|role| role.first_sector() * SECTOR);
        Self { path: path.to_owned(), file, block_offsets, slot_offsets, stubs }
    }

    /// Puts a case onto the disk.
    pub(crate) fn set(&self, files: &[Option<Block>; 2], slots: [Content; 2]) {
        for (block, offset) in files.iter().zip(self.block_offsets) {
            self.file.write_all_at(&block.unwrap_or([0; BLOCK_BYTES]), offset).unwrap();
        }
        for (content, offset) in slots.into_iter().zip(self.slot_offsets) {
            self.file.write_all_at(self.stubs.image(content), offset).unwrap();
        }
    }

    /// The block files as GRUB left them.
    pub(crate) fn blocks(&self) -> [Block; 2] {
        self.block_offsets.map(|offset| {
            let mut block = [0; BLOCK_BYTES];
            self.file.read_exact_at(&mut block, offset).unwrap();
            block
        })
    }
}

fn write_gpt(file: &File) {
    let guids = Guids { disk: Guid::from_u128(1), partitions: [2, 3, 4, 5, 6, 7].map(Guid::from_u128) };
    let table = plan_grow(&shipped(&guids), 4096 * MIB / SECTOR, &guids).unwrap();
    for piece in table.encode().in_write_order() {
        file.write_all_at(&piece.bytes, piece.offset).unwrap();
    }
}

/// FAT, A and B as primary partitions 1, 2 and 3.
fn write_mbr(file: &File) {
    let mut sector = [0; 512];
    for (row, (role, kind)) in
        sector[446..].chunks_exact_mut(16).zip([(Role::Esp, 0x0c), (Role::SlotA, 0x83), (Role::SlotB, 0x83)])
    {
        row[4] = kind;
        row[8..12].copy_from_slice(&u32::try_from(role.first_sector()).unwrap().to_le_bytes());
        row[12..16].copy_from_slice(&u32::try_from(role.size_bytes().unwrap() / SECTOR).unwrap().to_le_bytes());
    }
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    file.write_all_at(&sector, 0).unwrap();
}
