//! Events of the old style: equal ones are counted, similar ones combined, floods cut off.

use std::collections::BTreeSet;
use std::time::Duration;

use coracle_apimachinery::time::Precision;
use coracle_apimachinery::{Object, Value};

use super::{Decision, LIMIT, Now, document};
use crate::event::Event;
use crate::recorder::lru::Lru;

/// So many different messages of one reason, and they are combined.
const SIMILAR: usize = 10;
/// Silence after which similar messages are new again.
const SIMILAR_WITHIN: Duration = Duration::from_secs(600);
/// Time that one event about an object costs once the burst is used up.
const COST: Duration = Duration::from_secs(300);
/// Events that a source may tell about an object at once.
const BURST: u32 = 25;

/// Decides for one source.
#[derive(Debug)]
pub(super) struct Counted {
    component: String,
    host: String,
    similar: Lru<Similar>,
    seen: Lru<Option<Seen>>,
    budgets: Lru<Budget>,
}

/// Different messages of one reason about an object.
#[derive(Debug)]
struct Similar {
    messages: BTreeSet<u64>,
    last: Duration,
}

/// An event that was told before.
#[derive(Debug, Clone)]
struct Seen {
    name: String,
    first: Value,
    count: i64,
}

/// What may still be told about an object.
#[derive(Debug)]
struct Budget {
    left: Duration,
    at: Duration,
}

impl Counted {
    pub(super) fn new(component: String, host: String) -> Self {
        Self { component, host, similar: Lru::new(LIMIT), seen: Lru::new(LIMIT), budgets: Lru::new(LIMIT) }
    }

    pub(super) fn decide(&mut self, event: &Event, now: Now) -> Decision {
        let mut document = self.document(event, now);
        let subject = Subject::of(event);
        let reason = document::hash((&subject, event.reason));
        let mut key = document::hash((&subject, event.reason, &event.field_path, &event.message));
        if self.is_one_of_many(reason, document::hash(&event.message), now) {
            key = reason;
            combine(&mut document);
        }
        let seen = self.observe(key, &mut document);
        if !self.may_tell(document::hash(&subject), now) {
            return Decision::Drop;
        }
        if !seen {
            return Decision::Create(Value::Object(document));
        }
        let members = ["count", "lastTimestamp", "message"];
        let patch = members.iter().filter_map(|name| Some(((*name).into(), document.get(name)?.clone())));
        let patch = Value::Object(patch.collect());
        Decision::Patch { event: Value::Object(document), patch }
    }

    fn document(&self, event: &Event, now: Now) -> Object {
        let mut document = document::common(event, now);
        let source = document.object_mut("source");
        document::set(source, "component", &self.component);
        document::set(source, "host", &self.host);
        document::set(&mut document, "reportingComponent", &self.component);
        document::set(&mut document, "reportingInstance", &self.host);
        let time = document::time(now, Precision::Seconds);
        document.insert("firstTimestamp".into(), time.clone());
        document.insert("lastTimestamp".into(), time);
        document.insert("count".into(), Value::Int(1));
        document
    }

    /// Notes a message, and says whether there have been so many that they are to be combined.
    fn is_one_of_many(&mut self, reason: u64, message: u64, now: Now) -> bool {
        let similar = self.similar.entry(reason, || Similar { messages: BTreeSet::new(), last: now.since_start });
        if now.since_start.saturating_sub(similar.last) > SIMILAR_WITHIN {
            similar.messages.clear();
        }
        similar.last = now.since_start;
        similar.messages.insert(message);
        let many = similar.messages.len() >= SIMILAR;
        if many {
            similar.messages.pop_first();
        }
        many
    }

    /// Counts an event; one that was told before gets the name and the first time of then.
    fn observe(&mut self, key: u64, document: &mut Object) -> bool {
        let entry = self.seen.entry(key, || None);
        let before = entry.clone();
        if let Some(seen) = &before {
            document.object_mut("metadata").insert("name".into(), Value::text(&*seen.name));
            document.insert("firstTimestamp".into(), seen.first.clone());
            document.insert("count".into(), Value::Int(seen.count + 1));
        }
        *entry = Some(Seen {
            name: document.object_mut("metadata").get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
            first: document.get("firstTimestamp").cloned().unwrap_or(Value::Null),
            count: before.as_ref().map_or(1, |seen| seen.count + 1),
        });
        before.is_some()
    }

    fn may_tell(&mut self, subject: u64, now: Now) -> bool {
        let full = COST * BURST;
        let budget = self.budgets.entry(subject, || Budget { left: full, at: now.since_start });
        budget.left = full.min(budget.left + now.since_start.saturating_sub(budget.at));
        budget.at = now.since_start;
        let left = budget.left.checked_sub(COST);
        budget.left = left.unwrap_or(budget.left);
        left.is_some()
    }
}

/// What a flood is counted by, and with the reason what similar events have in common.
#[derive(Debug, Hash)]
struct Subject<'a>([&'a str; 6]);

impl<'a> Subject<'a> {
    fn of(event: &'a Event) -> Self {
        let text = |name| event.regarding.text_at(&["metadata", name]);
        let (version, kind) = (event.regarding.text_at(&["apiVersion"]), event.regarding.text_at(&["kind"]));
        Self([version, kind, text("namespace"), text("name"), text("uid"), event.kind])
    }
}

/// Makes an event stand for all that differ from it in their message only.
fn combine(document: &mut Object) {
    if let Some(message) = document.get("message").and_then(Value::as_str) {
        let message = Value::text(format!("(combined from similar events): {message}"));
        document.insert("message".into(), message);
    }
    // Upstream leaves these out of combined events.
    document.remove("reportingComponent");
    document.remove("reportingInstance");
}
