//! Which keys wait, which are being worked on, and when each is due.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use coracle_apimachinery::status::Status;
use tokio::time::Instant;

use crate::controller::Key;

/// First wait after a failure; each failure in a row doubles it (upstream's default rate limiter).
const FIRST_BACK_OFF: Duration = Duration::from_millis(5);
/// Longest wait after a failure.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(1000);

/// The keys of one controller. A key that is being worked on is never handed out a second time; what is added meanwhile
/// waits until the work is done.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    ready: BTreeSet<(i64, u64, Key)>,
    known: HashMap<Key, Place>,
    due: BTreeMap<(Instant, Key), i64>,
    due_at: HashMap<Key, Instant>,
    failed: HashMap<Key, Failed>,
    arrivals: u64,
}

/// Where a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Ready(i64, u64),
    AtWork,
    /// At work, and to be worked on again, with this precedence.
    Dirty(i64),
}

/// The failures in a row of a key.
#[derive(Debug, Clone)]
struct Failed {
    times: u32,
    /// The last one, until it has been handed to a plan.
    untold: Option<Status>,
}

/// How the work on a key ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Well; perhaps to be asked again after a time.
    Done(Option<Duration>),
    /// Somebody else has changed what the plan was made from.
    Overtaken,
    /// It failed.
    Failed(Status),
}

impl Queue {
    /// Adds a key; one that waits already may move forward.
    pub(crate) fn add(&mut self, key: Key, precedence: i64) {
        match self.known.get(&key).copied() {
            Some(Place::AtWork | Place::Dirty(_)) => {
                self.known.insert(key, Place::Dirty(precedence));
            }
            Some(Place::Ready(old, arrival)) => {
                if precedence != old && self.ready.remove(&(old, arrival, key.clone())) {
                    self.make_ready(key, precedence, arrival);
                }
            }
            None => {
                self.arrivals += 1;
                self.make_ready(key, precedence, self.arrivals);
            }
        }
    }

    fn make_ready(&mut self, key: Key, precedence: i64, arrival: u64) {
        self.known.insert(key.clone(), Place::Ready(precedence, arrival));
        self.ready.insert((precedence, arrival, key));
    }

    /// The next key to work on, with the failure that the plan should hear of.
    pub(crate) fn take(&mut self, now: Instant) -> Option<(Key, Option<Status>)> {
        while let Some(((when, key), precedence)) = self.due.first_key_value() {
            if *when > now {
                break;
            }
            let (key, precedence) = (key.clone(), *precedence);
            self.forget_due(&key);
            self.add(key, precedence);
        }
        let (_, _, key) = self.ready.pop_first()?;
        self.known.insert(key.clone(), Place::AtWork);
        let failure = self.failed.get_mut(&key).and_then(|failed| failed.untold.take());
        Some((key, failure))
    }

    /// The work on a key has ended. `told` says that its plan knew of a failure before.
    pub(crate) fn done(&mut self, key: Key, precedence: i64, told: bool, outcome: Outcome, now: Instant) {
        let dirty = self.known.remove(&key);
        self.forget_due(&key);
        let wait = match outcome {
            // A plan that was made for the sake of a failure has not tried again what failed.
            Outcome::Done(_) if told => Some(self.back_off(&key)),
            Outcome::Done(again) => {
                self.failed.remove(&key);
                again
            }
            Outcome::Overtaken => {
                self.count_failure(&key, None);
                Some(self.back_off(&key))
            }
            Outcome::Failed(_) if told => Some(self.back_off(&key)),
            Outcome::Failed(status) => {
                self.count_failure(&key, Some(status));
                Some(Duration::ZERO)
            }
        };
        if let Some(wait) = wait {
            let when = now + wait;
            self.due.insert((when, key.clone()), precedence);
            self.due_at.insert(key.clone(), when);
        }
        if let Some(Place::Dirty(precedence)) = dirty {
            self.add(key, precedence);
        }
    }

    fn count_failure(&mut self, key: &Key, status: Option<Status>) {
        let failed = self.failed.entry(key.clone()).or_insert(Failed { times: 0, untold: None });
        failed.times = failed.times.saturating_add(1);
        failed.untold = status;
    }

    fn back_off(&self, key: &Key) -> Duration {
        let times = self.failed.get(key).map_or(1, |failed| failed.times.max(1));
        let factor = 1_u32.checked_shl(times - 1).unwrap_or(u32::MAX);
        FIRST_BACK_OFF.saturating_mul(factor).min(LONGEST_BACK_OFF)
    }

    fn forget_due(&mut self, key: &Key) {
        if let Some(when) = self.due_at.remove(key) {
            self.due.remove(&(when, key.clone()));
        }
    }

    /// When the next key is due by time.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((when, _), _)| *when)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("", name)
    }

    fn names(queue: &mut Queue, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| queue.take(now)).map(|(key, _)| key.name).collect()
    }

    #[test]
    fn keys_come_in_order_and_once() {
        let now = Instant::now();
        let mut queue = Queue::default();
        for (name, precedence) in [("a", 0), ("b", 0), ("a", 0), ("c", -5), ("b", -9)] {
            queue.add(key(name), precedence);
        }
        assert_eq!(names(&mut queue, now), ["b", "c", "a"]);
        // What is added while it is worked on comes afterwards, once.
        queue.add(key("a"), 0);
        queue.add(key("a"), 0);
        assert_eq!(queue.take(now), None);
        queue.done(key("a"), 0, false, Outcome::Done(None), now);
        assert_eq!(names(&mut queue, now), ["a"]);
        queue.done(key("a"), 0, false, Outcome::Done(None), now);
        assert_eq!((queue.take(now), queue.deadline()), (None, None));
    }

    #[test]
    fn later_times_are_kept_and_replaced() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut queue = Queue::default();
        queue.add(key("a"), 0);
        assert_eq!(names(&mut queue, now), ["a"]);
        queue.done(key("a"), 0, false, Outcome::Done(Some(second * 9)), now);
        assert_eq!(queue.deadline(), Some(now + second * 9));
        // A change before that time asks again; the new plan's time replaces the old one.
        queue.add(key("a"), 0);
        assert_eq!(names(&mut queue, now), ["a"]);
        queue.done(key("a"), 0, false, Outcome::Done(Some(second)), now);
        assert_eq!(queue.deadline(), Some(now + second));
        assert_eq!(names(&mut queue, now), [""; 0]);
        assert_eq!(names(&mut queue, now + second), ["a"]);
    }

    #[test]
    fn failures_are_told_once_and_back_off() {
        let mut now = Instant::now();
        let failure = Status::bad_request("no");
        let mut queue = Queue::default();
        queue.add(key("a"), 0);
        let mut waits = Vec::new();
        for _ in 0..4 {
            let (taken, told) = queue.take(now).unwrap();
            assert_eq!(told, None);
            queue.done(taken, 0, false, Outcome::Failed(failure.clone()), now);
            // At once, so that the failure can be written down.
            let (taken, told) = queue.take(now).unwrap();
            assert_eq!(told.as_ref(), Some(&failure));
            queue.done(taken, 0, true, Outcome::Done(None), now);
            assert_eq!(queue.take(now), None);
            let when = queue.deadline().unwrap();
            waits.push(when.duration_since(now).as_millis());
            now = when;
        }
        assert_eq!(waits, [5, 10, 20, 40]);
        // A success forgets them.
        let (taken, _) = queue.take(now).unwrap();
        queue.done(taken, 0, false, Outcome::Done(None), now);
        queue.add(key("a"), 0);
        let (taken, _) = queue.take(now).unwrap();
        queue.done(taken, 0, false, Outcome::Overtaken, now);
        assert_eq!(queue.deadline().unwrap().duration_since(now), FIRST_BACK_OFF);
    }

    #[test]
    fn the_back_off_has_an_end() {
        let now = Instant::now();
        let mut queue = Queue::default();
        for _ in 0..100 {
            queue.count_failure(&key("a"), None);
        }
        assert_eq!(queue.back_off(&key("a")), LONGEST_BACK_OFF);
        assert_eq!(queue.take(now), None);
    }
}
