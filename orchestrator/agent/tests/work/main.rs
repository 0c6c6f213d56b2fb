//! Nodes over an API in memory, with the fake runtime and paused time.

#[cfg(test)]
mod api;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod looks;
#[cfg(test)]
mod node;
#[cfg(test)]
mod running;
