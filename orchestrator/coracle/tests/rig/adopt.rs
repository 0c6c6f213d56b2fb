//! SIGKILL of the orchestrator while pods come and go.

use crate::Case;
use crate::node::Node;

/// The cases.
pub(crate) const CASES: &[(&str, Case)] = &[("killed_in_the_middle", killed)];

/// How often the orchestrator is killed, unless `CORACLE_KILLS` says otherwise.
const KILLS: usize = 100;

/// Documents of pods that live for a moment and end with a code.
fn short_lived(round: usize) -> String {
    let pod = |name: &str, code: usize| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}-{round}"}},"spec":{{"restartPolicy":"Never",
            "terminationGracePeriodSeconds":1,"containers":[{{"name":"c","image":"localhost/hello:1","args":["exit","{code}"]}}]}}}}"#
        )
    };
    format!("{}\n---\n{}", pod("well", 0), pod("badly", 5))
}

fn killed(node: &Node, namespace: &str) {
    node.apply(
        namespace,
        r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"steady"},"spec":{"replicas":3,
        "selector":{"matchLabels":{"app":"steady"}},"template":{"metadata":{"labels":{"app":"steady"}},"spec":{
        "terminationGracePeriodSeconds":2,"containers":[{"name":"web","image":"localhost/hello:1"}]}}}}"#,
    );
    node.succeed(&format!("rollout status deployment/steady -n {namespace} --timeout=60s"));
    let steady = node.payloads();
    assert_eq!(steady.len(), 3);
    let kills = std::env::var("CORACLE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    for round in 0..kills {
        node.apply(namespace, &short_lived(round));
        if round > 0 {
            node.succeed(&format!("delete pod well-{0} badly-{0} -n {namespace} --wait=false", round - 1));
        }
        node.kill_server();
        assert!(node.payloads().is_superset(&steady), "round {round}");
    }
    let last = kills - 1;
    let code = "-o jsonpath={.status.containerStatuses[0].state.terminated.exitCode}";
    node.until(&format!("get pod badly-{last} -n {namespace} {code}"), |code| code == "5");
    node.until(&format!("get pod well-{last} -n {namespace} -o jsonpath={{.status.phase}}"), |phase| {
        phase == "Succeeded"
    });
    let restarts = "-o jsonpath={.items[*].status.containerStatuses[*].restartCount}";
    assert_eq!(node.succeed(&format!("get pods -l app=steady -n {namespace} {restarts}")), "0 0 0");
    assert!(node.payloads().is_superset(&steady));
    // The shims were given the helper's executable by a process that is long gone.
    assert_eq!(node.succeed(&format!("exec deploy/steady -n {namespace} -- payload env FROM_IMAGE")), "yes\n");
    let page = node.succeed(&format!("get pods -l app=steady -n {namespace} -o jsonpath={{.items[0].status.podIP}}"));
    assert_eq!(node.fetch(&format!("{page}:8080")).unwrap(), "hello 1\n");
}
