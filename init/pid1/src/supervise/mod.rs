//! Supervision of the orchestrator: the policy decides, the event loop acts.

pub(crate) mod event_loop;
pub(crate) mod native;
pub(crate) mod policy;

#[cfg(test)]
mod tests;
