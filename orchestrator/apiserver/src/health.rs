//! Named health checks behind `/healthz`, `/livez` and `/readyz`, worded as kube-apiserver words them.
//!
//! Source of the format: k8s.io/apiserver v0.37.2, pkg/server/healthz.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One named condition that a part of the process sets and the health endpoints read.
#[derive(Debug)]
pub struct Check {
    name: &'static str,
    passed: AtomicBool,
}

/// The checks of one process in the order in which they are listed.
#[derive(Clone, Debug, Default)]
pub struct Checks(Vec<Arc<Check>>);

/// Outcome of evaluating all checks of an endpoint.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// No check failed.
    pub passed: bool,
    /// The text for the client.
    pub text: String,
}

impl Check {
    /// Marks the condition as met or not.
    pub fn set(&self, passed: bool) {
        self.passed.store(passed, Ordering::Release);
    }

    /// Whether the condition is met.
    #[must_use]
    pub fn get(&self) -> bool {
        self.passed.load(Ordering::Acquire)
    }
}

impl Checks {
    /// Adds a check that starts as `passed`.
    pub fn add(&mut self, name: &'static str, passed: bool) -> Arc<Check> {
        let check = Arc::new(Check { name, passed: AtomicBool::new(passed) });
        self.0.push(Arc::clone(&check));
        check
    }

    /// The answer of endpoint `name` (`healthz`, `livez` or `readyz`): a bare `ok`, or one line a check when `verbose`
    /// was asked for or a check failed. The reason of a failure is withheld, as upstream does for anonymous readers.
    #[must_use]
    pub fn report(&self, name: &str, verbose: bool) -> Report {
        let mut lines = String::new();
        let mut passed = true;
        for check in &self.0 {
            let line = if check.get() {
                format!("[+]{} ok", check.name)
            } else {
                format!("[-]{} failed: reason withheld", check.name)
            };
            passed &= check.get();
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{line}");
        }
        let text = match (passed, verbose) {
            (true, false) => "ok".to_owned(),
            (true, true) => format!("{lines}{name} check passed\n"),
            (false, _) => format!("{lines}{name} check failed\n"),
        };
        Report { passed, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_check_fails_the_endpoint_and_is_named() {
        let mut checks = Checks::default();
        checks.add("ping", true);
        let late = checks.add("post-start", false);
        let report = checks.report("readyz", false);
        assert_eq!(
            report,
            Report {
                passed: false,
                text: "[+]ping ok\n[-]post-start failed: reason withheld\nreadyz check failed\n".into()
            }
        );
        late.set(true);
        assert_eq!(checks.report("readyz", false), Report { passed: true, text: "ok".into() });
        assert_eq!(checks.report("livez", true).text, "[+]ping ok\n[+]post-start ok\nlivez check passed\n");
    }
}
