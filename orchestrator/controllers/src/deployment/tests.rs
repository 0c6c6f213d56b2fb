//! Rollouts from their beginning to their end, and plans of single steps.

use coracle_apimachinery::status::Status;
use coracle_client::object::{controller, int, items, uid};

use super::world::{NAME, World, deployment, rolling, template_spec};
use super::*;
use crate::controller::Action;
use crate::trees::annotation;
use crate::trees::tests::tree;

fn settled(text: &str) -> World {
    let mut world = World::new(text);
    world.settle();
    world
}

fn revision(world: &World) -> &str {
    annotation(world.deployment(), super::revision::REVISION).unwrap_or_default()
}

fn counters(world: &World) -> [i64; 5] {
    ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"]
        .map(|counter| int(world.deployment(), &["status", counter], 0))
}

/// Nothing is written when nothing has changed, however late it is.
fn assert_quiet(world: &World) {
    let plan = world.plan(&Deployments, NAME);
    assert_eq!(plan.actions, []);
    for set in world.list(&REPLICA_SETS) {
        let plan = world.plan(&crate::replica_set::ReplicaSets, set.text_at(&["metadata", "name"]));
        assert_eq!(plan, Plan::nothing());
    }
}

#[test]
fn a_new_deployment_gets_its_pods() {
    let world = settled(&deployment(3, &rolling(r#""25%""#, r#""25%""#), ""));
    assert_quiet(&world);
    assert_eq!((revision(&world), counters(&world)), ("1", [3, 3, 3, 3, 0]));
    assert_eq!(world.condition("Available"), ("True", "MinimumReplicasAvailable"));
    assert_eq!(world.condition("Progressing"), ("True", "NewReplicaSetAvailable"));
    let sets = world.list(&REPLICA_SETS);
    let [set] = sets[..] else { panic!("{sets:?}") };
    let hash = set.text_at(&["metadata", "labels", hash::LABEL]);
    let name = format!("web-{hash}");
    assert_eq!(set.text_at(&["metadata", "name"]), name);
    assert_eq!(set.text_at(&["spec", "selector", "matchLabels", hash::LABEL]), hash);
    assert_eq!(set.text_at(&["spec", "template", "metadata", "labels", hash::LABEL]), hash);
    assert_eq!(
        set.at(&["metadata", "annotations"]),
        Some(&tree(
            r#"{"note":"one","deployment.kubernetes.io/desired-replicas":"3","deployment.kubernetes.io/max-replicas":"4","deployment.kubernetes.io/revision":"1"}"#
        ))
    );
    let progress = coracle_client::object::condition(world.deployment(), "Progressing").unwrap();
    assert_eq!(progress.text_at(&["message"]), format!("ReplicaSet \"{name}\" has successfully progressed."));
    assert_eq!(world.told[0], format!("Scaled up replica set {name} from 0 to 3"));
    assert_eq!(int(world.deployment(), &["status", "terminatingReplicas"], -1), 0);
}

#[test]
fn rollouts_keep_their_bounds() {
    for (replicas, surge, unavailable) in [
        (1, "1", "0"),
        (1, r#""25%""#, r#""25%""#),
        (3, "1", "0"),
        (3, "0", "1"),
        (10, r#""25%""#, r#""25%""#),
        (10, r#""100%""#, "0"),
        (10, "0", r#""100%""#),
        (4, "2", "2"),
    ] {
        for speed in [1, 3, 100] {
            let mut world = settled(&deployment(replicas, &rolling(surge, unavailable), ""));
            (world.strict, world.speed) = (true, speed);
            for (image, number) in [("2", "2"), ("3", "3")] {
                world.roll(image);
                world.settle();
                assert_quiet(&world);
                assert_eq!((revision(&world), counters(&world)), (number, [replicas, replicas, replicas, replicas, 0]));
                assert_eq!(world.condition("Progressing"), ("True", "NewReplicaSetAvailable"));
                let busy: Vec<_> = world.sizes().into_iter().filter(|(_, sizes)| *sizes != (0, 0)).collect();
                assert_eq!(busy, [(number.to_owned(), (replicas, replicas))]);
            }
        }
    }
}

#[test]
fn a_rollout_over_a_rollout_keeps_its_bounds() {
    let mut world = settled(&deployment(10, &rolling("3", "2"), ""));
    world.strict = true;
    for image in ["2", "3", "4"] {
        world.roll(image);
        for _ in 0..3 {
            world.step();
        }
    }
    world.settle();
    assert_eq!((revision(&world), counters(&world)), ("4", [10, 10, 10, 10, 0]));
    assert_quiet(&world);
}

#[test]
fn going_back_gives_the_old_set_a_new_revision() {
    let mut world = settled(&deployment(2, &rolling("1", "0"), ""));
    world.roll("2");
    world.settle();
    world.roll("1");
    world.settle();
    assert_quiet(&world);
    assert_eq!(revision(&world), "3");
    assert_eq!(world.sizes().into_iter().collect::<Vec<_>>(), [("2".into(), (0, 0)), ("3".into(), (2, 2))]);
    let set = world.list(&REPLICA_SETS).into_iter().find(|set| int(set, &["spec", "replicas"], 1) > 0).unwrap();
    assert_eq!(annotation(set, "deployment.kubernetes.io/revision-history"), Some("1"));
}

#[test]
fn the_old_wish_to_go_back_is_heard() {
    let wish = |world: &mut World, to: &str| {
        world.edit(&DEPLOYMENTS, NAME, |deployment| {
            let annotations = deployment.object_mut("metadata").object_mut("annotations");
            annotations.insert("deprecated.deployment.rollback.to".into(), Value::text(to));
        });
        world.settle();
        assert_quiet(world);
        assert_eq!(annotation(world.deployment(), "deprecated.deployment.rollback.to"), None);
    };
    let image = |world: &World| {
        items(world.deployment(), &["spec", "template", "spec", "containers"])[0].text_at(&["image"]).to_owned()
    };
    let mut world = settled(&deployment(1, &rolling("1", "0"), ""));
    wish(&mut world, "0");
    assert!(world.told.contains(&"Unable to find last revision.".to_owned()), "{:?}", world.told);
    world.roll("2");
    world.settle();
    wish(&mut world, "0");
    assert_eq!((image(&world), revision(&world)), ("1".to_owned(), "3"));
    assert!(world.told.contains(&"Rolled back deployment \"web\" to revision 1".to_owned()), "{:?}", world.told);
    wish(&mut world, "3");
    wish(&mut world, "9");
    let last = &world.told[world.told.len() - 2..];
    let same = "The rollback revision contains the same template as current deployment \"web\"";
    assert_eq!(last, [same, "Unable to find the revision to rollback to."]);
    assert_eq!(image(&world), "1");
}

#[test]
fn a_pause_holds_the_template_but_not_the_scale() {
    let mut world = settled(&deployment(2, &rolling("1", "0"), ""));
    let pause = |world: &mut World, paused: bool| {
        world.respecify(|spec| {
            if paused {
                spec.insert("paused".into(), Value::Bool(true))
            } else {
                spec.remove("paused")
            };
        });
    };
    pause(&mut world, true);
    world.settle();
    assert_eq!(world.condition("Progressing"), ("Unknown", "DeploymentPaused"));
    world.roll("2");
    world.respecify(|spec| drop(spec.insert("replicas".into(), Value::Int(4))));
    world.settle();
    assert_quiet(&world);
    assert_eq!((revision(&world), counters(&world)), ("1", [4, 0, 4, 4, 0]));
    pause(&mut world, false);
    world.step();
    assert_eq!(world.sizes().len(), 2);
    world.settle();
    assert_eq!((revision(&world), counters(&world)), ("2", [4, 4, 4, 4, 0]));
    assert_eq!(world.condition("Progressing"), ("True", "NewReplicaSetAvailable"));
}

#[test]
fn scaling_within_a_rollout_is_spread() {
    // The numbers are those of upstream's documentation of proportional scaling.
    let mut world = settled(&deployment(10, &rolling("3", "2"), ""));
    world.roll("broken");
    for _ in 0..20 {
        world.step();
    }
    let sizes = |world: &World| world.sizes().into_iter().map(|(_, (size, _))| size).collect::<Vec<_>>();
    assert_eq!(sizes(&world), [8, 5]);
    world.respecify(|spec| drop(spec.insert("replicas".into(), Value::Int(15))));
    world.step();
    assert_eq!(sizes(&world), [11, 7]);
    world.respecify(|spec| drop(spec.insert("replicas".into(), Value::Int(5))));
    world.step();
    assert_eq!(sizes(&world).iter().sum::<i64>(), 8);
    world.respecify(|spec| drop(spec.insert("replicas".into(), Value::Int(0))));
    world.settle();
    assert_eq!(sizes(&world), [0, 0]);
    assert_quiet(&world);
}

#[test]
fn scaling_without_a_rollout_is_told() {
    let mut world = settled(&deployment(1, &rolling("1", "0"), ""));
    for (size, words) in [(4, "Scaled up replica set X from 1 to 4"), (0, "Scaled down replica set X from 4 to 0")] {
        world.told.clear();
        world.respecify(|spec| drop(spec.insert("replicas".into(), Value::Int(size))));
        world.settle();
        assert_quiet(&world);
        let set = world.list(&REPLICA_SETS)[0].text_at(&["metadata", "name"]).to_owned();
        assert_eq!(world.told[0], words.replace('X', &set));
        assert_eq!(counters(&world), [size, size, size, size, 0]);
    }
}

#[test]
fn recreation_lets_old_pods_end_first() {
    let mut world = settled(&deployment(3, r#"{"type":"Recreate"}"#, ""));
    assert_eq!(counters(&world), [3, 3, 3, 3, 0]);
    world.roll("2");
    for _ in 0..100 {
        world.step();
        let images: std::collections::BTreeSet<_> =
            world.list(&PODS).iter().map(|pod| items(pod, &["spec", "containers"])[0].text_at(&["image"])).collect();
        assert!(images.len() <= 1, "{images:?}");
    }
    assert_quiet(&world);
    assert_eq!((revision(&world), counters(&world)), ("2", [3, 3, 3, 3, 0]));
}

#[test]
fn orphans_are_adopted_and_strangers_released() {
    let mut world = World::new(&deployment(2, &rolling("1", "0"), ""));
    let set = |name: &str, image: &str, owners: &str, app: &str| {
        let mut set = tree(&format!(
            r#"{{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{{"namespace":"n","name":"{name}","labels":{{"app":"{app}"}}{owners}}},
            "spec":{{"replicas":1,"selector":{{"matchLabels":{{"app":"{app}","x":"{name}"}}}},"template":{{"metadata":{{"labels":{{"app":"{app}"}}}}}}}}}}"#
        ));
        set.as_object_mut()
            .unwrap()
            .object_mut("spec")
            .object_mut("template")
            .insert("spec".into(), template_spec(image));
        set
    };
    let mine = r#","ownerReferences":[{"kind":"Deployment","name":"web","uid":"d","controller":true}]"#;
    world.create(&REPLICA_SETS, set("old", "0", "", "web"));
    world.create(&REPLICA_SETS, set("stranger", "0", mine, "db"));
    let plan = world.plan(&Deployments, NAME);
    assert!(matches!(&plan.actions[..], [Action::Do(_), Action::Do(_)]), "{plan:?}");
    world.step();
    let owner = |world: &World, name: &str| {
        let set = world.list(&REPLICA_SETS).into_iter().find(|set| set.text_at(&["metadata", "name"]) == name).cloned();
        set.and_then(|set| controller(&set).map(|owner| owner.text_at(&["uid"]).to_owned()))
    };
    assert_eq!((owner(&world, "old"), owner(&world, "stranger")), (Some("d".to_owned()), None));
}

#[test]
fn an_adopted_set_of_the_same_template_is_the_newest() {
    let mut world = settled(&deployment(2, &rolling("1", "0"), ""));
    let set = world.list(&REPLICA_SETS)[0].clone();
    let name = set.text_at(&["metadata", "name"]).to_owned();
    world.edit(&REPLICA_SETS, &name, |set| drop(set.object_mut("metadata").remove("ownerReferences")));
    world.settle();
    assert_quiet(&world);
    let sets = world.list(&REPLICA_SETS);
    assert_eq!((sets.len(), uid(sets[0])), (1, uid(&set)));
    assert!(controller(sets[0]).is_some());
}

#[test]
fn a_pod_that_is_taken_out_is_replaced() {
    let mut world = settled(&deployment(2, &rolling("1", "0"), ""));
    let pod = world.list(&PODS)[0].text_at(&["metadata", "name"]).to_owned();
    world.edit(&PODS, &pod, |pod| {
        pod.object_mut("metadata").insert("labels".into(), tree(r#"{"debug":"yes"}"#));
    });
    world.settle();
    assert_quiet(&world);
    assert_eq!((world.list(&PODS).len(), world.active().len()), (3, 2));
}

#[test]
fn history_is_forgotten_beyond_its_limit() {
    let mut world = settled(&deployment(1, &rolling("1", "0"), r#","revisionHistoryLimit":1"#));
    for image in ["2", "3", "4"] {
        world.roll(image);
        world.settle();
    }
    assert_quiet(&world);
    assert_eq!(world.sizes().into_keys().collect::<Vec<_>>(), ["3", "4"]);
}

#[test]
fn a_rollout_that_does_not_move_is_late() {
    let mut world = settled(&deployment(4, &rolling("1", "1"), ""));
    world.strict = true;
    world.roll("broken");
    for _ in 0..20 {
        world.step();
    }
    assert_eq!(world.condition("Progressing"), ("True", "ReplicaSetUpdated"));
    let plan = world.plan(&Deployments, NAME);
    assert_eq!(plan.actions, []);
    let after = plan.again_after.unwrap();
    assert!((570..=601).contains(&after.as_secs()), "{after:?}");
    world.seconds += i64::try_from(after.as_secs()).unwrap();
    world.step();
    assert_eq!(world.condition("Progressing"), ("False", "ProgressDeadlineExceeded"));
    assert_quiet(&world);
    assert_eq!(world.plan(&Deployments, NAME).again_after, None);
    // Three old ones stay available; the way back is open.
    assert_eq!(counters(&world), [5, 2, 3, 3, 2]);
    world.roll("1");
    world.settle();
    assert_eq!(counters(&world), [4, 4, 4, 4, 0]);
    assert_eq!(world.condition("Progressing"), ("True", "NewReplicaSetAvailable"));
}

#[test]
fn availability_waits_for_its_seconds() {
    let mut world = World::new(&deployment(2, &rolling("1", "0"), r#","minReadySeconds":20"#));
    for _ in 0..10 {
        world.step();
    }
    assert_eq!(counters(&world), [2, 2, 2, 0, 2]);
    assert_eq!(world.condition("Available"), ("False", "MinimumReplicasUnavailable"));
    world.settle();
    assert_eq!(counters(&world), [2, 2, 2, 2, 0]);
    // A change reaches the newest set without a new revision.
    world.respecify(|spec| drop(spec.remove("minReadySeconds")));
    world.settle();
    assert_quiet(&world);
    assert_eq!(world.list(&REPLICA_SETS)[0].at(&["spec", "minReadySeconds"]), None);
}

#[test]
fn a_name_that_is_taken_is_avoided() {
    let mut world = settled(&deployment(1, &rolling("1", "0"), ""));
    let set = world.list(&REPLICA_SETS)[0].text_at(&["metadata", "name"]).to_owned();
    let mut other = World::new(&deployment(1, &rolling("1", "0"), ""));
    other.create(
        &REPLICA_SETS,
        tree(&format!(r#"{{"metadata":{{"namespace":"n","name":"{set}"}},"spec":{{"replicas":0,"selector":{{"matchLabels":{{"a":"b"}}}}}}}}"#)),
    );
    other.settle();
    assert_quiet(&other);
    assert_eq!(int(other.deployment(), &["status", "collisionCount"], 0), 1);
    assert_eq!(other.list(&REPLICA_SETS).len(), 2);
    assert_eq!(counters(&other), counters(&world));
    world.settle();
}

#[test]
fn a_set_that_cannot_be_made_is_reported() {
    let world = World::new(&deployment(1, &rolling("1", "0"), ""));
    let view = world.view();
    let plan = |failure: Option<&Status>| {
        let now = coracle_apimachinery::time::Instant { seconds: 0, micros: 0 };
        Deployments.plan(&view, &Key::new("n", NAME), &Round { now, failure })
    };
    let Action::Do(step) = &plan(None).actions[0] else { panic!() };
    let name = step.write.name.clone();
    let told = step.on_failure.clone().unwrap();
    assert_eq!(told.reason, "ReplicaSetCreateError");
    assert_eq!(told.message, format!("Failed to create new replica set \"{name}\": {{error}}"));
    let quota = Status::forbidden("apps", "replicasets", &name, "exceeded quota");
    let reported = plan(Some(&quota));
    let [Action::Do(step)] = &reported.actions[..] else { panic!("{reported:?}") };
    let coracle_client::Operation::Update(written) = &step.write.operation else { panic!() };
    let condition = coracle_client::object::condition(written, "Progressing").unwrap();
    assert_eq!(condition.text_at(&["reason"]), "ReplicaSetCreateError");
    assert_eq!(
        condition.text_at(&["message"]),
        format!(
            "Failed to create new replica set \"{name}\": replicasets.apps \"{name}\" is forbidden: exceeded quota"
        )
    );
    for other in [Status::modified("apps", "deployments", NAME), Status::already_exists("apps", "replicasets", &name)] {
        assert_eq!(plan(Some(&other)), plan(None));
    }
}

#[test]
fn failures_of_sets_are_handed_up() {
    let mut world = settled(&deployment(1, &rolling("1", "0"), ""));
    let set = world.list(&REPLICA_SETS)[0].text_at(&["metadata", "name"]).to_owned();
    let failure = r#"{"lastTransitionTime":"2026-01-01T00:00:00Z","message":"no","reason":"FailedCreate","status":"True","type":"ReplicaFailure"}"#;
    world.edit(&REPLICA_SETS, &set, |set| {
        set.object_mut("status").insert("conditions".into(), tree(&format!("[{failure}]")));
    });
    let plan = world.plan(&Deployments, NAME);
    let [Action::Do(step)] = &plan.actions[..] else { panic!("{plan:?}") };
    let coracle_client::Operation::Update(written) = &step.write.operation else { panic!() };
    let condition = coracle_client::object::condition(written, "ReplicaFailure").unwrap();
    assert_eq!(condition.text_at(&["lastUpdateTime"]), "2026-01-01T00:00:00Z");
    world.settle();
    assert_eq!(world.condition("ReplicaFailure"), ("", ""));
}

#[test]
fn selecting_everything_is_refused_once() {
    let mut world = World::new(&deployment(1, &rolling("1", "0"), ""));
    world.respecify(|spec| drop(spec.insert("selector".into(), tree("{}"))));
    world.settle();
    assert_eq!(world.told, ["This deployment is selecting all pods. A non-empty selector is required."]);
    assert!(world.list(&REPLICA_SETS).is_empty());
}

#[test]
fn a_deployment_that_ends_only_counts() {
    let mut world = settled(&deployment(2, &rolling("1", "0"), ""));
    world.edit(&DEPLOYMENTS, NAME, |deployment| {
        deployment.object_mut("metadata").insert("deletionTimestamp".into(), Value::text("2026-01-01T00:00:00Z"));
    });
    world.roll("2");
    world.settle();
    assert_quiet(&world);
    assert_eq!((world.list(&REPLICA_SETS).len(), counters(&world)), (1, [2, 0, 2, 2, 0]));
}

#[test]
fn only_recreation_hears_of_pods() {
    let recreate = settled(&deployment(1, r#"{"type":"Recreate"}"#, ""));
    let rolling = settled(&deployment(1, &rolling("1", "0"), ""));
    for (world, keys) in [(&recreate, vec![Key::new("n", NAME)]), (&rolling, vec![])] {
        let pod = super::world::shared(world.list(&PODS)[0]);
        let change = |old: bool, new: bool| Change {
            resource: Arc::new(PODS.clone()),
            old: old.then(|| Arc::clone(&pod)),
            new: new.then(|| Arc::clone(&pod)),
        };
        assert_eq!(of_pod(&world.view(), &change(true, false)), keys);
        assert_eq!(of_pod(&world.view(), &change(true, true)), []);
        assert_eq!(of_pod(&world.view(), &change(false, true)), []);
    }
}

#[test]
fn pods_that_come_and_go_are_no_rollout() {
    let mut world = settled(&deployment(3, &rolling("1", "1"), ""));
    let pods: Vec<String> = world.list(&PODS).iter().map(|pod| pod.text_at(&["metadata", "name"]).to_owned()).collect();
    for pod in &pods {
        world.edit(&PODS, pod, |pod| drop(pod.remove("status")));
    }
    let mut least = 3;
    for _ in 0..6 {
        world.step();
        least = least.min(counters(&world)[3]);
        assert_eq!(world.condition("Progressing"), ("True", "NewReplicaSetAvailable"));
        assert_eq!(world.plan(&Deployments, NAME).again_after, None);
    }
    assert!(least < 2, "{least}");
    assert_eq!(counters(&world), [3, 3, 3, 3, 0]);
    assert_quiet(&world);
}

#[test]
fn an_old_set_that_is_adopted_late_goes_at_once() {
    let mut world = settled(&deployment(3, &rolling("1", "0"), r#","paused":true"#));
    assert!(world.list(&REPLICA_SETS).is_empty());
    world.respecify(|spec| drop(spec.remove("paused")));
    world.settle();
    world.respecify(|spec| drop(spec.insert("paused".into(), Value::Bool(true))));
    let old = r#"{"metadata":{"namespace":"n","name":"old","labels":{"app":"web"}},"spec":{"replicas":2,"selector":{"matchLabels":{"app":"web","x":"y"}},"template":{"metadata":{"labels":{"app":"web","x":"y"}},"spec":{"containers":[{"name":"c","image":"0"}]}}}}"#;
    world.create(&REPLICA_SETS, tree(old));
    world.settle();
    assert_quiet(&world);
    assert_eq!(counters(&world), [3, 3, 3, 3, 0]);
}

#[test]
fn history_with_pods_is_kept() {
    let mut world = settled(&deployment(4, &rolling("1", "1"), r#","revisionHistoryLimit":0"#));
    world.roll("2");
    for _ in 0..3 {
        world.step();
    }
    world.respecify(|spec| drop(spec.insert("paused".into(), Value::Bool(true))));
    world.settle();
    assert_quiet(&world);
    let sizes: Vec<_> = world.sizes().into_values().map(|(size, _)| size).collect();
    assert!(sizes.len() == 2 && sizes.iter().all(|size| *size > 0), "{sizes:?}");
    world.respecify(|spec| drop(spec.remove("paused")));
    world.settle();
    assert_eq!(world.sizes().len(), 1);
}
