use std::time::Duration;

use coracle_apimachinery::json::decode_any;
use coracle_apimachinery::time::Instant as Wall;
use tokio::time::timeout;

use super::*;
use crate::runtime::{ContainerSpec, Exit, HandlerSpec, PullSpec, Runtime, SandboxSpec, State};

const START: Wall = Wall { seconds: 1_000_000_000, micros: 0 };

fn pod(name: &str, notes: &str) -> Arc<Value> {
    let notes = notes.replace("~/", PREFIX);
    let text = format!(
        r#"{{"metadata":{{"name":"{name}","uid":"{name}","annotations":{{{notes}}}}},"spec":{{"containers":[{{"name":"web","image":"nginx","readinessProbe":{{"httpGet":{{"port":80}},"periodSeconds":1}},"livenessProbe":{{"tcpSocket":{{"port":80}}}}}}]}}}}"#
    );
    Arc::new(decode_any(text.as_bytes()).unwrap())
}

fn fake() -> (Fake, watch::Sender<Vec<String>>) {
    let ranges = watch::Sender::new(vec!["10.244.0.0/24".to_owned()]);
    (Fake::new(Clock::from(START), ranges.subscribe()), ranges)
}

async fn start(fake: &Fake, pod: &Arc<Value>, attempt: u32) -> String {
    fake.ensure_sandbox(SandboxSpec { pod: Arc::clone(pod), attempt: 0 }).await.unwrap();
    let container = object::items(pod, &["spec", "containers"]).first().unwrap().clone();
    let spec = ContainerSpec {
        pod: Arc::clone(pod),
        container,
        init: false,
        attempt,
        image_id: "sha256:1".to_owned(),
        env: Vec::new(),
    };
    fake.start_container(spec).await.unwrap()
}

async fn state(fake: &Fake, uid: &str) -> Vec<State> {
    let observed = fake.observe(uid, &[]).await.unwrap();
    observed.containers.into_iter().map(|container| container.state).collect()
}

fn at(seconds: i64) -> Wall {
    Wall { seconds: START.seconds + seconds, micros: 0 }
}

fn exited(started: i64, finished: i64, exit_code: i32, reason: &str) -> State {
    let (started, finished, reason) = (at(started), at(finished), reason.to_owned());
    State::Exited(Exit { started, finished, exit_code, signal: 0, reason, message: String::new() })
}

#[tokio::test(start_paused = true)]
async fn a_container_ends_as_it_is_told() {
    let cases = [
        (r#""~/exit-code":"1","~/exit-after":"2s""#, exited(0, 2, 1, "Error")),
        (r#""~/exit-after":"2s""#, exited(0, 2, 0, "Completed")),
        (r#""~/oom":"true","~/exit-after":"1s""#, exited(0, 1, 137, "OOMKilled")),
        (r#""~/start-delay":"3s","~/exit-after":"1s""#, exited(3, 4, 0, "Completed")),
    ];
    for (notes, expected) in cases {
        let (fake, _ranges) = fake();
        let pod = pod("a", notes);
        start(&fake, &pod, 0).await;
        assert!(matches!(state(&fake, "a").await.as_slice(), [State::Running { .. }]), "{notes}");
        fake.changed().await;
        // The next change is the end, and it comes without anybody asking.
        fake.changed().await;
        assert_eq!(state(&fake, "a").await, [expected], "{notes}");
        assert!(timeout(Duration::from_secs(3600), fake.changed()).await.is_err(), "{notes}: a change of nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_takes_its_time() {
    let cases = [
        ("", 30, 0, 0, "Completed"),
        (r#""~/stop-delay":"5s","~/stop-code":"143""#, 30, 5, 143, "Error"),
        (r#""~/stop-delay":"5s""#, 2, 2, 137, "Error"),
    ];
    for (notes, grace, after, code, reason) in cases {
        let (fake, _ranges) = fake();
        let id = start(&fake, &pod("a", notes), 0).await;
        fake.stop_container(&id, Duration::from_secs(grace)).await.unwrap();
        assert_eq!(state(&fake, "a").await, [exited(0, after, code, reason)], "{notes}");
        fake.stop_container(&id, Duration::from_secs(grace)).await.unwrap();
        fake.remove_container(&id).await.unwrap();
        fake.stop_container(&id, Duration::from_secs(grace)).await.unwrap();
        assert_eq!(state(&fake, "a").await, []);
    }
}

#[tokio::test(start_paused = true)]
async fn the_earlier_end_counts() {
    let (fake, _ranges) = fake();
    let id = start(&fake, &pod("a", r#""~/stop-delay":"1h""#), 0).await;
    let long = fake.stop_container(&id, Duration::from_secs(600));
    let short = fake.stop_container(&id, Duration::from_secs(3));
    let (long, short) = tokio::join!(long, short);
    assert_eq!((long, short), (Ok(()), Ok(())));
    assert_eq!(state(&fake, "a").await, [exited(0, 3, 137, "Error")]);
}

#[tokio::test(start_paused = true)]
async fn images_come_or_fail() {
    let pull = |notes: &str| {
        let pod = pod("a", notes);
        async move {
            let (fake, _ranges) = fake();
            fake.ensure_sandbox(SandboxSpec { pod: Arc::clone(&pod), attempt: 0 }).await.unwrap();
            let images = ["nginx".to_owned()];
            let before = fake.observe("a", &images).await.unwrap().images.len();
            let began = Instant::now();
            let pulled = fake.pull_image(PullSpec { pod, image: "nginx".to_owned() }).await;
            let pulled = pulled.map(|image| image.name).map_err(|failure| (failure.reason, failure.message));
            (before, pulled, began.elapsed().as_secs(), fake.observe("a", &images).await.unwrap().images.len())
        }
    };
    let good = || Ok("nginx".to_owned());
    let bad = |message: &str| Err(("ErrImagePull".to_owned(), message.to_owned()));
    assert_eq!(pull("").await, (1, good(), 0, 1));
    assert_eq!(pull(r#""~/image-delay":"2s""#).await, (0, good(), 2, 1));
    let late = r#""~/image-delay.web":"2s","~/image-failure":"no such thing""#;
    assert_eq!(pull(late).await, (0, bad("no such thing"), 2, 0));
    let wrong = bad("fake-runtime.coracle/oom: \"x\" is neither true nor false");
    assert_eq!(pull(r#""~/oom":"x""#).await, (0, wrong, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn readiness_is_what_the_readiness_probe_sees() {
    let (fake, _ranges) = fake();
    let pod = pod("a", r#""~/ready-after":"3s""#);
    let id = start(&fake, &pod, 0).await;
    let ask = async |probe: &str| {
        let container = object::items(&pod, &["spec", "containers"]).first().unwrap();
        let (pod, id, handler) = (Arc::clone(&pod), id.clone(), container.at(&[probe]).unwrap().clone());
        let container = "web".to_owned();
        let spec = HandlerSpec { pod, id, container, handler, timeout: Duration::from_secs(1) };
        fake.run_handler(spec).await.unwrap()
    };
    let unready = ask("readinessProbe").await;
    assert_eq!((unready.success, unready.output.as_str()), (false, "HTTP probe failed with statuscode: 503"));
    assert!(ask("livenessProbe").await.success);
    tokio::time::advance(Duration::from_secs(3)).await;
    assert!(ask("readinessProbe").await.success);
}

#[tokio::test(start_paused = true)]
async fn addresses_follow_the_sandbox() {
    let ranges = watch::Sender::new(Vec::new());
    let fake = Fake::new(Clock::from(START), ranges.subscribe());
    let ip = async |name: &str| fake.observe(name, &[]).await.unwrap().sandbox.unwrap().ips;
    let first = pod("a", "");
    // A sandbox waits until the node has a range.
    let (ensured, ()) = tokio::join!(fake.ensure_sandbox(SandboxSpec { pod: first, attempt: 0 }), async {
        ranges.send_replace(vec!["10.244.7.0/30".to_owned()]);
    });
    ensured.unwrap();
    assert_eq!(ip("a").await, ["10.244.7.2"]);
    let second = pod("b", "");
    let refused = fake.ensure_sandbox(SandboxSpec { pod: Arc::clone(&second), attempt: 0 }).await.unwrap_err();
    assert_eq!(refused.message, "no IP addresses available in range set: 10.244.7.0/30");
    fake.stop_sandbox("a").await.unwrap();
    fake.ensure_sandbox(SandboxSpec { pod: second, attempt: 0 }).await.unwrap();
    assert_eq!(ip("b").await, ["10.244.7.2"]);
    fake.remove_pod("a").await.unwrap();
    assert_eq!(fake.pods().await.unwrap(), ["b"]);
    assert_eq!(ip("b").await, ["10.244.7.2"]);
}

#[tokio::test(start_paused = true)]
async fn starting_twice_starts_once() {
    let (fake, _ranges) = fake();
    let pod = pod("a", r#""~/start-delay":"1s""#);
    let (one, two) = tokio::join!(start(&fake, &pod, 0), start(&fake, &pod, 0));
    assert_eq!(one, two);
    assert_eq!(state(&fake, "a").await, [State::Running { started: at(1) }]);
    assert_ne!(start(&fake, &pod, 1).await, one);
}

#[test]
fn a_probe_is_given_to_who_is_told_when_it_is_ready() {
    let shaped = |notes: &str| {
        let mut pod = Value::clone(&pod("a", notes));
        let spec = pod.as_object_mut().unwrap().object_mut("spec");
        let containers = spec.get_mut("containers").unwrap().items_mut().unwrap();
        containers.first_mut().unwrap().as_object_mut().unwrap().remove("readinessProbe");
        let pod = shape(&Arc::new(pod));
        let containers = object::items(&pod, &["spec", "containers"]);
        containers.first().unwrap().at(&["readinessProbe", "exec"]).is_some()
    };
    assert!(!shaped(""));
    assert!(shaped(r#""~/ready-after":"3s""#));
    assert!(shaped(r#""~/ready-after.web":"never""#));
}
