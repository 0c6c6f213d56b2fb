//! The node's own object and lease.

use std::time::Duration;

use coracle_client::resources::{LEASES, NODES};
use coracle_client::{Client, Write, object};
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::looks::{pass, tree};

#[tokio::test(start_paused = true)]
async fn a_node_registers_and_renews_its_lease() {
    let (cluster, _node) = Cluster::with_node("n").await;
    let lease = cluster.api.until(|api| api.get(&LEASES, "kube-node-lease", "n")).await;
    let node = cluster.api.get(&NODES, "", "n").unwrap();
    assert!(object::is_true(&node, "Ready"));
    let owner = object::items(&lease, &["metadata", "ownerReferences"]).first().unwrap();
    assert_eq!(owner.text_at(&["uid"]), object::uid(&node));
    for seconds in [10, 20, 30] {
        let renewed = format!("2001-09-09T01:47:{:02}.000000Z", seconds - 20);
        let renewed = if seconds < 20 { "2001-09-09T01:46:50.000000Z".to_owned() } else { renewed };
        let is_new = |lease: &coracle_apimachinery::Value| lease.text_at(&["spec", "renewTime"]) == renewed;
        cluster.api.until(|api| api.get(&LEASES, "kube-node-lease", "n").filter(|lease| is_new(lease))).await;
        assert_eq!(cluster.seconds(), seconds);
    }
    let told = cluster.told("n");
    assert_eq!(told.first().unwrap(), "Normal Starting: Starting kubelet.");
    assert!(told.contains(&"Normal NodeHasSufficientMemory: Node n status is now: NodeHasSufficientMemory".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_node_writes_its_lease_and_every_five_minutes_its_status() {
    let (cluster, _node) = Cluster::with_node("n").await;
    let ten_minutes = timeout(Duration::from_secs(605), std::future::pending::<()>());
    assert!(ten_minutes.await.is_err());
    let written = cluster.api.written();
    let count = |plural: &str, status| {
        let same = |write: &&Write| write.resource.plural == plural && (write.subresource == "status") == status;
        written.iter().filter(same).count()
    };
    assert_eq!((count("leases", false), count("nodes", true)), (61, 2));
    // The registration, and the range that the control plane gave.
    assert_eq!(count("nodes", false), 2);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_node_registers_again() {
    let (cluster, _node) = Cluster::with_node("n").await;
    let first = cluster.api.get(&NODES, "", "n").unwrap();
    cluster.api.fail("nodes", 3);
    cluster.api.take_away(&NODES, "", "n");
    let is_new = |node: &coracle_apimachinery::Value| object::uid(node) != object::uid(&first);
    let second = cluster.api.until(|api| api.get(&NODES, "", "n").filter(|node| is_new(node))).await;
    // The lease follows the new object.
    let owned = |lease: &coracle_apimachinery::Value| {
        let owner = object::items(lease, &["metadata", "ownerReferences"]).first();
        owner.is_some_and(|owner| owner.text_at(&["uid"]) == object::uid(&second))
    };
    cluster.api.until(|api| api.get(&LEASES, "kube-node-lease", "n").filter(|lease| owned(lease))).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_node_comes_back_and_closing_it_is_told() {
    let (cluster, _node) = Cluster::with_node("n").await;
    let node = cluster.api.get(&NODES, "", "n").unwrap();
    let mut lost = coracle_apimachinery::Value::clone(&node);
    let status = lost.as_object_mut().unwrap().object_mut("status");
    let conditions = status.get_mut("conditions").unwrap().items_mut().unwrap();
    for condition in conditions {
        condition.as_object_mut().unwrap().insert("status".into(), tree(r#""Unknown""#));
    }
    cluster.api.write(Write::status(&NODES, lost)).await.unwrap();
    cluster.api.until(|api| api.get(&NODES, "", "n").filter(|node| object::is_true(node, "Ready"))).await;
    cluster.patch_node("n", tree(r#"{"spec":{"unschedulable":true}}"#)).await;
    let closed = "Normal NodeNotSchedulable: Node n status is now: NodeNotSchedulable".to_owned();
    let quiet = timeout(Duration::from_secs(1), std::future::pending::<()>());
    assert!(quiet.await.is_err());
    let told = cluster.told("n");
    assert!(told.contains(&closed) && told.contains(&"Normal NodeReady: Node n status is now: NodeReady".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_api_that_keeps_other_words_is_not_overrun() {
    let (cluster, _node) = Cluster::with_node("n").await;
    cluster.api.forget();
    cluster.patch_node("n", tree(r#"{"metadata":{"labels":{"a":"b"}}}"#)).await;
    cluster.pod("n", "a", &[], "{}").await;
    pass(100).await;
    let written = cluster.api.written();
    let count = |name: &str| written.iter().filter(|write| write.name == name && write.subresource == "status").count();
    assert!((9..=12).contains(&count("n")) && count("a") <= 4, "{} {}", count("n"), count("a"));
}
