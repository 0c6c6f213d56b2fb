//! Where the values of a document stand, for messages to whoever wrote it.

use std::collections::HashMap;

use crate::Value;

/// A document that is meant to be read strictly: one document, texts as names, and the place of everything.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The tree.
    pub value: Value,
    /// Where it stands.
    pub place: Place,
    /// Names that an object has twice, each with the line of the later one. The later value is the one in the tree.
    pub repeated: Vec<(usize, String)>,
}

/// Where a value stands. What an alias or a merge brought along has no places of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    line: usize,
    members: HashMap<String, Place>,
    items: Vec<Place>,
}

impl Place {
    pub(super) fn at(line: usize) -> Self {
        Self { line, ..Self::default() }
    }

    /// Puts the place of a member below this one; it stands where its name stands.
    pub(super) fn hold_member(&mut self, name: &str, line: usize, mut member: Self) {
        member.line = line;
        self.members.insert(name.to_owned(), member);
    }

    pub(super) fn hold_item(&mut self, item: Self) {
        self.items.push(item);
    }

    /// The line, counted from 1: of a member that of its name.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The place of a member, or this one where nothing better is known.
    #[must_use]
    pub fn member(&self, name: &str) -> &Self {
        self.members.get(name).unwrap_or(self)
    }

    /// The place of an item, or this one where nothing better is known.
    #[must_use]
    pub fn item(&self, index: usize) -> &Self {
        self.items.get(index).unwrap_or(self)
    }

    /// The place of what is reached by names with dots between, as far as it is known. Names may have dots themselves.
    #[must_use]
    pub fn path(&self, path: &str) -> &Self {
        let rest_after = |name: &str| {
            let rest = path.strip_prefix(name)?;
            if rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
        };
        let fitting = self.members.iter().filter_map(|(name, place)| Some((name.len(), place, rest_after(name)?)));
        fitting.max_by_key(|(length, ..)| *length).map_or(self, |(_, place, rest)| place.path(rest))
    }
}
