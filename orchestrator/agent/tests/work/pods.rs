//! Pods on fake nodes.

use std::time::Duration;

use coracle_agent::runtime::Runtime;
use coracle_apimachinery::Value;
use coracle_client::resources::{CONFIG_MAPS, PODS};
use coracle_client::{Client, Write, object};
use tokio::time::timeout;

use crate::cluster::{Cluster, container, phase, restarts, tree};

fn is_ready(pod: &Value) -> bool {
    phase(pod) == "Running" && object::is_true(pod, "Ready")
}

fn waits_for(pod: &Value) -> &str {
    container(pod).text_at(&["state", "waiting", "reason"])
}

/// Lets time pass.
async fn pass(seconds: u64) {
    assert!(timeout(Duration::from_secs(seconds), std::future::pending::<()>()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_pod_becomes_ready() {
    let (cluster, _node) = Cluster::with_node("n").await;
    cluster.pod("n", "a", &[], "{}").await;
    let pod = cluster.until("a", is_ready).await;
    assert_eq!(pod.text_at(&["status", "podIP"]), "10.244.0.2");
    assert_eq!(pod.text_at(&["status", "hostIP"]), "10.0.0.1");
    assert_eq!((restarts(&pod), object::flag(container(&pod), &["ready"])), (0, true));
    assert_eq!(pod.at(&["status", "observedGeneration"]).and_then(Value::as_int), Some(1));
    for wanted in ["Normal Created:", "Normal Started:"] {
        assert!(cluster.told("a").iter().any(|line| line.starts_with(wanted)), "{:?}", cluster.told("a"));
    }
    // Nothing is written while nothing happens.
    let before = cluster.statuses("a");
    pass(300).await;
    assert_eq!(cluster.statuses("a"), before);
}

#[tokio::test(start_paused = true)]
async fn an_image_takes_its_time() {
    let (cluster, _node) = Cluster::with_node("n").await;
    cluster.pod("n", "a", &[("image-delay", "20s")], "{}").await;
    let pod = cluster.until("a", |pod| waits_for(pod) == "ContainerCreating").await;
    assert_eq!((phase(&pod), cluster.seconds()), ("Pending", 0));
    cluster.until("a", is_ready).await;
    assert_eq!(cluster.seconds(), 20);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_fails_is_tried_again_later() {
    let (cluster, _node) = Cluster::with_node("n").await;
    cluster.pod("n", "a", &[("image-failure", "no such image")], "{}").await;
    let pod = cluster.until("a", |pod| waits_for(pod) == "ErrImagePull").await;
    assert!(container(&pod).text_at(&["state", "waiting", "message"]).contains("no such image"));
    cluster.until("a", |pod| waits_for(pod) == "ImagePullBackOff").await;
    let pulls = || cluster.told("a").iter().filter(|line| line.starts_with("Normal Pulling")).count();
    let before = pulls();
    pass(3).await;
    assert_eq!(pulls(), before);
    pass(60).await;
    assert!(pulls() > before);
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_slows_down() {
    let (cluster, _node) = Cluster::with_node("n").await;
    cluster.pod("n", "a", &[("exit-code", "1"), ("exit-after", "1s")], "{}").await;
    let mut times = Vec::new();
    for count in 1..=4 {
        let pod =
            cluster.until("a", |pod| restarts(pod) == count && container(pod).at(&["state", "running"]).is_some());
        let pod = pod.await;
        times.push(cluster.seconds());
        let last = container(&pod).at(&["lastState", "terminated"]).unwrap();
        assert_eq!((last.text_at(&["reason"]), object::int(last, &["exitCode"], 0)), ("Error", 1));
        cluster.until("a", |pod| waits_for(pod) == "CrashLoopBackOff").await;
    }
    let gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.windows(2).all(|pair| pair[1] > pair[0]) && gaps[0] >= 10, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn memory_runs_out() {
    let (cluster, _node) = Cluster::with_node("n").await;
    cluster.pod("n", "a", &[("oom", "true"), ("exit-after", "5s")], r#"{"restartPolicy":"Never"}"#).await;
    let pod = cluster.until("a", |pod| phase(pod) == "Failed").await;
    let end = container(&pod).at(&["state", "terminated"]).unwrap();
    assert_eq!((end.text_at(&["reason"]), object::int(end, &["exitCode"], 0)), ("OOMKilled", 137));
    assert_eq!(cluster.seconds(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_a_job_succeeds_and_stays() {
    let (cluster, node) = Cluster::with_node("n").await;
    let spec = r#"{"restartPolicy":"Never","initContainers":[{"name":"once","image":"busybox"}]}"#;
    let pod = cluster.pod("n", "a", &[("exit-after", "3s")], spec).await;
    let done = cluster.until("a", |pod| phase(pod) == "Succeeded").await;
    assert_eq!(container(&done).text_at(&["state", "terminated", "reason"]), "Completed");
    let once = object::items(&done, &["status", "initContainerStatuses"]).first().unwrap();
    assert_eq!(once.text_at(&["state", "terminated", "reason"]), "Completed");
    pass(600).await;
    assert_eq!(phase(&cluster.api.get(&PODS, "default", "a").unwrap()), "Succeeded");
    // Its address is free, its containers stay for their logs.
    let observed = node.runtime.observe(object::uid(&pod), &[]).await.unwrap();
    assert!(!observed.sandbox.is_some_and(|sandbox| sandbox.ready));
    cluster.delete("a").await;
    cluster.until_gone("a").await;
    assert_eq!(node.runtime.pods().await.unwrap(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_ends_in_its_grace() {
    for (notes, seconds) in [(vec![("stop-delay", "4s")], 4), (vec![("stop-delay", "1h")], 30)] {
        let (cluster, node) = Cluster::with_node("n").await;
        let pod = cluster.pod("n", "a", &notes, "{}").await;
        cluster.until("a", is_ready).await;
        cluster.delete("a").await;
        cluster.until_gone("a").await;
        assert_eq!(cluster.seconds(), seconds);
        assert_eq!(node.runtime.pods().await.unwrap(), Vec::<String>::new());
        let written = cluster.api.written();
        let last = written.iter().rfind(|write| write.name == "a").unwrap();
        assert_eq!(*last, Write::delete(&PODS, &pod).within(0));
        assert!(cluster.told("a").iter().any(|line| line == "Normal Killing: Stopping container web"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_vanishes_is_cleaned_up() {
    let (cluster, node) = Cluster::with_node("n").await;
    cluster.pod("n", "a", &[("stop-delay", "7s")], "{}").await;
    let pod = cluster.until("a", is_ready).await;
    cluster.api.take_away(&PODS, "default", "a");
    pass(6).await;
    let observed = node.runtime.observe(object::uid(&pod), &[]).await.unwrap();
    assert_eq!(observed.containers.len(), 1);
    let writes = cluster.api.written().len();
    // Another pod of the same name is another pod.
    cluster.pod("n", "a", &[], "{}").await;
    let second = cluster.until("a", is_ready).await;
    pass(6).await;
    assert_eq!(node.runtime.pods().await.unwrap(), [object::uid(&second).to_owned()]);
    let deletions = cluster.api.written().into_iter().skip(writes);
    assert!(deletions.filter(|write| write.name == "a").all(|write| write.subresource != "" || is_creation(&write)));
}

fn is_creation(write: &Write) -> bool {
    matches!(write.operation, coracle_client::Operation::Create(_))
}

#[tokio::test(start_paused = true)]
async fn nodes_leave_each_others_pods_alone() {
    let cluster = Cluster::new();
    let one = cluster.start("one", "10.244.1.0/24").await;
    let two = cluster.start("two", "10.244.2.0/24").await;
    let pods = [cluster.pod("one", "a", &[], "{}").await, cluster.pod("two", "b", &[], "{}").await];
    let unbound = cluster.pod("", "c", &[], "{}").await;
    let addresses = [cluster.until("a", is_ready).await, cluster.until("b", is_ready).await]
        .map(|pod| pod.text_at(&["status", "podIP"]).to_owned());
    assert_eq!(addresses, ["10.244.1.2", "10.244.2.2"]);
    for (node, pod) in [&one, &two].into_iter().zip(&pods) {
        assert_eq!(node.runtime.pods().await.unwrap(), [object::uid(pod).to_owned()]);
    }
    cluster.api.take_away(&PODS, "default", "a");
    pass(60).await;
    assert_eq!(one.runtime.pods().await.unwrap(), Vec::<String>::new());
    assert!(is_ready(&cluster.api.get(&PODS, "default", "b").unwrap()));
    assert_eq!(cluster.api.get(&PODS, "default", "c").unwrap(), unbound);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_starts_again_adopts_its_containers() {
    let (cluster, node) = Cluster::with_node("n").await;
    cluster.pod("n", "a", &[], "{}").await;
    cluster.pod("n", "b", &[], "{}").await;
    let before = cluster.until("a", is_ready).await;
    cluster.until("b", is_ready).await;
    let (runtime, ranges) = node.halt().await;
    cluster.api.take_away(&PODS, "default", "b");
    pass(60).await;
    let written = cluster.statuses("a").len();
    let node = cluster.start_with("n", runtime, ranges);
    pass(60).await;
    let after = cluster.api.get(&PODS, "default", "a").unwrap();
    assert_eq!((container(&after), after.text_at(&["status", "podIP"])), (container(&before), "10.244.0.2"));
    assert_eq!(cluster.statuses("a").len(), written, "{:?}", cluster.statuses("a").last());
    assert_eq!(node.runtime.pods().await.unwrap(), [object::uid(&before).to_owned()]);
}

#[tokio::test(start_paused = true)]
async fn readiness_follows_the_annotation() {
    let (cluster, _node) = Cluster::with_node("n").await;
    cluster.pod("n", "a", &[("ready-after", "5s")], "{}").await;
    cluster.pod("n", "b", &[("ready-after", "never")], "{}").await;
    cluster.until("a", |pod| phase(pod) == "Running" && !is_ready(pod)).await;
    let pod = cluster.until("a", is_ready).await;
    assert!((5..=6).contains(&cluster.seconds()), "{}", cluster.seconds());
    assert!(object::items(&pod, &["spec", "containers"]).first().unwrap().at(&["readinessProbe"]).is_none());
    pass(60).await;
    let never = cluster.api.get(&PODS, "default", "b").unwrap();
    assert!(phase(&never) == "Running" && !is_ready(&never));
}

#[tokio::test(start_paused = true)]
async fn a_status_that_cannot_be_written_is_written_later() {
    let (cluster, node) = Cluster::with_node("n").await;
    let pod = cluster.pod("n", "a", &[("image-delay", "1s"), ("exit-after", "1s")], "{}").await;
    cluster.api.fail("pods", 6);
    // Containers do not wait for the API.
    let running = async |count| {
        while node.runtime.observe(object::uid(&pod), &[]).await.unwrap().containers.len() < count {
            node.runtime.pods().await.unwrap();
            pass(1).await;
        }
    };
    running(1).await;
    assert!(cluster.seconds() <= 2);
    cluster.until("a", |pod| restarts(pod) > 0).await;
    assert!(cluster.statuses("a").len() > 6);
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_is_missing_holds_the_container_back() {
    let (cluster, _node) = Cluster::with_node("n").await;
    let spec = r#"{"containers":[{"name":"web","image":"nginx","imagePullPolicy":"IfNotPresent",
        "env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"c","key":"k"}}}]}]}"#;
    cluster.pod("n", "a", &[], spec).await;
    let pod = cluster.until("a", |pod| waits_for(pod) == "CreateContainerConfigError").await;
    assert_eq!(container(&pod).text_at(&["state", "waiting", "message"]), "configmap \"c\" not found");
    let map = tree(
        r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"default","name":"c"},"data":{"k":"v"}}"#,
    );
    cluster.api.write(Write::create(&CONFIG_MAPS, map)).await.unwrap();
    cluster.until("a", is_ready).await;
    assert!(cluster.seconds() <= 120, "{}", cluster.seconds());
}
