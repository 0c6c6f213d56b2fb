//! Pods that are deleted or run out of time.

use super::model::Model;

const ONE: &str = r#"{"terminationGracePeriodSeconds":30,"containers":[{"name":"a","image":"i:1"}]}"#;

#[test]
fn deletion_in_order() {
    let mut model = Model::new(ONE).with_image("i:1");
    model.settle();
    model.take_log();
    model.delete(30);
    model.settle();
    assert_eq!(model.take_log(), ["Killing: Stopping container a", "stop a 30", "remove-pod", "delete-pod"]);
    assert!(model.deleted);
    assert_eq!(model.status(&["phase"]), r#""Failed""#);
    let code = model.container("a").at(&["state", "terminated", "exitCode"]).unwrap().as_int();
    assert_eq!(code, Some(137));
}

#[test]
fn the_end_is_reported_before_anything_is_removed() {
    let mut model = Model::new(ONE).with_image("i:1");
    model.settle();
    model.delete(30);
    model.hanging = vec!["stop"];
    let made = model.settle();
    // The phase does not change as long as something runs.
    assert_eq!(model.status(&["phase"]), r#""Running""#);
    assert!(!made.finished);
    model.release();
    let made = model.step();
    assert!(made.actions.is_empty(), "{:?}", made.actions);
    assert_eq!(model.status(&["phase"]), r#""Failed""#);
    model.settle();
    assert!(model.deleted);
}

#[test]
fn a_good_end_is_a_success() {
    let mut model = Model::new(ONE).with_image("i:1");
    model.settle();
    model.delete(30);
    model.hanging = vec!["stop"];
    model.settle();
    model.end("x://1", 0);
    model.step();
    assert_eq!(model.status(&["phase"]), r#""Succeeded""#);
}

#[test]
fn hooks_share_the_grace() {
    let spec = r#"{"terminationGracePeriodSeconds":30,"containers":[
        {"name":"a","image":"i:1","lifecycle":{"preStop":{"exec":{"command":["x"]}}}}]}"#;
    let mut model = Model::new(spec).with_image("i:1");
    model.settle();
    model.take_log();
    model.delete(30);
    model.hanging = vec!["hook"];
    model.pass(10_500);
    assert_eq!(model.take_log(), ["Killing: Stopping container a", "hook a preStop hangs"]);
    model.release();
    model.step();
    assert_eq!(model.take_log(), ["hook a preStop", "stop a 20"]);
    // A hook that never ends has the whole grace, the container then its least.
    let mut model = Model::new(spec).with_image("i:1");
    model.settle();
    model.delete(30);
    model.hanging = vec!["hook"];
    model.settle();
    model.take_log();
    model.pass(30_000);
    assert_eq!(model.take_log().first().map(String::as_str), Some("stop a 2"));
    let mut model = Model::new(spec).with_image("i:1");
    model.answers("a", "preStop", false, "secret");
    model.settle();
    model.delete(30);
    model.settle();
    assert!(model.take_log().contains(&"!FailedPreStopHook: PreStopHook failed".to_owned()));
}

#[test]
fn less_patience() {
    let mut model = Model::new(ONE).with_image("i:1");
    model.settle();
    model.delete(30);
    model.hanging = vec!["stop"];
    model.settle();
    model.take_log();
    model.pass(5_000);
    assert!(model.take_log().is_empty());
    model.delete(3);
    model.settle();
    assert_eq!(model.take_log(), ["stop a 3 hangs"]);
    model.settle();
    assert!(model.take_log().is_empty());
}

#[test]
fn side_cars_end_last_in_reverse() {
    let spec = r#"{"terminationGracePeriodSeconds":30,"containers":[{"name":"a","image":"i:1"}],"initContainers":[
        {"name":"s","image":"i:1","restartPolicy":"Always"},{"name":"t","image":"i:1","restartPolicy":"Always"}]}"#;
    let mut model = Model::new(spec).with_image("i:1");
    model.settle();
    model.take_log();
    model.delete(30);
    model.settle();
    let stops: Vec<String> = model.take_log().into_iter().filter(|line| line.starts_with("stop")).collect();
    assert_eq!(stops, ["stop a 30", "stop t 30", "stop s 30"]);
    // When all others are done the side cars go too.
    let mut model = Model::new(&spec.replace(r#"{"termination"#, r#"{"restartPolicy":"Never","termination"#));
    model = model.with_image("i:1").behaves("a", 1_000, 0);
    model.pass(2_000);
    assert_eq!(model.status(&["phase"]), r#""Succeeded""#);
}

#[test]
fn a_pod_that_never_started() {
    let mut model = Model::new(ONE);
    model.hanging = vec!["pull"];
    model.settle();
    model.delete(30);
    model.settle();
    assert!(model.deleted);
    assert_eq!(model.status(&["phase"]), r#""Failed""#);
    assert_eq!(model.container("a").text_at(&["state", "terminated", "reason"]), "ContainerStatusUnknown");
}

#[test]
fn a_start_under_way_is_waited_for() {
    let mut model = Model::new(ONE).with_image("i:1");
    model.hanging = vec!["start"];
    model.settle();
    model.delete(30);
    model.settle();
    assert!(!model.deleted);
    model.release();
    model.settle();
    assert!(model.deleted);
    assert!(model.log.contains(&"stop a 30".to_owned()));
}

#[test]
fn removals_that_fail() {
    let mut model = Model::new(ONE).with_image("i:1");
    model.settle();
    model.delete(30);
    let mut model = model.fails("remove-pod", "", "busy");
    model.settle();
    assert!(!model.deleted);
    model.failures.clear();
    model.pass(1_000);
    assert!(model.deleted);
}

#[test]
fn deadlines() {
    let spec = r#"{"activeDeadlineSeconds":10,"terminationGracePeriodSeconds":30,
        "containers":[{"name":"a","image":"i:1"}]}"#;
    let mut model = Model::new(spec).with_image("i:1");
    let made = model.settle();
    assert_eq!(made.again_after.unwrap().as_secs(), 10);
    model.take_log();
    model.hanging = vec!["stop"];
    model.pass(10_000);
    assert_eq!(
        model.take_log(),
        [
            "DeadlineExceeded: Pod was active on the node longer than the specified deadline",
            "Killing: Stopping container a",
            "stop a 30 hangs",
        ]
    );
    assert_eq!((model.status(&["phase"]).as_str(), model.status(&["reason"]).as_str()), (r#""Running""#, ""));
    assert_eq!(model.condition("Ready"), "False PodFailed");
    model.release();
    let made = model.settle();
    assert!(made.finished && !model.deleted);
    assert_eq!(model.status(&["phase"]), r#""Failed""#);
    assert_eq!(model.status(&["reason"]), r#""DeadlineExceeded""#);
    assert_eq!(model.status(&["message"]), r#""Pod was active on the node longer than the specified deadline""#);
}
