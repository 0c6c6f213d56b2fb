//! What containers do on a real kernel.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use coracle_agent::runtime::{Container, ContainerSpec, Exit, HandlerSpec, Runtime, SandboxSpec, State};
use coracle_apimachinery::{Value, json};
use coracle_client::object;
use coracle_containers::{ContainerNode, Containers};
use coracle_node_connection::{ExecRequest, LogQuery, Node, Pod};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::{Api, Rig};

type Case = for<'a> fn(&'a Rig) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

pub(crate) const ALL: [(&str, Case); 5] = [
    ("a_pod_lives_on_a_real_kernel", |rig| Box::pin(lives(rig))),
    ("a_restart_takes_over_what_runs", |rig| Box::pin(restarts(rig))),
    ("commands_run_at_pipes_and_terminals", |rig| Box::pin(commands(rig))),
    ("what_cannot_start_says_why", |rig| Box::pin(cannot_start(rig))),
    ("what_a_pod_may_not_it_cannot", |rig| Box::pin(confined(rig))),
];

const WITHIN: Duration = Duration::from_secs(30);

fn tree(text: &str) -> Value {
    json::decode_any(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A pod whose only container runs a script.
fn pod(uid: &str, of_pod: &str, of_container: &str, script: &str) -> Arc<Value> {
    let script = script.replace('"', "\\\"");
    Arc::new(tree(&format!(
        r#"{{"metadata":{{"name":"p","namespace":"n","uid":"{uid}","labels":{{"l":"1"}}}},"spec":{{{of_pod}"containers":[
            {{"name":"c","image":"host",{of_container}"args":["{script}"]}}]}},"status":{{"qosClass":"BestEffort"}}}}"#
    )))
}

async fn start(containers: &Containers, pod: &Arc<Value>) -> Result<String, coracle_agent::runtime::Failure> {
    containers.ensure_volumes(Arc::clone(pod)).await?;
    containers.ensure_sandbox(SandboxSpec { pod: Arc::clone(pod), attempt: 0 }).await?;
    let container = object::items(pod, &["spec", "containers"])[0].clone();
    let (image_id, env) = ("sha256:0".to_owned(), vec![("MINE".to_owned(), "yes".to_owned())]);
    let spec = ContainerSpec { pod: Arc::clone(pod), container, init: false, attempt: 0, image_id, env };
    containers.start_container(spec).await
}

async fn only(containers: &Containers, uid: &str) -> Container {
    containers.observe(uid, &[]).await.unwrap().containers.remove(0)
}

async fn end(containers: &Containers, uid: &str) -> Exit {
    let wait = async {
        loop {
            if let State::Exited(exit) = only(containers, uid).await.state {
                return exit;
            }
            containers.changed().await;
        }
    };
    tokio::time::timeout(WITHIN, wait).await.unwrap()
}

async fn log(containers: &Containers, uid: &str, follow: bool) -> String {
    let node = ContainerNode::new(containers.clone(), Arc::new(Api));
    let pod = Pod { namespace: "n".into(), name: "p".into(), uid: uid.into() };
    let query = LogQuery { pod, container: "c".into(), follow, ..LogQuery::default() };
    let mut text = String::new();
    let mut log = node.logs(query).await.unwrap();
    tokio::time::timeout(WITHIN, log.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

async fn lives(rig: &Rig) {
    let containers = rig.open().await;
    let volumes = r#""volumes":[{"name":"m","configMap":{"name":"m"}},{"name":"e","emptyDir":{"medium":"Memory"}},
        {"name":"d","downwardAPI":{"items":[{"path":"labels","fieldRef":{"fieldPath":"metadata.labels"}}]}}],"#;
    let mounts = r#""volumeMounts":[{"name":"m","mountPath":"/m"},{"name":"e","mountPath":"/e","subPath":"part"},
        {"name":"d","mountPath":"/d"},{"name":"m","mountPath":"/single","subPath":"key"}],"#;
    let script = "cat /m/key /single /d/labels; echo; hostname; echo $MINE $HOME; tail -n1 /etc/hosts; cat /etc/resolv.conf; \
        touch /m/x 2>/dev/null || echo read-only; echo x > /e/file; ls /e; mount -t proc none /mnt 2>/dev/null || echo no-mount; \
        echo last words > /dev/termination-log; trap \"exit 7\" TERM; while :; do sleep 0.05; done";
    let pod = pod("one", volumes, mounts, script);
    let id = start(&containers, &pod).await.unwrap();
    assert_eq!(start(&containers, &pod).await.unwrap(), id);
    // The log tells when the trap is about to be set; the hook gives it time to.
    let handle = async |handler: &str| {
        let (pod, handler) = (Arc::clone(&pod), tree(handler));
        let spec = HandlerSpec { pod, id: id.clone(), container: "c".into(), handler, timeout: Duration::from_secs(5) };
        containers.run_handler(spec).await.unwrap()
    };
    assert!(
        handle(r#"{"exec":{"command":["sh","-c","until grep -q words /dev/termination-log; do sleep 0.05; done"]}}"#)
            .await
            .success
    );
    let said = handle(r#"{"exec":{"command":["sh","-c","echo no; exit 3"]}}"#).await;
    assert_eq!((said.success, &*said.output), (false, "no\n"));
    assert!(handle(r#"{"sleep":{"seconds":1}}"#).await.success);
    containers.stop_container(&id, WITHIN).await.unwrap();
    let exit = end(&containers, "one").await;
    assert_eq!((exit.exit_code, &*exit.reason, &*exit.message), (7, "Error", "last words\n"));
    let want =
        "from the mapfrom the mapl=\"1\"\np\nyes /root\n10.9.8.7\tp\nnameserver 192.0.2.1\nread-only\nfile\nno-mount\n";
    assert_eq!(log(&containers, "one", true).await, want);
    assert!(rig.at("kubelet/pods/one/volumes/kubernetes.io~empty-dir/e/part/file").exists());
    containers.stop_sandbox("one").await.unwrap();
    assert!(!containers.observe("one", &[]).await.unwrap().sandbox.unwrap().ready);
    containers.remove_pod("one").await.unwrap();
    assert!(containers.pods().await.unwrap().is_empty());
}

async fn restarts(rig: &Rig) {
    let before = rig.open().await;
    let pod = pod("two", "", "", "until [ -e /tmp/go ]; do sleep 0.05; done; echo gone; exit 5");
    let id = start(&before, &pod).await.unwrap();
    let shown = only(&before, "two").await;
    let after = rig.open().await;
    let found = only(&after, "two").await;
    assert_eq!((&found.id, &found.created), (&shown.id, &shown.created));
    assert!(matches!(found.state, State::Running { .. }), "{:?}", found.state);
    let touched = after.run_exec(&id, &["touch".to_owned(), "/tmp/go".to_owned()], WITHIN).await.unwrap();
    assert_eq!(touched.exit_code, 0, "{}", touched.output);
    assert_eq!(end(&after, "two").await.exit_code, 5);
    // One more: it ended while nobody was there.
    let third = rig.open().await;
    assert_eq!(end(&third, "two").await.exit_code, 5);
    assert_eq!(log(&third, "two", false).await, "gone\n");
    third.remove_pod("two").await.unwrap();
}

async fn commands(rig: &Rig) {
    let containers = rig.open().await;
    let pod = pod("three", "", "", "exec sleep 1000");
    start(&containers, &pod).await.unwrap();
    let node = ContainerNode::new(containers.clone(), Arc::new(Api));
    let request = |command: &[&str], tty: bool| ExecRequest {
        pod: Pod { namespace: "n".into(), name: "p".into(), uid: "three".into() },
        container: "c".into(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        stdin: true,
        stdout: true,
        stderr: !tty,
        tty,
    };
    let mut session = node.exec(request(&["sh", "-c", "cat; echo bad >&2; exit 4"], false)).await.unwrap();
    let mut stdin = session.stdin.take().unwrap();
    stdin.write_all(b"in").await.unwrap();
    drop(stdin);
    let (mut out, mut bad) = (String::new(), String::new());
    session.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
    session.stderr.take().unwrap().read_to_string(&mut bad).await.unwrap();
    assert_eq!((out.as_str(), bad.as_str(), session.exit.await), ("in", "bad\n", Ok(4)));
    let mut session = node.exec(request(&["sh", "-c", "read x; stty size; echo got $x"], true)).await.unwrap();
    session.resize.as_ref().unwrap().send_replace(coracle_node_connection::Size { columns: 80, rows: 24 });
    let mut stdin = session.stdin.take().unwrap();
    stdin.write_all(b"it\n").await.unwrap();
    let mut out = String::new();
    tokio::time::timeout(WITHIN, session.stdout.take().unwrap().read_to_string(&mut out)).await.unwrap().unwrap();
    assert!(out.ends_with("got it\r\n"), "{out:?}");
    assert_eq!(session.exit.await, Ok(0));
    let missing = node.exec(request(&["/nowhere"], false)).await.unwrap_err().to_string();
    assert!(missing.contains("/nowhere"), "{missing}");
    let left = node.exec(request(&["sleep", "999"], false)).await.unwrap();
    drop(left);
    containers.remove_pod("three").await.unwrap();
}

async fn cannot_start(rig: &Rig) {
    let containers = rig.open().await;
    let missing = pod("four", "", r#""command":["/no/such/program"],"#, "x");
    let failed = start(&containers, &missing).await.unwrap_err();
    assert_eq!(failed.reason, "RunContainerError", "{}", failed.message);
    assert!(failed.message.contains("/no/such/program"), "{}", failed.message);
    let exit = end(&containers, "four").await;
    assert_eq!((exit.exit_code, &*exit.reason), (128, "StartError"));
    containers.remove_pod("four").await.unwrap();
    let root = pod("five", "", r#""securityContext":{"runAsNonRoot":true},"#, "x");
    assert_eq!(start(&containers, &root).await.unwrap_err().reason, "CreateContainerConfigError");
    containers.remove_pod("five").await.unwrap();
}

async fn confined(rig: &Rig) {
    let containers = rig.open().await;
    let security = r#""securityContext":{"runAsUser":1234,"runAsGroup":5678,"readOnlyRootFilesystem":true,
        "allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"seccompProfile":{"type":"RuntimeDefault"}},"#;
    let script = "id -u; id -G; grep -E \"^(NoNewPrivs|CapBnd|Seccomp):\" /proc/self/status | tr -d \"\\\\t\"; touch /x 2>/dev/null || echo read-only; \
        cat /proc/keys >/dev/null && wc -c < /proc/keys; unshare -U true 2>/dev/null || echo no-user-namespace; ls -l /proc/self/fd | grep -c memfd; ls /proc | grep -c \"^[0-9]\" ";
    let pod = pod("six", r#""shareProcessNamespace":true,"securityContext":{"fsGroup":42},"#, security, script);
    start(&containers, &pod).await.unwrap();
    let exit = end(&containers, "six").await;
    let text = log(&containers, "six", false).await;
    let want = "1234\n5678 42\nCapBnd:0000000000000000\nNoNewPrivs:1\nSeccomp:2\nread-only\n0\nno-user-namespace\n0\n";
    assert!(text.starts_with(want), "{text}");
    assert_eq!(exit.exit_code, 0, "{text}");
    containers.remove_pod("six").await.unwrap();
}
