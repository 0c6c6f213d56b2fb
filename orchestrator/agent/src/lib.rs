//! The node agent: what one node does for the pods that are bound to it.
//!
//! [`pod::plan`] is the heart: from a pod, what the runtime reports and what the agent remembers it says what to do
//! next and which status to report. It is synchronous and deterministic; whoever executes its actions is dumb.
//! [`runtime::Runtime`] is what executes them on containers, real or fake.

pub mod fake;
pub mod node;
pub mod pod;
pub mod runtime;
pub mod work;
