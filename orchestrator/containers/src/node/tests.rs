use std::sync::Arc;

use coracle_agent::runtime::{Runtime, SandboxSpec};
use coracle_client::Client;
use coracle_client::memory::Objects;
use coracle_client::resources::PODS;
use coracle_node_connection::{Error, ExecRequest, LogQuery, Node, Pod};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::ContainerNode;
use crate::runtime::tests::doubles::World;
use crate::runtime::tests::life::{container, pod, started};
use crate::volumes::tests::Api;

fn named(uid: &str) -> Pod {
    Pod { namespace: "n".into(), name: "p".into(), uid: uid.into() }
}

fn node(world: &World) -> ContainerNode {
    let objects = Objects::new().with_json(
        &PODS,
        r#"{"metadata":{"namespace":"n","name":"p","uid":"u"},"status":{"containerStatuses":[{"name":"late","state":{"waiting":{"reason":"ContainerCreating"}}}]}}"#,
    );
    let client: Arc<dyn Client> = Api::new(objects);
    ContainerNode::new(world.containers.clone(), client)
}

#[tokio::test]
async fn logs_of_instances() {
    let world = World::new(true).await;
    let pod = pod("u", "");
    let id = started(&world, &pod).await;
    let logs = world.scratch.path().join("log/pods/n_p_u/c");
    let line = |text: &str| format!("2026-01-01T00:00:00.000000000Z stdout F {text}\n");
    std::fs::write(logs.join("0.log"), line("first")).unwrap();
    let node = node(&world);
    let ask = async |container: &str, uid: &str, previous| {
        let query = LogQuery { pod: named(uid), container: container.into(), previous, ..LogQuery::default() };
        let mut text = String::new();
        node.logs(query).await?.read_to_string(&mut text).await.unwrap();
        Ok::<_, Error>(text)
    };
    assert_eq!(ask("c", "u", false).await.unwrap(), "first\n");
    assert_eq!(ask("c", "", false).await.unwrap(), "first\n");
    assert_eq!(
        ask("c", "u", true).await.unwrap_err().to_string(),
        "previous terminated container \"c\" in pod \"p\" not found"
    );
    assert_eq!(ask("c", "x", false).await.unwrap_err(), Error::NotFound("pod \"p\" not found".into()));
    assert_eq!(
        ask("late", "u", false).await.unwrap_err().to_string(),
        "container \"late\" in pod \"p\" is waiting to start: ContainerCreating"
    );
    world.containers.stop_container(&id, std::time::Duration::ZERO).await.unwrap();
    world.containers.start_container(container(&pod, 1)).await.unwrap();
    std::fs::write(logs.join("1.log"), line("second")).unwrap();
    assert_eq!(
        (ask("c", "u", false).await.unwrap(), ask("c", "u", true).await.unwrap()),
        ("second\n".into(), "first\n".into())
    );
}

#[tokio::test]
async fn commands_run_for_clients() {
    let world = World::new(true).await;
    started(&world, &pod("u", "")).await;
    let node = node(&world);
    let request = |command: &[&str]| ExecRequest {
        pod: named("u"),
        container: "c".into(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        stdin: true,
        stdout: true,
        ..ExecRequest::default()
    };
    let mut session = node.exec(request(&["cat"])).await.unwrap();
    let mut stdin = session.stdin.take().unwrap();
    stdin.write_all(b"through").await.unwrap();
    drop(stdin);
    let mut text = String::new();
    session.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!((text.as_str(), session.exit.await), ("through", Ok(0)));
    let session = node.exec(request(&["say", "3"])).await.unwrap();
    assert_eq!(session.exit.await, Ok(3));
    let session = node.exec(request(&["hang"])).await.unwrap();
    tokio::task::yield_now().await;
    assert!(!world.told().contains(&"kill exec".to_owned()), "a command that ended or runs is not killed");
    drop(session);
    tokio::task::yield_now().await;
    assert!(world.told().contains(&"kill exec".to_owned()), "a client that leaves ends its command");
    let missing = node.exec(request(&["nowhere"])).await.unwrap_err();
    assert_eq!(missing.to_string(), "failed to exec in container: exec: nowhere: not found");
    let other = node.exec(ExecRequest { container: "x".into(), ..request(&["say"]) }).await.unwrap_err();
    assert_eq!(other, Error::NotFound("container not found (\"x\")".into()));
}

#[tokio::test]
async fn ports_of_the_host_network() {
    let world = World::new(true).await;
    let pod = pod("u", r#""hostNetwork":true,"#);
    world.containers.ensure_sandbox(SandboxSpec { pod, attempt: 0 }).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let node = node(&world);
    let (mut client, (mut server, _)) =
        (node.port_forward(named("u"), port).await.unwrap(), listener.accept().await.unwrap());
    client.write_all(b"x").await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'x');
    drop(listener);
    let refused = node.port_forward(named("u"), port).await.err().unwrap().to_string();
    assert!(refused.starts_with(&format!("failed to connect to localhost:{port} inside namespace \"u\", IPv4: dial tcp4 127.0.0.1:{port}: connect: connection refused")), "{refused}");
    assert!(node.port_forward(named("x"), port).await.is_err());
}
