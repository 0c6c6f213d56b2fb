use std::fs;
use std::time::Duration;

use coracle_apimachinery::status::Status;
use coracle_client::memory::Objects;
use coracle_client::{Change, Changes, Operation, Pending, Write};
use tokio::sync::mpsc;

use super::double::Double;
use super::*;
use crate::spec::tests::tree;

/// An API whose objects the test sets.
#[derive(Debug)]
pub(crate) struct Api {
    objects: Mutex<Objects>,
    changes: Mutex<Option<mpsc::UnboundedReceiver<Batch>>>,
    sender: mpsc::UnboundedSender<Batch>,
    tokens: Mutex<u32>,
}

#[derive(Debug)]
struct Following(mpsc::UnboundedReceiver<Batch>);

impl Changes for Following {
    fn next(&mut self) -> Pending<'_, Option<Batch>> {
        Box::pin(self.0.recv())
    }
}

impl Api {
    pub(crate) fn new(objects: Objects) -> Arc<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        Arc::new(Self { objects: objects.into(), changes: Some(receiver).into(), sender, tokens: 0.into() })
    }

    pub(crate) fn set(&self, objects: Objects, resource: &'static coracle_client::Resource, new: Value) {
        *self.objects.lock().unwrap() = objects.clone();
        let change = Change { resource: Arc::new(resource.clone()), old: None, new: Some(Arc::new(new)) };
        self.sender.send(Batch { changes: vec![change], view: objects.view() }).unwrap();
    }
}

impl Client for Api {
    fn view(&self) -> View {
        self.objects.lock().unwrap().clone().view()
    }

    fn subscribe(&self, _: Interest<'_>) -> Box<dyn Changes> {
        Box::new(Following(self.changes.lock().unwrap().take().unwrap()))
    }

    fn write(&self, write: Write) -> Pending<'_, Result<Arc<Value>, Status>> {
        Box::pin(async move {
            assert_eq!((&*write.namespace, &*write.name, write.subresource), ("n", "robot", "token"));
            let Operation::Create(mut answer) = write.operation else { panic!("not made") };
            let number = {
                let mut tokens = self.tokens.lock().unwrap();
                *tokens += 1;
                *tokens
            };
            let status = tree(&format!(r#"{{"token":"token-{number}"}}"#));
            answer.as_object_mut().unwrap().insert("status".into(), status);
            Ok(Arc::new(answer))
        })
    }
}

fn map(value: &str) -> Value {
    tree(&format!(r#"{{"metadata":{{"namespace":"n","name":"m"}},"data":{{"key":"{value}"}}}}"#))
}

const POD: &str = r#"{"metadata":{"namespace":"n","name":"p","uid":"u","labels":{"l":"1"}},"spec":{
    "serviceAccountName":"robot","securityContext":{"fsGroup":7},
    "volumes":[{"name":"map","configMap":{"name":"m","defaultMode":420}},{"name":"e","emptyDir":{}},
        {"name":"unused","secret":{"secretName":"none"}},
        {"name":"all","projected":{"defaultMode":420,"sources":[
            {"serviceAccountToken":{"path":"token","expirationSeconds":1000}},
            {"downwardAPI":{"items":[{"path":"labels","fieldRef":{"fieldPath":"metadata.labels"}}]}}]}}],
    "containers":[{"name":"c","volumeMounts":[{"name":"map","mountPath":"/m"},{"name":"e","mountPath":"/e"},{"name":"all","mountPath":"/a"}]}]}}"#;

struct World {
    scratch: tempfile::TempDir,
    api: Arc<Api>,
    mounter: Arc<Double>,
    volumes: Arc<Volumes>,
}

fn world(objects: Objects) -> World {
    let scratch = tempfile::tempdir().unwrap();
    let places = Places { kubelet: scratch.path().to_owned(), ..Places::default() };
    let (api, mounter) = (Api::new(objects), Arc::new(Double::default()));
    let client: Arc<dyn Client> = Arc::<Api>::clone(&api);
    let node = Allocatable { memory: 99, ..Allocatable::default() };
    let mounts: Arc<dyn Mounter> = Arc::<Double>::clone(&mounter);
    let volumes = Arc::new(Volumes::new(places, client, mounts, node, Clock::system()));
    World { scratch, api, mounter, volumes }
}

impl World {
    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.scratch.path().join("pods/u/volumes").join(path)).unwrap_or_default()
    }

    /// Waits until a file reads so. The deadline only bounds a failing test.
    async fn until(&self, path: &str, want: &str) {
        let wait = async {
            while self.read(path) != want {
                tokio::task::yield_now().await;
            }
        };
        let end = tokio::time::timeout(Duration::from_secs(20), wait).await;
        assert!(end.is_ok(), "{path} reads {:?}, not {want:?}", self.read(path));
    }
}

#[tokio::test]
async fn volumes_follow_their_objects() {
    let world = world(Objects::new().with(&CONFIG_MAPS, map("1")));
    world.volumes.ensure(Arc::new(tree(POD))).await.unwrap();
    assert!(world.volumes.are_ready("u"));
    assert_eq!(world.mounter.told(), ["memory all Some(99) 777"]);
    assert_eq!(world.read("kubernetes.io~configmap/map/key"), "1");
    assert_eq!(world.read("kubernetes.io~projected/all/token"), "token-1");
    assert_eq!(world.read("kubernetes.io~projected/all/labels"), "l=\"1\"");
    let keep = tokio::spawn(Arc::clone(&world.volumes).keep());
    world.api.set(Objects::new().with(&CONFIG_MAPS, map("2")), &CONFIG_MAPS, map("2"));
    world.until("kubernetes.io~configmap/map/key", "2").await;
    world.api.set(Objects::new().with(&CONFIG_MAPS, map("2")), &PODS, tree(&POD.replace(r#""l":"1""#, r#""l":"2""#)));
    world.until("kubernetes.io~projected/all/labels", "l=\"2\"").await;
    keep.abort();
    world.volumes.remove("u").await.unwrap();
    assert!(!world.scratch.path().join("pods/u").exists() && !world.volumes.are_ready("u"));
    world.volumes.remove("u").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn tokens_are_renewed_in_time() {
    let world = world(Objects::new().with(&CONFIG_MAPS, map("1")));
    world.volumes.ensure(Arc::new(tree(POD))).await.unwrap();
    world.volumes.ensure(Arc::new(tree(POD))).await.unwrap();
    let token = "kubernetes.io~projected/all/token";
    assert_eq!(world.read(token), "token-1", "a token that is good is kept");
    let held = |world: &World| world.volumes.pods().get("u").unwrap().tokens.values().next().unwrap().clone();
    let began = Instant::now();
    assert_eq!(held(&world).1.duration_since(began).as_secs(), 800);
    tokio::time::advance(Duration::from_secs(800)).await;
    world.volumes.renew().await;
    assert_eq!(world.read(token), "token-2");
    assert!(held(&world).1 > Instant::now());
}

#[tokio::test]
async fn failures_are_those_of_events() {
    let world = world(Objects::new());
    let failed = world.volumes.ensure(Arc::new(tree(POD))).await.unwrap_err();
    assert_eq!(failed.reason, "FailedMount");
    assert_eq!(failed.message, r#"MountVolume.SetUp failed for volume "map" : configmap "m" not found"#);
    assert!(!world.volumes.are_ready("u"));
}
