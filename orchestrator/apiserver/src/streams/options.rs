//! What a request for a stream asks for, read from its query.

use std::time::{Duration, SystemTime};

use coracle_apimachinery::field::{Error, Path};
use coracle_apimachinery::status::Status;
use coracle_apimachinery::time::{Instant, Precision};

use crate::http::query::Query;
use crate::http::text::{integer, truth};

/// Parameters of `log`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LogOptions {
    pub(super) container: String,
    pub(super) follow: bool,
    pub(super) previous: bool,
    pub(super) timestamps: bool,
    pub(super) tail_lines: Option<i64>,
    pub(super) since_seconds: Option<i64>,
    pub(super) since_time: Option<Instant>,
    pub(super) limit_bytes: Option<i64>,
    pub(super) stream: Option<String>,
}

/// Parameters of `exec`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ExecOptions {
    pub(super) container: String,
    pub(super) command: Vec<String>,
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    pub(super) tty: bool,
}

impl LogOptions {
    /// Reads the parameters.
    ///
    /// # Errors
    /// One cannot be read.
    pub(super) fn read(query: &Query) -> Result<Self, Status> {
        let number = |name: &str| query.first(name).map(integer).transpose().map_err(Status::bad_request);
        let time = match query.first("sinceTime").filter(|text| !text.is_empty() && *text != "null") {
            Some(text) => {
                let read = Instant::parse(text, Precision::Seconds);
                Some(read.map_err(|error| Status::bad_request(error.to_string()))?)
            }
            None => None,
        };
        Ok(Self {
            container: query.first("container").unwrap_or_default().to_owned(),
            follow: flag(query, "follow"),
            previous: flag(query, "previous"),
            timestamps: flag(query, "timestamps"),
            tail_lines: number("tailLines")?,
            since_seconds: number("sinceSeconds")?,
            since_time: time,
            limit_bytes: number("limitBytes")?,
            stream: query.first("stream").filter(|text| !text.is_empty()).map(str::to_owned),
        })
    }

    /// Checks the values.
    ///
    /// # Errors
    /// One is out of its range, or two exclude each other.
    pub(super) fn check(&self, pod: &str) -> Result<(), Status> {
        let mut errors = Vec::new();
        let mut at_least = |name: &str, value: Option<i64>, least: i64, detail: &str| {
            if let Some(value) = value.filter(|value| *value < least) {
                errors.push(Error::invalid_value(&Path::new(name), value, detail));
            }
        };
        at_least("tailLines", self.tail_lines, 0, "must be greater than or equal to 0");
        at_least("limitBytes", self.limit_bytes, 1, "must be greater than 0");
        if self.since_seconds.is_some() && self.since_time.is_some() {
            let detail = "at most one of `sinceTime` or `sinceSeconds` may be specified";
            errors.push(Error::forbidden(&Path::new(""), detail));
        } else {
            at_least("sinceSeconds", self.since_seconds, 1, "must be greater than 0");
        }
        // Reading one of the two streams alone is behind a gate that is off in this release.
        if self.stream.is_some() {
            errors.push(Error::forbidden(&Path::new("stream"), "may not be specified"));
        }
        if errors.is_empty() { Ok(()) } else { Err(Status::invalid("", "PodLogOptions", pod, &errors)) }
    }

    /// The time before which everything is left out.
    pub(super) fn since(&self, now: SystemTime) -> Option<SystemTime> {
        if let Some(seconds) = self.since_seconds.and_then(|seconds| u64::try_from(seconds).ok()) {
            return Some(now.checked_sub(Duration::from_secs(seconds)).unwrap_or(SystemTime::UNIX_EPOCH));
        }
        let time = self.since_time?;
        let seconds = Duration::from_secs(u64::try_from(time.seconds).unwrap_or(0));
        SystemTime::UNIX_EPOCH.checked_add(seconds + Duration::from_micros(time.micros.into()))
    }
}

impl ExecOptions {
    /// Reads the parameters.
    pub(super) fn read(query: &Query) -> Self {
        let tty = flag(query, "tty");
        Self {
            container: query.first("container").unwrap_or_default().to_owned(),
            command: query.all("command").map(str::to_owned).collect(),
            stdin: flag(query, "stdin"),
            stdout: flag(query, "stdout"),
            // A terminal has one stream for both.
            stderr: flag(query, "stderr") && !tty,
            tty,
        }
    }

    /// Checks the values.
    ///
    /// # Errors
    /// There is no stream, or nothing to run.
    pub(super) fn check(&self) -> Result<(), Status> {
        if !(self.stdin || self.stdout || self.stderr) {
            return Err(Status::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
        }
        if self.command.is_empty() {
            return Err(Status::bad_request("you must specify at least one command for the container"));
        }
        Ok(())
    }
}

fn flag(query: &Query, name: &str) -> bool {
    query.first(name).is_some_and(truth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_asked_for() {
        let all = "container=c&follow=true&previous=1&timestamps=false&tailLines=5&sinceSeconds=60&limitBytes=7";
        let expected = LogOptions {
            container: "c".to_owned(),
            follow: true,
            previous: true,
            tail_lines: Some(5),
            since_seconds: Some(60),
            limit_bytes: Some(7),
            ..LogOptions::default()
        };
        let found = LogOptions::read(&Query::parse(all)).unwrap();
        assert_eq!(found, expected);
        assert_eq!(found.check("p"), Ok(()));
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(found.since(now), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(40)));
        let timed = LogOptions::read(&Query::parse("sinceTime=1970-01-01T00:01:00Z")).unwrap();
        assert_eq!(timed.since(now), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60)));
        assert_eq!(LogOptions::default().since(now), None);
    }

    #[test]
    fn wrong_parameters_of_logs() {
        for (query, code, message) in [
            (
                "tailLines=-1",
                422,
                "PodLogOptions \"p\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0",
            ),
            (
                "limitBytes=0",
                422,
                "PodLogOptions \"p\" is invalid: limitBytes: Invalid value: 0: must be greater than 0",
            ),
            (
                "sinceSeconds=0",
                422,
                "PodLogOptions \"p\" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0",
            ),
            (
                "sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z",
                422,
                "PodLogOptions \"p\" is invalid: : Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
            ),
            ("stream=Stdout", 422, "PodLogOptions \"p\" is invalid: stream: Forbidden: may not be specified"),
            ("tailLines=x", 400, "strconv.ParseInt: parsing \"x\": invalid syntax"),
            ("sinceTime=x", 400, "parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"x\" as \"2006\""),
        ] {
            let refused = LogOptions::read(&Query::parse(query)).and_then(|options| options.check("p")).unwrap_err();
            assert_eq!((refused.code, &*refused.message), (code, message));
        }
    }

    #[test]
    fn commands_are_asked_for() {
        let read = |query: &str| ExecOptions::read(&Query::parse(query));
        let found = read("command=sh&command=-c&command=a%20b&stdin=true&stdout=true&stderr=true&tty=true&container=c");
        assert_eq!(found.command, ["sh", "-c", "a b"]);
        assert_eq!((found.stdin, found.stdout, found.stderr, found.tty), (true, true, false, true));
        assert_eq!(found.check(), Ok(()));
        for (query, message) in [
            ("command=a", "you must specify at least 1 of stdin, stdout, stderr"),
            ("command=a&stderr=1&tty=1", "you must specify at least 1 of stdin, stdout, stderr"),
            ("stdout=1", "you must specify at least one command for the container"),
        ] {
            let refused = read(query).check().unwrap_err();
            assert_eq!((refused.code, &*refused.message), (400, message));
        }
    }
}
