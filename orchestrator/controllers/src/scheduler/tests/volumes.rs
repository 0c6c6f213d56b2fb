//! Volumes tie pods to nodes.

use super::{nodes, place, pod, read};
use coracle_client::resources::{PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS};

use super::filters::{NOT_HELPFUL, good, refused};

#[test]
fn volumes_tie_pods() {
    let volume = r#","volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}]"#;
    let ephemeral = r#","volumes":[{"name":"v","ephemeral":{}}]"#;
    let bound = r#"{"metadata":{"namespace":"ns","name":"c","annotations":{"pv.kubernetes.io/bind-completed":"yes"}},"spec":{"volumeName":"pv"}}"#;
    let waiting = r#"{"metadata":{"namespace":"ns","name":"c"},"spec":{"storageClassName":"late"}}"#;
    let of = |name: &str| {
        format!(
            r#"{{"metadata":{{"name":"pv"}},"spec":{{"nodeAffinity":{{"required":{{"nodeSelectorTerms":[{{"matchExpressions":[{{"key":"kubernetes.io/hostname","operator":"In","values":["{name}"]}}]}}]}}}}}}}}"#
        )
    };
    let (unbound, deleted) = (
        r#"{"metadata":{"namespace":"ns","name":"c"}}"#,
        r#"{"metadata":{"namespace":"ns","name":"c","deletionTimestamp":"2024-01-01T00:00:00Z"}}"#,
    );
    let table = [
        (volume, "", String::new(), refused(r#"persistentvolumeclaim "c" not found"#, NOT_HELPFUL)),
        (
            ephemeral,
            "",
            String::new(),
            refused(
                r#"waiting for ephemeral volume controller to create the persistentvolumeclaim "p-v""#,
                NOT_HELPFUL,
            ),
        ),
        (volume, unbound, String::new(), refused("pod has unbound immediate PersistentVolumeClaims", NOT_HELPFUL)),
        (volume, deleted, String::new(), refused(r#"persistentvolumeclaim "c" is being deleted"#, NOT_HELPFUL)),
        (
            volume,
            bound,
            String::new(),
            refused("1 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)", NOT_HELPFUL),
        ),
        (volume, bound, of("m"), refused("1 node(s) didn't match PersistentVolume's node affinity", NOT_HELPFUL)),
        (volume, bound, of("n"), good()),
    ];
    for (spec, claim, volume, expected) in table {
        let mut objects = nodes(&["n"]);
        if !claim.is_empty() {
            objects = objects.with(&PERSISTENT_VOLUME_CLAIMS, read(claim));
        }
        if !volume.is_empty() {
            objects = objects.with(&PERSISTENT_VOLUMES, read(&volume));
        }
        assert_eq!(place(objects, &pod("p", spec)), expected, "{spec} {claim}");
    }
    let class = read(r#"{"metadata":{"name":"late"},"volumeBindingMode":"WaitForFirstConsumer"}"#);
    let objects = nodes(&["n"])
        .with(&PERSISTENT_VOLUME_CLAIMS, read(waiting))
        .with(&super::super::volumes::STORAGE_CLASSES, class);
    let plan = super::plan(objects.with(&PODS, pod("p", volume)), "p");
    let writes = super::writes(&plan);
    let [write] = writes.as_slice() else { panic!("{plan:?}") };
    let patch = format!("{:?}", write.operation);
    assert!(write.name == "c" && patch.contains("volume.kubernetes.io/selected-node"), "{patch}");
}

#[test]
fn a_claim_of_one_pod_is_not_shared() {
    let volume = r#","volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}]"#;
    let claim = r#"{"metadata":{"namespace":"ns","name":"c","annotations":{"pv.kubernetes.io/bind-completed":"yes"}},"spec":{"accessModes":["ReadWriteOncePod"],"volumeName":"pv"}}"#;
    let objects = nodes(&["n"])
        .with(&PERSISTENT_VOLUME_CLAIMS, read(claim))
        .with(&PERSISTENT_VOLUMES, read(r#"{"metadata":{"name":"pv"}}"#));
    assert_eq!(place(objects.clone(), &pod("p", volume)), good());
    let there = pod("there", &format!(r#","nodeName":"n"{volume}"#));
    let reason = "1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod";
    let tail = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
    assert_eq!(place(objects.with(&PODS, there), &pod("p", volume)), refused(reason, tail));
}
