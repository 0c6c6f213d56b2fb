use coracle_apimachinery::json::{decode_any, encode_any};
use coracle_apimachinery::patch::merge_patch;
use coracle_client::Operation;

use super::*;
use crate::node::{OwnCondition, Pressure, Taint};

const NOW: Instant = Instant { seconds: 1_000_000_000, micros: 5 };

fn machine() -> Machine {
    let text = str::to_owned;
    Machine {
        name: text("n"),
        hostname: text("h"),
        addresses: vec![text("10.0.0.1"), text("fd00::1")],
        architecture: text("amd64"),
        kernel_version: text("6.12.1"),
        os_image: text("Coracle 0.1"),
        container_runtime_version: text("coracle://0.1.0"),
        kubelet_version: text("v1.37.2+coracle"),
        machine_id: text("m"),
        system_uuid: text("s"),
        boot_id: text("b"),
        cpus: 4,
        memory: 8 << 30,
        storage: 100 << 30,
        pods: 110,
        port: 10250,
        labels: vec![(text("example.com/board"), text("x"))],
        supplemental_groups_policy: Some(true),
        ..Machine::default()
    }
}

fn print(tree: &Value) -> String {
    String::from_utf8(encode_any(tree)).unwrap()
}

/// The object after a write, as the API would keep it.
fn written(before: Option<&Value>, write: &Write) -> Value {
    match &write.operation {
        Operation::Create(node) => {
            let uid = r#"{"metadata":{"uid":"u","resourceVersion":"1"},"spec":{"podCIDR":"10.244.0.0/24"}}"#;
            merge_patch(node.clone(), &decode_any(uid.as_bytes()).unwrap())
        }
        Operation::Patch(PatchKind::Merge, patch) => merge_patch(before.unwrap().clone(), patch),
        other => panic!("{other:?}"),
    }
}

fn registered() -> Value {
    let plan = plan_node(&machine(), None, true, NOW);
    written(None, &plan.write.unwrap())
}

fn reasons(plan: &Plan) -> Vec<&'static str> {
    plan.news.iter().map(|news| news.reason).collect()
}

fn later(seconds: i64) -> Instant {
    Instant { seconds: NOW.seconds + seconds, micros: 0 }
}

#[test]
fn a_machine_registers() {
    let plan = plan_node(&machine(), None, true, NOW);
    let condition = |of: &str, status: &str, reason: &str, message: &str| {
        format!(
            r#"{{"lastHeartbeatTime":"2001-09-09T01:46:40Z","lastTransitionTime":"2001-09-09T01:46:40Z","message":"{message}","reason":"{reason}","status":"{status}","type":"{of}"}}"#
        )
    };
    let conditions = [
        condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ];
    let amounts = r#"{"cpu":"4","ephemeral-storage":"100Gi","memory":"8Gi","pods":"110"}"#;
    let expected = [
        r#"{"apiVersion":"v1","kind":"Node","metadata":{"#,
        r#""annotations":{"volumes.kubernetes.io/controller-managed-attach-detach":"true"},"#,
        r#""labels":{"beta.kubernetes.io/arch":"amd64","beta.kubernetes.io/os":"linux","example.com/board":"x","#,
        r#""kubernetes.io/arch":"amd64","kubernetes.io/hostname":"h","kubernetes.io/os":"linux"},"name":"n"},"#,
        r#""status":{"addresses":[{"address":"10.0.0.1","type":"InternalIP"},"#,
        r#"{"address":"fd00::1","type":"InternalIP"},{"address":"h","type":"Hostname"}],"#,
        r#""allocatable":"#,
        amounts,
        r#","capacity":"#,
        amounts,
        r#","conditions":["#,
        &conditions.join(","),
        r#"],"daemonEndpoints":{"kubeletEndpoint":{"Port":10250}},"features":{"supplementalGroupsPolicy":true},"#,
        r#""nodeInfo":{"architecture":"amd64","bootID":"b","containerRuntimeVersion":"coracle://0.1.0","#,
        r#""kernelVersion":"6.12.1","kubeletVersion":"v1.37.2+coracle","machineID":"m","operatingSystem":"linux","#,
        r#""osImage":"Coracle 0.1","runningInUserNamespace":false,"systemUUID":"s"}}}"#,
    ];
    let Some(Write { operation: Operation::Create(node), .. }) = &plan.write else { panic!("{plan:?}") };
    assert_eq!(print(node), expected.concat());
    assert_eq!(reasons(&plan), ["NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"]);
    assert_eq!(plan.news.first().unwrap().message, "Node n status is now: NodeHasSufficientMemory");
}

#[test]
fn what_is_said_is_not_said_again() {
    let node = registered();
    let quiet = |after: u64| Plan { write: None, news: Vec::new(), again_after: Duration::from_secs(after) };
    assert_eq!(plan_node(&machine(), Some(&node), false, later(0)), quiet(300));
    assert_eq!(plan_node(&machine(), Some(&node), false, later(100)), quiet(200));
    for (first, seconds) in [(true, 100), (false, 300), (false, -1)] {
        let plan = plan_node(&machine(), Some(&node), first, later(seconds));
        let write = plan.write.unwrap();
        assert_eq!((write.name.as_str(), write.subresource), ("n", "status"));
        let after = written(Some(&node), &write);
        assert!(!says_more(&node, &after), "{first} {seconds}");
        assert_eq!(plan_node(&machine(), Some(&after), false, later(seconds)), quiet(300));
        assert_eq!(plan.news, []);
    }
}

#[test]
fn changes_are_reported() {
    type Edit = fn(&mut Machine, &mut Value);
    type Case<'a> = (&'a str, Edit, &'a [&'a str], &'a [&'a str], &'a str);
    let cases: [Case<'_>; 6] = [
        (
            "memory gets short",
            |machine, _| machine.pressure = Pressure { memory: true, ..Pressure::default() },
            &["status", "conditions"],
            &["NodeHasInsufficientMemory"],
            r#""message":"kubelet has insufficient memory available","reason":"KubeletHasInsufficientMemory","status":"True""#,
        ),
        (
            "the runtime fails",
            |machine, _| {
                machine.problems = vec!["container runtime is down".to_owned(), "PLEG is not healthy".to_owned()];
            },
            &["status", "conditions"],
            &["NodeNotReady"],
            r#""message":"[container runtime is down, PLEG is not healthy]","reason":"KubeletNotReady","status":"False""#,
        ),
        (
            "the machine booted",
            |machine, _| machine.boot_id = "c".to_owned(),
            &["status", "nodeInfo"],
            &["Rebooted"],
            r#""bootID":"c""#,
        ),
        (
            "the control plane had lost the node",
            |_, node| edit_condition(node, "Ready", "status", "Unknown"),
            &["status", "conditions"],
            &["NodeReady"],
            r#""lastTransitionTime":"2001-09-09T01:47:40Z","message":"kubelet is posting ready status""#,
        ),
        (
            "somebody took a label that is needed",
            |_, node| {
                let metadata = node.as_object_mut().unwrap().object_mut("metadata");
                metadata.object_mut("labels").remove("kubernetes.io/os");
            },
            &["metadata", "labels"],
            &[],
            r#""kubernetes.io/os":"linux""#,
        ),
        (
            "somebody advertised a resource",
            |_, node| {
                let capacity = node.as_object_mut().unwrap().object_mut("status").object_mut("capacity");
                capacity.insert("example.com/foo".into(), Value::text("5"));
            },
            &["status", "allocatable"],
            &[],
            r#""example.com/foo":"5""#,
        ),
    ];
    for (what, edit, path, told, text) in cases {
        let (mut machine, mut node) = (machine(), registered());
        edit(&mut machine, &mut node);
        let plan = plan_node(&machine, Some(&node), false, later(60));
        let write = plan.write.as_ref().unwrap_or_else(|| panic!("{what}: nothing"));
        let after = written(Some(&node), write);
        assert!(print(after.at(path).unwrap()).contains(text), "{what}: {}", print(&after));
        assert_eq!(reasons(&plan), told, "{what}");
        assert_eq!(plan_node(&machine, Some(&after), false, later(60)).write, None, "{what}");
        assert_eq!(after.text_at(&["spec", "podCIDR"]), "10.244.0.0/24", "{what}");
        // Heartbeats come with every report.
        assert!(
            !print(after.at(&["status", "conditions"]).unwrap()).contains(r#"HeartbeatTime":"2001-09-09T01:46:40Z"#)
        );
    }
}

fn edit_condition(node: &mut Value, of: &str, member: &'static str, text: &str) {
    let status = node.as_object_mut().unwrap().object_mut("status");
    let conditions = status.get_mut("conditions").unwrap().items_mut().unwrap();
    let condition = conditions.iter_mut().find(|condition| condition.text_at(&["type"]) == of).unwrap();
    condition.as_object_mut().unwrap().insert(member.into(), Value::text(text));
}

#[test]
fn labels_of_others_stay() {
    let mut node = registered();
    let metadata = node.as_object_mut().unwrap().object_mut("metadata");
    metadata.object_mut("labels").insert("kubernetes.io/hostname".into(), Value::text("other"));
    metadata.object_mut("labels").insert("mine".into(), Value::text("yes"));
    assert_eq!(plan_node(&machine(), Some(&node), false, later(1)).write, None);
    let after = written(Some(&node), &plan_node(&machine(), Some(&node), true, later(1)).write.unwrap());
    let label = |name: &str| after.text_at(&["metadata", "labels", name]).to_owned();
    assert_eq!((label("kubernetes.io/hostname"), label("mine")), ("h".to_owned(), "yes".to_owned()));
}

#[test]
fn closing_a_node_is_told() {
    let closed = decode_any(br#"{"spec":{"unschedulable":true}}"#).unwrap();
    let reason = |was, node: &Value| schedulable_news(&machine(), was, node).map(|news| news.reason);
    assert_eq!(reason(false, &closed), Some("NodeNotSchedulable"));
    assert_eq!(reason(true, &closed), None);
    assert_eq!(reason(true, &registered()), Some("NodeSchedulable"));
    assert_eq!(reason(false, &registered()), None);
}

#[test]
fn what_changes_on_the_machine_is_written_and_told() {
    let before = registered();
    let mut machine = machine();
    machine.addresses = vec!["10.0.0.2".to_owned()];
    let own =
        |holds, reason, message: &str| OwnCondition { of: "ConfigInvalid", holds, reason, message: message.to_owned() };
    machine.conditions = vec![own(true, "UnknownKey", "line 3: no key \"hostnme\"")];
    let plan = plan_node(&machine, Some(&before), false, NOW);
    assert_eq!(reasons(&plan), ["UnknownKey"]);
    let node = written(Some(&before), &plan.write.unwrap());
    let text = print(&node);
    assert!(text.contains("10.0.0.2") && !text.contains("10.0.0.1") && text.contains("no key"), "{text}");

    assert_eq!(plan_node(&machine, Some(&node), false, NOW).write, None);
    machine.conditions = vec![own(false, "ConfigurationValid", "")];
    let plan = plan_node(&machine, Some(&node), false, NOW);
    assert_eq!(reasons(&plan), ["ConfigurationValid"]);
    // A machine that never had the problem tells nothing of it.
    assert!(reasons(&plan_node(&machine, Some(&before), false, NOW)).is_empty());
}

#[test]
fn a_new_node_has_the_labels_and_taints_of_its_configuration() {
    let mut machine = machine();
    machine.taints = vec![Taint { key: "edge".to_owned(), value: String::new(), effect: "NoSchedule".to_owned() }];
    let node = written(None, &plan_node(&machine, None, true, NOW).write.unwrap());
    assert!(print(&node).contains(r#""taints":[{"effect":"NoSchedule","key":"edge"}]"#), "{}", print(&node));
    assert_eq!(node.text_at(&["metadata", "labels", "example.com/board"]), "x");
    // What an administrator takes away later stays away.
    let plan = plan_node(&machine, Some(&registered()), false, NOW);
    assert_eq!(plan.write, None);
}
