//! Events, in the core group and in their own.

use coracle_apimachinery::{Object, Value};

/// Names of members: core group, own group. All others are named alike.
const NAMES: [(&str, &str); 7] = [
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("involvedObject", "regarding"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
];

/// From the core group.
pub(super) fn from_core(mut event: Value) -> Value {
    if let Some(event) = event.as_object_mut() {
        NAMES.iter().for_each(|(core, own)| rename(event, core, own));
    }
    event
}

/// To the core group.
pub(super) fn to_core(mut event: Value) -> Value {
    if let Some(event) = event.as_object_mut() {
        NAMES.iter().for_each(|(core, own)| rename(event, own, core));
    }
    event
}

fn rename(event: &mut Object, from: &str, to: &'static str) {
    if let Some(value) = event.remove(from) {
        event.insert(to.into(), value);
    }
}
