//! Statuses from what the runtime reports and what was reported before.

use super::differs;
use crate::pod::tests::{print, tree};
use crate::pod::{Host, Memory, Now, plan};
use crate::runtime::{Container, Exit, Observed, Sandbox, State, User};
use coracle_apimachinery::Value;
use coracle_apimachinery::time::Instant;

const NOW: Now = Now { wall: Instant { seconds: 1_800_000_000, micros: 0 }, ms: 1_000 };

fn host() -> Host {
    Host { ips: vec!["10.0.0.1".to_owned(), "fd00::1".to_owned()], all_volumes: true }
}

fn sandbox() -> Sandbox {
    let created = Instant { seconds: 1_799_999_000, micros: 0 };
    Sandbox { id: "s".to_owned(), attempt: 0, ips: vec!["10.1.0.9".to_owned()], created, ready: true }
}

fn container(name: &str, attempt: u32, state: State) -> Container {
    Container {
        id: format!("x://{name}{attempt}"),
        name: name.to_owned(),
        attempt,
        image: "docker.io/library/i:1".to_owned(),
        asked: "i:1".to_owned(),
        sandbox: 0,
        image_id: "sha256:1".to_owned(),
        created: Instant { seconds: 1_799_999_100 + i64::from(attempt), micros: 0 },
        user: None,
        state,
    }
}

fn exited(code: i32) -> State {
    let (started, finished) =
        (Instant { seconds: 1_799_999_101, micros: 0 }, Instant { seconds: 1_799_999_999, micros: 0 });
    let reason = if code == 0 { "Completed" } else { "Error" }.to_owned();
    State::Exited(Exit { started, finished, exit_code: code, signal: 0, reason, message: "bye".to_owned() })
}

fn running() -> State {
    State::Running { started: Instant { seconds: 1_799_999_200, micros: 0 } }
}

fn status(spec: &str, old: &str, observed: &Observed) -> Value {
    let pod =
        tree(&format!(r#"{{"metadata":{{"name":"p","namespace":"ns","uid":"u"}},"spec":{spec},"status":{old}}}"#));
    plan(&pod, observed, &mut Memory::default(), &host(), NOW).status
}

fn of(status: &Value, list: &str, name: &str, path: &[&str]) -> String {
    let items = status.at(&[list]).map(Value::items).unwrap_or_default();
    let entry = items.iter().find(|entry| entry.text_at(&["name"]) == name);
    entry.and_then(|entry| entry.at(path)).map(print).unwrap_or_default()
}

#[test]
fn everything_about_a_container() {
    let spec = r#"{"containers":[{"name":"a","image":"i:1","resources":{"requests":{"cpu":"1"},"limits":{"cpu":"2"}},
        "volumeMounts":[{"name":"v","mountPath":"/v","readOnly":true},{"name":"w","mountPath":"/w"}]}]}"#;
    let mut now = container("a", 1, running());
    now.user = Some(User { uid: 0, gid: 5, groups: vec![0, 5] });
    let containers = vec![now, container("a", 0, exited(3))];
    let observed = Observed { volumes: true, sandbox: Some(sandbox()), containers, images: Vec::new() };
    let status = status(spec, "{}", &observed);
    assert_eq!(
        print(status.at(&["containerStatuses"]).unwrap()),
        concat!(
            r#"[{"allocatedResources":{"cpu":"1"},"containerID":"x://a1","image":"docker.io/library/i:1","#,
            r#""imageID":"sha256:1","lastState":{"terminated":{"containerID":"x://a0","exitCode":3,"#,
            r#""finishedAt":"2027-01-15T07:59:59Z","message":"bye","reason":"Error","startedAt":"2027-01-15T07:45:01Z"}},"#,
            r#""name":"a","ready":true,"resources":{"limits":{"cpu":"2"},"requests":{"cpu":"1"}},"restartCount":1,"#,
            r#""started":true,"state":{"running":{"startedAt":"2027-01-15T07:46:40Z"}},"#,
            r#""user":{"linux":{"gid":5,"supplementalGroups":[0,5],"uid":0}},"#,
            r#""volumeMounts":[{"mountPath":"/v","name":"v","readOnly":true,"recursiveReadOnly":"Disabled"},"#,
            r#"{"mountPath":"/w","name":"w"}]}]"#,
        )
    );
    assert_eq!(status.at(&["allocatedResources"]).map(print).unwrap(), r#"{"cpu":"1"}"#);
    assert_eq!(status.text_at(&["qosClass"]), "Burstable");
    assert_eq!(status.at(&["hostIPs"]).map(print).unwrap(), r#"[{"ip":"10.0.0.1"},{"ip":"fd00::1"}]"#);
}

#[test]
fn host_network() {
    let spec = r#"{"hostNetwork":true,"containers":[{"name":"a","image":"i:1"}]}"#;
    let bare = Sandbox { ips: Vec::new(), ..sandbox() };
    let containers = vec![container("a", 0, running())];
    let observed = Observed { volumes: true, sandbox: Some(bare), containers, images: Vec::new() };
    let status = status(spec, "{}", &observed);
    assert_eq!(status.text_at(&["podIP"]), "10.0.0.1");
    assert_eq!(status.at(&["podIPs"]).map(print).unwrap(), r#"[{"ip":"10.0.0.1"},{"ip":"fd00::1"}]"#);
    assert_eq!(status.text_at(&["phase"]), "Running");
}

/// What is made of a container that the runtime has lost, by its old status.
#[test]
fn lost_containers() {
    let spec = r#"{"restartPolicy":"Always","containers":[{"name":"a","image":"i:1"}]}"#;
    let observed = Observed { volumes: true, sandbox: Some(sandbox()), ..Observed::default() };
    let cases = [
        (r#""state":{"waiting":{"reason":"X"}},"restartCount":2"#, "waiting", 2, ""),
        (
            r#""state":{"running":{"startedAt":"2027-01-15T07:46:40Z"}},"restartCount":2"#,
            "waiting",
            3,
            concat!(
                r#"{"terminated":{"exitCode":137,"message":"The container could not be located when the pod was deleted.  "#,
                r#"The container used to be Running","reason":"ContainerStatusUnknown"}}"#
            ),
        ),
        (r#""state":{"terminated":{"exitCode":1}},"restartCount":2"#, "terminated", 2, ""),
    ];
    for (old, state, count, last) in cases {
        let old = format!(r#"{{"containerStatuses":[{{"name":"a",{old}}}]}}"#);
        let status = status(spec, &old, &observed);
        assert!(!of(&status, "containerStatuses", "a", &["state", state]).is_empty(), "{old}");
        assert_eq!(of(&status, "containerStatuses", "a", &["restartCount"]), count.to_string(), "{old}");
        assert_eq!(of(&status, "containerStatuses", "a", &["lastState"]), last, "{old}");
    }
}

#[test]
fn forgotten_init_containers_count_as_done() {
    let spec = r#"{"containers":[{"name":"a","image":"i:1"}],"initContainers":[{"name":"x","image":"i:1"}]}"#;
    let containers = vec![container("a", 0, running())];
    let observed = Observed { volumes: true, sandbox: Some(sandbox()), containers, images: Vec::new() };
    let status = status(spec, "{}", &observed);
    assert_eq!(of(&status, "initContainerStatuses", "x", &["state", "terminated", "reason"]), r#""Completed""#);
    assert_eq!(of(&status, "initContainerStatuses", "x", &["ready"]), "true");
    assert_eq!(status.text_at(&["phase"]), "Running");
}

#[test]
fn conditions_keep_their_times_and_others_stay() {
    let spec = r#"{"containers":[{"name":"a","image":"i:1"}]}"#;
    let old = r#"{"startTime":"2020-01-01T00:00:00Z","conditions":[
        {"type":"DisruptionTarget","status":"True"},
        {"type":"Ready","status":"True","lastTransitionTime":"2020-01-01T00:00:01Z"},
        {"type":"ContainersReady","status":"False","lastTransitionTime":"2020-01-01T00:00:01Z"},
        {"type":"x/y","status":"Unknown"}]}"#;
    let containers = vec![container("a", 0, running())];
    let observed = Observed { volumes: true, sandbox: Some(sandbox()), containers, images: Vec::new() };
    let status = status(spec, old, &observed);
    let conditions: Vec<String> = status.at(&["conditions"]).unwrap().items().iter().map(print).collect();
    assert_eq!(
        conditions,
        [
            r#"{"status":"True","type":"DisruptionTarget"}"#,
            r#"{"status":"Unknown","type":"x/y"}"#,
            r#"{"lastTransitionTime":"2027-01-15T08:00:00Z","status":"True","type":"PodReadyToStartContainers"}"#,
            r#"{"lastTransitionTime":"2027-01-15T08:00:00Z","status":"True","type":"Initialized"}"#,
            r#"{"lastTransitionTime":"2020-01-01T00:00:01Z","status":"True","type":"Ready"}"#,
            r#"{"lastTransitionTime":"2027-01-15T08:00:00Z","status":"True","type":"ContainersReady"}"#,
            r#"{"lastTransitionTime":"2027-01-15T08:00:00Z","status":"True","type":"PodScheduled"}"#,
        ]
    );
    assert_eq!(status.text_at(&["startTime"]), "2020-01-01T00:00:00Z");
}

#[test]
fn rejections() {
    let pod = tree(
        r#"{"metadata":{"generation":2},"spec":{"containers":[{"name":"a"}]},
            "status":{"phase":"Pending","qosClass":"BestEffort","conditions":[{"type":"PodScheduled","status":"True"}]}}"#,
    );
    let node = tree(r#"{"metadata":{"name":"n"},"status":{"allocatable":{"pods":"0"}}}"#);
    let rejection = crate::pod::admit::admit(&pod, &node, &[]).unwrap_err();
    assert_eq!(
        print(&rejection.status(&pod, NOW)),
        concat!(
            r#"{"message":"Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 0, "#,
            r#"capacity: 0","observedGeneration":2,"phase":"Failed","qosClass":"BestEffort","reason":"OutOfpods","#,
            r#""startTime":"2027-01-15T08:00:00Z"}"#
        )
    );
    let event = rejection.event();
    assert_eq!((event.warning, event.reason), (true, "OutOfpods"));
}

#[test]
fn differences() {
    let cases = [
        ("{}", "{}", false),
        (r#"{"a":0,"b":false,"c":""}"#, "{}", false),
        (r#"{"a":[{"b":0}]}"#, r#"{"a":[{}]}"#, false),
        (r#"{"a":1}"#, "{}", true),
        (r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, true),
        (r#"{"a":{"b":"x"}}"#, r#"{"a":{"b":"y"}}"#, true),
    ];
    for (left, right, expected) in cases {
        assert_eq!(differs(&tree(left), &tree(right)), expected, "{left} {right}");
        assert_eq!(differs(&tree(right), &tree(left)), expected, "{right} {left}");
    }
}
