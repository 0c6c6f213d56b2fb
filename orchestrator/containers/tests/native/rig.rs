//! A node on this machine: folders, a control group, and parts that are real as far as containers go.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle_agent::runtime::{Failure, Image};
use coracle_agent::work::Clock;
use coracle_apimachinery::Value;
use coracle_apimachinery::status::Status;
use coracle_cgroups::{Mode, Tree};
use coracle_client::memory::Objects;
use coracle_client::resources::CONFIG_MAPS;
use coracle_client::{Batch, Changes, Client, Interest, Pending, View, Write};
use coracle_containers::runtime::parts::{Attachment, ImageStore, Known, Later, Layers, Network, Parts};
use coracle_containers::runtime::system::{GroupTree, Overlays, Shims};
use coracle_containers::spec::ImageConfig;
use coracle_containers::volumes::{Allocatable, Kernel, Mounter, Volumes};
use coracle_containers::{Containers, Places, Settings};
use coracle_shim_protocol::executable::sealed;
use coracle_shim_protocol::message::Rotate;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

const GROUPS: &str = "/sys/fs/cgroup";

pub(crate) struct Rig {
    folder: PathBuf,
    group: PathBuf,
    shims: Shims,
}

impl Rig {
    pub(crate) fn new() -> Self {
        #[expect(deprecated, reason = "no descriptor table is unshared, which is what the newer form warns of")]
        rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNS).unwrap();
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        mount("cgroup2", GROUPS, "cgroup2", MountFlags::empty(), None).unwrap();
        let folder = tempfile::tempdir().unwrap().keep();
        // Upper layers and sockets lie in memory, so that nothing of the host's disk is written.
        mount("tmpfs", &folder, "tmpfs", MountFlags::empty(), None).unwrap();
        let group = Path::new(GROUPS).join(format!("coracle-containers-test-{}", std::process::id()));
        fs::create_dir(&group).unwrap();
        let program = || fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let shims = Shims::new(program().into(), sealed("coracle-runtime", program()).unwrap().into());
        Self { folder, group, shims }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The runtime, also after one before it.
    pub(crate) async fn open(&self) -> Containers {
        let places =
            Places { run: self.at("run"), data: self.at("data"), logs: self.at("log"), kubelet: self.at("kubelet") };
        fs::write(self.at("resolv.conf"), "nameserver 192.0.2.1\n").unwrap();
        fs::write(self.at("hosts"), "").unwrap();
        let below = Path::new("/").join(self.group.file_name().unwrap());
        let tree = Tree::open(&self.group, Mode::GroupOnly).unwrap();
        let parts = Parts {
            images: Arc::new(HostRoot(self.at("data"))),
            sandboxes: Arc::new(self.shims.clone()),
            network: Arc::new(NoNetwork),
            cgroups: Arc::new(GroupTree::new(tree, below)),
            roots: Arc::new(Overlays),
        };
        let mounter: Arc<dyn Mounter> = Arc::new(Kernel);
        let node = Allocatable { cpu_millis: 1000, memory: 1 << 28, storage: 0 };
        let volumes = Volumes::new(places.clone(), Arc::new(Api), mounter, node, Clock::system());
        let settings = Settings {
            places,
            node: "node".to_owned(),
            dns: coracle_containers::spec::dns::ClusterDns::default(),
            memory: 1 << 30,
            pids_per_pod: None,
            rotate: Rotate::default(),
            hosts: self.at("hosts"),
            resolv_conf: self.at("resolv.conf"),
        };
        Containers::open(settings, parts, Arc::new(volumes), Clock::system()).await.unwrap()
    }

    /// Takes away what a case left, and tells what that was.
    pub(crate) fn clear(&self) -> Vec<String> {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let below = format!("{}/", self.folder.display());
        let points = table.lines().filter_map(|line| line.split(' ').nth(4)).filter(|point| point.starts_with(&below));
        let mut left: Vec<String> = points.map(str::to_owned).collect();
        for name in ["run/pods", "kubelet/pods", "log/pods", "data/upper"] {
            let entries = fs::read_dir(self.folder.join(name)).into_iter().flatten().flatten();
            left.extend(entries.map(|entry| entry.path().display().to_string()));
        }
        for level in ["kubepods", "kubepods/burstable", "kubepods/besteffort"] {
            let entries = fs::read_dir(self.group.join(level)).into_iter().flatten().flatten();
            let pods = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("pod"));
            left.extend(pods.map(|entry| entry.path().display().to_string()));
        }
        if !left.is_empty() {
            let _ = fs::write(self.group.join("cgroup.kill"), "1");
            let _ = Kernel.unmount_below(&self.folder.join("run"));
            let _ = Kernel.unmount_below(&self.folder.join("kubelet"));
        }
        left
    }

    /// Removes the control groups and the folder.
    pub(crate) fn end(self) {
        let tree = Tree::open(&self.group, Mode::GroupOnly).unwrap();
        let ended = tree.root().destroy(std::time::Duration::from_secs(20));
        Kernel.unmount_below(&self.folder).unwrap();
        fs::remove_dir(&self.folder).unwrap();
        ended.unwrap();
    }
}

/// The host's own root as an image.
#[derive(Debug)]
struct HostRoot(PathBuf);

impl ImageStore for HostRoot {
    fn pull<'a>(&'a self, _: &'a Value, name: &'a str) -> Later<'a, Image, Failure> {
        Box::pin(async move { Ok(Image { name: name.to_owned(), id: "sha256:0".to_owned(), bytes: 0 }) })
    }

    fn find<'a>(&'a self, _: &'a str) -> Later<'a, Option<Image>> {
        Box::pin(async { Ok(None) })
    }

    fn known<'a>(&'a self, id: &'a str, name: &'a str) -> Later<'a, Known> {
        let config = ImageConfig { entrypoint: vec!["/bin/sh".into(), "-c".into()], ..ImageConfig::default() };
        Box::pin(async move { Ok(Known { shown: name.into(), id: id.into(), digest: id.into(), config }) })
    }

    fn prepare<'a>(&'a self, container: &'a str, _: &'a str) -> Later<'a, Layers> {
        Box::pin(async move {
            let folder = self.0.join("upper").join(container);
            let (upper, work) = (folder.join("fs"), folder.join("work"));
            for path in [&upper, &work] {
                fs::create_dir_all(path).map_err(|error| error.to_string())?;
            }
            Ok(Layers { lowers: vec!["/".into()], upper, work })
        })
    }

    fn release<'a>(&'a self, container: &'a str) -> Later<'a, ()> {
        Box::pin(async move {
            match fs::remove_dir_all(self.0.join("upper").join(container)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
                _ => Ok(()),
            }
        })
    }

    fn containers(&self) -> Later<'_, Vec<String>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

#[derive(Debug)]
struct NoNetwork;

impl Network for NoNetwork {
    fn attach(&self, pod: Attachment) -> Later<'_, Vec<String>> {
        Box::pin(async move {
            let theirs = fs::metadata(&pod.namespace).map_err(|error| error.to_string())?;
            let own = fs::metadata("/proc/self/ns/net").map_err(|error| error.to_string())?;
            let number = |metadata: &fs::Metadata| std::os::unix::fs::MetadataExt::ino(metadata);
            if number(&theirs) == number(&own) {
                Err("it is the host's".to_owned())
            } else {
                Ok(vec!["10.9.8.7".into()])
            }
        })
    }

    fn detach<'a>(&'a self, _: &'a str) -> Later<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn restore(&self, _: Vec<Attachment>) -> Later<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

#[derive(Debug)]
pub(crate) struct Api;

#[derive(Debug)]
struct Quiet;

impl Changes for Quiet {
    fn next(&mut self) -> Pending<'_, Option<Batch>> {
        Box::pin(std::future::pending())
    }
}

impl Client for Api {
    fn view(&self) -> View {
        let map = r#"{"metadata":{"namespace":"n","name":"m"},"data":{"key":"from the map"}}"#;
        Objects::new().with_json(&CONFIG_MAPS, map).view()
    }

    fn subscribe(&self, _: Interest<'_>) -> Box<dyn Changes> {
        Box::new(Quiet)
    }

    fn write(&self, _: Write) -> Pending<'_, Result<Arc<Value>, Status>> {
        Box::pin(async { Err(Status::internal("this API is read only")) })
    }
}
