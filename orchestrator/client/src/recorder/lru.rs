//! A map that forgets what was not used for the longest time.

use std::collections::{BTreeMap, HashMap};

/// At most so many entries; the least recently used one goes first.
#[derive(Debug)]
pub(super) struct Lru<V> {
    limit: usize,
    clock: u64,
    entries: HashMap<u64, (u64, V)>,
    by_use: BTreeMap<u64, u64>,
}

impl<V> Lru<V> {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, clock: 0, entries: HashMap::new(), by_use: BTreeMap::new() }
    }

    /// The entry of a key, made if there is none. It counts as used.
    pub(super) fn entry(&mut self, key: u64, new: impl FnOnce() -> V) -> &mut V {
        self.clock += 1;
        let clock = self.clock;
        if let Some((used, _)) = self.entries.get(&key) {
            self.by_use.remove(used);
        } else if self.entries.len() >= self.limit
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.by_use.insert(clock, key);
        let entry = self.entries.entry(key).or_insert_with(|| (clock, new()));
        entry.0 = clock;
        &mut entry.1
    }

    pub(super) fn remove(&mut self, key: u64) {
        if let Some((used, _)) = self.entries.remove(&key) {
            self.by_use.remove(&used);
        }
    }

    /// All entries, the least recently used first. This is no use of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &V)> {
        self.by_use.values().filter_map(|key| self.entries.get(key).map(|(_, value)| (*key, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::Lru;

    #[test]
    fn the_longest_unused_goes_first() {
        let mut lru = Lru::new(2);
        for key in [1, 2, 1, 3] {
            *lru.entry(key, || 0) += 1;
        }
        assert_eq!(lru.iter().collect::<Vec<_>>(), [(1, &2), (3, &1)]);
        lru.remove(1);
        assert_eq!(lru.iter().collect::<Vec<_>>(), [(3, &1)]);
        assert_eq!(lru.by_use.len(), 1);
    }
}
