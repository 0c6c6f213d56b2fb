//! Every disk that a power cut may leave behind.
//!
//! For each prefix of the recorded operations the disk is what was synced, plus any choice among what was not:
//!
//! - a page of 4 KiB with unsynced writes is dropped, kept as it is now, kept as its first unsynced write left it, or
//!   torn at a 512-byte sector (new front and old rest, or the other way round);
//! - an unsynced change of a file's length is dropped or kept;
//! - an unsynced directory operation is dropped or kept, each by itself.
//!
//! If a prefix has at most [`EXHAUSTIVE`] combinations, all of them are built. Otherwise: everything dropped,
//! everything kept, each single choice against a background of everything dropped and of everything kept, and
//! [`RANDOM`] combinations drawn from a fixed seed. A disk that has been looked at before under the same
//! acknowledgements is not looked at again.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::{FileImage, Image, Op, PAGE, Page, mix};

/// Up to this many combinations a prefix is enumerated completely.
pub(crate) const EXHAUSTIVE: usize = 300;
/// Random combinations of a larger prefix.
pub(crate) const RANDOM: usize = 12;
const SECTOR: usize = 512;

/// A disk after a power cut, and the last acknowledgement before it.
#[derive(Debug)]
pub(crate) struct CrashState {
    pub(crate) image: Image,
    pub(crate) note: Option<usize>,
}

/// What a walk has seen.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Walk {
    pub(crate) prefixes: usize,
    pub(crate) exhaustive: usize,
    pub(crate) states: usize,
}

#[derive(Debug, Default)]
struct Tracker {
    durable: Image,
    current: Image,
    pages: BTreeMap<(usize, u64), Vec<Arc<Page>>>,
    lengths: BTreeMap<usize, u64>,
    directory: Vec<Op>,
    note: Option<usize>,
}

/// One thing that a power cut may or may not have kept; choice 0 is always "dropped".
#[derive(Debug)]
enum Unit {
    Page { inode: usize, number: u64, choices: Vec<Arc<Page>> },
    Length { inode: usize, length: u64 },
    Directory(Op),
}

/// How many of the crash states to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As the head of this file says.
    Enumerate,
    /// For each prefix everything dropped and everything kept.
    Extremes,
}

/// Calls `check` for the crash states of a trace until it finds a violation.
pub(crate) fn walk(
    trace: &[Op],
    effort: Effort,
    mut check: impl FnMut(&CrashState) -> Result<(), String>,
) -> Result<Walk, String> {
    let mut tracker = Tracker::default();
    let mut seen = HashSet::new();
    let mut walk = Walk::default();
    for at in 0..=trace.len() {
        let units = tracker.units();
        walk.prefixes += 1;
        let (choices, exhaustive) = match effort {
            Effort::Enumerate => combinations(&units, at as u64),
            Effort::Extremes => (vec![vec![0; units.len()], vec![1; units.len()]], false),
        };
        walk.exhaustive += usize::from(exhaustive);
        for choice in choices {
            let image = tracker.image(&units, &choice);
            if !seen.insert(fingerprint(&image, tracker.note)) {
                continue;
            }
            walk.states += 1;
            check(&CrashState { image, note: tracker.note }).map_err(|violation| {
                let cut = format!("before operation {at} of {}, choices {choice:?} of {units:?}", trace.len());
                format!("{violation}\n  {}", cut.chars().take(3000).collect::<String>())
            })?;
        }
        if let Some(op) = trace.get(at) {
            tracker.apply(op);
        }
    }
    Ok(walk)
}

/// The disk when everything unsynced is lost.
pub(crate) fn synced_only(start: &Image, trace: &[Op]) -> Image {
    let mut tracker = Tracker { durable: start.clone(), current: start.clone(), ..Tracker::default() };
    trace.iter().for_each(|op| tracker.apply(op));
    tracker.image(&[], &[])
}

impl Tracker {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { name, inode } => {
                // The inode itself is nothing without its name.
                self.current.inodes.resize(inode + 1, FileImage::default());
                self.durable.inodes.resize(inode + 1, FileImage::default());
                self.current.names.insert(name.clone(), *inode);
                self.directory.push(op.clone());
            }
            Op::Write { inode, offset, data } => {
                self.current.inodes[*inode].write(*offset, data);
                let end = offset + data.len() as u64;
                for number in offset / PAGE as u64..end.div_ceil(PAGE as u64) {
                    let page = Arc::clone(&self.current.inodes[*inode].pages[&number]);
                    self.pages.entry((*inode, number)).or_default().push(page);
                }
                self.note_length(*inode);
            }
            Op::SetLength { inode, length } => {
                self.current.inodes[*inode].set_length(*length);
                self.note_length(*inode);
            }
            Op::Sync { inode } => {
                self.durable.inodes[*inode] = self.current.inodes[*inode].clone();
                self.pages.retain(|(owner, _), _| owner != inode);
                self.lengths.remove(inode);
            }
            Op::Rename { from, to } => {
                rename(&mut self.current.names, from, to);
                self.directory.push(op.clone());
            }
            Op::Remove { name } => {
                self.current.names.remove(name);
                self.directory.push(op.clone());
            }
            Op::SyncDirectory => {
                self.durable.names.clone_from(&self.current.names);
                self.directory.clear();
            }
            Op::Note(number) => self.note = Some(*number),
        }
    }

    fn note_length(&mut self, inode: usize) {
        let length = self.current.inodes[inode].length;
        if length == self.durable.inodes[inode].length {
            self.lengths.remove(&inode);
        } else {
            self.lengths.insert(inode, length);
        }
    }

    fn units(&self) -> Vec<Unit> {
        let directory = self.directory.iter().cloned().map(Unit::Directory);
        let lengths = self.lengths.iter().map(|(inode, length)| Unit::Length { inode: *inode, length: *length });
        let pages = self.pages.iter().filter_map(|((inode, number), versions)| {
            let base = self.durable.inodes[*inode].page(*number);
            let (first, last) = (versions.first()?, versions.last()?);
            let mut choices = vec![Page::new(base)];
            for page in [Arc::clone(last), Arc::clone(first), torn(&base, &last.bytes), torn(&last.bytes, &base)] {
                if !choices.contains(&page) {
                    choices.push(page);
                }
            }
            (choices.len() > 1).then_some(Unit::Page { inode: *inode, number: *number, choices })
        });
        directory.chain(lengths).chain(pages).collect()
    }

    fn image(&self, units: &[Unit], choice: &[usize]) -> Image {
        let mut image = self.durable.clone();
        for (unit, choice) in units.iter().zip(choice) {
            match unit {
                _ if *choice == 0 => {}
                Unit::Directory(Op::Create { name, inode }) => drop(image.names.insert(name.clone(), *inode)),
                // Without the creation of the old name there is nothing to rename.
                Unit::Directory(Op::Rename { from, to }) => rename(&mut image.names, from, to),
                Unit::Directory(Op::Remove { name }) => drop(image.names.remove(name)),
                Unit::Directory(_) => {}
                Unit::Length { inode, length } => image.inodes[*inode].set_length(*length),
                Unit::Page { inode, number, choices } => {
                    image.inodes[*inode].pages.insert(*number, Arc::clone(&choices[*choice]));
                }
            }
        }
        for file in &mut image.inodes {
            // What lies behind the length that survived cannot be read.
            let length = file.length;
            file.length = u64::MAX;
            file.set_length(length);
        }
        image
    }
}

impl Unit {
    fn choices(&self) -> usize {
        match self {
            Self::Page { choices, .. } => choices.len(),
            Self::Length { .. } | Self::Directory(_) => 2,
        }
    }
}

fn rename(names: &mut BTreeMap<String, usize>, from: &str, to: &str) {
    if let Some(inode) = names.remove(from) {
        names.insert(to.to_owned(), inode);
    }
}

/// The front of one page and the rest of another.
fn torn(front: &[u8; PAGE], rest: &[u8; PAGE]) -> Arc<Page> {
    // The first sector boundary behind the first difference, so that something is torn whenever it can be.
    let first = front.iter().zip(rest).position(|(a, b)| a != b).unwrap_or_default();
    let cut = ((first / SECTOR + 1) * SECTOR).min(PAGE);
    let mut bytes = *rest;
    bytes[..cut].copy_from_slice(&front[..cut]);
    Page::new(bytes)
}

/// The choices to look at, and whether they are all there are.
fn combinations(units: &[Unit], seed: u64) -> (Vec<Vec<usize>>, bool) {
    let total = units.iter().try_fold(1_usize, |total, unit| total.checked_mul(unit.choices()));
    if total.is_some_and(|total| total <= EXHAUSTIVE) {
        let mut all = vec![Vec::new()];
        for unit in units {
            all = all
                .iter()
                .flat_map(|head| (0..unit.choices()).map(move |c| [head.as_slice(), &[c]].concat()))
                .collect();
        }
        return (all, true);
    }
    let dropped = vec![0; units.len()];
    let kept = vec![1; units.len()];
    let mut some = vec![dropped.clone(), kept.clone()];
    for (at, unit) in units.iter().enumerate() {
        for choice in 0..unit.choices() {
            for background in [&dropped, &kept] {
                let mut single = background.clone();
                single[at] = choice;
                some.push(single);
            }
        }
    }
    let mut random = mix(0x5eed, seed);
    for _ in 0..RANDOM {
        some.push(
            units
                .iter()
                .map(|unit| {
                    random = mix(random, 0x9e37_79b9_7f4a_7c15);
                    (random >> 33) as usize % unit.choices()
                })
                .collect(),
        );
    }
    (some, false)
}

fn fingerprint(image: &Image, note: Option<usize>) -> u64 {
    let mut hash = note.map_or(0, |note| note as u64 + 1);
    for (name, inode) in &image.names {
        hash = name.bytes().fold(hash, |hash, byte| mix(hash, byte.into()));
        let file = &image.inodes[*inode];
        hash = mix(hash, file.length);
        for (number, page) in &file.pages {
            if page.bytes != [0; PAGE] {
                hash = mix(mix(hash, *number), page.fingerprint);
            }
        }
    }
    hash
}
