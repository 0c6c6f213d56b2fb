//! The query of a request: raw parameters and the options that verbs read from them.

mod delete;
mod list;
mod write;

pub use delete::{DeleteOptions, Preconditions, Propagation};
pub use list::{Initial, ListOptions, Match, resource_version};
pub use write::{CreateOptions, FieldValidation, PatchOptions, UpdateOptions, WriteOptions};

use super::text::{integer, truth, unescape};
use coracle_apimachinery::field::{Error, Path, Problem};
use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Value, json};

/// Group of the options' kinds in messages.
const GROUP: &str = "meta.k8s.io";

/// Parameters in their order. Malformed ones are left out, as Go leaves them out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query(Vec<(String, String)>);

/// How much of each object the rows of a Table carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IncludeObject {
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
    /// Nothing.
    None,
}

impl Query {
    /// Reads the part of a URL behind the `?`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((unescape(name, true)?, unescape(value, true)?))
        };
        Self(pairs.filter_map(pair).collect())
    }

    /// The first value of a parameter.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the answer is asked to be indented: by `pretty`, or because the client is one that people read.
    #[must_use]
    pub fn pretty(&self, user_agent: &str) -> bool {
        match self.first("pretty") {
            Some(value) if !value.is_empty() => matches!(value, "1" | "t" | "T" | "TRUE" | "true" | "True"),
            _ => ["curl", "Wget", "Mozilla/5.0"].iter().any(|start| user_agent.starts_with(start)),
        }
    }

    /// Whether `watch` asks for changes, for the verb that authorization sees.
    #[must_use]
    pub fn watch(&self) -> bool {
        self.flag("watch").unwrap_or_default()
    }

    /// What the rows of a Table carry; only read when a Table is made.
    ///
    /// # Errors
    /// The value is unknown.
    pub fn include_object(&self) -> Result<IncludeObject, Status> {
        match self.first("includeObject").unwrap_or_default() {
            "" | "Metadata" => Ok(IncludeObject::Metadata),
            "Object" => Ok(IncludeObject::Object),
            "None" => Ok(IncludeObject::None),
            other => {
                let path = Path::new("includeObject");
                let error = Error::invalid(&path, other, "must be 'Metadata', 'Object', 'None', or empty");
                Err(Status::bad_request(format!("Unable to convert to Table as requested: {error}")))
            }
        }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.first(name).map(truth)
    }

    fn number(&self, name: &str) -> Result<Option<i64>, Status> {
        self.first(name).map(integer).transpose().map_err(Status::bad_request)
    }

    fn text(&self, name: &str) -> String {
        self.first(name).unwrap_or_default().to_owned()
    }
}

/// Whether nothing is to be stored. Every value of `dryRun` must be `All`.
fn dry_run(values: &[&str], errors: &mut Vec<Error>) -> bool {
    if values.iter().any(|value| *value != "All") {
        let list = Value::List(values.iter().map(|value| Value::text(*value)).collect());
        let shown = String::from_utf8_lossy(&json::encode_any(&list)).into_owned();
        let detail = "supported values: \"All\"";
        errors.push(Error::new(Problem::NotSupported, &Path::new("dryRun"), Some(shown), detail));
    }
    !values.is_empty()
}

/// Fails when there are errors.
fn valid<T>(kind: &str, options: T, errors: &[Error]) -> Result<T, Status> {
    if errors.is_empty() { Ok(options) } else { Err(Status::invalid(GROUP, kind, "", errors)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_go_reads_them() {
        let query = Query::parse("a=1&a=2&b=x+y%20z&&c&%zz=1&d=%zz&e=1;f=2&=v");
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        for (name, expected) in
            [("a", Some("1")), ("b", Some("x y z")), ("c", Some("")), ("d", None), ("e", None), ("", Some("v"))]
        {
            assert_eq!(query.first(name), expected, "{name}");
        }
        assert_eq!(Query::parse(""), Query::default());
    }

    #[test]
    fn pretty_is_asked_for_or_guessed() {
        for (query, agent, expected) in [
            ("", "kubectl/v1.37.2", false),
            ("", "curl/8.1", true),
            ("", "Mozilla/5.0 (X11)", true),
            ("pretty=true", "", true),
            ("pretty=0", "curl/8.1", false),
            ("pretty=maybe", "curl/8.1", false),
            ("pretty=", "curl/8.1", true),
        ] {
            assert_eq!(Query::parse(query).pretty(agent), expected, "{query} {agent}");
        }
    }

    #[test]
    fn tables_include_what_is_asked() {
        for (query, expected) in [
            ("", Ok(IncludeObject::Metadata)),
            ("includeObject=Object", Ok(IncludeObject::Object)),
            ("includeObject=None", Ok(IncludeObject::None)),
            (
                "includeObject=X",
                Err(
                    "Unable to convert to Table as requested: includeObject: Invalid value: \"X\": must be 'Metadata', 'Object', 'None', or empty",
                ),
            ),
        ] {
            let found = Query::parse(query).include_object().map_err(|status| status.message);
            assert_eq!(found, expected.map_err(str::to_owned));
        }
    }
}
