//! Pods as their users know them.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::Case;
use crate::node::Node;

/// The cases.
pub(crate) const CASES: &[(&str, Case)] = &[
    ("rollouts", rollouts),
    ("logs_and_exec", logs_and_exec),
    ("ends", ends),
    ("init_containers", init_containers),
    ("probes", probes),
    ("volumes", volumes),
    ("confinement", confinement),
    ("host_ports", host_ports),
    ("deletion", deletion),
    ("refusals", refusals),
];

/// A page for a volume, and a word for a variable.
pub(crate) const PAGE_AND_WORD: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"pages"},
    "data":{"index.html":"from a ConfigMap\n"}}
---
    {"apiVersion":"v1","kind":"Secret","metadata":{"name":"secret"},"stringData":{"word":"hidden"}}"#;

/// A pod of one container with arguments, and more of its spec and of its container.
fn pod(name: &str, args: &str, spec: &str, container: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}"}},"spec":{{"terminationGracePeriodSeconds":5{spec},
        "containers":[{{"name":"c","image":"localhost/hello:1","args":[{args}]{container}}}]}}}}"#
    )
}

fn await_ready(node: &Node, namespace: &str, names: &str) {
    node.succeed(&format!("wait --for=condition=Ready {names} -n {namespace} --timeout=60s"));
}

fn rollouts(node: &Node, namespace: &str) {
    node.apply(namespace, PAGE_AND_WORD);
    node.apply(
        namespace,
        r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":3,
        "selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{
        "terminationGracePeriodSeconds":2,"volumes":[{"name":"pages","configMap":{"name":"pages"}}],
        "containers":[{"name":"web","image":"localhost/hello:1","args":["serve","8080","/pages"],
        "env":[{"name":"WORD","valueFrom":{"secretKeyRef":{"name":"secret","key":"word"}}}],
        "volumeMounts":[{"name":"pages","mountPath":"/pages"}]}]}}}}"#,
    );
    node.succeed(&format!("rollout status deployment/web -n {namespace} --timeout=60s"));
    let wide = node.succeed(&format!("get pods -o wide -n {namespace} --no-headers"));
    assert_eq!(wide.lines().filter(|line| line.contains("Running") && line.contains(" 10.42.0.")).count(), 3, "{wide}");
    let ips = node.succeed(&format!("get pods -n {namespace} -o jsonpath={{.items[*].status.podIP}}"));
    let ips: Vec<&str> = ips.split(' ').collect();
    assert_eq!(node.fetch(&format!("{}:8080", ips[0])).unwrap(), "from a ConfigMap\n");
    let from_pod = format!("exec deploy/web -n {namespace} -- payload fetch {}:8080 /index.html", ips[2]);
    assert_eq!(node.succeed(&from_pod), "from a ConfigMap\n");
    assert_eq!(node.succeed(&format!("exec deploy/web -n {namespace} -- payload env WORD")), "hidden\n");
    node.until(&format!("describe pods --show-events -n {namespace}"), |text| text.contains("Container started"));
    node.succeed(&format!("scale deployment/web --replicas=1 -n {namespace}"));
    node.until(&format!("get pods -n {namespace} --no-headers"), |pods| pods.lines().count() == 1);
    node.succeed(&format!("set image deployment/web web=localhost/hello:2 -n {namespace}"));
    node.succeed(&format!("rollout status deployment/web -n {namespace} --timeout=60s"));
    node.succeed(&format!("rollout undo deployment/web -n {namespace}"));
    node.succeed(&format!("rollout status deployment/web -n {namespace} --timeout=60s"));
    let image = "jsonpath={.spec.template.spec.containers[0].image}";
    assert_eq!(node.succeed(&format!("get deployment web -n {namespace} -o {image}")), "localhost/hello:1");
    node.succeed(&format!("delete deployment web -n {namespace} --timeout=60s"));
}

fn logs_and_exec(node: &Node, namespace: &str) {
    node.apply(namespace, &pod("talks", r#""say","to out","to err","3""#, "", ""));
    node.apply(namespace, &pod("waits", r#""wait""#, "", ""));
    node.until(&format!("logs talks --previous -n {namespace}"), |log| {
        log.contains("to out\n") && log.contains("to err\n")
    });
    await_ready(node, namespace, "pod/waits");
    node.until(&format!("logs waits -n {namespace}"), |log| log == "ready\n");
    assert_eq!(node.succeed(&format!("logs talks --tail=1 -n {namespace}")).lines().count(), 1);

    let exec = |arguments: &str| node.kubectl(&format!("exec waits -n {namespace} {arguments}"));
    assert_eq!(exec("-- payload exit 7").status.code(), Some(7));
    assert_eq!(exec("-- payload env FROM_IMAGE").stdout, b"yes\n");
    let missing = exec("-- nowhere");
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(said.contains(r#"exec: "nowhere": executable file not found in $PATH"#), "{said}");
    let much: Vec<u8> = (0..1_000_000_u32).map(|byte| byte.to_le_bytes()[0]).collect();
    let echoed = node.feed(&["exec", "-i", "waits", "-n", namespace, "--", "payload", "cat"], &much);
    assert!(echoed.stdout == much, "{} bytes came back", echoed.stdout.len());

    // Followed to the end of the container.
    let mut follow = node.command(&["logs", "-f", "waits", "-n", namespace]);
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.next().unwrap(), "ready");
    node.succeed(&format!("delete pod waits -n {namespace} --wait=false"));
    assert_eq!(lines.next().unwrap(), "told to end");
    assert!(follow.wait().unwrap().success());
}

fn ends(node: &Node, namespace: &str) {
    node.apply(namespace, &pod("once", r#""exit","3""#, r#","restartPolicy":"Never""#, ""));
    node.apply(namespace, &pod("well", r#""exit","0""#, r#","restartPolicy":"OnFailure""#, ""));
    node.apply(namespace, &pod("again", r#""exit","4""#, r#","restartPolicy":"OnFailure""#, ""));
    node.apply(namespace, &pod("absent", "", "", r#","command":["/nowhere"]"#));
    let state = "-o jsonpath={.status.phase}/{.status.containerStatuses[0].state.terminated.reason}/{.status.containerStatuses[0].state.terminated.exitCode}";
    node.until(&format!("get pod once -n {namespace} {state}"), |found| found == "Failed/Error/3");
    node.until(&format!("get pod well -n {namespace} {state}"), |found| found == "Succeeded/Completed/0");
    let waiting =
        "-o jsonpath={.status.containerStatuses[0].restartCount}/{.status.containerStatuses[0].state.waiting.reason}";
    node.until(&format!("get pod again -n {namespace} {waiting}"), |found| found == "1/CrashLoopBackOff");
    let message = "-o jsonpath={.status.containerStatuses[0].state.waiting.message}";
    let message = node.until(&format!("get pod again -n {namespace} {message}"), |found| !found.is_empty());
    assert!(message.starts_with("back-off 10s restarting failed container=c pod=again_ends("), "{message}");
    let last = "-o jsonpath={.status.containerStatuses[0].lastState.terminated.reason}";
    node.until(&format!("get pod absent -n {namespace} {last}"), |found| found == "StartError");
}

fn init_containers(node: &Node, namespace: &str) {
    node.apply(
        namespace,
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"steps"},"spec":{"terminationGracePeriodSeconds":2,
        "volumes":[{"name":"shared","emptyDir":{}}],
        "initContainers":[
          {"name":"first","image":"localhost/hello:1","args":["write","/shared/step","made"],"volumeMounts":[{"name":"shared","mountPath":"/shared"}]},
          {"name":"second","image":"localhost/hello:1","args":["exists","/shared/step"],"volumeMounts":[{"name":"shared","mountPath":"/shared"}]}],
        "containers":[
          {"name":"a","image":"localhost/hello:1","args":["wait"],"volumeMounts":[{"name":"shared","mountPath":"/shared"}]},
          {"name":"b","image":"localhost/hello:1","args":["wait"],"volumeMounts":[{"name":"shared","mountPath":"/data"}]}]}}"#,
    );
    await_ready(node, namespace, "pod/steps");
    assert_eq!(node.succeed(&format!("exec steps -c b -n {namespace} -- payload read /data/step")), "made");
    let codes = "-o jsonpath={.status.initContainerStatuses[*].state.terminated.reason}";
    assert_eq!(node.succeed(&format!("get pod steps -n {namespace} {codes}")), "Completed Completed");
}

fn probes(node: &Node, namespace: &str) {
    let live = r#","livenessProbe":{"exec":{"command":["payload","exists","/tmp/alive"]},"periodSeconds":1,"failureThreshold":1,"initialDelaySeconds":3}"#;
    node.apply(namespace, &pod("dies", r#""wait""#, "", live));
    let ready = r#","readinessProbe":{"httpGet":{"path":"/ready","port":8080},"periodSeconds":1}"#;
    node.apply(namespace, &pod("gated", r#""serve","8080","/tmp""#, "", ready));
    let tcp = r#","readinessProbe":{"tcpSocket":{"port":8080},"periodSeconds":1},"livenessProbe":{"tcpSocket":{"port":8080},"periodSeconds":1}"#;
    node.apply(namespace, &pod("listens", r#""serve","8080","/tmp""#, "", tcp));
    let restarts = "-o jsonpath={.status.containerStatuses[0].restartCount}";
    node.until(&format!("get pod dies -n {namespace} {restarts}"), |found| !matches!(found, "" | "0"));
    let events = node.succeed(&format!("get events -n {namespace} -o jsonpath={{.items[*].message}}"));
    assert!(events.contains("Container c failed liveness probe, will be restarted"), "{events}");
    assert!(events.contains("Readiness probe failed: HTTP probe failed with statuscode: 404"), "{events}");
    let condition = r#"-o jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
    assert_eq!(node.succeed(&format!("get pod gated -n {namespace} {condition}")), "False");
    node.succeed(&format!("exec gated -n {namespace} -- payload write /tmp/ready yes"));
    await_ready(node, namespace, "pod/gated pod/listens");
    assert_eq!(node.succeed(&format!("get pod listens -n {namespace} {restarts}")), "0");
}

fn volumes(node: &Node, namespace: &str) {
    node.succeed(&format!("create configmap settings --from-literal=colour=red -n {namespace}"));
    node.apply(
        namespace,
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"mounts","labels":{"app":"m"}},"spec":{"terminationGracePeriodSeconds":2,
        "volumes":[{"name":"settings","configMap":{"name":"settings"}},{"name":"facts","downwardAPI":{"items":[{"path":"labels","fieldRef":{"fieldPath":"metadata.labels"}}]}},
          {"name":"memory","emptyDir":{"medium":"Memory"}},{"name":"host","hostPath":{"path":"/var/lib/coracle","type":"Directory"}}],
        "containers":[{"name":"c","image":"localhost/hello:1","args":["wait"],
        "env":[{"name":"NODE","valueFrom":{"fieldRef":{"fieldPath":"spec.nodeName"}}}],
        "volumeMounts":[{"name":"settings","mountPath":"/settings"},{"name":"facts","mountPath":"/facts"},{"name":"memory","mountPath":"/memory"},{"name":"host","mountPath":"/host","readOnly":true}]}]}}"#,
    );
    await_ready(node, namespace, "pod/mounts");
    let exec = |arguments: &str| node.kubectl(&format!("exec mounts -n {namespace} -- payload {arguments}"));
    assert_eq!(exec("read /settings/colour").stdout, b"red");
    assert_eq!(exec("read /facts/labels").stdout, b"app=\"m\"");
    assert_eq!(exec("env NODE").stdout, b"rig\n");
    assert!(exec("write /memory/file text").status.success());
    assert!(!exec("write /host/file text").status.success());
    // The token of the pod's account is one that the API knows.
    let token = exec("read /var/run/secrets/kubernetes.io/serviceaccount/token").stdout;
    let token = String::from_utf8(token).unwrap();
    let server = node.succeed("config view -o jsonpath={.clusters[0].cluster.server}");
    let who = format!(
        "auth whoami -o jsonpath={{.status.userInfo.username}} --kubeconfig=/dev/null --insecure-skip-tls-verify -s {server} --token={token}"
    );
    assert_eq!(node.succeed(&who), "system:serviceaccount:volumes:default");
    let authority = exec("read /var/run/secrets/kubernetes.io/serviceaccount/ca.crt").stdout;
    assert!(authority.starts_with(b"-----BEGIN CERTIFICATE-----"));
    // A change arrives in the running container.
    node.succeed(&format!(
        "patch configmap settings -n {namespace} --type=merge -p {{\"data\":{{\"colour\":\"blue\"}}}}"
    ));
    node.until(&format!("exec mounts -n {namespace} -- payload read /settings/colour"), |colour| colour == "blue");
}

fn confinement(node: &Node, namespace: &str) {
    let security = r#","securityContext":{"runAsUser":1000,"runAsGroup":1000,"readOnlyRootFilesystem":true,"allowPrivilegeEscalation":false,
        "capabilities":{"drop":["ALL"]},"seccompProfile":{"type":"RuntimeDefault"}}"#;
    node.apply(namespace, &pod("confined", r#""wait""#, "", security));
    await_ready(node, namespace, "pod/confined");
    let status = |field: &str| node.succeed(&format!("exec confined -n {namespace} -- payload status {field}"));
    assert_eq!(status("Uid").split_whitespace().collect::<Vec<_>>(), ["1000"; 4]);
    assert_eq!(status("CapEff"), "0000000000000000\n");
    assert_eq!(status("CapBnd"), "0000000000000000\n");
    assert_eq!((status("Seccomp"), status("NoNewPrivs")), ("2\n".to_owned(), "1\n".to_owned()));
    let write = node.kubectl(&format!("exec confined -n {namespace} -- payload write /file text"));
    assert!(!write.status.success());
}

fn host_ports(node: &Node, namespace: &str) {
    node.apply(
        namespace,
        r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":1,"strategy":{"type":"Recreate"},
        "selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"terminationGracePeriodSeconds":2,
        "containers":[{"name":"web","image":"localhost/hello:1","ports":[{"containerPort":8080,"hostPort":18080}]}]}}}}"#,
    );
    node.succeed(&format!("rollout status deployment/web -n {namespace} --timeout=60s"));
    assert_eq!(node.fetch("10.42.0.1:18080").unwrap(), "hello 1\n");
    node.succeed(&format!("set image deployment/web web=localhost/hello:2 -n {namespace}"));
    node.succeed(&format!("rollout status deployment/web -n {namespace} --timeout=60s"));
    assert_eq!(node.fetch("10.42.0.1:18080").unwrap(), "hello 2\n");

    let mut forward = node.command(&["port-forward", "deploy/web", ":8080", "-n", namespace]);
    let mut forward = forward.stdout(Stdio::piped()).spawn().unwrap();
    // Kept to the end: kubectl goes on printing.
    let mut lines = BufReader::new(forward.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let local = line.split_whitespace().nth(2).unwrap();
    assert_eq!(node.fetch(local).unwrap(), "hello 2\n", "{line}");
    forward.kill().unwrap();
    forward.wait().unwrap();
}

fn deletion(node: &Node, namespace: &str) {
    let hook = r#","lifecycle":{"preStop":{"exec":{"command":["payload","write","/shared/hook","ran"]}}},"volumeMounts":[{"name":"shared","mountPath":"/shared"}]"#;
    let shared = r#","volumes":[{"name":"shared","hostPath":{"path":"/var/lib/shared","type":"DirectoryOrCreate"}}]"#;
    node.apply(namespace, &pod("hooked", r#""wait""#, shared, hook));
    await_ready(node, namespace, "pod/hooked");
    node.succeed(&format!("delete pod hooked -n {namespace} --timeout=30s"));
    node.apply(
        namespace,
        &pod("reads", r#""wait""#, shared, r#","volumeMounts":[{"name":"shared","mountPath":"/shared"}]"#),
    );
    await_ready(node, namespace, "pod/reads");
    assert_eq!(node.succeed(&format!("exec reads -n {namespace} -- payload read /shared/hook")), "ran");
    let before = node.payloads().len();
    node.succeed(&format!("delete pod reads -n {namespace} --force --grace-period=0 --timeout=30s"));
    let deadline = std::time::Instant::now() + crate::node::PATIENCE;
    while node.payloads().len() >= before {
        assert!(std::time::Instant::now() < deadline, "the process of a pod that was deleted by force lives on");
    }
}

fn refusals(node: &Node, namespace: &str) {
    node.apply(namespace, &pod("limited", r#""wait""#, "", r#","resources":{"limits":{"memory":"64Mi"}}"#));
    node.apply(namespace, &pod("unknown", r#""wait""#, "", "").replace("localhost/hello:1", "127.0.0.1:1/nothing:1"));
    node.apply(
        namespace,
        &pod("foreign", r#""wait""#, r#","runtimeClassName":"other""#, "")
            .replace(r#""runtimeClassName":"other","#, ""),
    );
    let events = format!("get events -n {namespace} -o jsonpath={{.items[*].message}}");
    node.until(&events, |events| events.contains("--cgroup-mode"));
    let waiting = "-o jsonpath={.status.containerStatuses[0].state.waiting.reason}";
    node.until(&format!("get pod unknown -n {namespace} {waiting}"), |reason| reason == "ImagePullBackOff");
}
