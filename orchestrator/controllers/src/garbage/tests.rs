//! Cascades in a small world, tables of single decisions, and random graphs.

use std::collections::BTreeSet;
use std::sync::Arc;

use coracle_apimachinery::json;
use coracle_apimachinery::time::Instant;
use coracle_client::object::{is_ending, name, namespace, uid};
use coracle_client::resources::{CONFIG_MAPS, DEPLOYMENTS, EVENTS, LEASES, NAMESPACES, NODES, PODS, REPLICA_SETS};
use coracle_client::{Change, Operation, Propagation, Resource};
use proptest::prelude::*;

use super::graph::references;
use super::keys::keys;
use super::world::World;
use super::{Controller, GarbageCollector};
use crate::controller::{Action, Key, Round};

const ALL: [&Resource; 8] = [&CONFIG_MAPS, &DEPLOYMENTS, &EVENTS, &LEASES, &NAMESPACES, &NODES, &PODS, &REPLICA_SETS];

fn owner(of: &Resource, name: &str, uid: &str, blocks: bool) -> String {
    format!(
        r#"{{"apiVersion":"{}","kind":"{}","name":"{name}","uid":"{uid}","blockOwnerDeletion":{blocks}}}"#,
        of.api_version(),
        of.kind
    )
}

fn object(name: &str, owners: &[String]) -> String {
    format!(r#"{{"metadata":{{"namespace":"x","name":"{name}","ownerReferences":[{}]}}}}"#, owners.join(","))
}

fn shop() -> World {
    let mut world = World::new(&ALL);
    world.put(&DEPLOYMENTS, &object("shop", &[]));
    world.put(&REPLICA_SETS, &object("shop-1", &[owner(&DEPLOYMENTS, "shop", "shop", true)]));
    for pod in ["a", "b"] {
        world.put(&PODS, &object(pod, &[owner(&REPLICA_SETS, "shop-1", "shop-1", true)]));
    }
    world.settle(&GarbageCollector);
    assert_eq!(world.done, [""; 0]);
    world
}

fn assert_settled(world: &World) {
    assert_eq!(world.plan_of_everything(&GarbageCollector), []);
}

#[test]
fn cascades() {
    let cases = [
        (Propagation::Background, vec!["delete deployments/shop", "delete replicasets/shop-1"], false),
        (Propagation::Foreground, vec!["delete deployments/shop", "delete replicasets/shop-1"], false),
        (
            Propagation::Orphan,
            vec!["delete deployments/shop", "patch replicasets/shop-1", "patch deployments/shop"],
            true,
        ),
    ];
    for (propagation, begins, stays) in cases {
        let mut world = shop();
        world.delete(&DEPLOYMENTS, "x", "shop", propagation);
        world.settle(&GarbageCollector);
        assert_eq!(world.done[..begins.len()], begins, "{propagation:?}");
        assert_eq!(world.names(&DEPLOYMENTS), [""; 0], "{propagation:?}");
        assert_eq!(!world.names(&REPLICA_SETS).is_empty(), stays, "{propagation:?}");
        assert_eq!(!world.names(&PODS).is_empty(), stays, "{propagation:?}");
        if stays {
            assert_eq!(references(&world.get(&REPLICA_SETS, "x", "shop-1").unwrap()), []);
            assert_eq!(references(&world.get(&PODS, "x", "a").unwrap()).len(), 1);
        }
        assert_settled(&world);
    }
}

#[test]
fn owners_in_the_foreground_go_last() {
    let mut world = World::new(&ALL);
    world.put(&REPLICA_SETS, &object("set", &[]));
    let mut pod = object("pod", &[owner(&REPLICA_SETS, "set", "set", true)]);
    pod = pod.replace(r#""name":"pod""#, r#""name":"pod","finalizers":["example.com/hold"]"#);
    world.put(&PODS, &pod);
    world.put(&PODS, &object("loose", &[owner(&REPLICA_SETS, "set", "set", false)]));
    world.delete(&REPLICA_SETS, "x", "set", Propagation::Foreground);
    world.settle(&GarbageCollector);
    assert_eq!(world.names(&REPLICA_SETS), ["set"]);
    assert_eq!(world.names(&PODS), ["pod"]);
    world.release(&PODS, "x", "pod");
    world.settle(&GarbageCollector);
    assert_eq!((world.names(&REPLICA_SETS), world.names(&PODS)), (vec![], vec![]));
}

#[test]
fn one_solid_owner_is_enough() {
    for propagation in [Propagation::Background, Propagation::Foreground] {
        let mut world = World::new(&ALL);
        for set in ["left", "right"] {
            world.put(&REPLICA_SETS, &object(set, &[]));
        }
        let owners = ["left", "right"].map(|set| owner(&REPLICA_SETS, set, set, true));
        world.put(&PODS, &object("pod", &owners));
        world.delete(&REPLICA_SETS, "x", "left", propagation);
        world.settle(&GarbageCollector);
        assert_eq!(world.names(&REPLICA_SETS), ["right"], "{propagation:?}");
        let pod = world.get(&PODS, "x", "pod").unwrap();
        assert_eq!(references(&pod).iter().map(|owner| owner.text_at(&["uid"])).collect::<Vec<_>>(), ["right"]);
        world.delete(&REPLICA_SETS, "x", "right", propagation);
        world.settle(&GarbageCollector);
        assert_eq!(world.names(&PODS), [""; 0]);
    }
}

#[test]
fn circles_end() {
    for luck in 0..20 {
        let mut world = World::new(&ALL);
        world.luck = luck;
        for (name, by) in [("a", "c"), ("b", "a"), ("c", "b")] {
            world.put(&CONFIG_MAPS, &object(name, &[owner(&CONFIG_MAPS, by, by, true)]));
        }
        world.settle(&GarbageCollector);
        assert_eq!(world.names(&CONFIG_MAPS), ["a", "b", "c"]);
        world.delete(&CONFIG_MAPS, "x", "a", Propagation::Foreground);
        world.settle(&GarbageCollector);
        assert_eq!(world.names(&CONFIG_MAPS), [""; 0], "{luck}");
    }
}

/// All begin to wait before any sees another wait.
#[test]
fn circles_that_begin_at_once_end() {
    for (luck, length) in (0..20).flat_map(|luck| (1..5).map(move |length| (luck, length))) {
        let mut world = World::new(&ALL);
        world.luck = luck;
        for number in 0..length {
            let by = format!("n{}", (number + 1) % length);
            world.put(&CONFIG_MAPS, &object(&format!("n{number}"), &[owner(&CONFIG_MAPS, &by, &by, true)]));
        }
        for number in 0..length {
            world.delete(&CONFIG_MAPS, "x", &format!("n{number}"), Propagation::Foreground);
        }
        world.settle(&GarbageCollector);
        assert_eq!(world.names(&CONFIG_MAPS), [""; 0], "{length} {luck}");
    }
}

#[test]
fn an_owner_is_its_uid() {
    let mut world = shop();
    world.put(&CONFIG_MAPS, &object("old", &[owner(&DEPLOYMENTS, "shop", "another", true)]));
    world.put(&CONFIG_MAPS, &object("new", &[owner(&DEPLOYMENTS, "shop", "shop", true)]));
    world.settle(&GarbageCollector);
    assert_eq!(world.names(&CONFIG_MAPS), ["new"]);
    assert_eq!(world.told, []);
}

#[test]
fn owners_live_in_the_same_namespace() {
    let mut world = shop();
    for place in ["x", "y"] {
        world.put(&NAMESPACES, &format!(r#"{{"metadata":{{"name":"{place}"}}}}"#));
    }
    let stray = object("stray", &[owner(&DEPLOYMENTS, "shop", "shop", true)]).replace(r#""x""#, r#""y""#);
    world.put(&CONFIG_MAPS, &stray);
    world.settle(&GarbageCollector);
    assert_eq!(world.names(&CONFIG_MAPS), [""; 0]);
    assert_eq!(world.told.len(), 1);
    assert_eq!((world.told[0].kind, world.told[0].reason), ("Warning", "OwnerRefInvalidNamespace"));
    let message =
        "ownerRef [apps/v1/Deployment, namespace: y, name: shop, uid: shop] does not exist in namespace \"y\"";
    assert_eq!(world.told[0].message, message);
}

#[test]
fn objects_of_the_cluster_have_no_owners_in_namespaces() {
    let mut world = shop();
    world.put(&NAMESPACES, r#"{"metadata":{"name":"x"}}"#);
    let node = format!(
        r#"{{"metadata":{{"name":"node","ownerReferences":[{}]}}}}"#,
        owner(&DEPLOYMENTS, "shop", "shop", true)
    );
    world.put(&NODES, &node);
    let key = Key { resource: "nodes".into(), namespace: String::new(), name: "node".into() };
    let round = Round { now: Instant::new(0, 0).unwrap(), failure: None };
    let plan = GarbageCollector.plan(&world.view(), &key, &round);
    assert_eq!((plan.actions.len(), plan.again_after), (1, None));
    let told = r#"{"metadata":{"namespace":"default","name":"e"},"reason":"OwnerRefInvalidNamespace",
                   "involvedObject":{"uid":"node"}}"#;
    world.put(&EVENTS, told);
    assert_settled(&world);
    world.delete(&DEPLOYMENTS, "x", "shop", Propagation::Background);
    world.settle(&GarbageCollector);
    assert_eq!(world.names(&NODES), ["node"]);
}

/// The plan for the config map `item` in short.
fn decision(world: &World) -> Vec<String> {
    let key = Key { resource: "configmaps".into(), namespace: "x".into(), name: "item".into() };
    let round = Round { now: Instant::new(0, 0).unwrap(), failure: None };
    let plan = GarbageCollector.plan(&world.view(), &key, &round);
    let steps = plan.actions.iter().map(|action| match action {
        Action::Do(step) => match &step.write.operation {
            Operation::Patch(_, patch) => String::from_utf8(json::encode_any(patch)).unwrap(),
            Operation::Delete { propagation, uid, resource_version, .. } => {
                format!("{:?} of {uid} at {resource_version}", propagation.unwrap())
            }
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    });
    steps.collect()
}

#[test]
fn decisions() {
    let waiting = |name: &str| {
        let begun = r#""deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["foregroundDeletion"],"name""#;
        object(name, &[]).replace(r#""name""#, begun)
    };
    let of = |name: &str, blocks: bool| owner(&CONFIG_MAPS, name, name, blocks);
    let with = |item: String, finalizer: &str| {
        item.replacen(r#""name""#, &format!(r#""finalizers":["{finalizer}","a.b/c"],"name""#), 1)
    };
    let absent = || object("item", &[of("absent", true)]);
    let cases: [(&str, Vec<String>, String, &[&str]); 8] = [
        ("no owners", vec![], object("item", &[]), &[]),
        ("an absent owner", vec![], absent(), &["Background of item at 1"]),
        ("that was to orphan", vec![], with(absent(), "orphan"), &["Orphan of item at 1"]),
        ("that was to wait", vec![], with(absent(), "foregroundDeletion"), &["Foreground of item at 1"]),
        ("a solid owner", vec![object("solid", &[])], object("item", &[of("solid", true)]), &[]),
        ("a waiting owner", vec![waiting("waits")], object("item", &[of("waits", true)]), &["Background of item at 2"]),
        (
            "a waiting owner, and a dependent",
            vec![waiting("waits"), object("dependent", &[of("item", false)])],
            object("item", &[of("waits", true)]),
            &["Foreground of item at 3"],
        ),
        (
            "a solid, a waiting and an absent owner",
            vec![object("solid", &[]), waiting("waits")],
            object("item", &[of("waits", true), of("solid", false), of("absent", true)]),
            &[concat!(
                r#"{"metadata":{"ownerReferences":[{"apiVersion":"v1","blockOwnerDeletion":false,"#,
                r#""kind":"ConfigMap","name":"solid","uid":"solid"}],"resourceVersion":"3","uid":"item"}}"#
            )],
        ),
    ];
    for (case, others, item, expected) in cases {
        let mut world = World::new(&ALL);
        for other in &others {
            world.put(&CONFIG_MAPS, other);
        }
        world.put(&CONFIG_MAPS, &item);
        assert_eq!(decision(&world), expected, "{case}");
    }
}

#[test]
fn who_may_be_in_a_circle_first_stops_waiting() {
    let begun = |name: &str, by: &str| {
        format!(
            r#"{{"metadata":{{"namespace":"x","name":"{name}","deletionTimestamp":"2026-01-01T00:00:00Z",
                "finalizers":["foregroundDeletion"],"ownerReferences":[{}]}}}}"#,
            owner(&CONFIG_MAPS, by, by, true)
        )
    };
    let mut world = World::new(&ALL);
    world.put(&CONFIG_MAPS, &begun("above", "below"));
    world.put(&CONFIG_MAPS, &begun("below", "item"));
    world.put(&CONFIG_MAPS, &object("item", &[owner(&CONFIG_MAPS, "above", "above", true)]));
    let unblocked = concat!(
        r#"{"metadata":{"ownerReferences":[{"apiVersion":"v1","blockOwnerDeletion":false,"#,
        r#""kind":"ConfigMap","name":"above","uid":"above"}],"resourceVersion":"3","uid":"item"}}"#
    );
    assert_eq!(decision(&world), [unblocked]);
    world.put(&CONFIG_MAPS, &object("item", &[owner(&CONFIG_MAPS, "above", "above", false)]));
    assert_eq!(decision(&world), ["Foreground of item at 4"]);
}

#[test]
fn a_missed_change_is_made_up_for() {
    let mut world = World::new(&ALL);
    world.put(&PODS, &object("pod", &[owner(&REPLICA_SETS, "set", "old", true)]));
    let set = |uid: &str, more: &str| {
        let text = format!(r#"{{"metadata":{{"namespace":"x","name":"set","uid":"{uid}"{more}}}}}"#);
        Some(Arc::new(json::decode_any(text.as_bytes()).unwrap()))
    };
    let begun = r#","deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["foregroundDeletion"]"#;
    let cases = [
        ("an owner that was replaced", set("old", ""), set("new", ""), vec!["pod"]),
        ("an owner that began to wait", None, set("old", begun), vec!["set", "pod"]),
    ];
    for (case, old, new, expected) in cases {
        let change = Change { resource: Arc::new(REPLICA_SETS.clone()), old, new };
        let woken = keys(&world.view(), &change);
        assert_eq!(woken.iter().map(|key| &*key.name).collect::<Vec<_>>(), expected, "{case}");
    }
}

#[test]
fn unknown_kinds_keep() {
    let mut world = World::new(&ALL);
    let unknown = Resource::namespaced("example.com", "v1", "widgets", "Widget");
    world.put(&PODS, &object("pod", &[owner(&unknown, "w", "w", true), owner(&NODES, "n", "n", true)]));
    world.settle(&GarbageCollector);
    assert_eq!(world.names(&PODS), ["pod"]);
    let key = Key { resource: "pods".into(), namespace: "x".into(), name: "pod".into() };
    let round = Round { now: Instant::new(0, 0).unwrap(), failure: None };
    assert!(GarbageCollector.plan(&world.view(), &key, &round).again_after.is_some());
}

#[test]
fn a_definition_wakes_those_that_waited_for_it() {
    let mut world = World::new(&ALL);
    let unknown = Resource::namespaced("example.com", "v1", "widgets", "Widget");
    world.put(&PODS, &object("pod", &[owner(&unknown, "w", "w", true)]));
    let definition = |established: &str| {
        let text = format!(
            r#"{{"metadata":{{"name":"d","uid":"d"}},"spec":{{"group":"example.com","names":{{"kind":"Widget"}}}},
                "status":{{"conditions":[{{"type":"Established","status":"{established}"}}]}}}}"#
        );
        Some(Arc::new(json::decode_any(text.as_bytes()).unwrap()))
    };
    let resource =
        Resource::clustered("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition");
    let mut change = Change { resource: Arc::new(resource), old: definition("False"), new: definition("True") };
    let woken = keys(&world.view(), &change);
    assert_eq!(woken, [Key { resource: "pods".into(), namespace: "x".into(), name: "pod".into() }]);
    change.old = definition("True");
    assert_eq!(keys(&world.view(), &change), []);
}

/// What happens, to what, before, after, and the names of the keys.
type Case<'a> = (&'a str, &'a Resource, Option<&'a str>, Option<&'a str>, &'a [&'a str]);

#[test]
fn only_links_wake() {
    let world = shop();
    let plain = r#"{"metadata":{"name":"n","namespace":"x","uid":"u"}}"#;
    let owned = object("a", &[owner(&REPLICA_SETS, "shop-1", "shop-1", true)])
        .replace(r#""name":"a""#, r#""name":"a","uid":"a""#);
    let beat = owned.replace(r#""uid":"a""#, r#""resourceVersion":"9","uid":"a""#);
    let ending = owned.replace(r#""uid":"a""#, r#""deletionTimestamp":"2026-01-01T00:00:00Z","uid":"a""#);
    let cases: [Case<'_>; 8] = [
        ("a node's heartbeat", &NODES, Some(plain), Some(plain), &[]),
        ("a lease's heartbeat", &LEASES, Some(plain), Some(plain), &[]),
        ("an object without owners", &CONFIG_MAPS, None, Some(plain), &[]),
        ("an object with owners", &PODS, None, Some(&owned), &["a"]),
        ("another version of it", &PODS, Some(&owned), Some(&beat), &[]),
        ("the begin of its deletion", &PODS, Some(&owned), Some(&ending), &[]),
        ("the end of an owner that does not wait", &PODS, Some(&owned), None, &[]),
        ("an event", &EVENTS, None, Some(&owned), &[]),
    ];
    for (case, of, old, new, expected) in cases {
        let read = |text: Option<&str>| text.map(|text| Arc::new(json::decode_any(text.as_bytes()).unwrap()));
        let change = Change { resource: Arc::new(of.clone()), old: read(old), new: read(new) };
        let woken = keys(&world.view(), &change);
        assert_eq!(woken.iter().map(|key| &*key.name).collect::<Vec<_>>(), expected, "{case}");
    }
}

/// One object of a random graph: its owners by number, absent ones included, and whether it blocks them.
type Links = Vec<(usize, bool)>;

fn graphs() -> impl Strategy<Value = (Vec<Links>, usize, u8, u64)> {
    (2usize..9).prop_flat_map(|count| {
        // Owners have smaller numbers, so that graphs are free of circles; number 0 has no owners.
        let links = proptest::collection::vec((0usize..count, any::<bool>()), 0..3);
        (proptest::collection::vec(links, count), 0..count, 0u8..3, any::<u64>())
    })
}

proptest! {
    #[test]
    fn random_graphs_settle((nodes, victim, fate, luck) in graphs()) {
        let fate = [Propagation::Background, Propagation::Foreground, Propagation::Orphan][usize::from(fate)];
        let mut world = World::new(&ALL);
        world.luck = luck;
        for (number, links) in nodes.iter().enumerate() {
            let mut seen = BTreeSet::new();
            let links = links.iter().filter(|(by, _)| *by < number && seen.insert(*by));
            let owners: Vec<_> = links
                .map(|(by, blocks)| owner(&CONFIG_MAPS, &format!("n{by}"), &format!("n{by}"), *blocks))
                .collect();
            world.put(&CONFIG_MAPS, &object(&format!("n{number}"), &owners));
        }
        world.settle(&GarbageCollector);
        prop_assert_eq!(world.names(&CONFIG_MAPS).len(), nodes.len());
        let owned_before = |number: usize| {
            let owners = nodes[number].iter().map(|(by, _)| *by).filter(|by| *by < number);
            owners.collect::<BTreeSet<_>>()
        };
        // What must stay: objects with an owner that stays, and objects that never had one, but not the victim.
        let mut stays = vec![true; nodes.len()];
        for number in 0..nodes.len() {
            let owners = owned_before(number);
            let was_let_go = fate == Propagation::Orphan && owners.contains(&victim);
            stays[number] = number != victim
                && (owners.is_empty() || was_let_go || owners.iter().any(|by| stays[*by]));
        }
        world.delete(&CONFIG_MAPS, "x", &format!("n{victim}"), fate);
        world.settle(&GarbageCollector);
        for (number, stays) in stays.iter().enumerate() {
            let found = world.get(&CONFIG_MAPS, "x", &format!("n{number}"));
            prop_assert_eq!(found.is_some(), *stays, "n{} after {:?} of n{}", number, fate, victim);
            for reference in found.iter().flat_map(|found| references(found)) {
                let by = reference.text_at(&["name"]);
                prop_assert_eq!(world.uid(&CONFIG_MAPS, "x", by), by, "no reference dangles");
            }
        }
        prop_assert_eq!(world.plan_of_everything(&GarbageCollector), []);
    }

    #[test]
    fn random_circles_lose_nothing_solid((nodes, victim, fate, luck) in graphs()) {
        let fate = [Propagation::Background, Propagation::Foreground, Propagation::Orphan][usize::from(fate)];
        let mut world = World::new(&ALL);
        world.luck = luck;
        let count = nodes.len();
        for (number, links) in nodes.iter().enumerate() {
            let owners: Vec<_> = links
                .iter()
                .map(|(by, blocks)| {
                    let by = (by + number) % count;
                    owner(&CONFIG_MAPS, &format!("n{by}"), &format!("n{by}"), *blocks)
                })
                .collect();
            world.put(&CONFIG_MAPS, &object(&format!("n{number}"), &owners));
        }
        world.settle(&GarbageCollector);
        world.delete(&CONFIG_MAPS, "x", &format!("n{victim}"), fate);
        world.settle(&GarbageCollector);
        let left = world.view().list(&CONFIG_MAPS, "");
        for object in &left {
            let owners = references(object);
            let is_there = |name: &str| left.iter().any(|other| uid(other) == name);
            prop_assert!(!is_ending(object), "{} in {}", name(object), namespace(object));
            prop_assert!(owners.iter().all(|owner| is_there(owner.text_at(&["uid"]))));
        }
        prop_assert_eq!(world.plan_of_everything(&GarbageCollector), []);
    }
}
