//! The rules of a pod's status; the expected cells are those of the real server.

use super::{now, object};
use crate::table::{Printer, cells};
use coracle_apimachinery::Value;

/// Parts of container statuses that `pod` expands.
const SHORT: [(&str, &str); 8] = [
    ("RUN", r#""state":{"running":{}}"#),
    ("DONE", r#""state":{"terminated":{"exitCode":0,"reason":"Completed"}}"#),
    ("ERROR", r#""state":{"terminated":{"exitCode":2,"reason":"Error"}}"#),
    ("CODE", r#""state":{"terminated":{"exitCode":3}}"#),
    ("SIGNAL", r#""state":{"terminated":{"exitCode":137,"signal":9}}"#),
    ("CRASH", r#""state":{"waiting":{"reason":"CrashLoopBackOff"}}"#),
    ("STARTING", r#""state":{"waiting":{"reason":"PodInitializing"}}"#),
    ("LAST", r#""lastState":{"terminated":{"exitCode":1,"finishedAt":"2001-02-03T04:55:00Z"}}"#),
];

/// A pod of the containers `a` and `b` and, if it has init statuses, of the init container `x` and the sidecar `side`.
fn pod(metadata: &str, spec: &str, status: &str, init: &str, main: &str) -> Value {
    let named = |names: [&str; 2], statuses: &str| {
        let statuses = statuses.split(';').filter(|status| !status.is_empty()).zip(names);
        let statuses: Vec<String> = statuses.map(|(of, name)| format!(r#"{{"name":"{name}",{of}}}"#)).collect();
        SHORT.iter().fold(statuses.join(","), |text, (short, long)| text.replace(short, long))
    };
    let initial = match init {
        "" => "",
        _ => r#""initContainers":[{"name":"x"},{"name":"side","restartPolicy":"Always"}],"#,
    };
    let comma = |text: &str| if text.is_empty() { String::new() } else { format!("{text},") };
    object(&format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{{}"creationTimestamp":"2001-02-03T04:00:00Z","name":"p"}},
        "spec":{{{initial}{}"containers":[{{"name":"a"}},{{"name":"b"}}]}},"status":{{{}"initContainerStatuses":[{}],
        "containerStatuses":[{}]}}}}"#,
        comma(metadata),
        comma(spec),
        comma(status),
        named(["x", "side"], init),
        named(["a", "b"], main)
    ))
}

fn texts(cells: &[Value]) -> Vec<&str> {
    cells.iter().map(|cell| cell.as_str().unwrap()).collect()
}

#[test]
fn status_of_main_containers() {
    const READY: &str = r#""phase":"Running","conditions":[{"type":"Ready","status":"True"}]"#;
    const RUNNING: &str = r#""phase":"Running""#;
    const FAILED: &str = r#""phase":"Failed""#;
    for (status, main, expected) in [
        (r#""phase":"Pending""#, "", ["0/2", "Pending", "0"]),
        (
            READY,
            r#""ready":true,"restartCount":2,RUN,LAST;"ready":true,"restartCount":1,RUN"#,
            ["2/2", "Running", "3 (5m ago)"],
        ),
        (RUNNING, r#""ready":true,"restartCount":2,RUN;"ready":true,RUN"#, ["2/2", "Running", "2"]),
        (RUNNING, r#""restartCount":0,RUN,LAST;RUN"#, ["0/2", "Running", "0"]),
        (RUNNING, r#""restartCount":5,CRASH;"ready":true,RUN"#, ["1/2", "CrashLoopBackOff", "5"]),
        (RUNNING, r#"CODE;"ready":true,RUN"#, ["1/2", "ExitCode:3", "0"]),
        (FAILED, "SIGNAL;DONE", ["0/2", "Signal:9", "0"]),
        (r#""phase":"Succeeded""#, "DONE;DONE", ["0/2", "Completed", "0"]),
        (READY, r#"DONE;"ready":true,RUN"#, ["1/2", "Running", "0"]),
        (RUNNING, r#"DONE;"ready":true,RUN"#, ["1/2", "NotReady", "0"]),
        (RUNNING, "DONE;ERROR", ["0/2", "Error", "0"]),
        (r#""phase":"Failed","reason":"Evicted""#, "", ["0/2", "Evicted", "0"]),
        (
            r#""phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"SchedulingGated"}]"#,
            "",
            ["0/2", "SchedulingGated", "0"],
        ),
    ] {
        let cells = cells("", "pods", &pod("", "", status, "", main), now());
        assert_eq!(texts(&cells)[1..4], expected, "{status} {main}");
    }
}

#[test]
fn status_of_init_containers() {
    const INITIALIZED: &str = r#""phase":"Running","conditions":[{"type":"Initialized","status":"True"}]"#;
    const PENDING: &str = r#""phase":"Pending""#;
    const UP: &str = r#""ready":true,RUN;"ready":true,"restartCount":4,RUN"#;
    for (status, init, main, expected) in [
        (PENDING, r#"RUN;"ready":false"#, "", ["0/3", "Init:0/2", "0"]),
        (
            PENDING,
            r#""restartCount":1,DONE,LAST;"restartCount":2,"started":false,RUN"#,
            "",
            ["0/3", "Init:1/2", "3 (5m ago)"],
        ),
        (PENDING, r#""restartCount":3,CODE;"ready":false"#, "", ["0/3", "Init:ExitCode:3", "3"]),
        (PENDING, r#"SIGNAL;"ready":false"#, "", ["0/3", "Init:Signal:9", "0"]),
        (PENDING, r#"ERROR;"ready":false"#, "", ["0/3", "Init:Error", "0"]),
        (PENDING, r#""restartCount":2,CRASH;"ready":false"#, "", ["0/3", "Init:CrashLoopBackOff", "2"]),
        (PENDING, r#"STARTING;"ready":false"#, "", ["0/3", "Init:0/2", "0"]),
        // Only the restarts of the sidecar count once the pod is initialised.
        (
            INITIALIZED,
            r#""restartCount":1,DONE;"restartCount":2,"ready":true,"started":true,RUN,LAST"#,
            UP,
            ["3/3", "Running", "6 (5m ago)"],
        ),
        // A sidecar that does not start again names the status, whatever the others do.
        (INITIALIZED, r#"DONE;"restartCount":2,CRASH"#, UP, ["2/3", "Init:CrashLoopBackOff", "6"]),
    ] {
        let cells = cells("", "pods", &pod("", "", status, init, main), now());
        assert_eq!(texts(&cells)[1..4], expected, "{status} {init}");
    }
}

#[test]
fn an_ending_pod_terminates_unless_it_has_ended() {
    const ENDING: &str = r#""deletionTimestamp":"2001-02-03T04:00:00Z""#;
    for (status, expected) in [
        (r#""phase":"Running""#, "Terminating"),
        (r#""phase":"Running","reason":"NodeLost""#, "Unknown"),
        (r#""phase":"Failed""#, "Failed"),
        (r#""phase":"Succeeded""#, "Succeeded"),
    ] {
        let cells = cells("", "pods", &pod(ENDING, "", status, "", ""), now());
        assert_eq!(texts(&cells)[2], expected, "{status}");
    }
}

#[test]
fn wide_cells() {
    let nothing = pod("", "", "", "", "");
    assert_eq!(texts(&cells("", "pods", &nothing, now()))[4..], ["60m", "<none>", "<none>", "<none>", "<none>"]);
    let spec = r#""nodeName":"n","readinessGates":[{"conditionType":"a"},{"conditionType":"b"},{"conditionType":"c"}]"#;
    let status = r#""podIPs":[{"ip":"10.0.0.1"},{"ip":"fd00::1"}],"nominatedNodeName":"nn",
        "conditions":[{"type":"a","status":"True"},{"type":"b","status":"False"}]"#;
    let all = pod("", spec, status, "", "");
    assert_eq!(texts(&cells("", "pods", &all, now()))[4..], ["60m", "10.0.0.1", "n", "nn", "1/3"]);
}

#[test]
fn a_pod_that_has_ended_has_a_condition_in_its_row() {
    let conditions = |status: &str| Printer::of("", "pods").conditions(&pod("", "", status, "", ""));
    assert_eq!(conditions(r#""phase":"Running""#), []);
    for (phase, message) in [("Succeeded", "The pod has completed successfully."), ("Failed", "The pod failed.")] {
        let conditions = conditions(&format!(r#""phase":"{phase}""#));
        let [condition] = &conditions[..] else { panic!("{conditions:?}") };
        let members = ["type", "status", "reason", "message"].map(|member| condition.text_at(&[member]));
        assert_eq!(members, ["Completed", "True", phase, message]);
    }
}
