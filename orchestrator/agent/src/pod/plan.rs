//! The decision.

use coracle_apimachinery::Value;

use super::{Host, Memory, Now, Plan};
use crate::runtime::Observed;

/// What to do for a pod now.
pub fn plan(pod: &Value, _observed: &Observed, _memory: &mut Memory, _host: &Host, _now: Now) -> Plan {
    let status = pod.at(&["status"]).cloned().unwrap_or(Value::Null);
    Plan { actions: Vec::new(), again_after: None, status, events: Vec::new(), finished: false }
}
