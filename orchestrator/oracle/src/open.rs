//! The committed list of recordings that our server does not match yet. A ratchet: a recording outside the list must match,
//! and one that matches must leave the list, so the list only shrinks.

use crate::allowed::{Finding, fits_name};
use crate::error::{Error, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// What stands above the entries.
const HEADING: &str = "\
# Recordings (and preparing steps) that our server does not match yet, each with the reason. The suite `SUITE` fails when a
# recording outside this list differs and when one in it matches. `CORACLE_UPDATE_OPEN=1 make test SUITE=SUITE` rewrites
# it: reasons of entries that stay are kept.
";

/// How many places a reason that nobody wrote names.
const NAMED: usize = 3;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Name of the recording, or title of the preparing step.
    recording: String,
    /// Why it does not match.
    because: String,
}

/// The whole list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenList {
    #[serde(default)]
    open: Vec<Entry>,
}

impl OpenList {
    /// The file in the source tree.
    #[must_use]
    pub fn path() -> PathBuf {
        crate::directory().join("open.toml")
    }

    /// Reads the committed list; `titles` are those of all steps.
    ///
    /// # Errors
    /// The file cannot be read or breaks the rules of the list.
    pub fn read(titles: &BTreeSet<&str>) -> Result<Self> {
        let path = Self::path();
        let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        Self::parse(&text, titles)
    }

    /// Reads the list.
    ///
    /// # Errors
    /// An entry stands there twice, has no reason, or names nothing that is asked.
    pub fn parse(text: &str, titles: &BTreeSet<&str>) -> Result<Self> {
        let wrong = |problem: String| Error::format("open.toml", problem);
        let list: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let mut seen = BTreeSet::new();
        for Entry { recording, because } in &list.open {
            if !seen.insert(recording) {
                return Err(wrong(format!("{recording:?} stands there twice")));
            }
            if because.trim().is_empty() {
                return Err(wrong(format!("{recording:?} has no reason")));
            }
            if !titles.contains(recording.as_str()) {
                return Err(wrong(format!("{recording:?} is not asked by any script")));
            }
        }
        Ok(list)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether everything matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// What is wrong: findings outside the list, and entries without a finding.
    #[must_use]
    pub fn judge(&self, findings: &[Finding]) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut differing = BTreeSet::new();
        for finding in findings {
            match finding {
                Finding::Unexpected(difference) => {
                    differing.insert(difference.recording.as_str());
                    if !self.names(&difference.recording) {
                        complaints.push(finding.to_string());
                    }
                }
                // An answer that is wrong altogether cannot show an agreed difference.
                Finding::NoLongerOccurs { recordings, .. } => {
                    if !self.open.iter().any(|entry| fits_name(recordings, &entry.recording)) {
                        complaints.push(finding.to_string());
                    }
                }
            }
        }
        for Entry { recording, .. } in self.open.iter().filter(|entry| !differing.contains(entry.recording.as_str())) {
            complaints.push(format!("{recording} matches: take it out of open.toml"));
        }
        complaints
    }

    /// The file of the suite `kubectl` that fits the findings. Entries that stay keep their reasons.
    #[must_use]
    pub fn updated(&self, findings: &[Finding]) -> String {
        self.updated_for("kubectl", findings)
    }

    /// The same for the list of another suite.
    #[must_use]
    pub fn updated_for(&self, suite: &str, findings: &[Finding]) -> String {
        let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for finding in findings {
            if let Finding::Unexpected(difference) = finding {
                places.entry(&difference.recording).or_default().push(&difference.path);
            }
        }
        let mut text =
            HEADING.replace("`SUITE`", &format!("`{suite}`")).replace("SUITE=SUITE", &format!("SUITE={suite}"));
        for (recording, places) in places {
            let written = self.open.iter().find(|entry| entry.recording == recording);
            let because = written.map_or_else(|| reason(&places), |entry| entry.because.clone());
            let entry = [("recording", toml::Value::from(recording)), ("because", toml::Value::from(because))];
            text.push_str("\n[[open]]\n");
            for (name, value) in entry {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{name} = {value}");
            }
        }
        text
    }

    fn names(&self, recording: &str) -> bool {
        self.open.iter().any(|entry| entry.recording == recording)
    }
}

/// Where it differs, as long as nobody has written why.
fn reason(places: &[&str]) -> String {
    if places.contains(&"") {
        return "it has no answer".to_owned();
    }
    let named = places.get(..NAMED).unwrap_or(places).join(", ");
    match places.len().saturating_sub(NAMED) {
        0 => format!("differs at {named}"),
        more => format!("differs at {named} and {more} places more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Difference;

    const LIST: &str = "[[open]]\nrecording = \"a-1\"\nbecause = \"no tables yet\"\n\n[[open]]\nrecording = \"a-2\"\nbecause = \"no lists yet\"\n";

    fn titles() -> BTreeSet<&'static str> {
        ["a-1", "a-2", "b-1", "GET /b"].into()
    }

    fn differs(recording: &str, path: &str) -> Finding {
        Finding::Unexpected(Difference {
            recording: recording.into(),
            path: path.into(),
            column: None,
            expected: None,
            found: None,
        })
    }

    #[test]
    fn the_ratchet_turns_one_way() {
        let list = OpenList::parse(LIST, &titles()).unwrap();
        let both = [differs("a-1", "/x"), differs("a-2", "/x"), differs("a-2", "/y")];
        assert_eq!(list.judge(&both), [""; 0]);
        assert_eq!(list.judge(&both[..1]), ["a-2 matches: take it out of open.toml"]);
        let more: Vec<Finding> = both.iter().cloned().chain([differs("b-1", "/z")]).collect();
        assert_eq!(list.judge(&more), ["b-1 /z: expected nothing, found nothing"]);
        assert_eq!((list.len(), list.is_empty()), (2, false));
    }

    #[test]
    fn an_agreed_difference_may_hide_behind_an_open_recording_only() {
        let list = OpenList::parse(LIST, &titles()).unwrap();
        let gone = |recordings: &str| Finding::NoLongerOccurs { id: "m".into(), recordings: recordings.into() };
        let findings = [differs("a-1", "/x"), differs("a-2", "/x"), gone("a-*"), gone("a-2"), gone("b-*")];
        let complaints = list.judge(&findings);
        assert_eq!(complaints, ["the allowed difference \"m\" no longer occurs in b-*: remove it"]);
    }

    #[test]
    fn an_update_keeps_reasons() {
        let list = OpenList::parse(LIST, &titles()).unwrap();
        let findings = [
            differs("b-1", "/1"),
            differs("b-1", "/2"),
            differs("b-1", "/3"),
            differs("b-1", "/4"),
            differs("a-2", "/x"),
            differs("GET /b", ""),
        ];
        let text = list.updated(&findings);
        let updated = OpenList::parse(&text, &titles()).unwrap();
        let entries: Vec<_> = updated.open.iter().map(|it| (it.recording.as_str(), it.because.as_str())).collect();
        assert_eq!(
            entries,
            [
                ("GET /b", "it has no answer"),
                ("a-2", "no lists yet"),
                ("b-1", "differs at /1, /2, /3 and 1 places more")
            ]
        );
        assert_eq!(updated.judge(&findings), [""; 0]);
        assert_eq!(updated.updated(&findings), text);
    }

    #[test]
    fn the_rules_of_the_list_hold() {
        for (text, part) in [
            (LIST.repeat(2), "twice"),
            (LIST.replace("no lists yet", " "), "no reason"),
            (LIST.replace("a-2", "a-3"), "not asked"),
            (LIST.replace("because", "why"), "unknown field"),
        ] {
            let error = OpenList::parse(&text, &titles()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(OpenList::parse("", &titles()).unwrap(), OpenList::default());
    }
}
