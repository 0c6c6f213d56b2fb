use std::fs;
use std::sync::Arc;
use std::time::Duration;

use coracle_agent::runtime::{Container, ContainerSpec, HandlerSpec, Observed, PullSpec, Runtime, SandboxSpec, State};
use coracle_apimachinery::Value;
use coracle_client::object;

use super::doubles::World;
use crate::spec::tests::tree;

pub(crate) fn pod(uid: &str, more: &str) -> Arc<Value> {
    Arc::new(tree(&format!(
        r#"{{"metadata":{{"name":"p","namespace":"n","uid":"{uid}"}},"spec":{{{more}"containers":[
            {{"name":"c","image":"image","resources":{{"limits":{{"memory":"1Mi"}}}}}}]}},"status":{{"qosClass":"Burstable"}}}}"#
    )))
}

pub(crate) fn container(pod: &Arc<Value>, attempt: u32) -> ContainerSpec {
    ContainerSpec {
        pod: Arc::clone(pod),
        container: object::items(pod, &["spec", "containers"])[0].clone(),
        init: false,
        attempt,
        image_id: "sha256:1".to_owned(),
        env: vec![("A".to_owned(), "1".to_owned())],
    }
}

async fn observe(world: &World, uid: &str) -> Observed {
    world.containers.observe(uid, &["image".to_owned(), "other".to_owned()]).await.unwrap()
}

async fn only(world: &World, uid: &str) -> Container {
    let mut containers = observe(world, uid).await.containers;
    assert_eq!(containers.len(), 1);
    containers.remove(0)
}

/// Waits until the container is over. The deadline only bounds a failing test.
async fn over(world: &World, uid: &str) -> coracle_agent::runtime::Exit {
    let wait = async {
        loop {
            if let State::Exited(exit) = only(world, uid).await.state {
                return exit;
            }
            world.containers.changed().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap()
}

pub(crate) async fn started(world: &World, pod: &Arc<Value>) -> String {
    world.containers.ensure_volumes(Arc::clone(pod)).await.unwrap();
    world.containers.ensure_sandbox(SandboxSpec { pod: Arc::clone(pod), attempt: 0 }).await.unwrap();
    world.containers.start_container(container(pod, 0)).await.unwrap()
}

#[tokio::test]
async fn a_pod_lives_and_dies() {
    let world = World::new(true).await;
    assert_eq!(world.told(), ["restore ", "release stray"]);
    let pod = pod("u", "");
    world.containers.pull_image(PullSpec { pod: Arc::clone(&pod), image: "image".into() }).await.unwrap();
    let id = started(&world, &pod).await;
    world.containers.ensure_sandbox(SandboxSpec { pod: Arc::clone(&pod), attempt: 0 }).await.unwrap();
    assert_eq!(world.containers.start_container(container(&pod, 0)).await.unwrap(), id, "asked twice, done once");
    assert_eq!(
        world.told(),
        [
            "pull image",
            "group Burstable u",
            "shim Some(\"p\")",
            "attach u /proc/77/fd/4",
            "group u/ID Some(1048576) false",
            "create",
            "start"
        ]
    );
    let seen = observe(&world, "u").await;
    let sandbox = seen.sandbox.unwrap();
    assert!(seen.volumes && sandbox.ready && sandbox.ips == ["10.0.0.2"]);
    assert_eq!(seen.images.iter().map(|image| &*image.name).collect::<Vec<_>>(), ["image"]);
    let running = only(&world, "u").await;
    assert!(matches!(running.state, State::Running { .. }) && running.id == id && id.starts_with("coracle://"));
    assert_eq!((&*running.image, &*running.asked), ("docker.io/library/image:latest", "image"));
    let bare = id.strip_prefix("coracle://").unwrap();
    let config = world.scratch.path().join("run/pods/u/containers").join(bare).join("config.json");
    let config: serde_json::Value = serde_json::from_slice(&fs::read(config).unwrap()).unwrap();
    assert_eq!(config["process"]["args"], serde_json::json!(["run"]));
    assert_eq!(config["linux"]["cgroupsPath"], "/x");
    let hosts = fs::read_to_string(world.scratch.path().join("kubelet/pods/u/etc-hosts")).unwrap();
    assert!(hosts.ends_with("10.0.0.2\tp\n"), "{hosts}");
    assert!(world.scratch.path().join(format!("log/containers/p_n_c-{bare}.log")).is_symlink());
    let message = world.scratch.path().join("kubelet/pods/u/containers/c").join(&bare[..8]);
    fs::write(message, "last words").unwrap();
    world.containers.stop_container(&id, Duration::from_secs(30)).await.unwrap();
    world.containers.stop_container(&id, Duration::from_secs(30)).await.unwrap();
    let exit = over(&world, "u").await;
    assert_eq!((exit.exit_code, &*exit.reason, &*exit.message), (0, "Completed", "last words"));
    world.containers.stop_sandbox("u").await.unwrap();
    let seen = observe(&world, "u").await;
    assert!(!seen.sandbox.unwrap().ready && seen.containers.len() == 1, "dead containers stay");
    world.containers.remove_pod("u").await.unwrap();
    world.containers.remove_pod("u").await.unwrap();
    assert_eq!(
        world.told(),
        ["signal 3 false", "detach u", "ungroup u", "end", "detach u", "ungroup u", "ungroup u/ID", "release ID"]
    );
    assert_eq!(observe(&world, "u").await.sandbox, None);
    assert!(world.containers.pods().await.unwrap().is_empty());
    assert!(fs::read_dir(world.scratch.path().join("log/containers")).unwrap().next().is_none());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_obey_is_killed() {
    let world = World::new(false).await;
    let id = started(&world, &pod("u", "")).await;
    world.told();
    let began = tokio::time::Instant::now();
    let (long, short) = tokio::join!(
        world.containers.stop_container(&id, Duration::from_secs(3000)),
        world.containers.stop_container(&id, Duration::from_secs(7)),
    );
    assert!(long.is_ok() && short.is_ok());
    assert_eq!(began.elapsed().as_secs(), 7, "the earlier end counts");
    let told = world.told();
    assert_eq!((&*told[0], &*told[1]), ("signal 3 false", "signal 9 true"));
    assert_eq!(over(&world, "u").await.exit_code, 137);
    world.containers.remove_container(&id).await.unwrap();
    world.containers.remove_container(&id).await.unwrap();
    assert!(observe(&world, "u").await.containers.is_empty());
}

#[tokio::test]
async fn a_program_that_is_missing() {
    let world = World::new(true).await;
    let pod = Arc::new(tree(
        r#"{"metadata":{"name":"p","namespace":"n","uid":"u"},"spec":{"containers":[{"name":"c","image":"image","command":["missing-program"]}]}}"#,
    ));
    world.containers.ensure_sandbox(SandboxSpec { pod: Arc::clone(&pod), attempt: 0 }).await.unwrap();
    let failed = world.containers.start_container(container(&pod, 0)).await.unwrap_err();
    assert_eq!(failed.reason, "RunContainerError");
    assert!(failed.message.ends_with("executable file not found in $PATH"), "{}", failed.message);
    let exit = over(&world, "u").await;
    assert_eq!((exit.exit_code, &*exit.reason), (128, "StartError"));
    let root = r#""securityContext":{"runAsNonRoot":true},"#;
    let pod = self::pod("r", root);
    world.containers.ensure_sandbox(SandboxSpec { pod: Arc::clone(&pod), attempt: 0 }).await.unwrap();
    let failed = world.containers.start_container(container(&pod, 0)).await.unwrap_err();
    assert_eq!(failed.reason, "CreateContainerConfigError");
    assert!(failed.message.starts_with("container has runAsNonRoot and image will run as root"));
    assert!(observe(&world, "r").await.containers.is_empty());
    assert!(fs::read_dir(world.scratch.path().join("run/pods/r/containers")).unwrap().next().is_none());
}

#[tokio::test]
async fn a_sandbox_that_fails_leaves_nothing() {
    let world = World::new(true).await;
    let pod = pod("no-network", "");
    let failed = world.containers.ensure_sandbox(SandboxSpec { pod, attempt: 0 }).await.unwrap_err();
    assert_eq!(
        (&*failed.reason, &*failed.message),
        ("FailedCreatePodSandBox", "Failed to create pod sandbox: no addresses")
    );
    assert!(!observe(&world, "no-network").await.sandbox.unwrap().ready);
    assert!(world.told().ends_with(&["detach no-network".into(), "ungroup no-network".into(), "end".into()]));
}

#[tokio::test]
async fn a_restart_takes_over_what_runs() {
    let mut world = World::new(true).await;
    let (kept, ended, lost) = (pod("a", ""), pod("b", ""), pod("l", ""));
    let id = started(&world, &kept).await;
    let ended_id = started(&world, &ended).await;
    started(&world, &lost).await;
    let before = only(&world, "a").await;
    // While nobody listens, one container ends and one shim dies.
    std::mem::forget(world.shim("b").exits.lock().unwrap().take());
    world.shim("b").end_container(ended_id.strip_prefix("coracle://").unwrap(), 1, true);
    world.shims.running.lock().unwrap().remove(&world.scratch.path().join("run/pods/l"));
    world.told();
    world.restart().await;
    let told = world.told();
    assert!(told.contains(&"restore a=10.0.0.2 b=10.0.0.2".to_owned()), "{told:?}");
    let after = only(&world, "a").await;
    assert_eq!((&after.id, &after.created), (&before.id, &before.created));
    assert!(matches!(after.state, State::Running { started } if started.seconds == 3));
    assert!(observe(&world, "a").await.sandbox.unwrap().ready);
    assert!(!observe(&world, "a").await.volumes, "volumes are gone through again");
    let exit = over(&world, "b").await;
    assert_eq!((exit.exit_code, &*exit.reason), (1, "OOMKilled"));
    let exit = over(&world, "l").await;
    assert_eq!((exit.exit_code, &*exit.reason), (255, "Unknown"));
    assert!(!observe(&world, "l").await.sandbox.unwrap().ready);
    world.shim("a").end_container(id.strip_prefix("coracle://").unwrap(), 3, false);
    assert_eq!(over(&world, "a").await.exit_code, 3, "events are heard again");
}

#[tokio::test]
async fn a_shim_that_dies_takes_its_pod_along() {
    let world = World::new(true).await;
    started(&world, &pod("u", "")).await;
    *world.shim("u").exits.lock().unwrap() = None;
    let exit = over(&world, "u").await;
    assert_eq!((exit.exit_code, &*exit.reason), (255, "Unknown"));
    assert!(!observe(&world, "u").await.sandbox.unwrap().ready);
}

#[tokio::test(start_paused = true)]
async fn programs_and_hooks_run() {
    let world = World::new(true).await;
    let pod = pod("u", "");
    let id = started(&world, &pod).await;
    let run = async |command: &[&str]| {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        world.containers.run_exec(&id, &command, Duration::from_secs(3)).await
    };
    let done = run(&["say", "7"]).await.unwrap();
    assert_eq!((done.exit_code, &*done.output), (7, "say 7"));
    assert_eq!(run(&["nowhere"]).await.unwrap().exit_code, 127);
    assert!(run(&["hang"]).await.unwrap_err().message.ends_with("timed out"));
    assert!(world.told().contains(&"kill exec".to_owned()));
    let handle = async |handler: &str| {
        let (pod, handler) = (Arc::clone(&pod), tree(handler));
        let spec = HandlerSpec { pod, id: id.clone(), container: "c".into(), handler, timeout: Duration::from_secs(3) };
        world.containers.run_handler(spec).await.unwrap()
    };
    let said = handle(r#"{"exec":{"command":["say","1"]}}"#).await;
    assert_eq!((said.success, &*said.output), (false, "say 1"));
    assert!(handle(r#"{"exec":{"command":["say","0"]}}"#).await.success);
    assert!(handle(r#"{"exec":{"command":["hang"]}}"#).await.output.ends_with("timed out after 3s"));
    assert!(handle(r#"{"sleep":{"seconds":2}}"#).await.success);
    assert!(!handle(r#"{"sleep":{"seconds":5}}"#).await.success);
}
