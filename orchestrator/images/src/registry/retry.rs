//! Whether and when a request is made again. Kubelet's own back-off stands above this, so it only bridges moments.

use std::time::Duration;

use super::error::Failure;

/// Most tries of one request.
const TRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// A registry that wants to be left alone for longer is left to kubelet's back-off.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Try again after this time.
    Again(Duration),
    /// This endpoint does not serve.
    GiveUp,
}

/// What to do after `failure` of try number `tries`, counted from 1.
pub(crate) fn decide(tries: u32, failure: &Failure) -> Verdict {
    let asked = match failure {
        Failure::Broken(_) => Duration::ZERO,
        Failure::Status { code: 408 | 429 | 500 | 502 | 503 | 504, retry_after, .. } => retry_after.unwrap_or_default(),
        // A host that cannot be reached is kubelet's to try again; all else would be the same again.
        _ => return Verdict::GiveUp,
    };
    if tries >= TRIES || asked > LONGEST_WAIT {
        return Verdict::GiveUp;
    }
    Verdict::Again((FIRST_WAIT * 2_u32.saturating_pow(tries.saturating_sub(1))).max(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, after: Option<u64>) -> Failure {
        Failure::Status {
            method: "GET",
            address: String::new(),
            code,
            detail: None,
            retry_after: after.map(Duration::from_secs),
        }
    }

    #[test]
    fn moments_are_bridged() {
        let again = |millis| Verdict::Again(Duration::from_millis(millis));
        for (tries, failure, want) in [
            (1, Failure::Broken(String::new()), again(250)),
            (4, Failure::Broken(String::new()), again(2000)),
            (5, Failure::Broken(String::new()), Verdict::GiveUp),
            (1, status(503, None), again(250)),
            (2, status(429, Some(7)), again(7000)),
            (1, status(429, Some(31)), Verdict::GiveUp),
            (1, status(404, None), Verdict::GiveUp),
            (1, status(401, None), Verdict::GiveUp),
            (1, status(501, None), Verdict::GiveUp),
            (1, Failure::Dial(String::new()), Verdict::GiveUp),
            (1, Failure::Denied(String::new()), Verdict::GiveUp),
        ] {
            assert_eq!(decide(tries, &failure), want, "{tries} {failure:?}");
        }
    }
}
