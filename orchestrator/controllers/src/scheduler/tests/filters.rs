//! Each filter refuses with upstream's words.

use super::{asks, labelled, node, nodes, place, pod, read};
use coracle_client::memory::Objects;
use coracle_client::resources::{NAMESPACES, NODES, PODS};

pub(super) const NOT_HELPFUL: &str = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
const NO_VICTIMS: &str = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";

pub(super) fn refused(reason: &str, tail: &str) -> Result<String, String> {
    Err(format!("0/1 nodes are available: {reason}. {tail}"))
}

pub(super) fn good() -> Result<String, String> {
    Ok("n".to_owned())
}

#[test]
fn nodes_are_refused_for_what_they_are() {
    let affinity = |operator: &str, values: &str| {
        format!(
            r#","affinity":{{"nodeAffinity":{{"requiredDuringSchedulingIgnoredDuringExecution":{{"nodeSelectorTerms":[{{"matchExpressions":[{{"key":"zone","operator":"{operator}","values":[{values}]}}]}}]}}}}}}"#
        )
    };
    let field = |name: &str| {
        format!(
            r#","affinity":{{"nodeAffinity":{{"requiredDuringSchedulingIgnoredDuringExecution":{{"nodeSelectorTerms":[{{"matchFields":[{{"key":"metadata.name","operator":"In","values":["{name}"]}}]}}]}}}}}}"#
        )
    };
    let taint = r#""taints":[{"key":"k","value":"v","effect":"NoSchedule"}]"#;
    let closed = r#""unschedulable":true"#;
    let selector = "node(s) didn't match Pod's node affinity/selector";
    let table = [
        ("", String::new(), good()),
        (closed, String::new(), refused("1 node(s) were unschedulable", NOT_HELPFUL)),
        (
            closed,
            r#","tolerations":[{"key":"node.kubernetes.io/unschedulable","operator":"Exists"}]"#.to_owned(),
            good(),
        ),
        (taint, String::new(), refused("1 node(s) had untolerated taint(s)", NOT_HELPFUL)),
        (taint, r#","tolerations":[{"key":"k","value":"v"}]"#.to_owned(), good()),
        (r#""taints":[{"key":"k","effect":"PreferNoSchedule"}]"#, String::new(), good()),
        ("", r#","nodeSelector":{"zone":"b"}"#.to_owned(), refused(&format!("1 {selector}"), NOT_HELPFUL)),
        ("", r#","nodeSelector":{"zone":"a"}"#.to_owned(), good()),
        ("", affinity("NotIn", r#""a""#), refused(&format!("1 {selector}"), NOT_HELPFUL)),
        ("", affinity("In", r#""a""#), good()),
        ("", field("n"), good()),
        ("", field("m"), refused("1 node(s) didn't satisfy plugin(s) [NodeAffinity]", NOT_HELPFUL)),
        // Only the first reason is told: the filters end with the first one that refuses.
        (&format!("{closed},{taint}"), String::new(), refused("1 node(s) were unschedulable", NOT_HELPFUL)),
    ];
    for (of_node, spec, expected) in table {
        let objects = Objects::new().with(&NODES, node("n", r#","zone":"a""#, of_node));
        assert_eq!(place(objects, &pod("p", &spec)), expected, "{of_node} {spec}");
    }
}

#[test]
fn nodes_are_refused_for_what_is_taken() {
    let port = r#","containers":[{"ports":[{"hostPort":80}]}]"#.to_owned();
    let table = [
        (asks(r#""cpu":"2""#), asks(r#""cpu":"2""#), good()),
        (asks(r#""cpu":"2""#), asks(r#""cpu":"2001m""#), refused("1 Insufficient cpu", NO_VICTIMS)),
        (asks(r#""cpu":"2""#), asks(r#""cpu":"5""#), refused("1 Insufficient cpu", NOT_HELPFUL)),
        (asks(r#""memory":"6Gi""#), asks(r#""cpu":"1","memory":"3Gi""#), refused("1 Insufficient memory", NO_VICTIMS)),
        (
            asks(r#""cpu":"4","memory":"8Gi""#),
            asks(r#""cpu":"1","memory":"1""#),
            refused("1 Insufficient cpu, 1 Insufficient memory", NO_VICTIMS),
        ),
        (
            asks(r#""ephemeral-storage":"6Gi""#),
            asks(r#""ephemeral-storage":"5Gi""#),
            refused("1 Insufficient ephemeral-storage", NO_VICTIMS),
        ),
        (String::new(), asks(r#""example.com/gpu":"1""#), refused("1 Insufficient example.com/gpu", NOT_HELPFUL)),
        (String::new(), asks(r#""hugepages-2Mi":"2Mi""#), refused("1 Insufficient hugepages-2Mi", NOT_HELPFUL)),
        (String::new(), asks(r#""example.com/gpu":"0""#), good()),
        (port.clone(), port, refused("1 node(s) didn't have free ports for the requested pod ports", NO_VICTIMS)),
    ];
    for (there, coming, expected) in table {
        let there = pod("there", &format!(r#","nodeName":"n"{there}"#));
        assert_eq!(place(nodes(&["n"]).with(&PODS, there), &pod("p", &coming)), expected, "{coming}");
    }
    let full =
        (0..10).fold(nodes(&["n"]), |objects, at| objects.with(&PODS, pod(&format!("p{at}"), r#","nodeName":"n""#)));
    assert_eq!(place(full, &pod("p", "")), refused("1 Too many pods", NO_VICTIMS));
}

#[test]
fn pods_that_have_ended_take_no_room() {
    for (phase, expected) in
        [("Running", refused("1 Insufficient cpu", NO_VICTIMS)), ("Succeeded", good()), ("Failed", good())]
    {
        let mut there = pod("there", &format!(r#","nodeName":"n"{}"#, asks(r#""cpu":"4""#)));
        there.as_object_mut().unwrap().insert("status".into(), read(&format!(r#"{{"phase":"{phase}"}}"#)));
        assert_eq!(place(nodes(&["n"]).with(&PODS, there), &pod("p", &asks(r#""cpu":"1""#))), expected, "{phase}");
    }
}

#[test]
fn pods_demand_to_be_near_or_far() {
    let term = |kind: &str, app: &str, more: &str| {
        format!(
            r#","affinity":{{"{kind}":{{"requiredDuringSchedulingIgnoredDuringExecution":[{{"topologyKey":"kubernetes.io/hostname","labelSelector":{{"matchLabels":{{"app":"{app}"}}}}{more}}}]}}}}"#
        )
    };
    let (near, far) = ("podAffinity", "podAntiAffinity");
    let other = r#","namespaces":["other"]"#;
    let selected = r#","namespaceSelector":{"matchLabels":{"team":"x"}}"#;
    let not_near = || refused("1 node(s) didn't match pod affinity rules", NOT_HELPFUL);
    let not_far = || refused("1 node(s) didn't match pod anti-affinity rules", NO_VICTIMS);
    let kept_off = || refused("1 node(s) didn't satisfy existing pods anti-affinity rules", NO_VICTIMS);
    let table = [
        ("b", String::new(), term(near, "b", ""), good()),
        ("b", String::new(), term(near, "c", ""), not_near()),
        // The first of a group finds nobody.
        ("b", String::new(), term(near, "a", ""), good()),
        ("b", String::new(), term(near, "b", other), not_near()),
        ("b", String::new(), term(near, "b", selected), good()),
        ("b", String::new(), term(far, "b", ""), not_far()),
        ("b", String::new(), term(far, "b", other), good()),
        ("b", String::new(), term(far, "b", selected), not_far()),
        ("b", String::new(), term(far, "c", ""), good()),
        ("b", term(far, "a", ""), String::new(), kept_off()),
        ("b", term(far, "c", ""), String::new(), good()),
    ];
    for (app, there, coming, expected) in table {
        let there = labelled("there", &format!(r#""app":"{app}""#), &format!(r#","nodeName":"n"{there}"#));
        let namespace = read(r#"{"metadata":{"name":"ns","labels":{"team":"x"}}}"#);
        let objects = nodes(&["n"]).with(&PODS, there).with(&NAMESPACES, namespace);
        assert_eq!(place(objects, &pod("p", &coming)), expected, "{coming}");
    }
    let bare = Objects::new().with(&NODES, read(r#"{"metadata":{"name":"n"},"status":{"allocatable":{"pods":"1"}}}"#));
    assert_eq!(place(bare, &pod("p", &term(near, "a", ""))), not_near());
}

#[test]
fn pods_are_spread() {
    let rule = |more: &str| {
        format!(
            r#","topologySpreadConstraints":[{{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule","labelSelector":{{"matchLabels":{{"app":"a"}}}}{more}}}]"#
        )
    };
    let zones = |count: usize| {
        let names = ["n1", "n2", "n3"].into_iter().zip(["x", "y", "z"]).take(count);
        names.fold(Objects::new(), |objects, (name, zone)| {
            objects.with(&NODES, node(name, &format!(r#","zone":"{zone}""#), ""))
        })
    };
    let there =
        |objects: Objects, name: &str, on: &str| objects.with(&PODS, pod(name, &format!(r#","nodeName":"{on}""#)));
    let one = there(zones(2), "a", "n1");
    assert_eq!(place(one.clone(), &pod("p", &rule(""))), Ok("n2".to_owned()));
    // With fewer domains than demanded, empty ones are thought of.
    let both = there(one, "b", "n2");
    let message = "0/2 nodes are available: 2 node(s) didn't match pod topology spread constraints. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.";
    assert_eq!(place(both.clone(), &pod("p", &rule(r#","minDomains":3"#))), Err(message.to_owned()));
    assert!(place(both, &pod("p", &rule(""))).is_ok());
    let message = "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label). preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    assert_eq!(place(nodes(&["n"]), &pod("p", &rule(""))), Err(message.to_owned()));
}
