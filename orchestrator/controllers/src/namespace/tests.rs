//! The end of namespaces in a small world.

use std::sync::Arc;

use coracle_apimachinery::json;
use coracle_apimachinery::status::Status;
use coracle_apimachinery::time::{Instant, Precision};
use coracle_client::object::{condition, uid};
use coracle_client::resources::{CONFIG_MAPS, DEPLOYMENTS, EVENTS, NAMESPACES, PODS, SECRETS};
use coracle_client::{Change, Operation, Propagation, Resource};

use super::{Controller, Namespaces, keys};
use crate::controller::{Action, Key, Plan, Round};
use crate::garbage::world::World;

const ALL: [&Resource; 6] = [&CONFIG_MAPS, &DEPLOYMENTS, &EVENTS, &NAMESPACES, &PODS, &SECRETS];
const OK: [(&str, &str, &str); 5] = [
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    ("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"),
    ("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
];

fn ending(content: &[(&Resource, &str)]) -> World {
    let mut world = World::new(&ALL);
    let namespace = |name: &str, more: &str| {
        format!(
            r#"{{"metadata":{{"name":"{name}"{more}}},"spec":{{"finalizers":["kubernetes"]}},"status":{{"phase":"Active"}}}}"#
        )
    };
    world.put(&NAMESPACES, &namespace("x", ""));
    world.put(&NAMESPACES, &namespace("other", ""));
    world.put(&CONFIG_MAPS, r#"{"metadata":{"name":"stays","namespace":"other"}}"#);
    for (of, object) in content {
        world.put(of, object);
    }
    world.settle(&Namespaces);
    assert_eq!(world.done, [""; 0]);
    world.delete(&NAMESPACES, "", "x", Propagation::Background);
    world.settle(&Namespaces);
    world
}

fn conditions(world: &World) -> Vec<(String, String, String, String)> {
    let namespace = world.get(&NAMESPACES, "", "x").unwrap();
    let found = OK.iter().filter_map(|(of, ..)| condition(&namespace, of));
    found
        .map(|condition| {
            let [of, status, reason, message] =
                ["type", "status", "reason", "message"].map(|name| condition.text_at(&[name]).to_owned());
            (of, status, reason, message)
        })
        .collect()
}

fn assert_conditions(world: &World, troubles: &[(&str, &str, &str)]) {
    let expected = OK.map(|ok| {
        let trouble = troubles.iter().find(|trouble| trouble.0 == ok.0);
        let (of, reason, message) = *trouble.unwrap_or(&ok);
        let status = if trouble.is_some() { "True" } else { "False" };
        (of.to_owned(), status.to_owned(), reason.to_owned(), message.to_owned())
    });
    assert_eq!(conditions(world), expected);
}

fn plan(world: &World) -> Plan {
    let now = Instant::new(world.seconds, 0).unwrap();
    Namespaces.plan(&world.view(), &Key::new("", "x"), &Round { now, failure: None })
}

#[test]
fn an_empty_namespace_goes() {
    let world = ending(&[]);
    assert_eq!(world.names(&NAMESPACES), ["other"]);
    let done = ["delete namespaces/x", "update namespaces/x", "update namespaces/x", "update namespaces/x"];
    assert_eq!(world.done, done);
}

#[test]
fn content_goes_first() {
    let world = ending(&[
        (&CONFIG_MAPS, r#"{"metadata":{"name":"a","namespace":"x"}}"#),
        (&SECRETS, r#"{"metadata":{"name":"b","namespace":"x"}}"#),
        (&EVENTS, r#"{"metadata":{"name":"e","namespace":"x"}}"#),
        (&PODS, r#"{"metadata":{"name":"p","namespace":"x"}}"#),
    ]);
    assert_eq!(world.names(&NAMESPACES), ["other"]);
    assert_eq!(world.names(&CONFIG_MAPS), ["stays"]);
    assert_eq!(world.names(&SECRETS).len() + world.names(&EVENTS).len() + world.names(&PODS).len(), 0);
    let deleted: Vec<_> = world.done.iter().filter(|done| done.starts_with("delete")).collect();
    assert_eq!(deleted[1], "delete pods/p");
}

#[test]
fn pods_go_before_everything_else() {
    let mut world = ending(&[
        (&CONFIG_MAPS, r#"{"metadata":{"name":"a","namespace":"x"}}"#),
        (
            &PODS,
            r#"{"metadata":{"name":"p","namespace":"x"},
                "spec":{"nodeName":"n","terminationGracePeriodSeconds":20},"status":{"phase":"Running"}}"#,
        ),
    ]);
    assert_eq!(world.names(&PODS), ["p"]);
    assert!(world.get(&CONFIG_MAPS, "x", "a").is_some());
    assert_conditions(&world, &[]);
    assert_eq!(plan(&world).again_after.unwrap().as_secs(), 20);
    world.seconds += 20;
    let late = "Failed to delete all resource types, 1 remaining: \
                unexpected items still remain in namespace: x for gvr: /v1, Resource=pods";
    let told = plan(&world);
    assert_eq!((told.actions.len(), told.again_after), (1, None));
    // The change of another object makes the world ask again.
    world.put(&CONFIG_MAPS, r#"{"metadata":{"name":"b","namespace":"x"}}"#);
    world.settle(&Namespaces);
    assert_conditions(&world, &[("NamespaceDeletionContentFailure", "ContentDeletionFailed", late)]);
    world.stop_pods();
    world.settle(&Namespaces);
    assert_eq!(world.names(&NAMESPACES), ["other"]);
}

#[test]
fn finalizers_are_told_and_waited_for() {
    let mut world = ending(&[
        (&DEPLOYMENTS, r#"{"metadata":{"name":"d","namespace":"x","finalizers":["a.b/c","z.b/c"]}}"#),
        (&CONFIG_MAPS, r#"{"metadata":{"name":"a","namespace":"x","finalizers":["a.b/c"]}}"#),
        (&SECRETS, r#"{"metadata":{"name":"b","namespace":"x"}}"#),
    ]);
    let remaining = "Some resources are remaining: configmaps. has 1 resource instances, \
                     deployments.apps has 1 resource instances";
    let finalizers = "Some content in the namespace has finalizers remaining: a.b/c in 2 resource instances, \
                      z.b/c in 1 resource instances";
    let troubles = [
        ("NamespaceContentRemaining", "SomeResourcesRemain", remaining),
        ("NamespaceFinalizersRemaining", "SomeFinalizersRemain", finalizers),
    ];
    assert_conditions(&world, &troubles);
    assert_eq!(plan(&world), Plan::nothing());
    world.release(&CONFIG_MAPS, "x", "a");
    world.settle(&Namespaces);
    assert_eq!(world.names(&NAMESPACES), ["other", "x"]);
    world.release(&DEPLOYMENTS, "x", "d");
    world.settle(&Namespaces);
    assert_eq!(world.names(&NAMESPACES), ["other"]);
}

#[test]
fn failures_are_told() {
    let mut world = World::new(&ALL);
    world.put(
        &NAMESPACES,
        r#"{"metadata":{"name":"x"},"spec":{"finalizers":["kubernetes"]},"status":{"phase":"Active"}}"#,
    );
    world.put(&SECRETS, r#"{"metadata":{"name":"b","namespace":"x"}}"#);
    world.refusing.insert("secrets".into());
    world.delete(&NAMESPACES, "", "x", Propagation::Background);
    world.settle(&Namespaces);
    let failed = "Failed to delete all resource types, 1 remaining: secrets \"b\" refuses";
    assert_conditions(&world, &[("NamespaceDeletionContentFailure", "ContentDeletionFailed", failed)]);
    world.refusing.clear();
    world.put(&CONFIG_MAPS, r#"{"metadata":{"name":"b","namespace":"x"}}"#);
    world.settle(&Namespaces);
    assert_eq!(world.names(&NAMESPACES), [""; 0]);
}

#[test]
fn owners_that_wait_for_each_other_go_with_their_namespace() {
    let owned = |name: &str, by: &str| {
        format!(
            r#"{{"metadata":{{"name":"{name}","namespace":"x","ownerReferences":[{{"apiVersion":"v1",
                "blockOwnerDeletion":true,"kind":"ConfigMap","name":"{by}","uid":"{by}"}}]}}}}"#
        )
    };
    let mut world = World::new(&ALL);
    world.put(&NAMESPACES, r#"{"metadata":{"name":"x"},"spec":{"finalizers":["kubernetes"]}}"#);
    world.put(&CONFIG_MAPS, &owned("a", "b"));
    world.put(&CONFIG_MAPS, &owned("b", "a"));
    for name in ["a", "b"] {
        world.delete(&CONFIG_MAPS, "x", name, Propagation::Foreground);
    }
    assert_eq!(world.names(&CONFIG_MAPS), ["a", "b"]);
    world.delete(&NAMESPACES, "", "x", Propagation::Background);
    world.settle(&Namespaces);
    assert_eq!(world.names(&NAMESPACES), [""; 0]);
}

#[test]
fn only_failed_deletions_are_told() {
    let mut world = ending(&[(&CONFIG_MAPS, r#"{"metadata":{"name":"b","namespace":"x","finalizers":["f"]}}"#)]);
    let now = Instant::new(world.seconds + 5, 0).unwrap();
    let failed = |of: &str| Status::new(409, "Conflict", "no").about("", of, "x");
    let ask = |world: &World, failure: &Status| {
        let round = Round { now, failure: Some(failure) };
        Namespaces.plan(&world.view(), &Key::new("", "x"), &round)
    };
    assert_eq!(ask(&world, &failed("namespaces")), Plan::nothing());
    assert_eq!(ask(&world, &failed("secrets")), Plan::nothing(), "nothing was to be deleted");
    world.put(&SECRETS, r#"{"metadata":{"name":"c","namespace":"x"}}"#);
    world.put(
        &CONFIG_MAPS,
        r#"{"metadata":{"name":"d","namespace":"x","deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["f"]}}"#,
    );
    assert!(matches!(ask(&world, &failed("namespaces")).actions[..], [Action::Several(_)]));
    let told = ask(&world, &failed("secrets"));
    let [Action::Do(step)] = &told.actions[..] else { panic!("{told:?}") };
    let Operation::Update(told) = &step.write.operation else { panic!("{told:?}") };
    let times = |of: &str| condition(told, of).unwrap().text_at(&["lastTransitionTime"]);
    assert_eq!(times("NamespaceDeletionContentFailure"), now.print(Precision::Seconds));
    assert_ne!(times("NamespaceContentRemaining"), now.print(Precision::Seconds), "only its message is another");
    assert!(
        condition(told, "NamespaceContentRemaining").unwrap().text_at(&["message"]).contains(": configmaps. has 2")
    );
}

#[test]
fn each_resource_has_its_turn() {
    let mut world = World::new(&ALL);
    world.put(
        &NAMESPACES,
        r#"{"metadata":{"name":"x","deletionTimestamp":"2026-01-01T00:00:00Z"},"spec":{"finalizers":["kubernetes"]},
            "status":{"phase":"Terminating"}}"#,
    );
    world.put(&SECRETS, r#"{"metadata":{"name":"s","namespace":"x"}}"#);
    world.put(&CONFIG_MAPS, r#"{"metadata":{"name":"c","namespace":"x"}}"#);
    let first = (0..2).map(|second| {
        let round = Round { now: Instant::new(second, 0).unwrap(), failure: None };
        let plan = Namespaces.plan(&world.view(), &Key::new("", "x"), &round);
        let [Action::Several(first), Action::Several(_)] = &plan.actions[..] else { panic!("{plan:?}") };
        first[0].write.name.clone()
    });
    assert_eq!(first.collect::<Vec<_>>(), ["c", "s"]);
}

#[test]
fn finished_pods_need_no_time() {
    let pod = r#"{"metadata":{"name":"p","namespace":"x"},
        "spec":{"nodeName":"n","terminationGracePeriodSeconds":20},"status":{"phase":"Succeeded"}}"#;
    let world = ending(&[(&PODS, pod)]);
    assert_eq!(plan(&world).again_after, None);
    assert_eq!(conditions(&world)[2].2, "ContentDeletionFailed");
}

#[test]
fn other_finalizers_of_the_namespace_stay() {
    let mut world = World::new(&ALL);
    world.put(&NAMESPACES, r#"{"metadata":{"name":"x"},"spec":{"finalizers":["z.b/c","kubernetes","a.b/c"]}}"#);
    world.delete(&NAMESPACES, "", "x", Propagation::Background);
    world.settle(&Namespaces);
    let namespace = world.get(&NAMESPACES, "", "x").unwrap();
    let left = coracle_client::object::items(&namespace, &["spec", "finalizers"]);
    assert_eq!(left.iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>(), ["a.b/c", "z.b/c"]);
    assert_eq!((uid(&namespace), namespace.text_at(&["status", "phase"])), ("x", "Terminating"));
    assert_eq!(plan(&world), Plan::nothing());
}

#[test]
fn only_ending_namespaces_wake() {
    let mut world = World::new(&ALL);
    world.put(&NAMESPACES, r#"{"metadata":{"name":"active"}}"#);
    world.put(&NAMESPACES, r#"{"metadata":{"name":"ending","deletionTimestamp":"t"},"spec":{"finalizers":["f"]}}"#);
    let read = |text: &str| Some(Arc::new(json::decode_any(text.as_bytes()).unwrap()));
    let inside =
        |place: &str, more: &str| read(&format!(r#"{{"metadata":{{"name":"a","namespace":"{place}"{more}}}}}"#));
    let finalizer = r#","finalizers":["f"]"#;
    let version = r#","resourceVersion":"2""#;
    let cases = [
        ("an object that goes", inside("ending", ""), None, true),
        ("an object that comes", None, inside("ending", ""), true),
        ("a finalizer that goes", inside("ending", finalizer), inside("ending", ""), true),
        ("another version", inside("ending", ""), inside("ending", version), false),
        ("an object elsewhere", inside("active", ""), None, false),
        ("an object of the cluster", inside("", ""), None, false),
    ];
    for (case, old, new, wakes) in cases {
        let change = Change { resource: Arc::new(CONFIG_MAPS.clone()), old, new };
        let expected: &[Key] = if wakes { &[Key::new("", "ending")] } else { &[] };
        assert_eq!(keys(&world.view(), &change), expected, "{case}");
    }
}
