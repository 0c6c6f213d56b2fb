//! Gives each node a range of pod addresses.

mod range;
#[cfg(test)]
mod tests;

use coracle_apimachinery::{Object, Value};
use coracle_client::object::{is_ending, items, name, uid};
use coracle_client::resources::NODES;
use coracle_client::{Change, PatchKind, View, Write};

use crate::controller::{Controller, Key, Plan, Round, Step, Watches};
use crate::node_lifecycle::told;
pub use range::{Family, Invalid, Pool, Range};

/// Ranges of pod addresses in this cluster unless somebody chooses others.
pub const DEFAULT_RANGES: &[&str] = &["10.42.0.0/16"];
/// Bits that are fixed in a node's range of IPv4 addresses, unless somebody chooses others.
pub const DEFAULT_MASK_V4: u8 = 24;
/// Bits that are fixed in a node's range of IPv6 addresses, unless somebody chooses others.
pub const DEFAULT_MASK_V6: u8 = 64;

/// Gives each node a range of each pool. The ranges that nodes have are all that it remembers: the lowest free one is
/// next, and what somebody else has given to a node stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeIpam {
    pools: Vec<Pool>,
    kept_free: Vec<Range>,
}

impl NodeIpam {
    /// Gives ranges of these sizes out of one range, or of one of each family.
    ///
    /// # Errors
    /// The ranges make no sense.
    pub fn new(ranges: &[&str], mask_v4: u8, mask_v6: u8) -> Result<Self, Invalid> {
        let ranges = ranges.iter().map(|text| Range::parse(text)).collect::<Result<Vec<_>, _>>()?;
        match ranges.as_slice() {
            [] => return Err(Invalid::Nothing),
            [one, other] if one.family() == other.family() => return Err(Invalid::SameFamily),
            [_] | [_, _] => {}
            _ => return Err(Invalid::TooMany),
        }
        let mask = |family| match family {
            Family::V4 => mask_v4,
            Family::V6 => mask_v6,
        };
        let pools = ranges.into_iter().map(|range| Pool::new(range, mask(range.family()))).collect::<Result<_, _>>()?;
        Ok(Self { pools, kept_free: Vec::new() })
    }

    /// The same without ranges that serve something else, such as Services.
    ///
    /// # Errors
    /// They are no ranges.
    pub fn without(mut self, ranges: &[&str]) -> Result<Self, Invalid> {
        self.kept_free = ranges.iter().map(|text| Range::parse(text)).collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// The ranges that are not to be given.
    fn taken(&self, view: &View) -> Vec<Range> {
        let nodes = view.list(&NODES, "");
        // What is no range takes no address.
        let given = nodes.iter().flat_map(|node| ranges_of(node)).filter_map(Range::parse_any);
        self.kept_free.iter().copied().chain(given).collect()
    }
}

impl Controller for NodeIpam {
    fn name(&self) -> &'static str {
        "node-ipam-controller"
    }

    fn watches(&self) -> Watches {
        Watches::Only(vec![(&NODES, keys)])
    }

    fn plan(&self, view: &View, key: &Key, _: &Round<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let Some(node) = view.get(&NODES, "", &key.name).filter(|node| lacks_ranges(node)) else { return plan };
        let taken = self.taken(view);
        let free: Option<Vec<_>> = self.pools.iter().map(|pool| pool.free(&taken)).collect();
        let Some(free) = free else {
            // Asked again when a node goes.
            plan.tell(told::status_change(&node, "CIDRNotAvailable"));
            return plan;
        };
        let write = Write::patch(&NODES, &node, PatchKind::Merge, patch(&node, &free));
        plan.step(Step::new(write).on_failure(told::status_change(&node, "CIDRAssignmentFailed")));
        plan
    }

    /// Each plan has to see what all plans before it have given.
    fn at_once(&self) -> usize {
        1
    }
}

/// The node itself if it needs something; all that need something once a node's ranges are free again.
fn keys(view: &View, change: &Change) -> Vec<Key> {
    match &change.new {
        Some(node) if lacks_ranges(node) => vec![Key::of(node)],
        Some(_) => Vec::new(),
        None => view.list(&NODES, "").iter().filter(|node| lacks_ranges(node)).map(|node| Key::of(node)).collect(),
    }
}

fn lacks_ranges(node: &Value) -> bool {
    ranges_of(node).next().is_none() && !is_ending(node)
}

fn ranges_of(node: &Value) -> impl Iterator<Item = &str> {
    let list = items(node, &["spec", "podCIDRs"]).iter().filter_map(Value::as_str);
    // Both members hold the first range; an object that has only one of them is still taken at its word.
    list.chain(Some(node.text_at(&["spec", "podCIDR"])).filter(|range| !range.is_empty()))
}

fn patch(node: &Value, ranges: &[Range]) -> Value {
    let ranges: Vec<_> = ranges.iter().map(|range| Value::text(range.to_string())).collect();
    let mut patch = Object::new();
    let metadata = patch.object_mut("metadata");
    // Another node of the same name makes its own choice.
    metadata.insert("uid".into(), Value::text(uid(node)));
    metadata.insert("name".into(), Value::text(name(node)));
    let spec = patch.object_mut("spec");
    spec.insert("podCIDR".into(), ranges.first().cloned().unwrap_or(Value::Null));
    spec.insert("podCIDRs".into(), Value::List(ranges));
    Value::Object(patch)
}
