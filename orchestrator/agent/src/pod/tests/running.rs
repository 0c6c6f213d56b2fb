//! Pods that run, crash, finish, and are restarted.

use super::model::Model;
use super::print;

const PRESENT: &str = "Pulled: Container image \"i:1\" already present on machine and can be accessed by the pod";

fn spec(policy: &str) -> String {
    format!(r#"{{"restartPolicy":"{policy}","containers":[{{"name":"a","image":"i:1"}}]}}"#)
}

#[test]
fn policies() {
    let cases = [
        ("Always", 0, "Running", true),
        ("Always", 1, "Running", true),
        ("OnFailure", 0, "Succeeded", false),
        ("OnFailure", 1, "Running", true),
        ("Never", 0, "Succeeded", false),
        ("Never", 1, "Failed", false),
    ];
    for (policy, code, phase, restarts) in cases {
        let mut model = Model::new(&spec(policy)).with_image("i:1").behaves("a", 1_000, code);
        let made = model.pass(1_500);
        assert_eq!(model.status(&["phase"]), format!("\"{phase}\""), "{policy} {code}");
        let count = model.container("a").at(&["restartCount"]).unwrap().as_int();
        assert_eq!(count, Some(i64::from(restarts)), "{policy} {code}");
        assert_eq!(made.finished, !restarts, "{policy} {code}");
    }
}

#[test]
fn a_finished_pod() {
    let mut model = Model::new(&spec("Never")).with_image("i:1").behaves("a", 1_000, 0);
    model.pass(2_000);
    assert_eq!(model.take_log().last().map(String::as_str), Some("stop-sandbox"));
    assert_eq!(model.condition("Initialized"), "True PodCompleted");
    assert_eq!(model.condition("Ready"), "False PodCompleted");
    assert_eq!(model.condition("ContainersReady"), "False PodCompleted");
    assert_eq!(model.status(&["podIP"]), r#""10.1.0.1""#);
    assert_eq!(model.status(&["reason"]), "");
    let state = print(model.container("a").at(&["state"]).unwrap());
    assert_eq!(
        state,
        concat!(
            r#"{"terminated":{"containerID":"x://1","exitCode":0,"finishedAt":"2027-01-15T08:00:06Z","#,
            r#""reason":"Completed","startedAt":"2027-01-15T08:00:05Z"}}"#
        )
    );
}

#[test]
fn crash_loops() {
    let mut model = Model::new(&spec("Always")).with_image("i:1").behaves("a", 1_000, 1);
    // Ends at 1 s and starts again at once, ends at 2 s and waits 10 s from then.
    model.pass(2_500);
    let status = model.container("a");
    assert_eq!(
        print(status.at(&["state"]).unwrap()),
        concat!(
            r#"{"waiting":{"message":"back-off 10s restarting failed container=a pod=p_ns(u)","#,
            r#""reason":"CrashLoopBackOff"}}"#
        )
    );
    assert_eq!(status.at(&["lastState", "terminated", "exitCode"]).unwrap().as_int(), Some(1));
    assert_eq!(model.status(&["phase"]), r#""Running""#);
    assert_eq!(model.condition("Ready"), "False ContainersNotReady containers with unready status: [a]");
    let event = "!BackOff: Back-off restarting failed container a in pod p_ns(u)";
    assert_eq!(model.take_log().last().map(String::as_str), Some(event));
    let starts =
        |model: &mut Model| model.take_log().into_iter().filter(|line| line.starts_with("start ")).collect::<Vec<_>>();
    model.pass(9_000);
    assert!(starts(&mut model).is_empty());
    model.pass(600);
    assert_eq!(starts(&mut model), ["start a 2"]);
    model.pass(20_000);
    assert!(starts(&mut model).is_empty());
    let message = model.container("a");
    let message = message.text_at(&["state", "waiting", "message"]);
    assert_eq!(message, "back-off 20s restarting failed container=a pod=p_ns(u)");
    model.pass(3_600_000);
    let message = model.container("a");
    let message = message.text_at(&["state", "waiting", "message"]).to_owned();
    assert_eq!(message, "back-off 5m0s restarting failed container=a pod=p_ns(u)");
    // Only the newest two instances are kept.
    assert_eq!(model.observed.containers.len(), 2);
}

#[test]
fn a_good_run_is_forgiven() {
    // The sixth instance starts at 155 s and runs for 700 s, which is more than twice the longest wait.
    let mut model = Model::new(&spec("Always")).with_image("i:1").behaves("a", 1_000, 1);
    model.pass(100_000);
    let message = |model: &Model| model.container("a").text_at(&["state", "waiting", "message"]).to_owned();
    assert_eq!(message(&model), "back-off 1m20s restarting failed container=a pod=p_ns(u)");
    model.behaviours.insert("a".to_owned(), Some((700_000, 1)));
    model.pass(200_000);
    model.behaviours.insert("a".to_owned(), Some((1_000, 1)));
    model.pass(557_500);
    assert_eq!(message(&model), "back-off 10s restarting failed container=a pod=p_ns(u)");
}

#[test]
fn clocks_that_are_set_do_not_change_waits() {
    for set in [-86_400, 86_400] {
        let mut model = Model::new(&spec("Always")).with_image("i:1").behaves("a", 1_000, 1);
        model.pass(2_500);
        model.take_log();
        model.set = set;
        model.pass(9_400);
        assert!(model.take_log().is_empty(), "{set}");
        model.pass(200);
        assert_eq!(model.take_log().first().map(String::as_str), Some(PRESENT), "{set}");
    }
}

#[test]
fn rules_of_containers() {
    let spec = r#"{"restartPolicy":"Never","containers":[{"name":"a","image":"i:1","restartPolicy":"Never",
        "restartPolicyRules":[{"action":"Restart","exitCodes":{"operator":"In","values":[42]}}]}]}"#;
    for (code, phase) in [(42, "Running"), (1, "Failed")] {
        let mut model = Model::new(spec).with_image("i:1").behaves("a", 1_000, code);
        model.pass(1_500);
        assert_eq!(model.status(&["phase"]), format!("\"{phase}\""), "{code}");
    }
}

#[test]
fn restarting_all_containers() {
    let spec = r#"{"restartPolicy":"Never","initContainers":[{"name":"x","image":"i:1"}],"containers":[
        {"name":"b","image":"i:1"},{"name":"a","image":"i:1","restartPolicy":"Never","restartPolicyRules":[
        {"action":"RestartAllContainers","exitCodes":{"operator":"In","values":[42]}}]}]}"#;
    let mut model = Model::new(spec).with_image("i:1").behaves("x", 100, 0).behaves("a", 1_000, 42);
    model.pass(500);
    assert_eq!(model.condition("AllContainersRestarting"), "False");
    model.take_log();
    model.behaviours.remove("a");
    model.pass(1_000);
    let log = model.take_log();
    assert!(log.contains(&"Killing: killing".to_owned()), "{log:#?}");
    assert!(log.contains(&"start x 1".to_owned()), "{log:#?}");
    assert!(log.contains(&"start a 1".to_owned()), "{log:#?}");
    assert!(log.contains(&"start b 1".to_owned()), "{log:#?}");
    assert_eq!(model.status(&["phase"]), r#""Running""#);
    assert_eq!(model.condition("AllContainersRestarting"), "False");
    assert_eq!(model.condition("Initialized"), "True");
}

#[test]
fn a_lost_sandbox() {
    let spec = r#"{"containers":[{"name":"a","image":"i:1"}],"initContainers":[{"name":"x","image":"i:1"}]}"#;
    let mut model = Model::new(spec).with_image("i:1").behaves("x", 0, 0);
    model.pass(10);
    assert_eq!(model.status(&["phase"]), r#""Running""#);
    model.take_log();
    model.observed.sandbox.as_mut().unwrap().ready = false;
    model.pass(10);
    let log = model.take_log();
    let actions: Vec<&str> = log
        .iter()
        .map(String::as_str)
        .filter(|line| ["stop", "sandbox", "remove", "start", "Sandbox"].iter().any(|word| line.starts_with(word)))
        .collect();
    let expected = [
        "stop a 2",
        "remove x://1",
        "SandboxChanged: Pod sandbox changed, it will be killed and re-created.",
        "sandbox 1",
        "start x 1",
        "start a 1",
    ];
    assert_eq!(actions, expected);
}

#[test]
fn a_new_image() {
    let mut model = Model::new(&spec("Never")).with_image("i:1");
    model.settle();
    model.take_log();
    let containers = model.pod.as_object_mut().unwrap().object_mut("spec").get_mut("containers").unwrap();
    let container = containers.items_mut().unwrap().first_mut().unwrap().as_object_mut().unwrap();
    container.insert("image".into(), coracle_apimachinery::Value::text("i:2"));
    model.settle();
    let log = model.take_log();
    assert_eq!(log.first().map(String::as_str), Some("Killing: Container a definition changed, will be restarted"));
}

#[test]
fn readiness_gates() {
    let spec = r#"{"readinessGates":[{"conditionType":"x/y"}],"containers":[{"name":"a","image":"i:1"}]}"#;
    let mut model = Model::new(spec).with_image("i:1");
    model.settle();
    assert_eq!(model.condition("ContainersReady"), "True");
    assert_eq!(
        model.condition("Ready"),
        "False ReadinessGatesNotReady corresponding condition of pod readiness gate \"x/y\" does not exist."
    );
    for (status, ready) in [
        ("False", "False ReadinessGatesNotReady the status of pod readiness gate \"x/y\" is not \"True\", but False"),
        ("True", "True"),
    ] {
        let conditions = model.pod.as_object_mut().unwrap().object_mut("status").get_mut("conditions").unwrap();
        let conditions = conditions.items_mut().unwrap();
        conditions.retain(|condition| condition.text_at(&["type"]) != "x/y");
        conditions.push(super::tree(&format!(r#"{{"type":"x/y","status":"{status}"}}"#)));
        model.settle();
        assert_eq!(model.condition("Ready"), ready);
    }
}
