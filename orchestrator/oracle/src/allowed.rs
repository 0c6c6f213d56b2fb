//! The committed list of differences that our server may show, each with the landing or the entry of "Not here" that
//! accounts for it. The list only shrinks by itself: an entry that no longer occurs is an error.

use crate::compare::Difference;
use crate::error::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;

/// Longest the list may be.
pub const LIMIT: usize = 12;

/// Where a difference may show.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Names of recordings; one that ends in `*` names all that start so.
    pub recordings: Vec<String>,
    /// JSON pointers into the answer; a part `*` is any one part, `**` any number of them.
    pub paths: Vec<String>,
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// Short name.
    pub id: String,
    /// The landing that ends it (`landing 7: …`) or the entry of the issue's "Not here" (`Not here: …`).
    pub because: String,
    /// Where it shows.
    pub places: Vec<Place>,
}

/// The whole list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedList {
    /// Its entries; at most [`LIMIT`].
    #[serde(default)]
    pub difference: Vec<Allowed>,
}

/// The list cannot be used, or the server is not as the recordings say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// No entry allows this difference.
    Unexpected(Difference),
    /// The named recordings of an entry do not show its difference any more: take it out of the list.
    NoLongerOccurs {
        /// The entry.
        id: String,
        /// The name, or start of names, under which nothing was found.
        recordings: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected(difference) => difference.fmt(formatter),
            Self::NoLongerOccurs { id, recordings } => {
                write!(formatter, "the allowed difference {id:?} no longer occurs in {recordings}: remove it")
            }
        }
    }
}

impl AllowedList {
    /// Reads the list and checks its rules.
    ///
    /// # Errors
    /// It has more than [`LIMIT`] entries, an entry twice, one without a reason or without a place, or one whose name
    /// fits none of the `recordings`.
    pub fn parse(text: &str, recordings: &BTreeSet<String>) -> Result<Self> {
        let wrong = |problem: String| Error::format("allowed differences", problem);
        let list: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if list.difference.len() > LIMIT {
            return Err(wrong(format!("{} entries, at most {LIMIT} are agreed", list.difference.len())));
        }
        let mut ids = BTreeSet::new();
        for Allowed { id, because, places } in &list.difference {
            if !ids.insert(id) {
                return Err(wrong(format!("two entries are named {id:?}")));
            }
            let landing = because.strip_prefix("landing ").and_then(|rest| rest.split_once(": "));
            let landing = landing.is_some_and(|(number, text)| number.parse::<u8>().is_ok() && !text.is_empty());
            let not_here = because.strip_prefix("Not here: ").is_some_and(|text| !text.is_empty());
            if !landing && !not_here {
                return Err(wrong(format!("{id:?} names neither a landing nor an entry of \"Not here\"")));
            }
            if places.is_empty() || places.iter().any(|place| place.recordings.is_empty() || place.paths.is_empty()) {
                return Err(wrong(format!("{id:?} has no place")));
            }
            for pattern in places.iter().flat_map(|place| &place.recordings) {
                if !recordings.iter().any(|name| fits_name(pattern, name)) {
                    return Err(wrong(format!("{id:?} names {pattern:?}, which no recording has")));
                }
            }
        }
        Ok(list)
    }

    /// The part of the list that names recordings for which `concerns` holds.
    #[must_use]
    pub fn concerning(&self, concerns: impl Fn(&str) -> bool) -> Self {
        let mut list = self.clone();
        for entry in &mut list.difference {
            for place in &mut entry.places {
                place.recordings.retain(|pattern| concerns(pattern));
            }
        }
        list
    }

    /// What is left of the differences when the allowed ones are taken away, and the entries that took nothing away.
    #[must_use]
    pub fn judge(&self, differences: &[Difference]) -> Vec<Finding> {
        let mut occurred = BTreeSet::new();
        let mut findings = Vec::new();
        for difference in differences {
            let mut allowed = false;
            for (entry, place, pattern) in self.patterns() {
                let fits = fits_name(pattern, &difference.recording)
                    && place.paths.iter().any(|path| fits_path(path, &difference.path));
                if fits {
                    allowed = true;
                    occurred.insert((&entry.id, pattern));
                }
            }
            if !allowed {
                findings.push(Finding::Unexpected(difference.clone()));
            }
        }
        for (entry, _, pattern) in self.patterns() {
            if !occurred.contains(&(&entry.id, pattern)) {
                findings.push(Finding::NoLongerOccurs { id: entry.id.clone(), recordings: pattern.clone() });
            }
        }
        findings
    }

    fn patterns(&self) -> impl Iterator<Item = (&Allowed, &Place, &String)> {
        self.difference.iter().flat_map(|entry| {
            entry
                .places
                .iter()
                .flat_map(move |place| place.recordings.iter().map(move |pattern| (entry, place, pattern)))
        })
    }
}

pub(crate) fn fits_name(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

fn fits_path(pattern: &str, path: &str) -> bool {
    fn parts(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            ([], []) => true,
            (["**"], _) => true,
            (["**", rest @ ..], _) => {
                (0..=path.len()).any(|skipped| parts(rest, path.get(skipped..).unwrap_or_default()))
            }
            ([first, rest @ ..], [part, path @ ..]) => (*first == "*" || first == part) && parts(rest, path),
            _ => false,
        }
    }
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    parts(&pattern, &path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
        [[difference]]
        id = "managed-fields"
        because = "landing 6: managedFields are not kept"
        places = [{ recordings = ["patch-*"], paths = ["/**/managedFields", "/**/managedFields/**"] }]

        [[difference]]
        id = "apply"
        because = "Not here: server-side apply"
        places = [{ recordings = ["apply-1", "apply-2"], paths = ["/**"] }]
    "#;

    fn names() -> BTreeSet<String> {
        ["patch-1", "patch-2", "apply-1", "apply-2"].map(str::to_owned).into()
    }

    fn difference(recording: &str, path: &str) -> Difference {
        Difference { recording: recording.into(), path: path.into(), column: None, expected: None, found: None }
    }

    #[test]
    fn allowed_ones_are_taken_away_and_others_stay() {
        let list = AllowedList::parse(LIST, &names()).unwrap();
        let allowed = [
            difference("patch-1", "/http/body/json/metadata/managedFields"),
            difference("patch-2", "/http/body/json/managedFields/0/time"),
            difference("apply-1", "/http/status"),
            difference("apply-2", "/http/status"),
        ];
        assert_eq!(list.judge(&allowed), []);
        for other in [difference("patch-1", "/http/status"), difference("table-1", "/http/managedFields")] {
            let all: Vec<_> = allowed.iter().cloned().chain([other.clone()]).collect();
            assert_eq!(list.judge(&all), [Finding::Unexpected(other)]);
        }
    }

    #[test]
    fn an_entry_that_no_longer_occurs_is_an_error() {
        let list = AllowedList::parse(LIST, &names()).unwrap();
        let left = list.judge(&[difference("patch-1", "/a/managedFields"), difference("apply-1", "/http/status")]);
        assert_eq!(left, [Finding::NoLongerOccurs { id: "apply".into(), recordings: "apply-2".into() }]);
    }

    #[test]
    fn the_rules_of_the_list_hold() {
        let entry = |id: &str, because: &str, recordings: &str| {
            format!(
                "[[difference]]\nid = \"{id}\"\nbecause = \"{because}\"\nplaces = [{{ recordings = [{recordings}], paths = [\"/x\"] }}]\n"
            )
        };
        let good = "landing 7: controllers";
        let many: String = (0..=LIMIT).map(|index| entry(&index.to_string(), good, "\"patch-1\"")).collect();
        for (text, part) in [
            (many, "at most 12"),
            (entry("a", good, "\"patch-1\"").repeat(2), "two entries"),
            (entry("a", "later", "\"patch-1\""), "neither a landing"),
            (entry("a", "landing x: y", "\"patch-1\""), "neither a landing"),
            (entry("a", "Not here: ", "\"patch-1\""), "neither a landing"),
            (entry("a", good, ""), "no place"),
            (entry("a", good, "\"watch-*\""), "no recording"),
        ] {
            let error = AllowedList::parse(&text, &names()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn paths() {
        for (pattern, path, result) in [
            ("/a/b", "/a/b", true),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/b/c", false),
            ("/a/**", "/a/b/c", true),
            ("/**/c", "/a/b/c", true),
            ("/**/c", "/a/b/cc", false),
            ("/**/b/**", "/a/b/c", true),
        ] {
            assert_eq!(fits_path(pattern, path), result, "{pattern} {path}");
        }
    }
}
