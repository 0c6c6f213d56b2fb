//! What must hold before a step is over, and the wait for it.

use super::place::Place;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::script::ADMIN;
use crate::server::get;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A predicate on one object: `POINTER = VALUE` or `POINTER != VALUE`. The value is JSON, a pointer into the same object,
/// or else text; what is absent is null. In a list, an element is also named by its `type` or `name`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Predicate {
    left: String,
    equal: bool,
    right: String,
}

/// Predicates that must hold for all objects of a place, of which there must be a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    place: Place,
    /// None: at least one.
    count: Option<usize>,
    holds: Vec<Predicate>,
}

impl Condition {
    /// Predicates that must hold for one object or more.
    ///
    /// # Errors
    /// A text is no place or no predicate.
    pub fn of(place: &str, holds: &[&str]) -> Result<Self> {
        let holds = holds.iter().map(|text| Predicate::parse(text)).collect::<Result<_>>()?;
        Ok(Self { place: Place::parse(place)?, count: None, holds })
    }

    /// The same for exactly a number of objects.
    #[must_use]
    pub fn counted(self, count: Option<usize>) -> Self {
        Self { count, ..self }
    }

    /// What does not hold.
    fn missed(&self, items: &[Value]) -> Option<String> {
        let place = &self.place.text;
        match self.count {
            Some(count) if count != items.len() => return Some(format!("{} {place}, not {count}", items.len())),
            None if items.is_empty() => return Some(format!("no {place}")),
            _ => {}
        }
        items.iter().find_map(|item| {
            let predicate = self.holds.iter().find(|predicate| !predicate.holds(item))?;
            let name = item.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            let (Predicate { left, right, equal }, found) = (predicate, at(item, &predicate.left));
            let operator = if *equal { "=" } else { "!=" };
            let status = item.get("status").unwrap_or(&Value::Null);
            Some(format!("{place} {name:?}: {left} {operator} {right} does not hold, it is {found}; status {status}"))
        })
    }
}

impl Predicate {
    fn parse(text: &str) -> Result<Self> {
        let split = |operator: &str, equal| {
            let (left, right) = text.split_once(operator)?;
            Some(Self { left: left.to_owned(), equal, right: right.to_owned() })
        };
        split(" != ", false)
            .or_else(|| split(" = ", true))
            .filter(|predicate| predicate.left.starts_with('/'))
            .ok_or_else(|| Error::format(text, "no predicate"))
    }

    fn holds(&self, item: &Value) -> bool {
        let right = if self.right.starts_with('/') {
            at(item, &self.right).clone()
        } else {
            serde_json::from_str(&self.right).unwrap_or_else(|_| Value::from(self.right.as_str()))
        };
        (*at(item, &self.left) == right) == self.equal
    }
}

/// The value at a pointer; null where there is none.
pub(super) fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    let named = |element: &Value, part: &str| ["type", "name"].iter().any(|key| element[*key] == part);
    pointer.split('/').skip(1).fold(value, |value, part| {
        let part = part.replace("~1", "/").replace("~0", "~");
        let found = match value {
            Value::Array(items) => match part.parse::<usize>() {
                Ok(index) => items.get(index),
                Err(_) => items.iter().find(|element| named(element, &part)),
            },
            other => other.get(&part),
        };
        found.unwrap_or(&Value::Null)
    })
}

/// Reads lists and waits for their changes.
#[derive(Clone, Copy)]
pub(crate) struct Watcher<'a> {
    pub(crate) client: &'a Client,
    pub(crate) namespace: &'a str,
}

impl Watcher<'_> {
    /// The objects of a place, and the list's resource version.
    pub(crate) async fn list(&self, place: &Place) -> Result<(Vec<Value>, String)> {
        let request = get(&place.path(self.namespace, &[]));
        let answer = self.client.ask(ADMIN, &request).await?;
        let wrong = |problem: &dyn std::fmt::Display| Error::format(&request.line, problem.to_string());
        if answer.status != 200 {
            return Err(wrong(&String::from_utf8_lossy(&answer.body)));
        }
        let mut list: Value = serde_json::from_slice(&answer.body).map_err(|error| wrong(&error))?;
        let version = at(&list, "/metadata/resourceVersion").as_str().unwrap_or_default().to_owned();
        let kind = list["kind"].as_str().and_then(|kind| kind.strip_suffix("List")).unwrap_or_default().to_owned();
        let items = match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        // Items of a list do not say their kind.
        let typed = items.into_iter().map(|mut item| {
            item["kind"] = Value::from(kind.as_str());
            item
        });
        Ok((typed.collect(), version))
    }

    /// Waits until the condition holds: reads, and after each change reads again.
    pub(crate) async fn until(&self, condition: &Condition, bound: Duration) -> Result<()> {
        let deadline = Instant::now() + bound;
        loop {
            let (items, version) = self.list(&condition.place).await?;
            let Some(missed) = condition.missed(&items) else { return Ok(()) };
            let version = format!("resourceVersion={version}");
            let left = deadline.saturating_duration_since(Instant::now());
            let mut change = get(&condition.place.path(self.namespace, &["watch=1", "timeoutSeconds=20", &version]));
            change.events = Some(1);
            if left.is_zero() {
                return Err(Error::format("not settled", missed));
            }
            // Ends with the first event, with the server's own bound, or with ours; each leads to another look.
            if let Ok(answer) = timeout(left, self.client.ask(ADMIN, &change)).await {
                answer?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn predicates() {
        let item = json!({
            "metadata": {"generation": 2, "annotations": {"a/b": "1"}},
            "status": {"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True"}], "replicas": 3},
        });
        for (text, result) in [
            ("/status/observedGeneration = /metadata/generation", true),
            ("/status/conditions/Ready/status = True", true),
            ("/status/conditions/0/status = True", true),
            ("/status/conditions/Ready/status != True", false),
            ("/status/replicas = 3", true),
            ("/status/replicas != 3", false),
            ("/status/readyReplicas = null", true),
            ("/metadata/annotations/a~1b = \"1\"", true),
            ("/metadata/annotations/a~1b = 1", false),
        ] {
            assert_eq!(Predicate::parse(text).unwrap().holds(&item), result, "{text}");
        }
        for text in ["status = 3", "/status", "/status=3"] {
            assert!(Predicate::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_of_objects() {
        let condition = Condition::of("pods", &["/a = 1"]).unwrap();
        let (one, other) = (json!({"a": 1}), json!({"a": 2}));
        assert!(condition.missed(&[]).unwrap().contains("no pods"));
        assert_eq!(condition.missed(std::slice::from_ref(&one)), None);
        assert!(condition.missed(&[one.clone(), other]).unwrap().contains("/a = 1"));
        let none = condition.counted(Some(0));
        assert_eq!(none.missed(&[]), None);
        assert!(none.missed(&[one]).unwrap().contains("1 pods, not 0"));
    }
}
