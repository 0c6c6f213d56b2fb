//! Failures in the words that users of containerd and runc know.

use coracle_shim_protocol::message::{Failure, Reason};
use rustix::io::Errno;

/// In front of what failed while a container's first process was made or started.
pub(super) const CREATE: &str = "failed to create containerd task: failed to create shim task: OCI runtime create failed: \
                                 runc create failed: unable to start container process: error during container init: ";

/// In front of what failed while a process was made in a running container.
pub(super) const EXEC: &str = "OCI runtime exec failed: exec failed: unable to start container process: ";

/// A step that failed: what it was, with the kernel's error number where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// What failed, and how.
    pub(super) text: String,
    /// Error number.
    pub(super) errno: Option<i32>,
}

impl Problem {
    /// A problem without an error number.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), errno: None }
    }

    /// `STEP: ERROR IN WORDS`.
    pub(super) fn step(step: &str, errno: Errno) -> Self {
        Self { text: format!("{step}: {}", words(errno)), errno: Some(errno.raw_os_error()) }
    }

    /// As [`Self::step`], for errors of the standard library.
    pub(super) fn io(step: &str, error: &std::io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(errno) => Self::step(step, errno),
            None => Self::new(format!("{step}: {error}")),
        }
    }

    /// The failure to report.
    pub(super) fn failure(self, reason: Reason, prefix: &str) -> Failure {
        Failure { reason, message: format!("{prefix}{}", self.text), errno: self.errno }
    }
}

/// Exit code of a process whose program could not be started, as shells have it.
pub(super) fn exit_code(problem: &Problem) -> i32 {
    match problem.errno.map(Errno::from_raw_os_error) {
        Some(Errno::NOENT) => 127,
        Some(Errno::ACCESS | Errno::NOEXEC | Errno::ISDIR | Errno::PERM) => 126,
        _ => 128,
    }
}

/// An error number in Go's words, which runc's messages have.
pub(super) fn words(errno: Errno) -> String {
    let text = std::io::Error::from_raw_os_error(errno.raw_os_error()).to_string();
    let plain = text.split(" (os error").next().unwrap_or_default();
    // Go names this one in its own way; all others are the C library's words in small letters.
    let mut letters = plain.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Cuts the message to `limit` bytes.
pub(super) fn shorten(failure: &mut Failure, limit: usize) {
    if failure.message.len() > limit {
        let end = failure.message.floor_char_boundary(limit);
        failure.message.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_worded_as_go_words_them() {
        for (errno, want) in [
            (Errno::NOENT, "no such file or directory"),
            (Errno::ACCESS, "permission denied"),
            (Errno::NOEXEC, "exec format error"),
            (Errno::PERM, "operation not permitted"),
        ] {
            assert_eq!(words(errno), want);
        }
    }

    #[test]
    fn exit_codes_tell_missing_from_forbidden() {
        for (errno, want) in [(Errno::NOENT, 127), (Errno::ACCESS, 126), (Errno::NOEXEC, 126), (Errno::NOMEM, 128)] {
            assert_eq!(exit_code(&Problem::step("exec", errno)), want);
        }
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let mut failure = Failure::new(Reason::Internal, "aä".repeat(10));
        shorten(&mut failure, 5);
        assert_eq!(failure.message, "aäa");
    }
}
