//! The node of this machine: the agent over real containers.

mod device;
mod machine;
mod network;
mod ready;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coracle_agent::work::{self, Clock, as_they_are};
use coracle_apimachinery::Value;
use coracle_apiserver::LocalClient;
use coracle_apiserver::api::Api;
use coracle_auth::Identity;
use coracle_cgroups::{Mode, Tree};
use coracle_client::Client;
use coracle_client::object::items;
use coracle_client::resources::NODES;
use coracle_containers::runtime::parts::Parts;
use coracle_containers::runtime::system::{GroupTree, Images, Overlays, Shims};
use coracle_containers::runtime::{Containers, Settings};
use coracle_containers::spec::dns::ClusterDns;
use coracle_containers::volumes::{Allocatable, Kernel, Volumes};
use coracle_containers::{ContainerNode, Places};
use coracle_contract::{cgroups, paths};
use coracle_images::image::{Roots, Store, native};
use coracle_images::registries::Registries;
use coracle_images::registry::{Client as Registry, Keychain, Timeouts};
use rustix::process::geteuid;
use tokio::sync::watch;

use crate::addresses::Changing;
use crate::config::Machine;
use crate::control_plane::{Tasks, node_recorder};
use crate::{cli, embedded, places as server};
use machine::texts;
use network::WaitingNetwork;

/// k3s' file of registries.
const REGISTRIES: &str = "/etc/rancher/k3s/registries.yaml";

/// Why this process runs no node, if it runs none.
pub(crate) fn refused(arguments: &cli::Server) -> Option<&'static str> {
    if arguments.disable_agent {
        Some("--disable-agent")
    } else if !geteuid().is_root() {
        Some("containers need root; --fake-node does not")
    } else {
        None
    }
}

/// Starts the node of this machine.
///
/// # Errors
/// Something that every pod needs cannot be had.
pub(crate) async fn start(
    tasks: &mut Tasks,
    api: &Api,
    Machine { arguments, loaded, .. }: &Machine,
    server: &server::Places,
    addresses: Changing,
) -> Result<(), Box<dyn Error>> {
    let name = match &arguments.node_name {
        Some(name) => name.clone(),
        None => rustix::system::uname().nodename().to_string_lossy().to_lowercase(),
    };
    let client: Arc<dyn Client> = Arc::new(LocalClient::new(api.clone(), Identity::node(&name)));
    let places = Places { data: server.agent.clone(), ..Places::default() };
    std::fs::create_dir_all(&places.data).map_err(|error| format!("{}: {error}", places.data.display()))?;
    let addresses_now = texts(&addresses.borrow());
    let conditions = if server.is_device { device::conditions(&loaded.problems) } else { Vec::new() };
    let machine = machine::Read { name: &name, storage: &places.data, configuration: &loaded.configuration };
    let machine = machine.machine(addresses_now, conditions);
    let clock = Clock::system();

    let (ranges, given) = watch::channel(known_ranges(&client, &name));
    let cluster = arguments.cluster_cidr.split(',').map(str::parse).collect::<Result<Vec<_>, _>>();
    let cluster = cluster.map_err(|error| format!("--cluster-cidr: {error}"))?;
    let parts = Parts {
        images: Arc::new(Images::new(
            images(&places, loaded.configuration.registries.clone()).await?,
            Arc::clone(&client),
            Keychain::default(),
        )),
        sandboxes: Arc::new(shims()?),
        network: Arc::new(WaitingNetwork::new(given, cluster)),
        cgroups: Arc::new(GroupTree::new(group_tree(arguments.cgroup_mode)?, PathBuf::from("/"))),
        roots: Arc::new(Overlays),
    };
    let allocatable = Allocatable {
        cpu_millis: i64::from(machine.cpus) * 1000,
        memory: signed(machine.memory.saturating_sub(machine.memory_reserved)),
        storage: signed(machine.storage.saturating_sub(machine.storage_reserved)),
    };
    let kernel = Arc::new(Kernel);
    let volumes = Volumes::new(places.clone(), Arc::clone(&client), kernel, allocatable, clock.clone());
    let volumes = Arc::new(volumes);
    let settings = Settings {
        places,
        node: name.clone(),
        dns: ClusterDns { servers: Vec::new(), domain: "cluster.local".to_owned() },
        memory: machine.memory,
        pids_per_pod: None,
        rotate: coracle_shim_protocol::message::Rotate::default(),
        hosts: "/etc/hosts".into(),
        resolv_conf: "/etc/resolv.conf".into(),
    };
    let containers = Containers::open(settings, parts, Arc::clone(&volumes), clock.clone()).await?;
    let membership =
        api.nodes().join(name.as_str(), Arc::new(ContainerNode::new(containers.clone(), Arc::clone(&client))));
    tasks.spawn(async {
        volumes.keep().await;
        Ok(())
    });
    tasks.spawn(ready::tell(Arc::clone(&client), name.clone()));
    let events = node_recorder(tasks, &client, &name);
    let machine = machine::follow(tasks, machine, addresses);
    let settings = work::Settings { machine, all_volumes: false, shape: as_they_are, ranges, clock };
    tasks.spawn(async move {
        let _membership = membership;
        // Nothing stops a node before the server ends.
        let (_keep, stop) = watch::channel(false);
        work::run(client, Arc::new(containers), settings, events, stop).await;
        Ok(())
    });
    Ok(())
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The ranges that the control plane gave to the node in an earlier run.
fn known_ranges(client: &Arc<dyn Client>, name: &str) -> Vec<String> {
    let node = client.view().get(&NODES, "", name);
    let ranges = node.as_ref().map_or(&[][..], |node| items(node, &["spec", "podCIDRs"]));
    ranges.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

async fn images(places: &Places, registries: Option<Registries>) -> Result<Store, Box<dyn Error>> {
    let registries = match registries.map_or_else(|| std::fs::read(REGISTRIES).map(Err), |given| Ok(Ok(given))) {
        Ok(Ok(given)) => given,
        Ok(Err(text)) => Registries::parse(&text).map_err(|error| format!("{REGISTRIES}: {error}"))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Registries::default(),
        Err(error) => return Err(format!("{REGISTRIES}: {error}").into()),
    };
    let registry = Registry::new(registries, Timeouts::default())?;
    let prebaked = Some(PathBuf::from(paths::IMAGES)).filter(|folder| folder.is_dir());
    let roots = Roots { writable: places.data.join("containers"), prebaked };
    Ok(Store::open(roots, registry, native()).await?)
}

fn group_tree(mode: Mode) -> Result<Tree, Box<dyn Error>> {
    let tree = Tree::open(Path::new(cgroups::ROOT), mode)?;
    tree.prepare()?;
    Ok(tree)
}

/// Shims from the embedded programs.
fn shims() -> Result<Shims, String> {
    Ok(Shims::new(embedded::INIT.unpack()?.into(), embedded::RUNTIME.unpack()?.into()))
}
