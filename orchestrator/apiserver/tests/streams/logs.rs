//! `kubectl logs`.

use std::time::{Duration, SystemTime};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::time::timeout;

use crate::cluster::{Cluster, LIMIT, kill, kubectls};

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_printed() {
    let cluster = Cluster::start().await;
    let error = |text: &str| format!("Error from server{text}\n");
    for program in kubectls().await {
        for (arguments, code, expected, failure) in [
            ("logs one", 0, "line 1\nline 2\nline 3\nline 4\nline 5\n", String::new()),
            ("logs p -c c --tail=2", 0, "line 4\nline 5\n", String::new()),
            ("logs p -c c --tail=0", 0, "", String::new()),
            ("logs p -c c --previous", 0, "before\n", String::new()),
            ("logs new", 0, "", String::new()),
            (
                "logs p -c late",
                1,
                "",
                error(r#" (BadRequest): container "late" in pod "p" is waiting to start: ContainerCreating"#),
            ),
            (
                "logs p -c broken --previous",
                1,
                "",
                error(r#" (BadRequest): previous terminated container "broken" in pod "p" not found"#),
            ),
            ("logs p -c broken", 1, "", error(" (InternalError): Internal error occurred: no disk")),
            ("logs far", 1, "", error(": error dialing backend: node \"away\" is not connected")),
            (
                "logs none",
                1,
                "",
                "error: error from server (NotFound): pods \"none\" not found in namespace \"default\"\n".to_owned(),
            ),
        ] {
            let (status, stdout, stderr) = cluster.run(&program, arguments).await;
            assert_eq!((status, &*stdout), (code, expected), "{arguments}: {stderr}");
            assert_eq!(stderr, failure, "{arguments}");
        }
        for (arguments, part) in [
            (
                "get --raw /api/v1/namespaces/default/pods/p/log",
                "a container name must be specified for pod p, choose one of: [c broken late]",
            ),
            ("get --raw /api/v1/namespaces/default/pods/p/log?container=x", "container x is not valid for pod p"),
            ("get --raw /api/v1/namespaces/default/pods/none/log?tailLines=-1", "must be greater than or equal to 0"),
        ] {
            let (status, _, stderr) = cluster.run(&program, arguments).await;
            assert!(status == 1 && stderr.contains(part), "{arguments}: {stderr}");
        }
    }
    cluster.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_reaches_the_node() {
    let cluster = Cluster::start().await;
    let [program, _] = kubectls().await;
    let arguments = "logs p -c c --tail=3 --since=60s --limit-bytes=100 --timestamps";
    assert_eq!(cluster.run(&program, arguments).await.0, 0);
    let query = cluster.node.queries.lock().unwrap().pop().unwrap();
    assert_eq!((&*query.pod.namespace, &*query.pod.name, &*query.container), ("default", "p", "c"));
    assert!(!query.pod.uid.is_empty() && query.timestamps && !query.follow && !query.previous);
    assert_eq!((query.tail_lines, query.limit_bytes), (Some(3), Some(100)));
    let age = SystemTime::now().duration_since(query.since.unwrap()).unwrap();
    assert!(age >= Duration::from_secs(60) && age < Duration::from_secs(120), "{age:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_log_comes_line_by_line_and_ends_with_either_side() {
    let cluster = Cluster::start().await;
    for program in kubectls().await {
        for client_ends in [false, true] {
            let mut child = cluster.kubectl(&program, &["logs", "-f", "one", "--tail=1"]).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut line = async || timeout(LIMIT, lines.next_line()).await.unwrap().unwrap();
            assert_eq!(line().await.as_deref(), Some("line 5"));
            let mut pod = cluster.node.followed.lock().unwrap().pop().unwrap();
            for number in 6..9 {
                // The next line is written only when the one before has come through: nothing waits for more.
                pod.write_all(format!("line {number}\n").as_bytes()).await.unwrap();
                assert_eq!(line().await, Some(format!("line {number}")));
            }
            if client_ends {
                kill(child).await;
                // The node's end of the pipe is closed, without a further line.
                assert_eq!(timeout(LIMIT, pod.read(&mut [0; 1])).await.unwrap().unwrap(), 0);
            } else {
                drop(pod);
                assert_eq!(line().await, None);
                assert!(child.wait().await.unwrap().success());
            }
            cluster.settled().await;
        }
    }
}
