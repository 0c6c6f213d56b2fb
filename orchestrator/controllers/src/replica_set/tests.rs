//! Plans of ReplicaSets.

use coracle_apimachinery::status::Status;
use coracle_apimachinery::time::Instant;
use coracle_client::memory::Objects;
use coracle_client::{Operation, PatchKind};

use super::*;
use crate::trees::tests::tree;

const NOW: Instant = Instant { seconds: 1_767_225_600, micros: 500_000 };
const KEY: (&str, &str) = ("n", "web");

fn set(replicas: i64, metadata: &str, spec: &str, status: &str) -> Value {
    tree(&format!(
        r#"{{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{{"namespace":"n","name":"web","uid":"u","generation":1,"resourceVersion":"7"{metadata}}},
        "spec":{{"replicas":{replicas},"selector":{{"matchLabels":{{"a":"1"}}}},"template":{{"metadata":{{"labels":{{"a":"1","b":"2"}},"annotations":{{"x":"y"}},"finalizers":["f/g"]}},"spec":{{"containers":[{{"name":"c"}}]}}}}{spec}}},"status":{status}}}"#
    ))
}

const MINE: &str =
    r#","ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"u","controller":true}]"#;

fn pod(name: &str, labels: &str, metadata: &str, rest: &str) -> Value {
    tree(&format!(
        r#"{{"metadata":{{"namespace":"n","name":"{name}","uid":"{name}-uid","labels":{labels}{metadata}}}{rest}}}"#
    ))
}

const LABELS: &str = r#"{"a":"1","b":"2"}"#;
const READY: &str = r#","status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","lastTransitionTime":"2025-12-31T23:59:57Z"}]}"#;

fn plan(objects: Objects, failure: Option<&Status>) -> Plan {
    ReplicaSets.plan(&objects.view(), &Key::new(KEY.0, KEY.1), &Round { now: NOW, failure })
}

/// The writes of a plan in short.
fn short(plan: &Plan) -> Vec<String> {
    let steps = plan.actions.iter().flat_map(|action| match action {
        Action::Do(step) => vec![&**step],
        Action::Several(steps) => steps.iter().collect(),
        Action::Tell(_) => Vec::new(),
    });
    steps
        .map(|step| {
            let verb = match &step.write.operation {
                Operation::Create(_) => "create",
                Operation::Update(_) => "update",
                Operation::Patch(PatchKind::Strategic, _) => "patch",
                Operation::Patch(PatchKind::Merge, _) => "merge",
                Operation::Delete { .. } => "delete",
            };
            format!("{verb} {} {}", step.write.resource.plural, step.write.name)
        })
        .collect()
}

/// The status that a plan writes.
fn status(plan: &Plan) -> Option<Value> {
    plan.actions.iter().find_map(|action| match action {
        Action::Do(step) if step.write.subresource == "status" => match &step.write.operation {
            Operation::Update(object) => object.at(&["status"]).cloned(),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn missing_pods_are_made_from_the_template() {
    let plan = plan(Objects::new().with(&REPLICA_SETS, set(2, "", "", "{}")), None);
    assert_eq!(short(&plan), ["create pods ", "create pods ", "update replicasets web"]);
    let [Action::Several(steps), _] = &plan.actions[..] else { panic!("{plan:?}") };
    let Operation::Create(made) = &steps[0].write.operation else { panic!() };
    assert_eq!(
        *made,
        tree(
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"n","generateName":"web-","labels":{"a":"1","b":"2"},"annotations":{"x":"y"},"finalizers":["f/g"],
            "ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web","uid":"u","controller":true,"blockOwnerDeletion":true}]},"spec":{"containers":[{"name":"c"}]}}"#
        )
    );
    let told = [&steps[0].on_success, &steps[0].on_failure]
        .map(|event| event.as_ref().map(|event| (event.kind, event.reason, event.message.as_str())));
    assert_eq!(told[0], Some(("Normal", "SuccessfulCreate", "Created pod: {name}")));
    assert_eq!(told[1], Some(("Warning", "FailedCreate", "Error creating: {error}")));
    assert_eq!(status(&plan), Some(tree(r#"{"observedGeneration":1,"terminatingReplicas":0}"#)));
}

#[test]
fn one_plan_makes_a_burst_at_most() {
    let plan = plan(Objects::new().with(&REPLICA_SETS, set(501, "", "", "{}")), None);
    assert_eq!(short(&plan).len(), BURST + 1);
}

#[test]
fn nothing_is_made_where_it_would_be_refused_or_is_not_wanted() {
    let settled = r#"{"observedGeneration":1,"terminatingReplicas":0}"#;
    let ending = r#","deletionTimestamp":"2026-01-01T00:00:00Z""#;
    let namespace = r#"{"metadata":{"name":"n","deletionTimestamp":"2026-01-01T00:00:00Z"}}"#;
    let table = [
        Objects::new(),
        Objects::new().with(&REPLICA_SETS, set(0, "", "", settled)),
        Objects::new().with(&REPLICA_SETS, set(2, ending, "", settled)),
        Objects::new().with(&REPLICA_SETS, set(2, "", "", settled)).with_json(&NAMESPACES, namespace),
    ];
    for objects in table {
        assert_eq!(plan(objects.clone(), None), Plan::nothing(), "{objects:?}");
    }
}

#[test]
fn pods_are_claimed() {
    let objects = Objects::new()
        .with(&REPLICA_SETS, set(2, "", "", "{}"))
        .with(&PODS, pod("adopted", LABELS, "", READY))
        .with(&PODS, pod("ended", LABELS, MINE, r#","status":{"phase":"Failed"}"#))
        .with(&PODS, pod("foreign", LABELS, &MINE.replace(r#""u""#, r#""v""#), READY))
        .with(&PODS, pod("owned", r#"{"a":"1"}"#, MINE, ""))
        .with(&PODS, pod("released", r#"{"a":"2"}"#, MINE, READY))
        .with(
            &PODS,
            pod("terminating", LABELS, &format!(r#","deletionTimestamp":"2026-01-01T00:00:00Z"{MINE}"#), READY),
        );
    let objects =
        objects.with(&PODS, pod("terminating-orphan", LABELS, r#","deletionTimestamp":"2026-01-01T00:00:00Z""#, READY));
    let plan = plan(objects, None);
    assert_eq!(short(&plan), ["patch pods adopted", "patch pods released", "update replicasets web"]);
    assert_eq!(
        status(&plan),
        Some(tree(
            r#"{"availableReplicas":1,"fullyLabeledReplicas":1,"observedGeneration":1,"readyReplicas":1,"replicas":2,"terminatingReplicas":1}"#
        ))
    );
}

#[test]
fn a_surplus_is_deleted() {
    let owned = |name: &str, rest: &str| pod(name, LABELS, MINE, rest);
    let objects = Objects::new()
        .with(&REPLICA_SETS, set(1, "", "", "{}"))
        .with(&PODS, owned("a", READY))
        .with(&PODS, owned("b", ""))
        .with(&PODS, owned("c", READY));
    let plan = plan(objects, None);
    let writes = short(&plan);
    assert_eq!((writes.len(), &*writes[0]), (3, "delete pods b"));
    let [Action::Several(steps), _] = &plan.actions[..] else { panic!("{plan:?}") };
    assert_eq!(steps[0].fine, ["NotFound"]);
    assert_eq!(steps[0].on_success.as_ref().unwrap().message, "Deleted pod: b");
    assert_eq!(steps[0].on_failure.as_ref().unwrap().message, "Error deleting: {error}");
}

#[test]
fn the_crowd_of_related_sets_counts() {
    let owner = r#","ownerReferences":[{"kind":"Deployment","name":"d","uid":"d","controller":true}]"#;
    let on = |name: &str, labels: &str, metadata: &str, node: &str| {
        let tail = READY.replacen(',', &format!(r#","spec":{{"nodeName":"{node}"}},"#), 1);
        pod(name, labels, metadata, &tail)
    };
    let mut other = set(1, owner, "", "{}");
    let metadata = other.as_object_mut().unwrap().object_mut("metadata");
    metadata.insert("name".into(), Value::text("other"));
    metadata.insert("uid".into(), Value::text("o"));
    let spec = other.as_object_mut().unwrap().object_mut("spec");
    spec.insert("selector".into(), tree(r#"{"matchLabels":{"a":"3"}}"#));
    for (owned, first) in [(owner, "delete pods z"), ("", "delete pods a")] {
        let objects = Objects::new()
            .with(&REPLICA_SETS, set(1, owned, "", "{}"))
            .with(&REPLICA_SETS, other.clone())
            .with(&PODS, on("a", LABELS, MINE, "one"))
            .with(&PODS, on("z", LABELS, MINE, "two"))
            .with(&PODS, on("x", r#"{"a":"3"}"#, "", "two"));
        let writes = short(&plan(objects, None));
        // Without a crowd, the pods are alike and go as they come.
        assert_eq!((writes.len(), &*writes[0]), (2, first));
    }
}

#[test]
fn failures_become_a_condition_and_go_again() {
    let quota = Status::forbidden("", "pods", "web-", "exceeded quota");
    let before = r#"{"observedGeneration":1,"terminatingReplicas":0}"#;
    let after = r#"{"conditions":[{"lastTransitionTime":"2026-01-01T00:00:00Z","message":"pods \"web-\" is forbidden: exceeded quota","reason":"FailedCreate","status":"True","type":"ReplicaFailure"}],"observedGeneration":1,"terminatingReplicas":0}"#;
    let failed = plan(Objects::new().with(&REPLICA_SETS, set(1, "", "", before)), Some(&quota));
    assert_eq!(short(&failed), ["update replicasets web"]);
    assert_eq!(status(&failed), Some(tree(after)));
    // The condition stays as it is while the failure lasts, and nothing is written in vain.
    let still = plan(Objects::new().with(&REPLICA_SETS, set(1, "", "", after)), Some(&quota));
    assert_eq!(still, Plan::nothing());
    // The next try takes the condition away once the pods are made.
    let again = plan(Objects::new().with(&REPLICA_SETS, set(1, "", "", after)), None);
    assert_eq!(short(&again), ["create pods ", "update replicasets web"]);
    assert_eq!(status(&again), Some(tree(before)));
}

#[test]
fn some_failures_are_no_condition() {
    let ends =
        Status::forbidden("", "pods", "web-", "no").because("NamespaceTerminating", "it ends", "metadata.namespace");
    let table = [
        (Status::modified("apps", "replicasets", "web"), -1, None),
        (Status::forbidden("apps", "replicasets", "web", "no"), -1, None),
        (Status::conflict("", "pods", "p", "uid"), 1, None),
        (ends, -1, None),
        (Status::internal("x"), 0, None),
        (Status::internal("x"), -1, Some(("FailedCreate", "Internal error occurred: x".to_owned()))),
        (
            Status::internal("x"),
            1,
            Some(("FailedDelete", "unable to delete pods: Internal error occurred: x".to_owned())),
        ),
    ];
    for (failure, surplus, expected) in table {
        assert_eq!(pods::failed(&failure, surplus), expected, "{failure:?}");
    }
}

#[test]
fn availability_is_looked_at_again() {
    let settled =
        r#"{"fullyLabeledReplicas":1,"observedGeneration":1,"readyReplicas":1,"replicas":1,"terminatingReplicas":0}"#;
    for (least, again, available) in [(0, None, 1), (3, None, 1), (4, Some(1), 0), (60, Some(57), 0)] {
        let objects = Objects::new()
            .with(&REPLICA_SETS, set(1, "", &format!(r#","minReadySeconds":{least}"#), settled))
            .with(&PODS, pod("p", LABELS, MINE, READY));
        let plan = plan(objects, None);
        assert_eq!(plan.again_after, again.map(Duration::from_secs), "{least}");
        let written = status(&plan).map(|status| status.at(&["availableReplicas"]).and_then(Value::as_int));
        assert_eq!(written, (available > 0).then_some(Some(available)), "{least}");
    }
}
