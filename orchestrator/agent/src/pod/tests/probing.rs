//! Probes as they work on pods.

use super::model::Model;
use crate::pod::Memory;

fn spec(probes: &str) -> String {
    format!(r#"{{"terminationGracePeriodSeconds":30,"containers":[{{"name":"a","image":"i:1",{probes}}}]}}"#)
}

fn ready(model: &Model) -> (bool, bool) {
    let container = model.container("a");
    let flag = |name| container.at(&[name]).and_then(coracle_apimachinery::Value::as_bool).unwrap();
    (flag("started"), flag("ready"))
}

#[test]
fn readiness() {
    let probe = r#""readinessProbe":{"initialDelaySeconds":5,"periodSeconds":10,"failureThreshold":2}"#;
    let mut model = Model::new(&spec(probe)).with_image("i:1");
    model.settle();
    assert_eq!(ready(&model), (true, false));
    assert_eq!(model.condition("Ready"), "False ContainersNotReady containers with unready status: [a]");
    model.pass(5_000);
    assert_eq!(ready(&model), (true, true));
    assert_eq!(model.condition("Ready"), "True");
    model.answers("a", "readinessProbe", false, "not now");
    model.take_log();
    model.pass(10_000);
    assert_eq!(model.take_log(), ["probe a readinessProbe", "!Unhealthy: Readiness probe failed: not now"]);
    assert_eq!(ready(&model), (true, true));
    model.pass(10_000);
    assert_eq!(ready(&model), (true, false));
}

#[test]
fn liveness_restarts() {
    let probe = r#""livenessProbe":{"periodSeconds":10,"failureThreshold":3,"terminationGracePeriodSeconds":5}"#;
    let mut model = Model::new(&spec(probe)).with_image("i:1");
    model.answers("a", "livenessProbe", false, "dead");
    model.pass(19_999);
    assert_eq!(model.container("a").at(&["restartCount"]).unwrap().as_int(), Some(0));
    model.take_log();
    model.hanging = vec!["stop"];
    model.pass(1);
    assert_eq!(
        model.take_log(),
        [
            "probe a livenessProbe",
            "!Unhealthy: Liveness probe failed: dead",
            "Killing: Container a failed liveness probe, will be restarted",
            "stop a 5 hangs",
        ]
    );
    model.release();
    model.answers.clear();
    model.settle();
    assert_eq!(model.container("a").at(&["restartCount"]).unwrap().as_int(), Some(1));
    assert_eq!(model.condition("Ready"), "True");
}

#[test]
fn startup_holds_the_others_back() {
    let probes = r#""startupProbe":{"periodSeconds":5,"failureThreshold":3},"livenessProbe":{"periodSeconds":1},
        "readinessProbe":{"periodSeconds":1}"#;
    let mut model = Model::new(&spec(probes)).with_image("i:1");
    model.answers("a", "startupProbe", false, "not yet");
    model.pass(4_000);
    assert_eq!(ready(&model), (false, false));
    assert!(model.take_log().iter().all(|line| !line.contains("probe a liveness") && !line.contains("probe a readi")));
    model.answers.clear();
    model.pass(1_000);
    assert_eq!(ready(&model), (true, true));
    // Once it has started it is never asked again.
    model.take_log();
    model.pass(20_000);
    assert!(model.take_log().iter().all(|line| line != "probe a startupProbe"));
}

#[test]
fn startup_that_fails_for_good() {
    let probes = r#""startupProbe":{"periodSeconds":5,"failureThreshold":2}"#;
    let mut model = Model::new(&spec(probes)).with_image("i:1");
    model.answers("a", "startupProbe", false, "no");
    model.pass(5_000);
    let killing = "Killing: Container a failed startup probe, will be restarted".to_owned();
    assert!(model.take_log().contains(&killing));
}

#[test]
fn errors_are_no_answers() {
    let mut model = Model::new(&spec(r#""livenessProbe":{"periodSeconds":1,"failureThreshold":1}"#)).with_image("i:1");
    model = model.fails("probe", "", "no such port");
    model.pass(3_000);
    let event = "!Unhealthy: Liveness probe errored and resulted in unknown state: no such port".to_owned();
    assert!(model.take_log().contains(&event));
    assert_eq!(model.container("a").at(&["restartCount"]).unwrap().as_int(), Some(0));
}

#[test]
fn a_new_agent_changes_nothing() {
    let probes = r#""startupProbe":{"periodSeconds":5},"livenessProbe":{"periodSeconds":60,"initialDelaySeconds":60},
        "readinessProbe":{"periodSeconds":60,"initialDelaySeconds":0}"#;
    let mut model = Model::new(&spec(probes)).with_image("i:1");
    model.pass(30_000);
    assert_eq!(ready(&model), (true, true));
    let before = model.pod.clone();
    model.memory = Memory::default();
    model.hanging = vec!["probe"];
    model.settle();
    assert_eq!(model.pod, before);
}

#[test]
fn deletion_stops_liveness_and_keeps_readiness() {
    let probes = r#""livenessProbe":{"periodSeconds":1,"failureThreshold":1},
        "readinessProbe":{"periodSeconds":1,"failureThreshold":1}"#;
    let mut model = Model::new(&spec(probes)).with_image("i:1");
    model.pass(3_000);
    model.delete(30);
    model.hanging = vec!["stop"];
    model.answers("a", "livenessProbe", false, "");
    model.answers("a", "readinessProbe", false, "going");
    model.take_log();
    model.pass(5_000);
    let log = model.take_log();
    assert!(!log.contains(&"probe a livenessProbe".to_owned()), "{log:#?}");
    assert!(log.contains(&"probe a readinessProbe".to_owned()), "{log:#?}");
    assert_eq!(ready(&model), (true, false));
}
