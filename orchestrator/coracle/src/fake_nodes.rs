//! Nodes whose containers exist by name only: for tests of everything above the runtime, and for trials without root.

use std::sync::Arc;

use coracle_agent::fake::{Fake, shape};
use coracle_agent::node::Machine;
use coracle_agent::work::{self, Clock, Settings};
use coracle_apiserver::LocalClient;
use coracle_apiserver::api::Api;
use coracle_auth::Identity;
use coracle_client::Client;
use tokio::sync::watch;

use crate::control_plane::{Tasks, node_recorder};
use crate::version;

const GIBIBYTE: u64 = 1 << 30;

/// Starts a node for each name.
pub(crate) fn start(tasks: &mut Tasks, api: &Api, names: &[String]) {
    for (number, name) in names.iter().enumerate() {
        let client: Arc<dyn Client> = Arc::new(LocalClient::new(api.clone(), Identity::node(name)));
        let events = node_recorder(tasks, &client, name);
        let clock = Clock::system();
        let (ranges, given) = watch::channel(Vec::new());
        let runtime = Arc::new(Fake::new(clock.clone(), given));
        let settings =
            Settings { machine: watch::channel(machine(name, number)).1, all_volumes: true, shape, ranges, clock };
        tasks.spawn(async move {
            // Nothing stops a node before the server ends.
            let (_keep, stop) = watch::channel(false);
            work::run(client, runtime, settings, events, stop).await;
            Ok(())
        });
    }
}

/// A machine of 4 processors and 8 GiB, with an address from the range for documentation.
fn machine(name: &str, number: usize) -> Machine {
    Machine {
        name: name.to_owned(),
        hostname: name.to_owned(),
        addresses: vec![format!("198.51.100.{}", number % 254 + 1)],
        architecture: version::go_architecture().to_owned(),
        kernel_version: "fake".to_owned(),
        os_image: "fake".to_owned(),
        container_runtime_version: concat!("fake://", env!("CARGO_PKG_VERSION")).to_owned(),
        kubelet_version: version::kubelet(),
        machine_id: format!("{number:032x}"),
        system_uuid: format!("{number:032x}"),
        boot_id: format!("{number:032x}"),
        cpus: 4,
        memory: 8 * GIBIBYTE,
        storage: 10 * GIBIBYTE,
        pods: 110,
        ..Machine::default()
    }
}
