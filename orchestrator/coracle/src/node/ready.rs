//! Says on the console when the node of this machine is Ready.

use std::fs;
use std::sync::Arc;

use coracle_apimachinery::Value;
use coracle_client::resources::NODES;
use coracle_client::{Client, Interest, object};
use coracle_contract::marker::Marker;
use rustix::time::{ClockId, clock_gettime};

use crate::server::say;

/// Waits until the node has reported itself Ready in this boot, says so once, and then waits for nothing.
pub(super) async fn tell(client: Arc<dyn Client>, name: String) -> Result<(), String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let mut changes = client.subscribe(Interest::Only(&[&NODES]));
    while !client.view().get(&NODES, "", &name).is_some_and(|node| is_ready(&node, boot.trim())) {
        if changes.next().await.is_none() {
            return Ok(());
        }
    }
    let now = clock_gettime(ClockId::Boottime);
    let ms = now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000);
    say(&Marker::new("node").with("name", name).with("event", "ready").with("at-ms", ms));
    // A task that ends would end the server.
    std::future::pending().await
}

/// Whether a node is Ready by a report of this boot; what it said before a reset counts for nothing.
fn is_ready(node: &Value, boot: &str) -> bool {
    object::is_true(node, "Ready") && node.text_at(&["status", "nodeInfo", "bootID"]) == boot
}

#[cfg(test)]
mod tests {
    use super::is_ready;
    use coracle_apimachinery::json::decode_any;

    #[test]
    fn a_report_of_another_boot_is_none_of_this_one() {
        let node = |ready: &str, boot: &str| {
            let text = format!(
                r#"{{"status":{{"conditions":[{{"type":"Ready","status":"{ready}"}}],"nodeInfo":{{"bootID":"{boot}"}}}}}}"#
            );
            decode_any(text.as_bytes()).unwrap()
        };
        assert!(is_ready(&node("True", "b"), "b"));
        assert!(!is_ready(&node("False", "b"), "b"));
        assert!(!is_ready(&node("True", "a"), "b"));
    }
}
