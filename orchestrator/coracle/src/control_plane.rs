//! Controllers and scheduler of this server: which there are, with which rights each runs, and their loops.

use std::net::SocketAddr;
use std::sync::Arc;

use coracle_apiserver::LocalClient;
use coracle_apiserver::api::Api;
use coracle_auth::Identity;
use coracle_auth::pki::{Authorities, Authority};
use coracle_client::Client;
use coracle_client::event::Event;
use coracle_client::recorder::{Recorder, Style};
use coracle_controllers::bootstrap_signer::{BootstrapSigner, ClusterInfo, TokenCleaner};
use coracle_controllers::certificates::{
    CertificateApprover, CertificateCleaner, CertificateSigner, FirstContactApprover, Sign, Signers, by_group,
};
use coracle_controllers::controller::Controller;
use coracle_controllers::deployment::Deployments;
use coracle_controllers::endpoints::KubernetesEndpoints;
use coracle_controllers::garbage::GarbageCollector;
use coracle_controllers::namespace::Namespaces;
use coracle_controllers::node_ipam::NodeIpam;
use coracle_controllers::node_lifecycle::NodeLifecycle;
use coracle_controllers::pod_garbage::PodGarbageCollector;
use coracle_controllers::replica_set::ReplicaSets;
use coracle_controllers::root_ca::RootCa;
use coracle_controllers::runner::{Runner, Tell};
use coracle_controllers::scheduler::Scheduler;
use coracle_controllers::service_account::ServiceAccounts;
use coracle_controllers::taint_eviction::TaintEviction;
use tokio::task::JoinSet;

use crate::addresses::{Changing, change};
use crate::cli;

/// Bits of the network that each node gets: of IPv4 and of IPv6, as k3s has them.
const NODE_MASKS: (u8, u8) = (24, 64);

/// Instance of the reporting scheduler in its events.
const INSTANCE: &str = "default-scheduler-coracle";

/// Loops that run as long as the server; each ends only with the reason for which the process should start over.
pub(crate) type Tasks = JoinSet<Result<(), String>>;

/// Makes a controller of the address that others reach the API at, the one that this machine does, and the authority.
type Published = fn(Option<SocketAddr>, SocketAddr, &str) -> Option<Arc<dyn Controller>>;

/// A controller and who it is.
type Row = (Arc<dyn Controller>, Identity);

/// An authority as the signer of requests asks it.
#[derive(Debug)]
struct Signing {
    authorities: Arc<Authorities>,
    which: fn(&Authorities) -> &Authority,
}

impl Sign for Signing {
    fn not_after(&self) -> i64 {
        (self.which)(&self.authorities).not_after()
    }

    fn sign(&self, request: &[u8], usages: &[&str], not_before: i64, not_after: i64) -> Result<String, String> {
        (self.which)(&self.authorities).sign_request(request, usages, not_before, not_after)
    }
}

/// Starts what the flags leave on. Others reach the API at the primary address and the port of `own`, where this machine
/// reaches it. Until there is a primary address no Endpoints point there, and `cluster-info`, which first contact needs in
/// any case, names `own`.
///
/// # Errors
/// A flag holds what cannot be used.
pub(crate) fn start(
    tasks: &mut Tasks,
    api: &Api,
    authorities: &Arc<Authorities>,
    arguments: &cli::Server,
    addresses: &Changing,
    own: SocketAddr,
) -> Result<(), String> {
    let mut rows = Vec::new();
    if !arguments.disable_controller_manager {
        rows.extend(controllers(authorities, arguments)?);
        publish(tasks, api, authorities.server.pem(), addresses, own, arguments.bind_address.is_loopback());
    }
    if !arguments.disable_scheduler {
        rows.push((Arc::new(Scheduler) as Arc<dyn Controller>, Identity::component("system:kube-scheduler")));
    }
    for (controller, identity) in rows {
        let client: Arc<dyn Client> = Arc::new(LocalClient::new(api.clone(), identity));
        let tell = recorder(tasks, &client, controller.name());
        tasks.spawn(Runner { client, controller, tell }.run());
    }
    Ok(())
}

/// Where the events of a component go.
fn recorder(tasks: &mut Tasks, client: &Arc<dyn Client>, component: &str) -> Tell {
    // The scheduler is the one component that reports through events.k8s.io.
    let style = match component {
        "default-scheduler" => Style::New { controller: component.to_owned(), instance: INSTANCE.to_owned() },
        _ => Style::Core { component: component.to_owned(), host: String::new() },
    };
    record(tasks, client, style)
}

/// Where the events of a node's agent go.
pub(crate) fn node_recorder(tasks: &mut Tasks, client: &Arc<dyn Client>, node: &str) -> Tell {
    record(tasks, client, Style::Core { component: "kubelet".to_owned(), host: node.to_owned() })
}

fn record(tasks: &mut Tasks, client: &Arc<dyn Client>, style: Style) -> Tell {
    let (recorder, recording) = Recorder::new(Arc::clone(client), style);
    tasks.spawn(async {
        recording.run().await;
        Ok(())
    });
    Arc::new(move |event: Event| recorder.record(event))
}

fn controllers(authorities: &Arc<Authorities>, arguments: &cli::Server) -> Result<Vec<Row>, String> {
    let networks: Vec<&str> = arguments.cluster_cidr.split(',').collect();
    let ipam = NodeIpam::new(&networks, NODE_MASKS.0, NODE_MASKS.1);
    let ipam = ipam.map_err(|error| format!("--cluster-cidr: {error}"))?;
    let services: Vec<&str> = arguments.service_cidr.split(',').collect();
    let ipam = ipam.without(&services).map_err(|error| format!("--service-cidr: {error}"))?;
    let signing = |which: fn(&Authorities) -> &Authority| -> Arc<dyn Sign> {
        Arc::new(Signing { authorities: Arc::clone(authorities), which })
    };
    let signers = Signers { client: signing(|all| &all.client), serving: signing(|all| &all.server) };
    let authority = authorities.server.pem();

    let mut rows: Vec<Row> = Vec::new();
    // By the names of their ServiceAccounts in the bootstrap policy, which are not always those in events.
    let mut add = |account: &str, controller: Arc<dyn Controller>| {
        rows.push((controller, Identity::controller(account)));
    };
    add("deployment-controller", Arc::new(Deployments));
    add("replicaset-controller", Arc::new(ReplicaSets));
    add("generic-garbage-collector", Arc::new(GarbageCollector));
    add("namespace-controller", Arc::new(Namespaces));
    add("node-controller", Arc::new(ipam));
    add("node-controller", Arc::new(NodeLifecycle::default()));
    add("node-controller", Arc::new(TaintEviction::default()));
    add("pod-garbage-collector", Arc::new(PodGarbageCollector));
    add("service-account-controller", Arc::new(ServiceAccounts));
    add("root-ca-cert-publisher", Arc::new(RootCa::new(authority)));
    add("bootstrap-signer", Arc::new(BootstrapSigner));
    add("token-cleaner", Arc::new(TokenCleaner));
    add("certificate-controller", Arc::new(CertificateApprover::new(by_group)));
    add("first-contact-approver", Arc::new(FirstContactApprover));
    add("certificate-controller", Arc::new(CertificateSigner::new(signers)));
    add("certificate-controller", Arc::new(CertificateCleaner));
    Ok(rows)
}

/// Keeps what says where the API is, for whatever address that is now.
fn publish(tasks: &mut Tasks, api: &Api, authority: &str, addresses: &Changing, own: SocketAddr, is_local: bool) {
    let authority = authority.to_owned();
    let rows: [Published; 2] = [
        |advertised, _, _| {
            let address = advertised?;
            Some(Arc::new(KubernetesEndpoints::new(address.ip(), address.port())))
        },
        |advertised, own, authority| {
            Some(Arc::new(ClusterInfo::new(&format!("https://{}", advertised.unwrap_or(own)), authority)))
        },
    ];
    // A server that only this machine reaches has no `cluster-info`, since nobody joins it.
    for make in rows.into_iter().take(if is_local { 1 } else { 2 }) {
        let client: Arc<dyn Client> = Arc::new(LocalClient::new(api.clone(), Identity::apiserver()));
        let tell = recorder(tasks, &client, "apiserver");
        let (mut addresses, authority) = (addresses.clone(), authority.clone());
        tasks.spawn(async move {
            loop {
                let advertised = addresses.borrow_and_update().advertised(own.port());
                let controller = make(advertised, own, &authority);
                let run = async {
                    match controller {
                        Some(controller) => {
                            Runner { client: Arc::clone(&client), controller, tell: Arc::clone(&tell) }.run().await
                        }
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    ended = run => return ended,
                    () = change(&mut addresses) => {}
                }
            }
        });
    }
}
