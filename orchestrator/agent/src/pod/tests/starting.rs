//! From a bound pod to a running one, and what can come in between.

use super::model::Model;
use super::{print, tree};
use crate::pod::Memory;
use crate::pod::admit::{admit, is_due};

const ONE: &str =
    r#"{"containers":[{"name":"a","image":"i:1","imagePullPolicy":"IfNotPresent"}],"restartPolicy":"Always"}"#;

#[test]
fn a_plain_pod() {
    let mut model = Model::new(ONE);
    let made = model.settle();
    assert_eq!(
        model.take_log(),
        [
            "volumes",
            "sandbox 0",
            "Pulling: Pulling image \"i:1\"",
            "pull i:1",
            "Pulled: Successfully pulled image \"i:1\" in 0s (0s including waiting). Image size: 7 bytes.",
            "start a 0",
            "Created: Container created",
            "Started: Container started",
        ]
    );
    assert_eq!((made.again_after, made.finished), (None, false));
    assert_eq!(
        print(&made.status),
        concat!(
            r#"{"conditions":["#,
            r#"{"lastTransitionTime":"2027-01-15T08:00:05Z","observedGeneration":1,"status":"True","type":"PodReadyToStartContainers"},"#,
            r#"{"lastTransitionTime":"2027-01-15T08:00:05Z","observedGeneration":1,"status":"True","type":"Initialized"},"#,
            r#"{"lastTransitionTime":"2027-01-15T08:00:05Z","observedGeneration":1,"status":"True","type":"Ready"},"#,
            r#"{"lastTransitionTime":"2027-01-15T08:00:05Z","observedGeneration":1,"status":"True","type":"ContainersReady"},"#,
            r#"{"lastTransitionTime":"2027-01-15T08:00:05Z","observedGeneration":1,"status":"True","type":"PodScheduled"}],"#,
            r#""containerStatuses":[{"containerID":"x://1","image":"i:1","imageID":"id-i:1","name":"a","ready":true,"#,
            r#""resources":{},"restartCount":0,"started":true,"state":{"running":{"startedAt":"2027-01-15T08:00:05Z"}}}],"#,
            r#""hostIP":"10.0.0.1","hostIPs":[{"ip":"10.0.0.1"}],"observedGeneration":1,"phase":"Running","#,
            r#""podIP":"10.1.0.1","podIPs":[{"ip":"10.1.0.1"}],"qosClass":"BestEffort","resources":{},"#,
            r#""startTime":"2027-01-15T08:00:05Z"}"#,
        )
    );
}

#[test]
fn while_nothing_runs_yet() {
    let mut model = Model::new(ONE);
    model.hanging = vec!["sandbox"];
    model.settle();
    assert_eq!(model.status(&["phase"]), r#""Pending""#);
    assert_eq!(model.condition("PodReadyToStartContainers"), "False PodSandboxNotReady no pod sandbox exists");
    assert_eq!(model.condition("Ready"), "False ContainersNotReady containers with unready status: [a]");
    assert_eq!(
        print(&model.container("a")),
        r#"{"image":"i:1","imageID":"","name":"a","ready":false,"restartCount":0,"started":false,"state":{"waiting":{"reason":"ContainerCreating"}}}"#
    );
    model.release();
    model.settle();
    assert_eq!(model.status(&["phase"]), r#""Running""#);
}

#[test]
fn present_images_and_policies() {
    let cases = [
        ("Never", true, "Pulled: Container image \"i:1\" already present on machine and can be accessed by the pod"),
        (
            "IfNotPresent",
            true,
            "Pulled: Container image \"i:1\" already present on machine and can be accessed by the pod",
        ),
        ("Always", true, "Pulling: Pulling image \"i:1\""),
        ("Never", false, "!ErrImageNeverPull: Container image \"i:1\" is not present with pull policy of Never"),
        ("IfNotPresent", false, "Pulling: Pulling image \"i:1\""),
    ];
    for (policy, present, event) in cases {
        let spec = format!(r#"{{"containers":[{{"name":"a","image":"i:1","imagePullPolicy":"{policy}"}}]}}"#);
        let mut model = Model::new(&spec);
        if present {
            model = model.with_image("i:1");
        }
        model.settle();
        assert_eq!(model.log.get(2).map(String::as_str), Some(event), "{policy} {present}");
    }
}

#[test]
fn images_that_cannot_be_pulled() {
    let mut model = Model::new(ONE).fails("pull", "", "no such image");
    model.settle();
    let waiting = |model: &Model| print(model.container("a").at(&["state", "waiting"]).unwrap());
    assert_eq!(waiting(&model), r#"{"message":"no such image","reason":"ErrImagePull"}"#);
    assert_eq!(
        model.take_log().split_off(2),
        [
            "Pulling: Pulling image \"i:1\"",
            "pull i:1",
            "!Failed: Failed to pull image \"i:1\": no such image",
            "!Failed: Error: ErrImagePull",
        ]
    );
    model.pass(6_000);
    assert_eq!(
        waiting(&model),
        r#"{"message":"Back-off pulling image \"i:1\": ErrImagePull: no such image","reason":"ImagePullBackOff"}"#
    );
    assert_eq!(model.take_log(), ["BackOff: Back-off pulling image \"i:1\"", "!Failed: Error: ImagePullBackOff"]);
    model.pass(4_000);
    assert_eq!(model.take_log().get(1).map(String::as_str), Some("pull i:1"));
    model.pass(19_000);
    assert_eq!(model.take_log().len(), 2);
    model.failures.clear();
    model.pass(1_000);
    assert_eq!(model.status(&["phase"]), r#""Running""#);
}

#[test]
fn wrong_image_names() {
    let mut model = Model::new(r#"{"containers":[{"name":"a","image":"INVALID!","imagePullPolicy":"Always"}]}"#);
    model.pass(60_000);
    let waiting = model.container("a").at(&["state", "waiting"]).cloned().unwrap();
    let message = "Failed to apply default image tag \"INVALID!\": couldn't parse image name \"INVALID!\": invalid \
                   reference format: repository name must be lowercase";
    assert_eq!((waiting.text_at(&["reason"]), waiting.text_at(&["message"])), ("InvalidImageName", message));
    let expected = [format!("!InspectFailed: {message}"), "!Failed: Error: InvalidImageName".to_owned()];
    assert_eq!(model.take_log().split_off(2), expected);
}

#[test]
fn starts_that_fail() {
    let mut model = Model::new(ONE).with_image("i:1").fails("start", "CreateContainerConfigError", "no config map");
    model.settle();
    let waiting = print(model.container("a").at(&["state", "waiting"]).unwrap());
    assert_eq!(waiting, r#"{"message":"no config map","reason":"CreateContainerConfigError"}"#);
    assert_eq!(model.take_log().last().map(String::as_str), Some("!Failed: Error: no config map"));
    model.failures.clear();
    model.pass(9_999);
    assert!(model.take_log().is_empty());
    model.pass(1);
    assert_eq!(model.status(&["phase"]), r#""Running""#);
    assert_eq!(model.container("a").at(&["restartCount"]).unwrap().as_int(), Some(0));
}

#[test]
fn sandboxes_and_volumes_that_fail() {
    let mut model = Model::new(ONE).fails("sandbox", "", "no network").fails("volumes", "", "no disk");
    model.settle();
    assert_eq!(model.take_log(), ["volumes", "!FailedMount: no disk"]);
    model.failures.remove("volumes");
    model.pass(500);
    assert_eq!(
        model.take_log(),
        ["volumes", "sandbox 0", "!FailedCreatePodSandBox: Failed to create pod sandbox: no network"]
    );
    model.pass(9_000);
    assert!(model.take_log().is_empty());
    model.failures.clear();
    model.pass(1_000);
    assert_eq!(model.status(&["phase"]), r#""Running""#);
}

#[test]
fn init_containers_in_order() {
    let spec = r#"{"containers":[{"name":"m","image":"i:1"},{"name":"b","image":"i:1"}],"initContainers":[
        {"name":"x","image":"i:1"},{"name":"s","image":"i:1","restartPolicy":"Always"},{"name":"y","image":"i:1"}]}"#;
    let mut model = Model::new(spec).with_image("i:1").behaves("x", 1_000, 0).behaves("y", 1_000, 0);
    let starts = |model: &mut Model| -> Vec<String> {
        model.take_log().into_iter().filter(|line| line.starts_with("start")).collect()
    };
    model.settle();
    assert_eq!(starts(&mut model), ["start x 0"]);
    assert_eq!(
        model.condition("Initialized"),
        "False ContainersNotInitialized containers with incomplete status: [x s y]"
    );
    let waiting = print(model.container("m").at(&["state", "waiting"]).unwrap());
    assert_eq!(waiting, r#"{"reason":"PodInitializing"}"#);
    model.pass(1_000);
    assert_eq!(starts(&mut model), ["start s 0", "start y 0"]);
    assert_eq!(model.condition("Initialized"), "False ContainersNotInitialized containers with incomplete status: [y]");
    model.pass(1_000);
    assert_eq!(starts(&mut model), ["start m 0", "start b 0"]);
    assert_eq!(model.condition("Initialized"), "True");
    assert_eq!(model.status(&["phase"]), r#""Running""#);
    let names: Vec<_> =
        model.pod.at(&["status", "containerStatuses"]).unwrap().items().iter().map(|c| c.text_at(&["name"])).collect();
    assert_eq!(names, ["b", "m"]);
}

#[test]
fn init_containers_that_fail() {
    let spec = |policy: &str| {
        format!(
            r#"{{"restartPolicy":"{policy}","containers":[{{"name":"m","image":"i:1"}}],
                "initContainers":[{{"name":"x","image":"i:1"}}]}}"#
        )
    };
    let mut model = Model::new(&spec("Never")).with_image("i:1").behaves("x", 1_000, 1);
    let made = model.pass(2_000);
    assert!(made.finished);
    assert_eq!(model.status(&["phase"]), r#""Failed""#);
    assert_eq!(model.condition("Ready"), "False PodFailed");
    let mut model = Model::new(&spec("Always")).with_image("i:1").behaves("x", 1_000, 1);
    model.pass(3_000);
    assert_eq!(model.status(&["phase"]), r#""Pending""#);
    let waiting = model.container("x").at(&["state", "waiting"]).cloned().unwrap();
    assert_eq!(waiting.text_at(&["reason"]), "CrashLoopBackOff");
}

#[test]
fn hooks_hold_back_what_comes_after() {
    let spec = r#"{"containers":[
        {"name":"a","image":"i:1","lifecycle":{"postStart":{"exec":{"command":["x"]}}}},{"name":"b","image":"i:1"}]}"#;
    let mut model = Model::new(spec).with_image("i:1");
    model.hanging = vec!["hook"];
    model.settle();
    assert_eq!(model.take_log().last().map(String::as_str), Some("hook a postStart hangs"));
    let waiting = print(model.container("a").at(&["state", "waiting"]).unwrap());
    assert_eq!(waiting, r#"{"reason":"ContainerCreating"}"#);
    model.release();
    model.settle();
    assert_eq!(model.status(&["phase"]), r#""Running""#);
    let mut model = Model::new(spec).with_image("i:1");
    model.answers("a", "postStart", false, "went wrong");
    model.settle();
    let log = model.take_log();
    assert!(log.contains(&"!FailedPostStartHook: PostStartHook failed".to_owned()), "{log:#?}");
    assert!(log.contains(&"Killing: FailedPostStartHook".to_owned()), "{log:#?}");
}

#[test]
fn fields_that_are_not_honoured() {
    let mut model = Model::new(r#"{"runtimeClassName":"x","containers":[{"name":"a","image":"i:1"}]}"#);
    model.pass(60_000);
    assert_eq!(model.take_log(), ["!UnsupportedField: this node does not support spec.runtimeClassName"]);
    let waiting = model.container("a").at(&["state", "waiting"]).cloned().unwrap();
    assert_eq!(waiting.text_at(&["reason"]), "UnsupportedField");
    assert_eq!(model.status(&["phase"]), r#""Pending""#);
    model.delete(30);
    model.settle();
    assert!(model.deleted);
}

#[test]
fn pods_that_the_node_does_not_take() {
    let mut model = Model::new(ONE);
    assert!(is_due(&model.pod));
    let node = tree(r#"{"metadata":{"name":"n"},"status":{"allocatable":{"pods":"0"}}}"#);
    model.memory = Memory::rejected(admit(&model.pod, &node, &[]).unwrap_err());
    let made = model.settle();
    let message = "Node didn't have enough resource: pods, requested: 1, used: 0, capacity: 0";
    assert_eq!(model.take_log(), [format!("!OutOfpods: {message}")]);
    assert_eq!(made.status.text_at(&["message"]), format!("Pod was rejected: {message}"));
    assert_eq!((made.status.text_at(&["phase"]), made.finished), ("Failed", true));
    assert!(!is_due(&model.pod));
    model.delete(30);
    model.settle();
    assert!(model.deleted);
}
