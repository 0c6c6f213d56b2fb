//! What is written and told.

use super::*;
use coracle_apimachinery::status::Status;
use coracle_client::PatchKind;
use coracle_client::event::{NORMAL, WARNING};

fn step(plan: &Plan) -> &crate::controller::Step {
    match plan.actions.as_slice() {
        [Action::Do(step)] => step,
        other => panic!("{other:?}"),
    }
}

/// The pod as it is after the plan's patch of its condition.
fn patched(pod: &Value, plan: &Plan) -> Value {
    let Operation::Patch(PatchKind::Strategic, patch) = &step(plan).write.operation else { panic!("{plan:?}") };
    let mut pod = pod.clone();
    pod.as_object_mut().unwrap().insert("status".into(), patch.at(&["status"]).unwrap().clone());
    pod
}

#[test]
fn a_good_node_is_bound() {
    let plan = plan(nodes(&["n"]).with(&PODS, pod("p", "")), "p");
    let step = step(&plan);
    let write = &step.write;
    assert_eq!((write.namespace.as_str(), write.name.as_str(), write.subresource), ("ns", "p", "binding"));
    let expected = read(
        r#"{"apiVersion":"v1","kind":"Binding","metadata":{"name":"p","namespace":"ns","uid":"u-p"},"target":{"kind":"Node","name":"n"}}"#,
    );
    assert_eq!(write.operation, Operation::Create(expected));
    let told = step.on_success.as_ref().unwrap();
    assert_eq!((told.kind, told.reason), (NORMAL, "Scheduled"));
    assert_eq!(told.message, "Successfully assigned ns/p to n");
}

#[test]
fn only_waiting_pods_are_placed() {
    let table =
        [(r#","nodeName":"n""#, ""), (r#","schedulerName":"other""#, ""), ("", r#""status":{"phase":"Failed"}"#)];
    for (spec, status) in table {
        let mut pod = pod("p", spec);
        if !status.is_empty() {
            let status = read(&format!("{{{status}}}"));
            pod.as_object_mut().unwrap().insert("status".into(), status.at(&["status"]).unwrap().clone());
        }
        assert_eq!(plan(nodes(&["n"]).with(&PODS, pod), "p"), Plan::nothing(), "{spec} {status}");
    }
    let mut ending = pod("p", "");
    ending
        .as_object_mut()
        .unwrap()
        .object_mut("metadata")
        .insert("deletionTimestamp".into(), Value::text("2024-01-01T00:00:00Z"));
    assert_eq!(plan(nodes(&["n"]).with(&PODS, ending), "p"), Plan::nothing());
    assert_eq!(plan(nodes(&["n"]), "p"), Plan::nothing());
}

#[test]
fn gates_close() {
    let gated = pod("p", r#","schedulingGates":[{"name":"g"}]"#);
    let first = plan(nodes(&["n"]).with(&PODS, gated.clone()), "p");
    assert_eq!(outcome(&first), Err("Scheduling is blocked due to non-empty scheduling gates".to_owned()));
    let gated = patched(&gated, &first);
    assert_eq!(plan(nodes(&["n"]).with(&PODS, gated), "p"), Plan::nothing());
}

#[test]
fn no_node_is_told_once() {
    let pod = pod("p", &asks(r#""cpu":"5""#));
    let first = plan(nodes(&["a", "b"]).with(&PODS, pod.clone()), "p");
    let message = "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.";
    let expected = read(&format!(
        r#"{{"metadata":{{"uid":"u-p"}},"status":{{"conditions":[{{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"{message}","lastTransitionTime":"2023-11-14T22:13:20Z","observedGeneration":1}}]}}}}"#
    ));
    let step = step(&first);
    assert_eq!(step.write.subresource, "status");
    assert_eq!(step.write.operation, Operation::Patch(PatchKind::Strategic, expected));
    let told = step.on_success.as_ref().unwrap();
    assert_eq!((told.kind, told.reason, told.message.as_str()), (WARNING, "FailedScheduling", message));

    let pod = patched(&pod, &first);
    assert_eq!(plan(nodes(&["a", "b"]).with(&PODS, pod.clone()), "p"), Plan::nothing());
    // Another message is news, but the condition has been false since then.
    let again = plan(nodes(&["a"]).with(&PODS, pod.clone()), "p");
    let again = patched(&pod, &again);
    let condition = again.at(&["status", "conditions"]).unwrap().items()[0].clone();
    assert_eq!(condition.text_at(&["lastTransitionTime"]), "2023-11-14T22:13:20Z");
    assert_eq!(
        outcome(&plan(Objects::new().with(&PODS, pod), "p")),
        Err("no nodes available to schedule pods".to_owned())
    );
}

#[test]
fn reasons_of_all_nodes_are_told() {
    let tainted = node("t", "", r#""taints":[{"key":"k","effect":"NoSchedule"}]"#);
    let there = pod("there", &format!(r#","nodeName":"a"{}"#, asks(r#""cpu":"4""#)));
    let objects = nodes(&["a"]).with(&NODES, tainted).with(&PODS, there);
    let message = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.";
    assert_eq!(place(objects.clone(), &pod("p", &asks(r#""cpu":"1""#))), Err(message.to_owned()));
    let never = pod("p", &format!(r#","preemptionPolicy":"Never"{}"#, asks(r#""cpu":"1""#)));
    let message = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). preemption: not eligible due to preemptionPolicy=Never.";
    assert_eq!(place(objects, &never), Err(message.to_owned()));
}

#[test]
fn a_failed_binding_is_told() {
    let failure = Status::new(500, "InternalError", "no");
    let view = nodes(&["n"]).with(&PODS, pod("p", "")).view();
    let plan = Scheduler.plan(&view, &Key::new("ns", "p"), &Round { now: now(), failure: Some(&failure) });
    assert_eq!(outcome(&plan), Err(r#"running Bind plugin "DefaultBinder": no"#.to_owned()));
    assert_eq!(step(&plan).on_success.as_ref().unwrap().reason, "FailedScheduling");
}

#[test]
fn important_and_old_pods_come_first() {
    let old = pod("old", "");
    let mut young = pod("young", "");
    young
        .as_object_mut()
        .unwrap()
        .object_mut("metadata")
        .insert("creationTimestamp".into(), Value::text("2024-01-02T00:00:00Z"));
    let view = Objects::new()
        .with(&PODS, young)
        .with(&PODS, old)
        .with(&PODS, pod("high", r#","priority":5"#))
        .with(&PODS, pod("low", r#","priority":-5"#))
        .view();
    let mut keys: Vec<Key> = ["gone", "low", "young", "old", "high"].iter().map(|name| Key::new("ns", name)).collect();
    keys.sort_by_key(|key| super::super::turn(&view, key));
    assert_eq!(keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["high", "old", "young", "low", "gone"]);
    let precedence = |name| Scheduler.precedence(&view, &Key::new("ns", name));
    assert_eq!(["high", "old", "low", "gone"].map(precedence), [-5, 0, 5, 0]);
}
