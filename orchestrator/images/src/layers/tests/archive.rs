//! Tars with entries that no honest tool writes.

use tar::{EntryType, Header};

/// A tar in the making.
#[derive(Debug, Default)]
pub(super) struct Archive(Vec<u8>);

/// One entry in the making.
#[derive(Debug, Clone)]
pub(super) struct Item {
    header: Header,
    path: Vec<u8>,
    link: Vec<u8>,
    data: Vec<u8>,
    pax: Vec<(String, Vec<u8>)>,
}

impl Archive {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn add(mut self, mut item: Item) -> Self {
        if item.path.len() > 100 {
            item.pax.push(("path".to_owned(), item.path.clone()));
        }
        if item.link.len() > 100 {
            item.pax.push(("linkpath".to_owned(), item.link.clone()));
        }
        if !item.pax.is_empty() {
            let records: Vec<u8> = item.pax.iter().flat_map(|(key, value)| record(key, value)).collect();
            let mut header = Header::new_ustar();
            header.set_entry_type(EntryType::XHeader);
            header.set_size(records.len() as u64);
            self.put(&mut header, &records);
        }
        // Written into the fields directly: the crate's setters refuse what a hostile tool would write.
        let short = |text: &[u8]| text[..text.len().min(100)].to_vec();
        let (path, link) = (short(&item.path), short(&item.link));
        item.header.as_old_mut().name[..path.len()].copy_from_slice(&path);
        item.header.as_old_mut().linkname[..link.len()].copy_from_slice(&link);
        self.put(&mut item.header, &item.data);
        self
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }

    fn put(&mut self, header: &mut Header, data: &[u8]) {
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }
}

impl Item {
    pub(super) fn new(path: impl AsRef<[u8]>, kind: EntryType, link: impl AsRef<[u8]>, data: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(data.len() as u64);
        let (path, link) = (path.as_ref().to_vec(), link.as_ref().to_vec());
        Self { header, path, link, data: data.to_vec(), pax: Vec::new() }
    }

    pub(super) fn file(path: &str, data: &[u8]) -> Self {
        Self::new(path, EntryType::Regular, "", data)
    }

    pub(super) fn directory(path: &str) -> Self {
        Self::new(path, EntryType::Directory, "", b"")
    }

    pub(super) fn symlink(path: &str, to: &str) -> Self {
        Self::new(path, EntryType::Symlink, to, b"")
    }

    pub(super) fn hard_link(path: &str, to: &str) -> Self {
        Self::new(path, EntryType::Link, to, b"")
    }

    pub(super) fn device(path: &str, kind: EntryType, major: u32, minor: u32) -> Self {
        let mut item = Self::new(path, kind, "", b"");
        item.header.set_device_major(major).unwrap();
        item.header.set_device_minor(minor).unwrap();
        item
    }

    pub(super) fn gnu_sparse(path: &str, size: u64, runs: &[(u64, u64)], data: &[u8]) -> Self {
        let mut item = Self::new(path, EntryType::GNUSparse, "", data);
        let gnu = item.header.as_gnu_mut().unwrap();
        let octal = |field: &mut [u8; 12], value: u64| field[..11].copy_from_slice(format!("{value:011o}").as_bytes());
        octal(&mut gnu.realsize, size);
        for (slot, (offset, length)) in gnu.sparse.iter_mut().zip(runs) {
            octal(&mut slot.offset, *offset);
            octal(&mut slot.numbytes, *length);
        }
        item
    }

    pub(super) fn mode(mut self, mode: u32) -> Self {
        self.header.set_mode(mode);
        self
    }

    pub(super) fn owner(mut self, user: u64, group: u64) -> Self {
        self.header.set_uid(user);
        self.header.set_gid(group);
        self
    }

    pub(super) fn time(mut self, seconds: u64) -> Self {
        self.header.set_mtime(seconds);
        self
    }

    pub(super) fn claims(mut self, size: u64) -> Self {
        self.header.set_size(size);
        self
    }

    pub(super) fn pax(mut self, key: &str, value: &[u8]) -> Self {
        self.pax.push((key.to_owned(), value.to_vec()));
        self
    }
}

fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let body = key.len() + value.len() + 3;
    let length = (body..).find(|length| length.to_string().len() + body == *length).unwrap();
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}
