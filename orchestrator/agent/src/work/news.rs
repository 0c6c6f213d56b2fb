//! Events of pods, for the recorder.

use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::event;

use crate::pod::Event;

/// An event of a pod as the recorder takes it.
pub(super) fn told(pod: &Arc<Value>, event: Event) -> event::Event {
    let kind = if event.warning { event::Event::warning } else { event::Event::normal };
    event::Event { field_path: event.field_path, ..kind(pod, event.reason, event.message) }
}
