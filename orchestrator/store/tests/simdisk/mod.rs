//! A simulated disk that records what is written, synced, created, renamed and removed, so that `crash` can build every
//! disk that a power cut may leave behind.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "shared by several test programs, each of which uses a part; a broken simulation must stop the test"
)]

pub(crate) mod crash;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use coracle_store::disk::{Disk, DiskFile, SyncPoint};

pub(crate) const PAGE: usize = 4096;

/// One 4 KiB page and a fingerprint of its content.
#[derive(PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) bytes: [u8; PAGE],
    pub(crate) fingerprint: u64,
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", self.fingerprint >> 32)
    }
}

/// The content of one file. A missing page is zeros.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileImage {
    pub(crate) pages: BTreeMap<u64, Arc<Page>>,
    pub(crate) length: u64,
}

/// A whole disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    pub(crate) inodes: Vec<FileImage>,
    pub(crate) names: BTreeMap<String, usize>,
}

/// One recorded operation.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Create {
        name: String,
        inode: usize,
    },
    Write {
        inode: usize,
        offset: u64,
        data: Arc<[u8]>,
    },
    SetLength {
        inode: usize,
        length: u64,
    },
    Sync {
        inode: usize,
    },
    Rename {
        from: String,
        to: String,
    },
    Remove {
        name: String,
    },
    SyncDirectory,
    /// Put here by the test: everything before it has been acknowledged.
    Note(usize),
}

#[derive(Debug)]
pub(crate) struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct SimFile {
    state: Arc<Mutex<State>>,
    inode: usize,
}

#[derive(Debug, Default)]
struct State {
    image: Image,
    trace: Vec<Op>,
    /// Operations that changed something, synced ones and suppressed ones alike.
    writes: usize,
    suppressed: Option<SyncPoint>,
    fail_sync: Option<SyncPoint>,
    fail_write: Option<String>,
    capacity_pages: Option<usize>,
    salts: u64,
}

impl Page {
    pub(crate) fn new(bytes: [u8; PAGE]) -> Arc<Self> {
        // FNV-1a over words: deterministic, and good enough to tell pages apart.
        let words = bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap()));
        let fingerprint = words.fold(0xcbf2_9ce4_8422_2325, mix);
        Arc::new(Self { bytes, fingerprint })
    }
}

pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
}

impl FileImage {
    pub(crate) fn page(&self, number: u64) -> [u8; PAGE] {
        self.pages.get(&number).map_or([0; PAGE], |page| page.bytes)
    }

    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) {
        for (at, byte) in (offset..).zip(buffer.iter_mut()) {
            let page = self.pages.get(&(at / PAGE as u64));
            *byte = page.map_or(0, |page| page.bytes[at as usize % PAGE]);
        }
    }

    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        let end = offset + data.len() as u64;
        for number in offset / PAGE as u64..end.div_ceil(PAGE as u64) {
            let mut page = self.page(number);
            let start = number * PAGE as u64;
            for at in offset.max(start)..end.min(start + PAGE as u64) {
                page[(at - start) as usize] = data[(at - offset) as usize];
            }
            self.pages.insert(number, Page::new(page));
        }
        self.length = self.length.max(end);
    }

    pub(crate) fn set_length(&mut self, length: u64) {
        if length < self.length {
            self.pages.retain(|number, _| number * (PAGE as u64) < length);
            let last = length / PAGE as u64;
            if let Some(page) = self.pages.get(&last) {
                let mut bytes = page.bytes;
                bytes[length as usize % PAGE..].fill(0);
                self.pages.insert(last, Page::new(bytes));
            }
        }
        self.length = length;
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length as usize];
        self.read(0, &mut bytes);
        bytes
    }
}

impl SimDisk {
    /// An empty disk.
    pub(crate) fn new() -> Arc<Self> {
        Self::from_image(Image::default())
    }

    /// A disk after a power cut: all of it is durable.
    pub(crate) fn from_image(image: Image) -> Arc<Self> {
        Arc::new(Self { state: Arc::new(Mutex::new(State { image, ..State::default() })) })
    }

    /// Leaves out every sync of one point from now on, while reporting success.
    pub(crate) fn suppress(&self, point: Option<SyncPoint>) {
        self.lock().suppressed = point;
    }

    /// The next sync of a point fails, with what was written still in the page cache.
    pub(crate) fn fail_next_sync(&self, point: SyncPoint) {
        self.lock().fail_sync = Some(point);
    }

    /// Writes to a file fail from now on.
    pub(crate) fn fail_writes(&self, name: Option<&str>) {
        self.lock().fail_write = name.map(str::to_owned);
    }

    /// The disk holds this many bytes more than now.
    pub(crate) fn limit_free_bytes(&self, free: Option<usize>) {
        let mut state = self.lock();
        let used = state.used_pages();
        state.capacity_pages = free.map(|free| used + free / PAGE);
    }

    pub(crate) fn note(&self, number: usize) {
        self.lock().trace.push(Op::Note(number));
    }

    pub(crate) fn trace(&self) -> Vec<Op> {
        self.lock().trace.clone()
    }

    /// How many changing operations there were.
    pub(crate) fn writes(&self) -> usize {
        self.lock().writes
    }

    /// The files as a reader sees them.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.lock();
        state.image.names.iter().map(|(name, inode)| (name.clone(), state.image.inodes[*inode].bytes())).collect()
    }

    /// The content as a reader sees it.
    pub(crate) fn image(&self) -> Image {
        self.lock().image.clone()
    }

    /// Changes a file behind the store's back.
    pub(crate) fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let inode = state.image.names[name];
        let mut bytes = state.image.inodes[inode].bytes();
        change(&mut bytes);
        let mut file = FileImage::default();
        file.write(0, &bytes);
        state.image.inodes[inode] = file;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn file(&self, inode: usize) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { state: Arc::clone(&self.state), inode })
    }
}

impl State {
    fn record(&mut self, op: Op) {
        self.writes += 1;
        self.trace.push(op);
    }

    fn sync(&mut self, point: SyncPoint, op: Op) -> io::Result<()> {
        if self.fail_sync == Some(point) {
            self.fail_sync = None;
            return Err(io::Error::other("simulated sync error"));
        }
        if self.suppressed != Some(point) {
            self.trace.push(op);
        }
        Ok(())
    }

    fn used_pages(&self) -> usize {
        self.image.names.values().map(|inode| self.image.inodes[*inode].pages.len()).sum()
    }
}

impl Disk for SimDisk {
    fn open(&self, name: &str) -> io::Result<Option<Arc<dyn DiskFile>>> {
        let inode = self.lock().image.names.get(name).copied();
        Ok(inode.map(|inode| self.file(inode)))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.lock();
        let inode = state.image.inodes.len();
        state.image.inodes.push(FileImage::default());
        state.image.names.insert(name.to_owned(), inode);
        state.record(Op::Create { name: name.to_owned(), inode });
        drop(state);
        Ok(self.file(inode))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        let inode = state.image.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.image.names.insert(to.to_owned(), inode);
        state.record(Op::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        if state.image.names.remove(name).is_some() {
            state.record(Op::Remove { name: name.to_owned() });
        }
        Ok(())
    }

    fn sync_directory(&self, point: SyncPoint) -> io::Result<()> {
        self.lock().sync(point, Op::SyncDirectory)
    }

    fn random(&self) -> io::Result<u64> {
        let mut state = self.lock();
        state.salts += 1;
        Ok(mix(0x5eed, state.salts ^ state.trace.len() as u64))
    }
}

impl DiskFile for SimFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.state.lock().unwrap().image.inodes[self.inode].length)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.state.lock().unwrap();
        let file = &state.image.inodes[self.inode];
        if offset + buffer.len() as u64 > file.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.read(offset, buffer);
        Ok(())
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        if let Some(name) = &state.fail_write
            && state.image.names.get(name) == Some(&self.inode)
        {
            return Err(io::Error::other("simulated write error"));
        }
        let mut file = state.image.inodes[self.inode].clone();
        file.write(offset, data);
        let grown = file.pages.len() - state.image.inodes[self.inode].pages.len();
        if state.capacity_pages.is_some_and(|capacity| grown > 0 && state.used_pages() + grown > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.image.inodes[self.inode] = file;
        state.record(Op::Write { inode: self.inode, offset, data: data.into() });
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.image.inodes[self.inode].set_length(length);
        state.record(Op::SetLength { inode: self.inode, length });
        Ok(())
    }

    fn sync(&self, point: SyncPoint) -> io::Result<()> {
        self.state.lock().unwrap().sync(point, Op::Sync { inode: self.inode })
    }
}
