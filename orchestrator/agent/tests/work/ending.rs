//! Pods that end on fake nodes, and nodes that end.

use coracle_agent::runtime::Runtime;
use coracle_client::resources::PODS;
use coracle_client::{Write, object};

use crate::cluster::Cluster;
use crate::looks::{container, is_ready, pass, phase};

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
    // Nothing more is said of it to the API.
    let written = || cluster.api.written().into_iter().filter(|write| write.name == "a").count();
    let before = written();
    pass(2).await;
    assert_eq!(node.runtime.pods().await.unwrap(), Vec::<String>::new());
    assert_eq!(written(), before);
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_the_same_name_is_another_pod() {
    let (cluster, node) = Cluster::with_node("n").await;
    cluster.pod("n", "a", &[("stop-delay", "1m")], r#"{"terminationGracePeriodSeconds":60}"#).await;
    let first = cluster.until("a", is_ready).await;
    cluster.api.take_away(&PODS, "default", "a");
    cluster.pod("n", "a", &[], "{}").await;
    let second = cluster.until("a", is_ready).await;
    assert_eq!(second.text_at(&["status", "podIP"]), "10.244.0.3");
    let mut both = [&first, &second].map(|pod| object::uid(pod).to_owned());
    both.sort();
    assert_eq!(node.runtime.pods().await.unwrap(), both);
    pass(61).await;
    assert_eq!(node.runtime.pods().await.unwrap(), [object::uid(&second).to_owned()]);
    assert!(is_ready(&cluster.api.get(&PODS, "default", "a").unwrap()));
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
