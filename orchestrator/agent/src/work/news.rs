//! Events of pods, for the recorder.

use std::borrow::Cow;
use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::event;

use crate::pod::Event;

/// Reasons that are known at run time only. The recorder takes reasons from a fixed stock.
const REASONS: [&str; 17] = [
    "Failed",
    "FailedCreatePodSandBox",
    "FailedMount",
    "InvalidNodeInfo",
    "NodeAffinity",
    "NodeName",
    "NodePorts",
    "NodeUnschedulable",
    "OutOfcpu",
    "OutOfephemeral-storage",
    "OutOfmemory",
    "OutOfpods",
    "PodOSNotSupported",
    "PodOSSelectorNodeLabelDoesNotMatch",
    "TaintToleration",
    "UnexpectedAdmissionError",
    "UnsupportedField",
];

/// An event of a pod as the recorder takes it.
pub(super) fn told(pod: &Arc<Value>, event: Event) -> event::Event {
    let reason = match &event.reason {
        Cow::Borrowed(reason) => reason,
        Cow::Owned(reason) => REASONS.into_iter().find(|known| known == reason).unwrap_or("OutOfResource"),
    };
    let kind = if event.warning { event::Event::warning } else { event::Event::normal };
    event::Event { field_path: event.field_path, ..kind(pod, reason, event.message) }
}
