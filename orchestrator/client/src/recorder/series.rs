//! Events of the new style: the second equal event begins a series, whose count is written when it ends and from time to
//! time.

use std::time::Duration;

use coracle_apimachinery::time::Precision;
use coracle_apimachinery::{Object, Value};

use super::{Decision, LIMIT, Now, document};
use crate::event::Event;
use crate::recorder::lru::Lru;

/// Silence after which a series has ended.
const ENDED_AFTER: Duration = Duration::from_secs(6 * 60);
/// A series that goes on is written again after this time, so that the event does not expire.
const WRITTEN_EVERY: Duration = Duration::from_secs(30 * 60);

/// Decides for one controller.
#[derive(Debug)]
pub(super) struct Series {
    controller: String,
    instance: String,
    known: Lru<Option<Known>>,
}

/// An event that was told.
#[derive(Debug)]
struct Known {
    document: Object,
    count: i64,
    last: Now,
    written: Duration,
    written_count: i64,
}

impl Known {
    /// When it has to be looked at again.
    fn due(&self) -> Duration {
        let ended = self.last.since_start + ENDED_AFTER;
        if self.written_count == self.count { ended } else { ended.min(self.written + WRITTEN_EVERY) }
    }

    fn write(&mut self, at: Duration) -> Decision {
        self.written = at;
        self.written_count = self.count;
        let mut series = Object::new();
        series.insert("count".into(), Value::Int(self.count));
        series.insert("lastObservedTime".into(), document::time(self.last, Precision::Micros));
        let series = Value::Object(series);
        let mut event = self.document.clone();
        event.insert("series".into(), series.clone());
        let patch = Value::Object([("series".into(), series)].into_iter().collect());
        Decision::Patch { event: Value::Object(event), patch }
    }
}

impl Series {
    pub(super) fn new(controller: String, instance: String) -> Self {
        Self { controller, instance, known: Lru::new(LIMIT) }
    }

    pub(super) fn decide(&mut self, event: &Event, now: Now) -> Decision {
        let mut document = document::common(event, now);
        let text = |name| event.regarding.text_at(&["metadata", name]);
        let object = (event.regarding.text_at(&["apiVersion"]), event.regarding.text_at(&["kind"]), &event.field_path);
        let names = (text("namespace"), text("name"), text("uid"), text("resourceVersion"));
        let key = document::hash((object, names, event.kind, event.reason));
        let known = self.known.entry(key, || None);
        if let Some(known) = known.as_mut().filter(|known| now.since_start < known.last.since_start + ENDED_AFTER) {
            known.count += 1;
            known.last = now;
            // Only the second one is written at once.
            return if known.count == 2 { known.write(now.since_start) } else { Decision::Drop };
        }
        document::set(&mut document, "action", document::action(event.reason));
        document::set(&mut document, "reportingComponent", &self.controller);
        document::set(&mut document, "reportingInstance", &self.instance);
        document.insert("eventTime".into(), document::time(now, Precision::Micros));
        let written = now.since_start;
        *known = Some(Known { document: document.clone(), count: 1, last: now, written, written_count: 1 });
        Decision::Create(Value::Object(document))
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.known.iter().filter_map(|(_, known)| known.as_ref()).map(Known::due).min()
    }

    pub(super) fn due(&mut self, now: Duration) -> Vec<Decision> {
        let is_due = |known: &Option<Known>| known.as_ref().is_some_and(|known| known.due() <= now);
        let keys: Vec<_> = self.known.iter().filter(|(_, known)| is_due(known)).map(|(key, _)| key).collect();
        let mut decisions = Vec::new();
        for key in keys {
            let Some(known) = self.known.entry(key, || None) else { continue };
            if known.written_count != known.count {
                decisions.push(known.write(now));
            }
            if known.last.since_start + ENDED_AFTER <= now {
                self.known.remove(key);
            }
        }
        decisions
    }
}
