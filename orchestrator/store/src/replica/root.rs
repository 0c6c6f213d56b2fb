//! One version of all objects: persistent ordered maps, so that keeping a past version costs only what has changed.

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;

use crate::clock::Tick;
use crate::key::{Key, Kind, Scope};
use crate::store::Revision;
use crate::value::Value;

/// Names what an object can be found by. Handed in by the caller, because only the caller knows what the bytes mean.
pub trait Indexer: Send + Sync + std::fmt::Debug {
    /// The index terms of an object, such as `node=edge-7` or `owner=<uid>`. Must depend on nothing but the arguments.
    fn terms(&self, key: &Key, value: &Value) -> Vec<String>;
}

/// Indexes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoIndex;

/// One object as it was written by one transaction.
#[derive(Debug)]
pub struct Entry {
    key: Key,
    value: Value,
    revision: Revision,
    observed: Tick,
    restored: bool,
    volatile: bool,
    terms: Box<[Arc<str>]>,
}

/// A consistent view of all objects at one revision. Cloning is cheap; nothing changes it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    root: Root,
}

/// All objects at one revision.
#[derive(Debug, Clone, Default)]
pub(crate) struct Root {
    revision: Revision,
    kinds: OrdMap<Kind, KindMap>,
    stored_bytes: u64,
    volatile_bytes: u64,
}

#[derive(Debug, Clone, Default)]
struct KindMap {
    entries: OrdMap<Key, Arc<Entry>>,
    by_term: OrdMap<(Arc<str>, Key), Arc<Entry>>,
}

impl Indexer for NoIndex {
    fn terms(&self, _key: &Key, _value: &Value) -> Vec<String> {
        Vec::new()
    }
}

impl Entry {
    pub(crate) fn new(key: Key, value: Value, revision: Revision, volatile: bool) -> Self {
        Self { key, value, revision, observed: Tick::default(), restored: false, volatile, terms: Box::default() }
    }

    /// Completes an entry that was written now.
    pub(crate) fn written(self, now: Tick, indexer: &dyn Indexer) -> Arc<Self> {
        let terms = indexer.terms(&self.key, &self.value).into_iter().map(Arc::from).collect();
        Arc::new(Self { observed: now, terms, ..self })
    }

    /// Completes an entry that was read from disk when the store was opened.
    pub(crate) fn restored_at(self, opened: Tick, indexer: &dyn Indexer) -> Arc<Self> {
        Self { restored: true, ..self }.written(opened, indexer)
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The stored bytes.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The revision of the last change.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// When this process first saw this version: at its write, or when the store was opened. Judge the age of a Lease
    /// by this time and not by its renewTime: renewals since the last batch are lost in a restart, so a restored Lease
    /// counts as just renewed.
    #[must_use]
    pub fn observed(&self) -> Tick {
        self.observed
    }

    /// Whether the entry was read from disk and has not been written since.
    #[must_use]
    pub fn is_restored(&self) -> bool {
        self.restored
    }

    /// Whether the entry is never written to the disk.
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        self.volatile
    }

    /// Bytes of key and value.
    pub(crate) fn weight(&self) -> u64 {
        (self.key.as_str().len() + self.value.as_bytes().len()) as u64
    }
}

impl Snapshot {
    pub(crate) fn new(root: Root) -> Self {
        Self { root }
    }

    /// The revision of this view; a watch from it continues without gap or repetition.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.root.revision
    }

    /// One object.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Arc<Entry>> {
        self.root.get(key)
    }

    /// The objects of a scope in key order, beginning after a key if one is given (the next page of a list).
    pub fn range<'a>(&'a self, scope: &Scope, after: Option<&Key>) -> impl Iterator<Item = &'a Arc<Entry>> + use<'a> {
        let start = after.map_or_else(|| Bound::Included(scope.prefix()), |key| Bound::Excluded(key.as_str()));
        let map = self.root.kinds.get(scope.kind());
        let entries = map.map(|map| map.entries.range::<_, str>((start, Bound::Unbounded)));
        let scope = scope.clone();
        entries.into_iter().flatten().take_while(move |(key, _)| scope.contains(key)).map(|(_, entry)| entry)
    }

    /// How many objects a scope holds.
    #[must_use]
    pub fn count(&self, scope: &Scope) -> usize {
        match self.root.kinds.get(scope.kind()) {
            Some(map) if scope.prefix() == scope.kind().all().prefix() => map.entries.len(),
            _ => self.range(scope, None).count(),
        }
    }

    /// The objects of a kind that carry an index term, in key order.
    pub fn by_term<'a>(&'a self, kind: &Kind, term: &str) -> impl Iterator<Item = &'a Arc<Entry>> + use<'a> {
        let term: Arc<str> = term.into();
        let start = (Arc::clone(&term), Key::lowest());
        let entries = self.root.kinds.get(kind).map(|map| map.by_term.range(start..));
        entries.into_iter().flatten().take_while(move |((found, _), _)| *found == term).map(|(_, entry)| entry)
    }

    /// The kinds that hold at least one object.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.root.kinds.keys()
    }
}

impl Root {
    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    pub(crate) fn set_revision(&mut self, revision: Revision) {
        self.revision = revision;
    }

    /// Bytes of keys and values that the disk must hold.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// Bytes of keys and values that live in memory only.
    pub(crate) fn volatile_bytes(&self) -> u64 {
        self.volatile_bytes
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Entry>> {
        self.kinds.get(key.kind_str())?.entries.get(key)
    }

    /// Adds or replaces an object; gives the one it replaced.
    pub(crate) fn insert(&mut self, entry: Arc<Entry>) -> Option<Arc<Entry>> {
        let previous = self.remove(&entry.key);
        *self.bytes_of(&entry) += entry.weight();
        let map = self.kinds.entry(entry.key.kind()).or_default();
        for term in &entry.terms {
            map.by_term.insert((Arc::clone(term), entry.key.clone()), Arc::clone(&entry));
        }
        map.entries.insert(entry.key.clone(), entry);
        previous
    }

    /// Removes an object; gives it if it was there. A kind without objects disappears.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<Arc<Entry>> {
        let map = self.kinds.get_mut(key.kind_str())?;
        let entry = map.entries.remove(key)?;
        for term in &entry.terms {
            map.by_term.remove(&(Arc::clone(term), key.clone()));
        }
        if map.entries.is_empty() {
            self.kinds.remove(key.kind_str());
        }
        let bytes = self.bytes_of(&entry);
        *bytes = bytes.saturating_sub(entry.weight());
        Some(entry)
    }

    fn bytes_of(&mut self, entry: &Entry) -> &mut u64 {
        if entry.volatile { &mut self.volatile_bytes } else { &mut self.stored_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Words;

    impl Indexer for Words {
        fn terms(&self, _key: &Key, value: &Value) -> Vec<String> {
            String::from_utf8_lossy(value.body()).split(' ').map(str::to_owned).collect()
        }
    }

    fn entry(key: &str, body: &str) -> Arc<Entry> {
        let value = Value::new(0, body.as_bytes()).unwrap();
        Entry::new(Key::parse(key).unwrap(), value, Revision::from_u64(1), false).written(Tick::default(), &Words)
    }

    fn keys<'a>(entries: impl Iterator<Item = &'a Arc<Entry>>) -> Vec<&'a str> {
        entries.map(|entry| entry.key().as_str()).collect()
    }

    #[test]
    fn ranges_pages_and_terms() {
        let mut root = Root::default();
        for (key, body) in [
            ("core/pods/a/1", "node=n1 app=x"),
            ("core/pods/a/2", "node=n2 app=x"),
            ("core/pods/b/1", "node=n1"),
            ("core/podtemplates/a/1", "node=n1"),
        ] {
            root.insert(entry(key, body));
        }
        let kind = Kind::new("", "pods").unwrap();
        let snapshot = Snapshot::new(root.clone());
        assert_eq!(keys(snapshot.range(&kind.all(), None)), ["core/pods/a/1", "core/pods/a/2", "core/pods/b/1"]);
        assert_eq!(keys(snapshot.range(&kind.in_namespace("a"), None)), ["core/pods/a/1", "core/pods/a/2"]);
        let page = Key::parse("core/pods/a/1").unwrap();
        assert_eq!(keys(snapshot.range(&kind.all(), Some(&page))), ["core/pods/a/2", "core/pods/b/1"]);
        assert_eq!(keys(snapshot.by_term(&kind, "node=n1")), ["core/pods/a/1", "core/pods/b/1"]);
        assert_eq!(keys(snapshot.by_term(&kind, "node=n")), [""; 0]);
        assert_eq!((snapshot.count(&kind.all()), snapshot.count(&kind.in_namespace("b"))), (3, 1));

        // A replaced object leaves its old terms; the older snapshot keeps them.
        root.insert(entry("core/pods/a/1", "node=n2"));
        root.remove(&Key::parse("core/pods/b/1").unwrap());
        let newer = Snapshot::new(root);
        assert_eq!(keys(newer.by_term(&kind, "node=n1")), [""; 0]);
        assert_eq!(keys(newer.by_term(&kind, "node=n2")), ["core/pods/a/1", "core/pods/a/2"]);
        assert_eq!(keys(snapshot.by_term(&kind, "node=n1")), ["core/pods/a/1", "core/pods/b/1"]);
    }

    #[test]
    fn bytes_and_empty_kinds_are_accounted() {
        let mut root = Root::default();
        root.insert(entry("core/pods/a/1", "x"));
        assert_eq!(root.stored_bytes(), 13 + 7);
        root.insert(entry("core/pods/a/1", "xyz"));
        assert_eq!(root.stored_bytes(), 13 + 9);
        root.remove(&Key::parse("core/pods/a/1").unwrap());
        assert_eq!(root.stored_bytes(), 0);
        assert_eq!(Snapshot::new(root).kinds().count(), 0);
    }
}
