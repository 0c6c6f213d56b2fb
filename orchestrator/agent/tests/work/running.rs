//! Pods that start and run on fake nodes.

use coracle_agent::runtime::Runtime;
use coracle_apimachinery::Value;
use coracle_client::resources::{CONFIG_MAPS, NODES, PODS};
use coracle_client::{Client, Write, object};

use crate::cluster::{Cluster, START};
use crate::looks::{container, is_ready, pass, phase, restarts, tree, waits_for};

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
async fn a_new_address_of_the_machine_shows_on_node_and_pods() {
    let (cluster, node) = Cluster::with_node("n").await;
    cluster.pod("n", "a", &[], "{}").await;
    cluster.until("a", is_ready).await;
    node.machine.send_modify(|machine| machine.addresses = vec!["10.0.0.2".to_owned()]);
    let pod = cluster.until("a", |pod| pod.text_at(&["status", "hostIP"]) == "10.0.0.2").await;
    assert_eq!(restarts(&pod), 0);
    let has = |node: &Value| {
        let addresses = object::items(node, &["status", "addresses"]);
        addresses.iter().any(|address| address.text_at(&["address"]) == "10.0.0.2")
    };
    cluster.api.until(|api| api.get(&NODES, "", "n").filter(|node| has(node))).await;
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

#[tokio::test(start_paused = true)]
async fn a_pod_that_does_not_fit_is_refused() {
    let (cluster, node) = Cluster::with_node("n").await;
    let asks = |cpu: &str| {
        format!(
            r#"{{"containers":[{{"name":"web","image":"nginx","imagePullPolicy":"IfNotPresent",
            "resources":{{"requests":{{"cpu":"{cpu}"}}}}}}]}}"#
        )
    };
    let fits = cluster.pod("n", "a", &[], &asks("3")).await;
    cluster.until("a", is_ready).await;
    cluster.pod("n", "b", &[], &asks("2")).await;
    let refused = cluster.until("b", |pod| phase(pod) == "Failed").await;
    assert_eq!(refused.text_at(&["status", "reason"]), "OutOfcpu");
    assert_eq!(cluster.told("b").len(), 1);
    assert_eq!(node.runtime.pods().await.unwrap(), [object::uid(&fits).to_owned()]);
    // With the first one gone there is room.
    cluster.delete("a").await;
    cluster.until_gone("a").await;
    cluster.pod("n", "c", &[], &asks("2")).await;
    cluster.until("c", is_ready).await;
    cluster.delete("b").await;
    cluster.until_gone("b").await;
}

#[tokio::test(start_paused = true)]
async fn a_report_for_an_old_version_is_made_anew() {
    let (cluster, _node) = Cluster::with_node("n").await;
    cluster.api.disturb(2);
    cluster.pod("n", "a", &[], "{}").await;
    let pod = cluster.until("a", is_ready).await;
    // No back-off was waited for.
    assert_eq!(cluster.clock.now(), START);
    assert!(!pod.text_at(&["metadata", "labels", "disturbed"]).is_empty());
    // Each of the three states is reported once, and two reports were refused.
    assert!(cluster.statuses("a").len() <= 5, "{:?}", cluster.statuses("a"));
}
