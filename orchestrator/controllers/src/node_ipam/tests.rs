use std::sync::Arc;

use coracle_apimachinery::json;
use coracle_apimachinery::time::Instant;
use coracle_client::memory::Objects;
use coracle_client::resources::NODES;
use coracle_client::{Change, Operation, View};

use super::{DEFAULT_MASK_V4, DEFAULT_MASK_V6, DEFAULT_RANGES, NodeIpam, keys};
use crate::controller::{Action, Controller, Key, Plan, Round};

fn round() -> Round<'static> {
    Round { now: Instant { seconds: 0, micros: 0 }, failure: None }
}

fn ipam(ranges: &[&str]) -> NodeIpam {
    NodeIpam::new(ranges, DEFAULT_MASK_V4, DEFAULT_MASK_V6).unwrap()
}

fn nodes(nodes: &[(&str, &[&str])]) -> View {
    let mut objects = Objects::new();
    for (name, ranges) in nodes {
        let spec = match ranges {
            [] => "{}".to_owned(),
            [first, ..] => format!(r#"{{"podCIDR":"{first}","podCIDRs":{ranges:?}}}"#),
        };
        let node = format!(r#"{{"metadata":{{"name":"{name}","uid":"u-{name}"}},"spec":{spec}}}"#);
        objects = objects.with_json(&NODES, &node);
    }
    objects.view()
}

/// The patch, or reason and message of the event.
fn outcome(plan: &Plan) -> String {
    match plan.actions.as_slice() {
        [] => String::new(),
        [Action::Tell(event)] => format!("{}: {}", event.reason, event.message),
        [Action::Do(step)] => {
            let Operation::Patch(_, patch) = &step.write.operation else { panic!("{step:?}") };
            assert_eq!(patch.text_at(&["metadata", "uid"]), format!("u-{}", step.write.name));
            assert_eq!(step.on_failure.as_ref().unwrap().reason, "CIDRAssignmentFailed");
            String::from_utf8(json::encode_any(patch.at(&["spec"]).unwrap())).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nodes_get_what_is_free() {
    type Row = (&'static [&'static str], &'static [(&'static str, &'static [&'static str])], &'static str);
    let table: &[Row] = &[
        (DEFAULT_RANGES, &[("n", &[])], r#"{"podCIDR":"10.42.0.0/24","podCIDRs":["10.42.0.0/24"]}"#),
        // After a restart, what nodes have is occupied.
        (
            DEFAULT_RANGES,
            &[("a", &["10.42.0.0/24"]), ("b", &["10.42.2.0/24"]), ("n", &[])],
            r#"{"podCIDR":"10.42.1.0/24","podCIDRs":["10.42.1.0/24"]}"#,
        ),
        (
            &["10.42.0.0/16", "fd42::/48"],
            &[("a", &["10.42.0.0/24", "fd42::/64"]), ("n", &[])],
            r#"{"podCIDR":"10.42.1.0/24","podCIDRs":["10.42.1.0/24","fd42:0:0:1::/64"]}"#,
        ),
        // One family came later, or the order was changed.
        (
            &["fd42::/48", "10.42.0.0/16"],
            &[("a", &["10.42.0.0/24"]), ("n", &[])],
            r#"{"podCIDR":"fd42::/64","podCIDRs":["fd42::/64","10.42.1.0/24"]}"#,
        ),
        (DEFAULT_RANGES, &[("n", &["192.168.0.0/24"])], ""),
        (DEFAULT_RANGES, &[("n", &["garbage"])], ""),
        (DEFAULT_RANGES, &[("m", &[])], ""),
        (
            &["10.42.0.0/23"],
            &[("a", &["10.42.0.0/24"]), ("b", &["10.42.1.0/24"]), ("n", &[])],
            "CIDRNotAvailable: Node n status is now: CIDRNotAvailable",
        ),
        // All or nothing.
        (
            &["10.42.0.0/16", "fd42::/64"],
            &[("a", &["10.42.0.0/24", "fd42::/64"]), ("n", &[])],
            "CIDRNotAvailable: Node n status is now: CIDRNotAvailable",
        ),
    ];
    for (ranges, given, expected) in table {
        let plan = ipam(ranges).plan(&nodes(given), &Key::new("", "n"), &round());
        assert_eq!(outcome(&plan), *expected, "{ranges:?} {given:?}");
    }
    assert_eq!(ipam(DEFAULT_RANGES).at_once(), 1);
}

#[test]
fn a_node_that_goes_gets_nothing() {
    let node = r#"{"metadata":{"name":"n","deletionTimestamp":"2026-01-01T00:00:00Z"}}"#;
    let view = Objects::new().with_json(&NODES, node).view();
    assert_eq!(ipam(DEFAULT_RANGES).plan(&view, &Key::new("", "n"), &round()), Plan::nothing());
}

#[test]
fn services_keep_their_range() {
    let ipam = ipam(DEFAULT_RANGES).without(&["10.42.0.0/20", "fd43::/112"]).unwrap();
    let plan = ipam.plan(&nodes(&[("n", &[])]), &Key::new("", "n"), &round());
    assert_eq!(outcome(&plan), r#"{"podCIDR":"10.42.16.0/24","podCIDRs":["10.42.16.0/24"]}"#);
}

#[test]
fn nonsense_is_refused() {
    let table: [(&[&str], &str); 5] = [
        (&[], "there must be at least one range of pod addresses"),
        (&["10.42.0.0/16", "10.43.0.0/16"], "of two ranges of pod addresses one must be IPv4 and the other IPv6"),
        (
            &["10.42.0.0/16", "fd42::/48", "fd43::/48"],
            "there may be at most two ranges of pod addresses, one IPv4 and one IPv6",
        ),
        (&["pods"], r#""pods" is no range of addresses such as 10.42.0.0/16 or fd42::/48"#),
        (
            &["10.42.0.0/28"],
            "nodes' ranges of size /24 do not fit into 10.42.0.0/28: the mask size must not be smaller",
        ),
    ];
    for (ranges, expected) in table {
        let error = NodeIpam::new(ranges, DEFAULT_MASK_V4, DEFAULT_MASK_V6).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_range_that_is_free_again_is_offered() {
    let view = nodes(&[("a", &["10.42.0.0/24"]), ("b", &[]), ("c", &[])]);
    let node = |name| view.get(&NODES, "", name);
    let names = |old, new| {
        let keys = keys(&view, &Change { resource: Arc::new(NODES.clone()), old, new });
        keys.into_iter().map(|key| key.name).collect::<Vec<_>>()
    };
    assert_eq!(names(None, node("b")), ["b"]);
    assert_eq!(names(node("a"), node("a")), [""; 0]);
    assert_eq!(names(node("a"), None), ["b", "c"]);
}
