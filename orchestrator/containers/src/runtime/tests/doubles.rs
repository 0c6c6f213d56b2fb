//! Stand-ins that remember what they were asked for.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use coracle_agent::runtime::{Failure, Image};
use coracle_agent::work::Clock;
use coracle_apimachinery::Value;
use coracle_client::Client;
use coracle_client::memory::Objects;
use coracle_shim_protocol::files::{Exit, Namespaces, Ready, Start};
use coracle_shim_protocol::message::{Container, Create, Exec, Failure as Refusal, Reason, Size, State};
use tokio::sync::{mpsc, oneshot};

use crate::places::Places;
use crate::runtime::parts::*;
use crate::runtime::{Containers, Settings};
use crate::spec::ImageConfig;
use crate::spec::dns::ClusterDns;
use crate::spec::resources::Resources;
use crate::volumes::tests::Api;
use crate::volumes::{Allocatable, Mounter, Volumes, double};

/// What was asked for, in order.
pub(crate) type Journal = Arc<Mutex<Vec<String>>>;

fn note(journal: &Journal, text: String) {
    journal.lock().unwrap().push(text);
}

#[derive(Debug)]
pub(crate) struct OneImage(pub(crate) Journal);

impl ImageStore for OneImage {
    fn pull<'a>(&'a self, _: &'a Value, name: &'a str) -> Later<'a, Image, Failure> {
        Box::pin(async move {
            note(&self.0, format!("pull {name}"));
            Ok(Image { name: name.to_owned(), id: "sha256:1".to_owned(), bytes: 9 })
        })
    }

    fn find<'a>(&'a self, name: &'a str) -> Later<'a, Option<Image>> {
        Box::pin(async move {
            let image = Image { name: name.to_owned(), id: "sha256:1".to_owned(), bytes: 9 };
            Ok((name == "image").then_some(image))
        })
    }

    fn known<'a>(&'a self, id: &'a str, _: &'a str) -> Later<'a, Known> {
        Box::pin(async move {
            let config =
                ImageConfig { cmd: vec!["run".into()], stop_signal: "SIGQUIT".into(), ..ImageConfig::default() };
            Ok(Known { shown: "docker.io/library/image:latest".into(), id: id.into(), digest: id.into(), config })
        })
    }

    fn prepare<'a>(&'a self, _: &'a str, _: &'a str) -> Later<'a, Layers> {
        Box::pin(async { Ok(Layers::default()) })
    }

    fn release<'a>(&'a self, container: &'a str) -> Later<'a, ()> {
        Box::pin(async move {
            note(&self.0, format!("release {}", if container == "stray" { container } else { "ID" }));
            Ok(())
        })
    }

    fn containers(&self) -> Later<'_, Vec<String>> {
        Box::pin(async { Ok(vec!["stray".to_owned()]) })
    }
}

/// The shims of the test; they outlive a runtime.
#[derive(Debug, Clone)]
pub(crate) struct FakeShims {
    pub(crate) journal: Journal,
    pub(crate) running: Arc<Mutex<BTreeMap<PathBuf, Arc<FakeShim>>>>,
    /// Programs that end when they are asked to.
    pub(crate) obeys: bool,
}

#[derive(Debug)]
pub(crate) struct FakeShim {
    journal: Journal,
    obeys: bool,
    ready: Ready,
    pub(crate) containers: Mutex<BTreeMap<String, (Create, Container)>>,
    pub(crate) exits: Mutex<Option<mpsc::UnboundedSender<Exit>>>,
}

impl FakeShim {
    /// The container ends.
    pub(crate) fn end_container(&self, id: &str, code: i32, oom: bool) {
        let mut containers = self.containers.lock().unwrap();
        let (create, container) = containers.get_mut(id).unwrap();
        container.state = State::Exited;
        let exit = Exit {
            id: id.to_owned(),
            code,
            oom,
            started: Some(1_000_000_000),
            finished: 2_000_000_000,
            ..Exit::default()
        };
        container.exit = Some(exit.clone());
        fs::write(create.bundle.join("exit.json"), serde_json::to_vec(&exit).unwrap()).unwrap();
        if let Some(exits) = &*self.exits.lock().unwrap() {
            let _ = exits.send(exit);
        }
    }
}

impl Sandboxes for FakeShims {
    fn start<'a>(&'a self, folder: &'a Path) -> Later<'a, Link> {
        Box::pin(async move {
            let start: Start = serde_json::from_slice(&fs::read(folder.join("pod.json")).unwrap()).unwrap();
            note(&self.journal, format!("shim {:?}", start.hostname));
            let own = |is: bool, number| is.then_some(number);
            let namespaces = Namespaces {
                network: own(start.namespaces.network, 4),
                ipc: own(start.namespaces.ipc, 5),
                uts: own(start.namespaces.uts, 6),
                process: own(start.namespaces.process, 7),
            };
            let shim = Arc::new(FakeShim {
                journal: Arc::clone(&self.journal),
                obeys: self.obeys,
                ready: Ready { version: 1, pid: 77, namespaces, ..Ready::default() },
                containers: Mutex::default(),
                exits: Mutex::default(),
            });
            self.running.lock().unwrap().insert(folder.to_owned(), Arc::clone(&shim));
            Ok(link(shim))
        })
    }

    fn adopt<'a>(&'a self, folder: &'a Path) -> Later<'a, Option<Link>> {
        Box::pin(async move { Ok(self.running.lock().unwrap().get(folder).cloned().map(link)) })
    }
}

fn link(shim: Arc<FakeShim>) -> Link {
    let (sender, exits) = mpsc::unbounded_channel();
    *shim.exits.lock().unwrap() = Some(sender);
    let containers = shim.containers.lock().unwrap().values().map(|(_, container)| container.clone()).collect();
    Link { shim, exits, containers }
}

impl Shim for FakeShim {
    fn ready(&self) -> &Ready {
        &self.ready
    }

    fn create(&self, create: Create) -> Later<'_, i32, Refusal> {
        Box::pin(async move {
            note(&self.journal, "create".to_owned());
            let id = create.id.clone();
            let container = Container {
                id: id.clone(),
                state: State::Created,
                pid: Some(9),
                created: None,
                started: None,
                exit: None,
                execs: Vec::new(),
            };
            let config = fs::read_to_string(create.bundle.join("config.json")).unwrap();
            self.containers.lock().unwrap().insert(id, (create, container));
            if config.contains("missing-program") {
                let message = "exec: \"missing-program\": executable file not found in $PATH";
                return Err(Refusal::new(Reason::StartError, message));
            }
            Ok(9)
        })
    }

    fn start<'a>(&'a self, id: &'a str) -> Later<'a, (), Refusal> {
        Box::pin(async move {
            note(&self.journal, "start".to_owned());
            let mut containers = self.containers.lock().unwrap();
            let (_, container) = containers.get_mut(id).unwrap();
            (container.state, container.started) = (State::Running, Some(3_000_000_000));
            Ok(())
        })
    }

    fn signal<'a>(&'a self, id: &'a str, signal: i32, all: bool) -> Later<'a, (), Refusal> {
        Box::pin(async move {
            note(&self.journal, format!("signal {signal} {all}"));
            if signal == 9 {
                self.end_container(id, 137, false);
            } else if self.obeys {
                self.end_container(id, 0, false);
            }
            Ok(())
        })
    }

    fn delete<'a>(&'a self, id: &'a str) -> Later<'a, (), Refusal> {
        Box::pin(async move {
            note(&self.journal, "delete".to_owned());
            self.containers.lock().unwrap().remove(id);
            Ok(())
        })
    }

    fn exec(&self, exec: Exec, streams: Vec<OwnedFd>) -> Later<'_, Execution, Refusal> {
        Box::pin(async move {
            let args = exec.process["args"].as_array().unwrap().clone();
            let args: Vec<&str> = args.iter().filter_map(serde_json::Value::as_str).collect();
            note(&self.journal, format!("exec {}", args.join(" ")));
            if args[0] == "nowhere" {
                return Err(Refusal { errno: Some(2), ..Refusal::new(Reason::ExecError, "exec: nowhere: not found") });
            }
            let (sender, exit) = oneshot::channel();
            let mut streams = streams.into_iter();
            let (input, output) = (streams.next(), streams.next().map(fs::File::from));
            if args[0] == "hang" {
                std::mem::forget((sender, output));
                return Ok(Execution { pid: 5, terminal: None, exit });
            }
            if let Some(mut output) = output {
                if args[0] == "cat" {
                    let input = fs::File::from(input.unwrap());
                    std::thread::spawn(move || {
                        let _ = io::copy(&mut &input, &mut output);
                        let _ = sender.send(Exit::default());
                    });
                    return Ok(Execution { pid: 5, terminal: None, exit });
                }
                output.write_all(args.join(" ").as_bytes()).unwrap();
            }
            let code = args.last().and_then(|last| last.parse().ok()).unwrap_or(0);
            sender.send(Exit { code, ..Exit::default() }).unwrap();
            Ok(Execution { pid: 5, terminal: None, exit })
        })
    }

    fn kill_exec<'a>(&'a self, _: &'a str, _: &'a str) -> Later<'a, (), Refusal> {
        Box::pin(async move {
            note(&self.journal, "kill exec".to_owned());
            Ok(())
        })
    }

    fn resize<'a>(&'a self, _: &'a str, _: &'a str, _: Size) -> Later<'a, (), Refusal> {
        Box::pin(async { Ok(()) })
    }

    fn rotate<'a>(&'a self, _: &'a str) -> Later<'a, (), Refusal> {
        Box::pin(async { Ok(()) })
    }

    fn end(&self) -> Later<'_, (), Refusal> {
        Box::pin(async move {
            note(&self.journal, "end".to_owned());
            *self.exits.lock().unwrap() = None;
            Ok(())
        })
    }
}

#[derive(Debug)]
struct FakeNetwork(Journal);

impl Network for FakeNetwork {
    fn attach(&self, pod: Attachment) -> Later<'_, Vec<String>> {
        Box::pin(async move {
            note(&self.0, format!("attach {} {}", pod.uid, pod.namespace.display()));
            if pod.uid == "no-network" { Err("no addresses".to_owned()) } else { Ok(vec!["10.0.0.2".to_owned()]) }
        })
    }

    fn detach<'a>(&'a self, uid: &'a str) -> Later<'a, ()> {
        Box::pin(async move {
            note(&self.0, format!("detach {uid}"));
            Ok(())
        })
    }

    fn restore(&self, pods: Vec<Attachment>) -> Later<'_, ()> {
        Box::pin(async move {
            let pods: Vec<String> = pods.iter().map(|pod| format!("{}={}", pod.uid, pod.ips.join(","))).collect();
            note(&self.0, format!("restore {}", pods.join(" ")));
            Ok(())
        })
    }
}

#[derive(Debug)]
struct FakeCgroups(Journal);

impl Cgroups for FakeCgroups {
    fn shims(&self) -> Result<PathBuf, String> {
        Ok("/cgroup/shims".into())
    }

    fn pod(&self, uid: &str, quality: &str, _: &Resources) -> Result<(), String> {
        note(&self.0, format!("group {quality} {uid}"));
        Ok(())
    }

    fn container(&self, uid: &str, _: &str, _: &str, limits: &Resources, open: bool) -> Result<Group, String> {
        note(&self.0, format!("group {uid}/ID {:?} {open}", limits.memory_max));
        Ok(Group { folder: "/cgroup/x".into(), path: "/x".into() })
    }

    fn remove_container(&self, uid: &str, _: &str, _: &str) -> Result<(), String> {
        note(&self.0, format!("ungroup {uid}/ID"));
        Ok(())
    }

    fn remove_pod(&self, uid: &str) -> Result<(), String> {
        note(&self.0, format!("ungroup {uid}"));
        Ok(())
    }
}

#[derive(Debug)]
struct FakeRoots;

impl Roots for FakeRoots {
    fn mount(&self, _: &Layers, at: &Path) -> io::Result<()> {
        fs::create_dir_all(at.join("etc"))?;
        fs::write(at.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n")
    }

    fn unmount_below(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn shared_memory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// A node without a machine.
pub(crate) struct World {
    pub(crate) scratch: tempfile::TempDir,
    pub(crate) journal: Journal,
    pub(crate) shims: FakeShims,
    pub(crate) containers: Containers,
}

impl World {
    pub(crate) async fn new(obeys: bool) -> Self {
        let (scratch, journal) = (tempfile::tempdir().unwrap(), Journal::default());
        let shims = FakeShims { journal: Arc::clone(&journal), running: Arc::default(), obeys };
        let containers = open(&scratch, &journal, &shims).await;
        Self { scratch, journal, shims, containers }
    }

    /// The program ends and starts anew, shims go on.
    pub(crate) async fn restart(&mut self) {
        // The tasks of the program before go on in this test. They must not take its end for that of the shims.
        for shim in self.shims.running.lock().unwrap().values() {
            std::mem::forget(shim.exits.lock().unwrap().take());
        }
        self.containers = open(&self.scratch, &self.journal, &self.shims).await;
    }

    /// What was asked for since the last time.
    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.journal.lock().unwrap())
    }

    pub(crate) fn shim(&self, uid: &str) -> Arc<FakeShim> {
        Arc::clone(&self.shims.running.lock().unwrap()[&self.scratch.path().join("run/pods").join(uid)])
    }
}

async fn open(scratch: &tempfile::TempDir, journal: &Journal, shims: &FakeShims) -> Containers {
    let at = |name: &str| scratch.path().join(name);
    let places = Places { run: at("run"), data: at("data"), logs: at("log"), kubelet: at("kubelet") };
    let parts = Parts {
        images: Arc::new(OneImage(Arc::clone(journal))),
        sandboxes: Arc::new(shims.clone()),
        network: Arc::new(FakeNetwork(Arc::clone(journal))),
        cgroups: Arc::new(FakeCgroups(Arc::clone(journal))),
        roots: Arc::new(FakeRoots),
    };
    let client: Arc<dyn Client> = Api::new(Objects::new());
    let mounter: Arc<dyn Mounter> = Arc::new(double::Double::default());
    let volumes = Volumes::new(places.clone(), client, mounter, Allocatable::default(), Clock::system());
    let settings = Settings {
        places,
        node: "node".to_owned(),
        dns: ClusterDns::default(),
        memory: 1 << 30,
        pids_per_pod: None,
        rotate: coracle_shim_protocol::message::Rotate::default(),
        hosts: at("hosts"),
        resolv_conf: at("resolv.conf"),
    };
    Containers::open(settings, parts, Arc::new(volumes), Clock::system()).await.unwrap()
}
