//! What a list, a watch or the removal of a collection asks for.

use super::{Query, valid};
use crate::http::text::unsigned;
use coracle_apimachinery::field::{Error, Path, quote};
use coracle_apimachinery::status::Status;

/// How the state of a list relates to the resource version that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// The state of exactly that version.
    Exact,
    /// That state or a newer one.
    NotOlderThan,
}

/// Which objects a watch shows before changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initial {
    /// What upstream does by itself: those that exist, when no version to start from is named.
    Default,
    /// Those that exist, then a bookmark that says so.
    Send,
    /// None.
    Skip,
}

/// Parameters of a list, a watch, or the removal of a collection. Empty texts stand for absent ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListOptions {
    /// Unparsed label selector.
    pub label_selector: String,
    /// Unparsed field selector.
    pub field_selector: String,
    /// Follow changes.
    pub watch: bool,
    /// Bookmarks may be sent.
    pub allow_watch_bookmarks: bool,
    /// Version to read at or to start from; see [`resource_version`].
    pub resource_version: String,
    /// How exact that is.
    pub resource_version_match: Option<Match>,
    /// When a watch ends.
    pub timeout_seconds: Option<i64>,
    /// How many objects a list has at most; 0 and less mean all.
    pub limit: i64,
    /// Where the list before ended.
    pub continue_token: String,
    /// What a watch sends first.
    pub initial: Initial,
}

impl ListOptions {
    /// Reads and checks the parameters. `watch` says that the path itself asks for a watch.
    ///
    /// # Errors
    /// A number is malformed, or the parameters contradict each other.
    pub fn read(query: &Query, watch: bool) -> Result<Self, Status> {
        let timeout_seconds = query.number("timeoutSeconds")?;
        let limit = query.number("limit")?.unwrap_or_default();
        let initial = query.flag("sendInitialEvents");
        let matches = query.text("resourceVersionMatch");
        let options = Self {
            label_selector: query.text("labelSelector"),
            field_selector: query.text("fieldSelector"),
            watch: watch || query.watch(),
            allow_watch_bookmarks: query.flag("allowWatchBookmarks").unwrap_or_default(),
            resource_version: query.text("resourceVersion"),
            resource_version_match: match matches.as_str() {
                "Exact" => Some(Match::Exact),
                "NotOlderThan" => Some(Match::NotOlderThan),
                _ => None,
            },
            timeout_seconds,
            limit,
            continue_token: query.text("continue"),
            initial: match initial {
                None => Initial::Default,
                Some(true) => Initial::Send,
                Some(false) => Initial::Skip,
            },
        };
        // Upstream checks by the parameter alone: the deprecated path does not turn the rules of a watch on.
        let errors = if query.watch() {
            watch_errors(&options, &matches, initial)
        } else {
            list_errors(&options, &matches, initial)
        };
        valid("ListOptions", options, &errors)
    }
}

fn list_errors(options: &ListOptions, matches: &str, initial: Option<bool>) -> Vec<Error> {
    let path = Path::new("resourceVersionMatch");
    let mut errors = Vec::new();
    if !matches.is_empty() {
        if options.resource_version.is_empty() {
            let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            errors.push(Error::forbidden(&path, why));
        }
        if !options.continue_token.is_empty() {
            errors.push(Error::forbidden(&path, "resourceVersionMatch is forbidden when continue is provided"));
        }
        if options.resource_version_match.is_none() {
            errors.push(Error::not_supported(&path, matches, &["Exact", "NotOlderThan", ""]));
        }
        if options.resource_version_match == Some(Match::Exact) && options.resource_version == "0" {
            let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            errors.push(Error::forbidden(&path, why));
        }
    }
    if initial.is_some() {
        errors.push(Error::forbidden(&Path::new("sendInitialEvents"), "sendInitialEvents is forbidden for list"));
    }
    errors
}

fn watch_errors(options: &ListOptions, matches: &str, initial: Option<bool>) -> Vec<Error> {
    let path = Path::new("resourceVersionMatch");
    let newer = options.resource_version_match == Some(Match::NotOlderThan);
    let mut errors = Vec::new();
    if initial.is_some() && !newer {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        errors.push(Error::forbidden(&path, why));
    }
    if !matches.is_empty() {
        if initial.is_none() {
            let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            errors.push(Error::forbidden(&path, why));
        }
        if !newer {
            errors.push(Error::not_supported(&path, matches, &["NotOlderThan"]));
        }
        if !options.continue_token.is_empty() {
            errors.push(Error::forbidden(&path, "resourceVersionMatch is forbidden when continue is provided"));
        }
    }
    errors
}

/// The number of a resource version; an empty text and `0` are 0.
///
/// # Errors
/// It is no number. Upstream words that differently for a watch, and calls it its own failure there.
pub fn resource_version(text: &str, watch: bool) -> Result<u64, Status> {
    if text.is_empty() {
        return Ok(0);
    }
    unsigned(text).map_err(|problem| {
        let error = format!("resourceVersion: Invalid value: {}: {problem}", quote(text));
        if watch {
            Status::new(500, "", error)
        } else {
            Status::bad_request(format!("invalid resource version: {error}"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::recorded;

    fn read(query: &str) -> Result<ListOptions, Status> {
        ListOptions::read(&Query::parse(query), false)
    }

    #[test]
    fn refusals_are_the_recorded_ones() {
        for (name, query) in [
            ("watch-list-without-match", "watch=true&sendInitialEvents=true&allowWatchBookmarks=true"),
            ("watch-list-without-watch", "sendInitialEvents=true&resourceVersionMatch=NotOlderThan"),
            ("watch-match-without-version", "resourceVersionMatch=Exact"),
        ] {
            recorded::assert_is(&read(query).unwrap_err(), name);
        }
        recorded::assert_is(&resource_version("new", false).unwrap_err(), "error-bad-version");
    }

    #[test]
    fn parameters_that_contradict_each_other_are_refused() {
        for (query, code, message) in [
            ("limit=x", 400, "strconv.ParseInt: parsing \"x\": invalid syntax"),
            ("limit=", 400, "strconv.ParseInt: parsing \"\": invalid syntax"),
            ("limit=x&timeoutSeconds=y", 400, "strconv.ParseInt: parsing \"y\": invalid syntax"),
            (
                "resourceVersion=1&resourceVersionMatch=Foo",
                422,
                "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Unsupported value: \"Foo\": supported values: \"Exact\", \"NotOlderThan\", \"\"",
            ),
            (
                "resourceVersion=0&resourceVersionMatch=Exact",
                422,
                "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ),
            (
                "continue=a&resourceVersionMatch=Foo",
                422,
                "ListOptions.meta.k8s.io \"\" is invalid: [resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided, resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided, resourceVersionMatch: Unsupported value: \"Foo\": supported values: \"Exact\", \"NotOlderThan\", \"\"]",
            ),
            (
                "watch=1&resourceVersionMatch=Exact",
                422,
                "ListOptions.meta.k8s.io \"\" is invalid: [resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided, resourceVersionMatch: Unsupported value: \"Exact\": supported values: \"NotOlderThan\"]",
            ),
            (
                "watch=1&resourceVersionMatch=Foo&sendInitialEvents=1",
                422,
                "ListOptions.meta.k8s.io \"\" is invalid: [resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, resourceVersionMatch: Unsupported value: \"Foo\": supported values: \"NotOlderThan\"]",
            ),
        ] {
            let status = read(query).unwrap_err();
            assert_eq!((status.code, status.message.as_str()), (code, message), "{query}");
        }
    }

    #[test]
    fn parameters_are_read() {
        let options = read(
            "watch=maybe&allowWatchBookmarks=1&resourceVersion=7&resourceVersionMatch=NotOlderThan&timeoutSeconds=5&limit=-1&continue=c&labelSelector=a%3Db&fieldSelector=c%3Dd&sendInitialEvents=0",
        );
        // continue and resourceVersionMatch together are refused.
        assert_eq!(options.unwrap_err().code, 422);
        let options = read("watch=maybe&allowWatchBookmarks=1&resourceVersion=7&resourceVersionMatch=NotOlderThan&timeoutSeconds=5&limit=-1&labelSelector=a%3Db&fieldSelector=c%3Dd&sendInitialEvents=0").unwrap();
        let expected = ListOptions {
            label_selector: "a=b".into(),
            field_selector: "c=d".into(),
            watch: true,
            allow_watch_bookmarks: true,
            resource_version: "7".into(),
            resource_version_match: Some(Match::NotOlderThan),
            timeout_seconds: Some(5),
            limit: -1,
            continue_token: String::new(),
            initial: Initial::Skip,
        };
        assert_eq!(options, expected);
        assert!(ListOptions::read(&Query::default(), true).unwrap().watch);
        assert!(!read("watch=False").unwrap().watch);
        assert!(!read("watch=%zz").unwrap().watch);
    }

    #[test]
    fn versions_are_numbers() {
        assert_eq!(resource_version("", true), Ok(0));
        assert_eq!(resource_version("12", false), Ok(12));
        let status = resource_version("x", true).unwrap_err();
        assert_eq!((status.code, status.reason.as_ref()), (500, ""));
        let message = "resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax";
        assert_eq!(status.message, message);
    }
}
