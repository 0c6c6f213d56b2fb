//! What tests look at.

use std::time::Duration;

use coracle_apimachinery::Value;
use coracle_apimachinery::json::decode_any;
use coracle_client::object;
use tokio::time::timeout;

pub(crate) fn tree(text: &str) -> Value {
    decode_any(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The status of the first container.
pub(crate) fn container(pod: &Value) -> &Value {
    const NOTHING: &Value = &Value::Null;
    object::items(pod, &["status", "containerStatuses"]).first().unwrap_or(NOTHING)
}

pub(crate) fn restarts(pod: &Value) -> i64 {
    object::int(container(pod), &["restartCount"], 0)
}

pub(crate) fn phase(pod: &Value) -> &str {
    pod.text_at(&["status", "phase"])
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    phase(pod) == "Running" && object::is_true(pod, "Ready")
}

pub(crate) fn waits_for(pod: &Value) -> &str {
    container(pod).text_at(&["state", "waiting", "reason"])
}

/// Lets time pass.
pub(crate) async fn pass(seconds: u64) {
    assert!(timeout(Duration::from_secs(seconds), std::future::pending::<()>()).await.is_err());
}
