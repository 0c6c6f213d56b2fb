use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::spec::tests::tree;

fn target(text: &str, port: u16) -> Target {
    let spec = HandlerSpec {
        pod: Arc::new(tree(r#"{"spec":{"containers":[{"name":"c","ports":[{"name":"web","containerPort":80}]}]}}"#)),
        id: String::new(),
        container: "c".to_owned(),
        handler: tree(&text.replace("PORT", &port.to_string())),
        timeout: Duration::from_secs(5),
    };
    Target::of(&spec, "127.0.0.1").unwrap()
}

/// Answers each connection with the next text; hands back what was asked.
async fn server(answers: Vec<String>) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let byte = stream.read_u8().await.unwrap();
                request.push(byte);
            }
            asked.push(String::from_utf8(request).unwrap());
            stream.write_all(answer.replace("PORT", &port.to_string()).as_bytes()).await.unwrap();
        }
        asked
    };
    (port, tokio::spawn(serve))
}

#[tokio::test]
async fn http_is_asked_as_the_kubelet_asks() {
    let (port, asked) = server(vec!["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi".to_owned()]).await;
    let handler = r#"{"httpGet":{"port":PORT,"path":"/a?b=c","httpHeaders":[{"name":"X-A","value":"1"},{"name":"Host","value":"h"}]}}"#;
    let said = http::get(&target(handler, port), Duration::from_secs(5), false).await;
    assert_eq!(said, Handled { success: true, output: "hi".to_owned() });
    let asked = asked.await.unwrap();
    let request = asked[0].to_lowercase();
    for line in
        ["get /a?b=c http/1.1", "host: h", "user-agent: kube-probe/1.37", "accept: */*", "x-a: 1", "connection: close"]
    {
        assert!(request.lines().any(|own| own == line), "{line} in {request}");
    }
}

#[tokio::test]
async fn statuses_and_redirects() {
    let empty = |status: &str, more: &str| format!("HTTP/1.1 {status} X\r\n{more}content-length: 0\r\n\r\n");
    let cases = [
        (vec![empty("500", "")], false, false, "HTTP probe failed with statuscode: 500"),
        (vec![empty("500", "")], true, true, ""),
        (vec![empty("399", "")], false, true, ""),
        (
            vec![empty("302", "location: /b\r\n"), empty("404", "")],
            false,
            false,
            "HTTP probe failed with statuscode: 404",
        ),
        (vec![empty("302", "location: http://127.0.0.1:PORT/b\r\n"), empty("200", "")], false, true, ""),
        (vec![empty("302", "location: http://elsewhere.example/\r\n")], false, true, ""),
    ];
    for (answers, is_hook, success, output) in cases {
        let (port, served) = server(answers).await;
        let said = http::get(&target(r#"{"httpGet":{"port":PORT}}"#, port), Duration::from_secs(5), is_hook).await;
        assert_eq!((said.success, &*said.output), (success, output));
        served.await.unwrap();
    }
}

#[tokio::test]
async fn nobody_is_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tcp = target(r#"{"tcpSocket":{"port":PORT}}"#, port);
    assert!(connect(&tcp, Duration::from_secs(5)).await.success);
    drop(listener);
    let refused = format!("dial tcp 127.0.0.1:{port}: connect: connection refused");
    assert_eq!(connect(&tcp, Duration::from_secs(5)).await.output, refused);
    let http = target(r#"{"httpGet":{"port":PORT,"path":"x"}}"#, port);
    let said = http::get(&http, Duration::from_secs(5), false).await;
    assert_eq!(said.output, format!("Get \"http://127.0.0.1:{port}/x\": {refused}"));
    let said = grpc::check(&target(r#"{"grpc":{"port":PORT}}"#, port), "", Duration::from_secs(1)).await;
    assert_eq!(
        said.output,
        format!("timeout: failed to connect service \"127.0.0.1:{port}\" within 1s: context deadline exceeded")
    );
}

#[tokio::test]
async fn whoever_does_not_answer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let limit = Duration::from_millis(50);
    let said = http::get(&target(r#"{"httpGet":{"port":PORT}}"#, port), limit, false).await;
    assert_eq!(
        said.output,
        format!(
            "Get \"http://127.0.0.1:{port}/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        )
    );
    let said = grpc::check(&target(r#"{"grpc":{"port":PORT}}"#, port), "", limit).await;
    assert_eq!(said.output, "timeout: health rpc did not complete within 50ms");
}

#[test]
fn targets() {
    assert_eq!(
        target(r#"{"httpGet":{"port":"web","scheme":"HTTPS","host":"fd00::1"}}"#, 0).url(),
        "https://[fd00::1]:80/"
    );
    for (time, want) in [(1000, "1s"), (1500, "1.5s"), (50, "50ms"), (61_000, "1m1s")] {
        assert_eq!(duration(Duration::from_millis(time)), want);
    }
}
