//! The whole store against a registry on the loopback device. Root is needed, because layers have owners.

mod faults;
mod network;

use std::path::Path;

use coracle_image_layout::{Builder, Entry, ImageConfig};

use super::*;
use crate::registries::Registries;
use crate::registry::{Keychain, Timeouts};
use crate::testing::{Act, Server, platform, scratch};

struct Scene {
    server: Server,
    folder: tempfile::TempDir,
    store: Store,
}

fn plain(server: &Server) -> Client {
    let text = format!("mirrors: {{'{0}': {{endpoint: ['http://{0}']}}}}", server.host);
    Client::new(Registries::parse(text.as_bytes()).unwrap(), Timeouts::default()).unwrap()
}

async fn open(folder: &Path, server: &Server) -> Store {
    let roots = Roots { writable: folder.to_owned(), prebaked: None };
    Store::open(roots, plain(server), platform()).await.unwrap()
}

impl Scene {
    async fn new() -> Self {
        let server = Server::start(None).await;
        let folder = scratch();
        let store = open(folder.path(), &server).await;
        Self { server, folder, store }
    }

    fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.server.host)
    }

    async fn pull(&self, image: &str) -> Result<Pulled, Error> {
        self.store.pull(&self.name(image), Policy::Always, &Keychain::default()).await
    }

    fn requests(&self, part: &str) -> usize {
        self.server.seen().iter().filter(|seen| seen.path.contains(part)).count()
    }
}

/// Two layers, the second of which changes the first.
fn layers(mark: &str) -> Vec<Vec<Entry>> {
    vec![
        vec![Entry::directory("etc"), Entry::file("etc/base", vec![b'x'; 300_000]), Entry::program("hello", mark)],
        vec![Entry::file("etc/top", mark), Entry::file("etc/.wh.base", "")],
    ]
}

#[tokio::test]
async fn an_image_is_pulled_prepared_and_removed() {
    let scene = Scene::new().await;
    let id = scene.server.add("hello", "1", &layers("one"));
    let pulled = scene.pull("hello:1").await.unwrap();
    assert_eq!((pulled.id, pulled.tags.as_slice()), (id, [scene.name("hello:1")].as_slice()));
    assert!(pulled.digests[0].starts_with(&scene.name("hello@sha256:")) && pulled.size > 300_000 && !pulled.pinned);
    assert_eq!(scene.store.config(id).await.unwrap().config.entrypoint, ["/hello"]);

    let prepared = scene.store.prepare("c1", id).await.unwrap();
    assert_eq!(prepared.lowers.len(), 2);
    assert_eq!(std::fs::read(prepared.lowers[0].join("etc/top")).unwrap(), b"one", "topmost first");
    assert!(prepared.lowers[1].join("etc/base").exists() && prepared.upper.is_dir() && prepared.work.is_dir());
    assert_eq!(scene.store.prepare("c1", id).await.unwrap(), prepared);

    // A new store finds it all, by each of its names.
    let again = open(scene.folder.path(), &scene.server).await;
    for name in [scene.name("hello:1"), id.to_string(), id.hex()] {
        assert_eq!(again.find(&name).await.unwrap().as_ref(), Some(&pulled), "{name}");
    }
    assert_eq!(again.find(&scene.name("hello:2")).await.unwrap(), None);
    assert_eq!(again.containers().await.unwrap(), ["c1"]);

    again.remove(&scene.name("hello:1")).await.unwrap();
    assert_eq!(again.list(), []);
    let freed = again.collect().await.unwrap().unwrap();
    assert_eq!((freed.layers, freed.blobs), (0, 4), "the container still stands on the layers");
    again.release("c1").await.unwrap();
    again.release("c1").await.unwrap();
    assert_eq!(again.collect().await.unwrap().unwrap().layers, 2);
    for bad in ["", "..", "a/b", ".old-x", &"a".repeat(129)] {
        assert!(matches!(again.prepare(bad, id).await, Err(Error::ContainerId(_))), "{bad}");
    }
}

#[tokio::test]
async fn policies_decide_whether_the_registry_is_asked() {
    let scene = Scene::new().await;
    scene.server.add("hello", "1", &layers("one"));
    let (name, nobody) = (scene.name("hello:1"), Keychain::default());
    let never = scene.store.pull(&name, Policy::Never, &nobody).await.unwrap_err();
    assert_eq!(never.reason(), "ErrImageNeverPull");
    assert_eq!(never.event(&name), format!("Container image \"{name}\" is not present with pull policy of Never"));
    assert_eq!(scene.server.seen(), []);
    let first = scene.store.pull(&name, Policy::IfNotPresent, &nobody).await.unwrap();
    let asked = scene.server.seen().len();
    for policy in [Policy::IfNotPresent, Policy::Never] {
        assert_eq!(scene.store.pull(&name, policy, &nobody).await.unwrap(), first);
    }
    assert_eq!(scene.server.seen().len(), asked);
    scene.store.pull(&name, Policy::Always, &nobody).await.unwrap();
    assert_eq!(scene.server.seen().len(), asked + 1, "one HEAD");
    // The tag moves; the old image keeps no name, the shared layer is not fetched again.
    let second = scene.server.add("hello", "1", &[layers("one").remove(0)]);
    assert_eq!(scene.store.pull(&name, Policy::Always, &nobody).await.unwrap().id, second);
    assert_eq!(scene.store.list().len(), 1);
    let digest = first.digests[0].clone();
    assert_eq!(scene.store.pull(&digest, Policy::IfNotPresent, &nobody).await.unwrap().digests, [digest]);
    assert!(scene.server.connections() <= 2, "connections are kept: one for each layer that was fetched at once");

    let invalid = scene.store.pull("Nginx", Policy::Always, &nobody).await.unwrap_err();
    assert_eq!(invalid.reason(), "InvalidImageName");
    assert_eq!(
        invalid.event("Nginx"),
        "Failed to apply default image tag \"Nginx\": couldn't parse image name \"Nginx\": invalid reference format: repository name (library/Nginx) must be lowercase"
    );
}

#[tokio::test]
async fn concurrent_pulls_fetch_once_and_keep_garbage_collection_away() {
    let scene = Scene::new().await;
    scene.server.add("a", "1", &layers("one"));
    scene.server.add("a", "2", &[layers("one").remove(0), vec![Entry::file("b", "b")]]);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let base = Digest::of(&Builder::tar(&layers("one")[0]).unwrap());
    scene.server.act(&format!("blobs/{base}"), [Act::Hold(Arc::clone(&gate))]);
    let pulls: Vec<_> = ["a:1", "a:2", "a:1"]
        .map(|image| (scene.store.clone(), scene.name(image)))
        .into_iter()
        .map(|(store, name)| tokio::spawn(async move { store.pull(&name, Policy::Always, &Keychain::default()).await }))
        .collect();
    while scene.requests(&format!("blobs/{base}")) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.store.collect().await.unwrap(), None, "a pull runs");
    gate.add_permits(1);
    for pull in pulls {
        pull.await.unwrap().unwrap();
    }
    assert_eq!(scene.requests(&format!("blobs/{base}")), 1);
    assert_eq!(scene.store.collect().await.unwrap(), Some(Freed::default()));
}

#[tokio::test]
async fn damage_is_noticed_and_healed_by_a_pull() {
    let scene = Scene::new().await;
    let id = scene.server.add("hello", "1", &layers("one"));
    let pulled = scene.pull("hello:1").await.unwrap();
    let blob = |digest: &Digest| scene.folder.path().join("content/blobs/sha256").join(digest.hex());
    std::fs::write(blob(&id), b"{}").unwrap();
    assert_eq!(scene.store.find(&scene.name("hello:1")).await.unwrap(), None);
    assert_eq!(scene.pull("hello:1").await.unwrap(), pulled);
    // A layer is verified when it is unpacked.
    let chain = scene.store.config(id).await.unwrap().rootfs.chain_ids();
    scene.store.0.layers.discard(&chain[1]).unwrap();
    let layer = Digest::of(&Builder::tar(&layers("one")[1]).unwrap());
    let mut bytes = std::fs::read(blob(&layer)).unwrap();
    bytes[600] ^= 1;
    std::fs::write(blob(&layer), bytes).unwrap();
    assert!(matches!(scene.store.prepare("c", id).await, Err(Error::Layer(_))));
    assert_eq!(scene.store.find(&scene.name("hello:1")).await.unwrap(), None);
    scene.pull("hello:1").await.unwrap();
    scene.store.prepare("c", id).await.unwrap();
}

fn layout(folder: &Path) -> Digest {
    let mut builder = Builder::new();
    let mine = builder.image("", &platform(), ImageConfig::default(), &layers("slot")).unwrap();
    let mut other = platform();
    other.architecture = "arm64".to_owned();
    let foreign = builder.image("", &other, ImageConfig::default(), &[]).unwrap();
    builder.index("localhost/hello:1", vec![foreign, mine.clone()]).unwrap();
    builder.write(folder).unwrap();
    parse_manifest(&builder.blobs()[&mine.digest]).unwrap().config.digest
}

#[tokio::test]
async fn images_of_the_slot_are_used_in_place() {
    let (slot, folder) = (scratch(), scratch());
    let id = layout(slot.path());
    let server = Server::start(None).await;
    let roots = Roots { writable: folder.path().to_owned(), prebaked: Some(slot.path().to_owned()) };
    let store = Store::open(roots.clone(), plain(&server), platform()).await.unwrap();
    let found = store.pull("localhost/hello:1", Policy::Never, &Keychain::default()).await.unwrap();
    assert_eq!((found.id, found.pinned, found.tags), (id, true, vec!["localhost/hello:1".to_owned()]));
    let prepared = store.prepare("c", id).await.unwrap();
    assert!(prepared.lowers[1].join("hello").exists());
    assert_eq!(store.0.content.list().unwrap(), [], "nothing is copied");
    for name in ["localhost/hello:1", &id.to_string()] {
        assert!(matches!(store.remove(name).await, Err(Error::Pinned(_))));
    }
    store.collect().await.unwrap().unwrap();
    assert!(prepared.lowers[0].exists());
    // One damaged image does not keep the store from opening.
    std::fs::write(slot.path().join("blobs/sha256").join(id.hex()), b"{}").unwrap();
    assert_eq!(Store::open(roots, plain(&server), platform()).await.unwrap().list(), []);
}

#[tokio::test]
async fn a_layout_is_imported() {
    let (layout_folder, scene) = (scratch(), Scene::new().await);
    let id = layout(layout_folder.path());
    let imported = scene.store.import(layout_folder.path()).await.unwrap();
    assert_eq!(imported.len(), 1);
    drop(layout_folder);
    let found = scene.store.find("localhost/hello:1").await.unwrap().unwrap();
    assert_eq!((found.id, found.pinned), (id, false));
    scene.store.prepare("c", id).await.unwrap();
    assert!(scene.store.import(Path::new("/nonexistent")).await.is_err());
}
