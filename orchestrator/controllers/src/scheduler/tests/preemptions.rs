//! Less important pods make room.

use super::*;
use coracle_client::Resource;

static BUDGETS: Resource = Resource::namespaced("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget");

fn there(name: &str, on: &str, priority: i64, cpu: &str) -> Value {
    pod(name, &format!(r#","nodeName":"{on}","priority":{priority}{}"#, asks(&format!(r#""cpu":"{cpu}""#))))
}

fn coming(cpu: &str) -> Value {
    pod("p", &format!(r#","priority":10{}"#, asks(&format!(r#""cpu":"{cpu}""#))))
}

fn with_status(mut pod: Value, status: &str) -> Value {
    pod.as_object_mut().unwrap().insert("status".into(), read(status));
    pod
}

/// The nominated node and the pods that are deleted.
fn preempted(plan: &Plan) -> (String, Vec<String>) {
    let (mut node, mut gone) = (String::new(), Vec::new());
    for write in writes(plan) {
        match &write.operation {
            Operation::Patch(_, patch) if write.name == "p" => {
                node = patch.text_at(&["status", "nominatedNodeName"]).to_owned();
            }
            Operation::Delete { .. } => gone.push(write.name.clone()),
            _ => {}
        }
    }
    (node, gone)
}

#[test]
fn the_victims_that_hurt_least_are_chosen() {
    let table = [
        // Pods of the same or a higher priority stay.
        (vec![there("a", "m", 10, "4"), there("b", "n", 11, "4")], "2", "", vec![]),
        (vec![there("a", "m", 10, "4"), there("b", "n", 9, "4")], "2", "n", vec!["b"]),
        // The lower the highest priority, the better.
        (vec![there("a", "m", 5, "4"), there("b", "n", 4, "4")], "2", "n", vec!["b"]),
        // Then the fewer pods.
        (vec![there("a", "m", 5, "2"), there("b", "m", 5, "2"), there("c", "n", 5, "4")], "4", "n", vec!["c"]),
        // Pods that may stay do; the more important ones first.
        (vec![there("a", "n", 1, "2"), there("b", "n", 2, "2"), there("c", "m", 20, "4")], "2", "n", vec!["a"]),
        (vec![there("a", "n", 1, "1"), there("b", "n", 2, "3"), there("c", "m", 20, "4")], "3", "n", vec!["b"]),
    ];
    for (pods, cpu, node, gone) in table {
        let objects = pods.iter().fold(nodes(&["m", "n"]), |objects, pod| objects.with(&PODS, pod.clone()));
        let plan = plan(objects.with(&PODS, coming(cpu)), "p");
        assert_eq!(
            preempted(&plan),
            (node.to_owned(), gone.iter().map(|name| (*name).to_owned()).collect()),
            "{gone:?}"
        );
    }
}

#[test]
fn victims_are_marked_and_told() {
    let plan = plan(nodes(&["n"]).with(&PODS, there("a", "n", 1, "4")).with(&PODS, coming("1")), "p");
    let [Action::Do(promise), Action::Do(mark), Action::Do(delete)] = plan.actions.as_slice() else {
        panic!("{plan:?}")
    };
    assert_eq!(
        promise.on_success.as_ref().unwrap().message,
        "0/1 nodes are available: 1 Insufficient cpu. preemption: found a potential placement for pod on node n, preempting 1 victims"
    );
    let Operation::Patch(_, patch) = &mark.write.operation else { panic!("{mark:?}") };
    let condition = &patch.at(&["status", "conditions"]).unwrap().items()[0];
    let parts = ["type", "status", "reason", "message"].map(|part| condition.text_at(&[part]));
    let message = "default-scheduler: preempting to accommodate a higher priority pod";
    assert_eq!(parts, ["DisruptionTarget", "True", "PreemptionByScheduler", message]);
    let told = delete.on_success.as_ref().unwrap();
    assert_eq!((told.reason, told.message.as_str()), ("Preempted", "Preempted by pod u-p on node n"));
    let Operation::Delete { uid, grace_seconds, .. } = &delete.write.operation else { panic!("{delete:?}") };
    assert_eq!((uid.as_str(), *grace_seconds), ("u-a", None));
}

#[test]
fn nobody_else_takes_the_room() {
    let promised = with_status(coming("4"), r#"{"nominatedNodeName":"n"}"#);
    let less = pod("q", &format!(r#","priority":5{}"#, asks(r#""cpu":"1""#)));
    let objects = nodes(&["n"]).with(&PODS, promised.clone());
    assert!(place(objects.clone(), &less).unwrap_err().contains("1 Insufficient cpu"));
    let more = pod("q", &format!(r#","priority":50{}"#, asks(r#""cpu":"1""#)));
    assert_eq!(place(objects.clone(), &more), Ok("n".to_owned()));
    assert_eq!(outcome(&plan(objects, "p")), Ok("n".to_owned()));
    // While the victim is still going, nothing more is done.
    let going = r#"{"conditions":[{"type":"DisruptionTarget","status":"True","reason":"PreemptionByScheduler"}]}"#;
    let mut going = with_status(there("a", "n", 1, "4"), going);
    going
        .as_object_mut()
        .unwrap()
        .object_mut("metadata")
        .insert("deletionTimestamp".into(), Value::text("2024-01-01T00:00:00Z"));
    assert_eq!(plan(nodes(&["n"]).with(&PODS, going).with(&PODS, promised), "p"), Plan::nothing());
}

#[test]
fn budgets_protect() {
    let budget = read(r#"{"metadata":{"namespace":"ns","name":"b"},"spec":{"selector":{"matchLabels":{"app":"a"}}}}"#);
    let bare = labelled("b", r#""app":"b""#, &format!(r#","nodeName":"n","priority":3{}"#, asks(r#""cpu":"4""#)));
    let objects = nodes(&["m", "n"]).with(&BUDGETS, budget).with(&PODS, there("a", "m", 1, "4")).with(&PODS, bare);
    assert_eq!(preempted(&plan(objects.with(&PODS, coming("1")), "p")), ("n".to_owned(), vec!["b".to_owned()]));
}
