//! One probe of one container as a state machine: when to ask, and what the answers so far say.

use coracle_apimachinery::Value;

use super::Probe;

/// What the answers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Unknown,
    /// All is well.
    Success,
    /// It is not.
    Failure,
}

/// How often and how long to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Milliseconds from the start of the container to the first question.
    pub initial_delay: u64,
    /// Milliseconds between questions.
    pub period: u64,
    /// Milliseconds that an answer may take.
    pub timeout: u64,
    /// So many good answers in a row make it well.
    pub success_threshold: i64,
    /// So many bad answers in a row make it not well.
    pub failure_threshold: i64,
}

/// The state of one probe of one container instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prober {
    kind: Probe,
    timing: Timing,
    /// What counts; none as long as the agent may not judge, because the container is older than the agent.
    verdict: Option<Verdict>,
    last: Option<Verdict>,
    run: i64,
    /// Nothing more is asked of this instance.
    on_hold: bool,
    /// When to ask next.
    next: u64,
}

impl Timing {
    /// Reads a probe's members.
    pub fn of(probe: &Value) -> Self {
        let number = |name, default: i64| probe.at(&[name]).and_then(Value::as_int).unwrap_or(default);
        let millis = |name, default| u64::try_from(number(name, default)).unwrap_or(0).saturating_mul(1_000);
        Self {
            initial_delay: millis("initialDelaySeconds", 0),
            period: millis("periodSeconds", 10).max(1_000),
            timeout: millis("timeoutSeconds", 1).max(1_000),
            success_threshold: number("successThreshold", 1),
            failure_threshold: number("failureThreshold", 3),
        }
    }
}

impl Prober {
    /// Begins with an instance. `started` is when it started and `now` the present on the same clock; `adopted` says
    /// that it started before the agent did, so that its state is not reset only because the agent is new.
    pub fn new(kind: Probe, timing: Timing, started: u64, now: u64, adopted: bool) -> Self {
        let initial = match kind {
            Probe::Readiness => Verdict::Failure,
            Probe::Liveness => Verdict::Success,
            Probe::Startup => Verdict::Unknown,
        };
        let first = started.saturating_add(timing.initial_delay);
        let verdict = (!adopted).then_some(initial);
        Self { kind, timing, verdict, last: None, run: 0, on_hold: false, next: first.max(now) }
    }

    /// What the answers say; none if the agent may not judge yet.
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// Says that all is well and asks no more: the pod is being deleted, or the probe has done its work before.
    pub fn settle(&mut self) {
        self.verdict = Some(Verdict::Success);
        self.on_hold = true;
    }

    /// When to ask next, if ever.
    pub fn due(&self) -> Option<u64> {
        (!self.on_hold).then_some(self.next)
    }

    /// The probe is being asked.
    pub fn asked(&mut self, now: u64) {
        self.next = now.saturating_add(self.timing.period);
    }

    /// How long an answer may take, in milliseconds.
    pub fn timeout(&self) -> u64 {
        self.timing.timeout
    }

    /// Takes an answer; says whether the verdict changed.
    pub fn answered(&mut self, success: bool) -> bool {
        if self.on_hold {
            return false;
        }
        let answer = if success { Verdict::Success } else { Verdict::Failure };
        self.run = if self.last == Some(answer) { self.run + 1 } else { 1 };
        self.last = Some(answer);
        let threshold = if success { self.timing.success_threshold } else { self.timing.failure_threshold };
        if self.run < threshold {
            return false;
        }
        let changed = self.verdict != Some(answer);
        self.verdict = Some(answer);
        // A startup probe is over once it is decided; a liveness probe once the container is to be restarted.
        if self.kind == Probe::Startup || (self.kind == Probe::Liveness && !success) {
            self.on_hold = true;
            self.run = 0;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::{Prober, Timing, Verdict};
    use crate::pod::Probe;
    use crate::pod::tests::tree;

    /// Each case: kind, answers (`+` good, `-` bad), verdict after each (`u`, `s`, `f`), and whether it still asks.
    #[test]
    fn verdicts() {
        let timing = Timing::of(&tree(r#"{"successThreshold":2,"failureThreshold":3,"periodSeconds":5}"#));
        let cases = [
            (Probe::Readiness, "++-+---", "ffsssssf", false),
            (Probe::Liveness, "--+---", "ssssssf", true),
            (Probe::Startup, "---", "uuuf", true),
            (Probe::Startup, "-++", "uuus", true),
        ];
        for (kind, answers, expected, holds) in cases {
            let mut prober = Prober::new(kind, timing, 0, 0, false);
            let mut seen = String::from(letter(&prober));
            for answer in answers.chars() {
                prober.answered(answer == '+');
                seen.push(letter(&prober));
            }
            assert_eq!(seen, expected, "{kind:?} {answers}");
            assert_eq!(prober.due().is_none(), holds, "{kind:?} {answers}");
        }
    }

    fn letter(prober: &Prober) -> char {
        match prober.verdict() {
            Some(Verdict::Unknown) => 'u',
            Some(Verdict::Success) => 's',
            Some(Verdict::Failure) => 'f',
            None => '?',
        }
    }

    #[test]
    fn when_to_ask() {
        let timing = Timing::of(&tree(r#"{"initialDelaySeconds":7,"periodSeconds":5}"#));
        let mut prober = Prober::new(Probe::Liveness, timing, 1_000, 2_000, false);
        assert_eq!(prober.due(), Some(8_000));
        prober.asked(8_100);
        assert_eq!(prober.due(), Some(13_100));
        let late = Prober::new(Probe::Liveness, timing, 1_000, 60_000, true);
        assert_eq!((late.due(), late.verdict()), (Some(60_000), None));
    }

    #[test]
    fn defaults() {
        let timing = Timing::of(&tree("{}"));
        assert_eq!((timing.initial_delay, timing.period, timing.timeout), (0, 10_000, 1_000));
        assert_eq!((timing.success_threshold, timing.failure_threshold), (1, 3));
    }
}
