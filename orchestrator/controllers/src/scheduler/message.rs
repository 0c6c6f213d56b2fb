//! How upstream words that no node is good.

use std::collections::BTreeMap;

use super::verdict::Refusal;

/// There is no node at all.
pub(super) const NO_NODES: &str = "no nodes available to schedule pods";
/// Longest text of an event.
const NOTE_LIMIT: usize = 1024;
const CUT: &str = " ...";

/// How many of the nodes have which reason.
pub(super) fn refused<'a>(nodes: usize, refusals: impl Iterator<Item = &'a Refusal>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in refusals.flat_map(|refusal| &refusal.reasons) {
        *counts.entry(reason).or_default() += 1;
    }
    // Upstream sorts the texts with their numbers, so "10 …" comes before "2 …".
    let mut reasons: Vec<String> = counts.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    reasons.sort();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" {}.", reasons.join(", ")) };
    format!("0/{nodes} nodes are available:{reasons}")
}

/// A reason that holds for all nodes.
pub(super) fn refused_everywhere(nodes: usize, reason: &str) -> String {
    format!("0/{nodes} nodes are available: {reason}.")
}

/// What an event can hold of a message.
pub(super) fn note(message: &str) -> String {
    if message.len() <= NOTE_LIMIT {
        return message.to_owned();
    }
    let mut end = NOTE_LIMIT - CUT.len();
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{CUT}", message.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_sorted_as_texts() {
        let taint = || Refusal::for_good("node(s) had untolerated taint(s)");
        let full =
            || Refusal { is_for_now: true, reasons: vec!["Insufficient memory".into(), "Insufficient cpu".into()] };
        let table = [
            (
                vec![full(), taint()],
                "0/2 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) had untolerated taint(s).",
            ),
            (
                vec![full(), full(), taint()],
                "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu, 2 Insufficient memory.",
            ),
            (vec![], "0/0 nodes are available:"),
        ];
        for (refusals, expected) in table {
            assert_eq!(refused(refusals.len(), refusals.iter()), expected);
        }
    }

    #[test]
    fn notes_are_cut() {
        assert_eq!(note("short"), "short");
        let long = note(&"ä".repeat(1000));
        assert!(long.len() <= NOTE_LIMIT && long.ends_with("ä ..."));
    }
}
