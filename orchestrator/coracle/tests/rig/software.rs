//! Software of others: Debian's nginx from a registry over TLS, and the image that lies in every slot.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use coracle_image_layout::{Index, annotation};

use crate::Case;
use crate::agent::PAGE_AND_WORD;
use crate::node::Node;
use crate::registry::{self, Registry};
use crate::terminal::Terminal;

/// The cases.
pub(crate) const CASES: &[(&str, Case)] =
    &[("hello", hello), ("nginx", nginx), ("terminal", terminal), ("wrong_authority", wrong_authority)];

/// The image of the slot as the image builder makes it.
const HELLO: &str = "localhost/hello:1";

/// Puts the builder's images where they belong: the slot's into the pre-baked layout, the others into the registry.
pub(crate) fn prepare(folder: &Path) {
    let (layout, images) = (registry::made("images"), folder.join("images"));
    registry::prepare(folder);
    fs::create_dir_all(images.join("blobs/sha256")).unwrap();
    let index = registry::index(&layout);
    let (slot, others): (Vec<_>, Vec<_>) =
        index.manifests.into_iter().partition(|image| image.annotations[annotation::IMAGE_NAME] == HELLO);
    others.iter().for_each(|image| registry::put(folder, &layout, image));
    // Its blobs alone: what lies here is not pulled.
    for image in &slot {
        for digest in registry::parts(&layout, image).iter().chain([&image.digest]) {
            fs::write(images.join("blobs/sha256").join(digest.hex()), registry::blob(&layout, digest)).unwrap();
        }
    }
    fs::copy(layout.join("oci-layout"), images.join("oci-layout")).unwrap();
    let index = Index { manifests: slot, ..index };
    fs::write(images.join("index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
}

/// A pod of the slot's image.
fn pod(name: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}"}},"spec":{{"containers":[
        {{"name":"c","image":"{HELLO}","imagePullPolicy":"Never","securityContext":{{"runAsNonRoot":true}}}}]}}}}"#
    )
}

fn await_ready(node: &Node, namespace: &str, name: &str) {
    node.succeed(&format!("wait --for=condition=Ready pod/{name} -n {namespace} --timeout=60s"));
}

fn address(node: &Node, namespace: &str, name: &str) -> String {
    node.succeed(&format!("get pod {name} -n {namespace} -o jsonpath={{.status.podIP}}"))
}

fn hello(node: &Node, namespace: &str) {
    node.apply(namespace, &pod("hello"));
    await_ready(node, namespace, "hello");
    let page = node.fetch(&format!("{}:8080", address(node, namespace, "hello"))).unwrap();
    assert!(page.contains("Hello from a container on Coracle."), "{page}");
    let exec = |command: &str| node.succeed(&format!("exec hello -n {namespace} -- {command}"));
    assert_eq!(exec("id -u"), "65534\n");
    assert_eq!(exec("cat /www/index.html"), page);
    assert_eq!(exec("wget -q -O - http://127.0.0.1:8080/"), page);
    assert!(exec("ps").contains("httpd -f -p 8080 -h /www"));
    assert_eq!(exec("sh -c pwd"), "/\n");
    // Its first process has no ear for SIGTERM; the image says how to end it, long before the usual 30 s are over.
    node.succeed(&format!("delete pod hello -n {namespace} --timeout=15s"));
}

fn nginx(node: &Node, namespace: &str) {
    let _registry = Registry::start(node);
    node.apply(namespace, &pod("client"));
    node.apply(namespace, PAGE_AND_WORD);
    node.apply(
        namespace,
        r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":3,
        "selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{
        "volumes":[{"name":"pages","configMap":{"name":"pages"}}],
        "containers":[{"name":"web","image":"registry.test/nginx:1","ports":[{"containerPort":80}],
        "readinessProbe":{"httpGet":{"path":"/","port":80},"periodSeconds":1},
        "env":[{"name":"WORD","valueFrom":{"secretKeyRef":{"name":"secret","key":"word"}}}],
        "volumeMounts":[{"name":"pages","mountPath":"/usr/share/nginx/html"}]}]}}}}"#,
    );
    let rolled_out = || node.succeed(&format!("rollout status deployment/web -n {namespace} --timeout=90s"));
    let tag = || node.succeed(&format!("exec deploy/web -n {namespace} -- cat /etc/image-tag"));
    rolled_out();
    await_ready(node, namespace, "client");
    let events = node.succeed(&format!("get events -n {namespace} -o jsonpath={{.items[*].message}}"));
    assert!(events.contains("Successfully pulled image \"registry.test/nginx:1\""), "{events}");
    let ips = node.succeed(&format!("get pods -l app=web -n {namespace} -o jsonpath={{.items[*].status.podIP}}"));
    let ips: Vec<&str> = ips.split(' ').collect();
    assert_eq!(ips.len(), 3);
    for ip in &ips {
        let page = node.succeed(&format!("exec client -n {namespace} -- wget -q -O - http://{ip}/"));
        assert_eq!(page, "from a ConfigMap\n");
    }
    assert!(node.succeed(&format!("exec deploy/web -n {namespace} -- env")).lines().any(|line| line == "WORD=hidden"));
    assert_eq!(tag(), "1\n");

    node.succeed(&format!("scale deployment/web --replicas=1 -n {namespace}"));
    let alone =
        node.until(&format!("get pods -l app=web -n {namespace} --no-headers"), |pods| pods.lines().count() == 1);
    let alone = alone.split_whitespace().next().unwrap();
    let mut follow = node.command(&["logs", "-f", "--tail=1", alone, "-n", namespace]);
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines().map_while(Result::ok);
    let ip = address(node, namespace, alone);
    node.kubectl(&format!("exec client -n {namespace} -- wget -q -O - http://{ip}/not-there"));
    assert!(lines.any(|line| line.contains("\"GET /not-there HTTP/1.1\" 404")));

    node.succeed(&format!("set image deployment/web web=registry.test/nginx:2 -n {namespace}"));
    rolled_out();
    node.until(&format!("get pods -l app=web -n {namespace} --no-headers"), |pods| pods.lines().count() == 1);
    // The container that the log was followed in has ended.
    lines.for_each(drop);
    assert!(follow.wait().unwrap().success());
    assert_eq!(tag(), "2\n");
    node.succeed(&format!("rollout undo deployment/web -n {namespace}"));
    rolled_out();
    node.until(&format!("get pods -l app=web -n {namespace} --no-headers"), |pods| pods.lines().count() == 1);
    assert_eq!(tag(), "1\n");
    node.succeed(&format!("delete deployment web -n {namespace} --timeout=60s"));
    node.until(&format!("get pods -l app=web -n {namespace} --no-headers"), str::is_empty);
}

fn terminal(node: &Node, namespace: &str) {
    node.apply(namespace, &pod("shell"));
    await_ready(node, namespace, "shell");
    let command = node.command_in_terminal(&["exec", "-it", "shell", "-n", namespace, "--", "sh"]);
    let mut terminal = Terminal::start(command, 40, 100);
    terminal.enter("tty; echo is $?");
    terminal.expect("/dev/pts/0");
    terminal.expect("is 0");
    terminal.enter("stty size");
    terminal.expect("40 100");
    terminal.resize(50, 120);
    // The new size takes its way beside the keys: asked until it is there.
    terminal.enter("while [ \"$(stty size)\" != '50 120' ]; do :; done; echo now $(stty size)");
    terminal.expect("now 50 120");
    // Control-C reaches the program in the foreground and not the shell. It has begun: a key that comes while the shell
    // gives the terminal away is none for the program.
    terminal.enter("sh -c 'echo began $((40 + 1)); exec sleep 1000'");
    terminal.expect("began 41");
    terminal.control(b'C');
    terminal.enter("echo after $((40 + 2))");
    terminal.expect("after 42");
    terminal.enter("exit 7");
    assert_eq!(terminal.end().code(), Some(7));
}

fn wrong_authority(node: &Node, namespace: &str) {
    let _registry = Registry::start(node);
    node.apply(namespace, &pod("distrusted").replace(HELLO, "localhost:5000/nginx:1").replace("Never", "Always"));
    let waiting = "-o jsonpath={.status.containerStatuses[0].state.waiting.reason}";
    node.until(&format!("get pod distrusted -n {namespace} {waiting}"), |reason| {
        matches!(reason, "ErrImagePull" | "ImagePullBackOff")
    });
    let events = format!("get events -n {namespace} -o custom-columns=:.message");
    let events = node.until(&events, |events| events.contains("Error: ErrImagePull"));
    let why = events.lines().find(|line| line.starts_with("Failed to pull image \"localhost:5000/nginx:1\": "));
    let want = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
    assert!(why.is_some_and(|why| why.contains(want)), "{events}");
}
