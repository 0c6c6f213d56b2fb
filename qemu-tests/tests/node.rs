//! The booted image as a node: containers with limits, a reboot, a power cut, a wrong configuration. Needs the images of
//! `make images` and a kubectl that `CORACLE_KUBECTL` names.
#![expect(clippy::unwrap_used, reason = "helpers of a test may panic")]

use qemu_tests::client::Client;
use qemu_tests::machine::X86_64_BIOS;
use qemu_tests::node::{NAME, Node, Parts, STEP_BOUND};
use qemu_tests::pattern::marker;
use qemu_tests::record::Wait;
use qemu_tests::smoke::WEB;
use qemu_tests::{Result, scenario, seed};

/// A pod as root with limits and the runtime's seccomp profile, and one that takes more memory than it may.
const PODS: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: limits}
spec:
  securityContext: {seccompProfile: {type: RuntimeDefault}, runAsUser: 0}
  containers:
  - name: c
    image: localhost/hello:1
    resources: {limits: {memory: 64Mi, cpu: 500m}, requests: {memory: 32Mi, cpu: 100m}}
---
apiVersion: v1
kind: Pod
metadata: {name: greedy}
spec:
  restartPolicy: Never
  containers:
  - name: c
    image: localhost/hello:1
    command: [sh, -c, 'head -c 200000000 /dev/zero | tail -c 190000000 | wc -c']
    resources: {limits: {memory: 32Mi}}
";

/// Makes a device file of the disk that the node was booted from and reads it.
const READ_DISK: &str = "set -- $(grep ' vda$' /proc/partitions); mknod /tmp/disk b $1 $2 && head -c 1 /tmp/disk; echo read $?; test -b /tmp/disk && echo made";

fn condition(node: &Node, of: &str) -> Result<String> {
    let path = format!("jsonpath={{.status.conditions[?(@.type==\"{of}\")]['status','reason','message']}}");
    node.client().kubectl_with(&["get", "node", NAME, "-o", &path])
}

fn shell(node: &Node, pod: &str, script: &str) -> Result<String> {
    node.client().kubectl_with(&["exec", pod, "--", "sh", "-c", script])
}

/// What the configuration says, what the node says, and that nothing else gets in.
fn configured(node: &Node, second: &Client) -> Result<()> {
    let client = node.client();
    assert!(client.kubectl("get node -l edge=yes -o name")?.contains(NAME), "the label of the configuration");
    let addresses = "jsonpath={.status.addresses[*].address}";
    assert!(
        client.kubectl_with(&["get", "node", NAME, "-o", addresses])?.contains("10.0.2.15"),
        "the uplink's address"
    );
    assert!(condition(node, "DevelopmentKeys")?.starts_with("True DevelopmentKey"));
    assert!(condition(node, "ConfigInvalid")?.starts_with("False ConfigValid"));
    assert!(condition(node, "DataUnavailable")?.starts_with("False DataMounted"));
    let again = second.first_contact(&node.parts.token, node.port(6443)?, std::time::Duration::ZERO);
    let refusal = again.unwrap_err().to_string();
    assert!(refusal.contains("used"), "{refusal}");
    assert!(!second.kubeconfig().exists(), "nothing was written");
    let console = String::from_utf8_lossy(&node.guest.record().transcript()).into_owned();
    let secret = node.parts.token.split_once('.').unwrap().1;
    assert!(!console.contains(secret) && !console.contains("PRIVATE KEY"), "a secret is on the console");
    Ok(())
}

/// The console says when the node was Ready.
fn told_ready(node: &Node) {
    let wanted = marker("node").with("name", NAME).with("event", "ready");
    let wait = Wait { wanted: &wanted, forbidden: &[], bound: STEP_BOUND };
    assert!(node.guest.record().wait(0, &wait).is_ok(), "the console does not say that the node is Ready");
    let times: Vec<u64> =
        node.guest.markers("node").iter().map(|marker| marker.get("at-ms").unwrap().parse().unwrap()).collect();
    assert!(times.len() == 1 && times.iter().all(|time| *time >= 1000), "{times:?}");
}

fn limited(node: &Node) -> Result<()> {
    let client = node.client();
    client.apply(PODS)?;
    client.kubectl("wait --for=condition=Ready pod/limits --timeout=300s")?;
    let groups = shell(node, "limits", "cd /sys/fs/cgroup; cat memory.max cpu.max; grep Seccomp: /proc/self/status")?;
    assert_eq!(groups, "67108864\n50000 100000\nSeccomp:\t2\n");
    let disk = shell(node, "limits", READ_DISK)?;
    assert!(disk.contains("made") && !disk.contains("read 0"), "the device program guards the disk: {disk}");
    assert!(shell(node, "limits", "unshare -U true && echo in || echo out")?.contains("out"), "seccomp");
    client.kubectl("wait --for=jsonpath={.status.phase}=Failed pod/greedy --timeout=300s")?;
    let ended = "jsonpath={.status.containerStatuses[0].state.terminated['reason','exitCode']}";
    assert_eq!(client.kubectl_with(&["get", "pod", "greedy", "-o", ended])?, "OOMKilled 137");
    Ok(())
}

/// One device through four boots: a day in its life.
#[test]
fn a_device_is_a_node_and_stays_one() -> Result<()> {
    scenario("node", |lab| {
        let node = Parts::flashed(lab, &X86_64_BIOS, "node-label: [edge=yes]\n")?.boot(lab)?;
        node.ready()?;
        told_ready(&node);
        configured(&node, &Client::new(lab.path("second"))?)?;
        limited(&node)?;
        node.client().apply(WEB)?;
        node.client().kubectl("rollout status deployment/web --timeout=300s")?;
        assert!(node.fetch(8080, "/")?.contains("Coracle"));

        // Switched off and on with a configuration that is wrong: the last good one holds, and the pods come back.
        let mut parts = node.power_off()?;
        let wrong = "#coracle-config\nhostnme: other\n";
        parts.seed = seed::volume(&lab.path("wrong.img"), wrong)?;
        let node = parts.boot(lab)?;
        node.ready()?;
        let told = condition(&node, "ConfigInvalid")?;
        assert!(
            told.starts_with("True ConfigInvalid") && told.contains("line 2") && told.contains("hostname"),
            "{told}"
        );
        node.client().kubectl("wait --for=condition=Ready pod/limits --timeout=300s")?;
        node.client().kubectl("rollout status deployment/web --timeout=300s")?;
        assert!(node.fetch(8080, "/")?.contains("Coracle"));

        // The power goes away right after a write is acknowledged; half of the memory is enough for the next boot.
        for number in 0..8 {
            node.client().kubectl(&format!("create configmap kept-{number} --from-literal=number={number}"))?;
        }
        let mut parts = node.power_cut()?;
        parts.memory_mib = 512;
        let node = parts.boot(lab)?;
        node.ready()?;
        for number in 0..8 {
            let value = node.client().kubectl(&format!("get configmap kept-{number} -o jsonpath={{.data.number}}"))?;
            assert_eq!(value, number.to_string());
        }
        node.client().kubectl("rollout status deployment/web --timeout=300s")?;
        assert!(node.fetch(8080, "/")?.contains("Coracle"));
        node.power_off().map(|_| ())
    })
}
