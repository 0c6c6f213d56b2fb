//! `coracle server`: assembles the parts of the orchestrator and runs them until a signal.

use std::error::Error;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use coracle_apiserver::allocate::Networks;
use coracle_apiserver::first_contact::ensure_token;
use coracle_apiserver::front::Front;
use coracle_apiserver::health::Checks;
use coracle_apiserver::server::Server;
use coracle_auth::identity::MASTERS;
use coracle_auth::pki::{self, Lifetime};
use coracle_auth::tls;
use coracle_contract::heartbeat::Message;
use coracle_contract::marker::Marker;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::task::JoinError;

use crate::addresses::{Changing, of_host};
use crate::cluster::Cluster;
use crate::config::Machine;
use crate::control_plane::{self, Tasks};
use crate::heartbeat::Heartbeat;
use crate::places::Places;
use crate::shutdown::Shutdown;
use crate::{device, fake_nodes, node, self_check, serving, uplink};

/// Worker threads of the runtime. Two keep one slow request from delaying the heartbeat on the smallest boards.
const WORKERS: usize = 2;

/// Runs the server of this machine until SIGTERM or SIGINT.
pub(crate) fn run(machine: &Machine) -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_target(false).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    runtime.block_on(serve(machine))
}

async fn serve(machine: &Machine) -> Result<(), Box<dyn Error>> {
    let Machine { arguments, loaded, client_ca } = machine;
    let configuration = &loaded.configuration;
    let mut shutdown = Shutdown::register()?;
    let heartbeat = Heartbeat::from_environment()?;

    // Before anything that may take long, so that PID 1 hears of this process.
    if let Some(heartbeat) = &heartbeat {
        heartbeat.say(&Message::Alive)?;
    }
    let networks = Networks::parse(&arguments.service_cidr)?;
    let api_address = networks.api_address();
    let Cluster { places, authorities, api, tokens } = Cluster::open(arguments, client_ca.as_ref(), networks).await?;
    if places.is_device {
        device::apply(configuration);
    }

    let mut checks = Checks::default();
    checks.add("ping", true);
    let watched = api.clone();
    let front = Front::new(api, checks, tokens);
    let mut tasks = Tasks::new();
    let addresses = addresses(&mut tasks, machine, &places);
    let serving = serving::follow(&mut tasks, &authorities, api_address, &arguments.tls_san, addresses.clone())?;
    let tls = tls::server_config(serving, &authorities)?;
    let authority = authorities.server.certificate().clone();
    let address = SocketAddr::new(arguments.bind_address, arguments.https_listen_port);
    let server = Server::bind(address, tls, front).await?;
    let address = server.address();
    if let Some(path) = &places.kubeconfig {
        let admin = authorities.client("system:admin", &[MASTERS], Lifetime::Device)?;
        let url = format!("https://{}", reachable(address));
        pki::write_kubeconfig(path, &pki::kubeconfig(&url, &authorities.server, &admin))?;
    }
    say(&Marker::new("serving").with("address", address));

    control_plane::start(&mut tasks, &watched, &authorities, arguments, &addresses, reachable(address))?;

    if let Some(token) = &configuration.bootstrap_token {
        let issued = ensure_token(&watched, &format!("{}.{}", token.id, token.secret)).await;
        match issued {
            Ok(issued) => tracing::info!(id = token.id, ?issued, "first contact"),
            Err(error) => tracing::error!(%error, "nobody can make first contact"),
        }
    }
    fake_nodes::start(&mut tasks, &watched, &arguments.fake_node);
    match node::refused(arguments) {
        Some(reason) => tracing::info!(reason, "no node runs on this machine"),
        None => {
            // Without its node the API still serves: that is how somebody finds out why.
            if let Err(error) = node::start(&mut tasks, &watched, machine, &places, addresses).await {
                tracing::error!(%error, "no node runs on this machine");
            }
        }
    }

    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async {
        // A dropped sender means the same as a sent stop.
        let _ = stopped.await;
    }));

    let signal = tokio::select! {
        signal = shutdown.wait() => signal,
        Some(ended) = tasks.join_next() => return Err(reason(ended).into()),
        error = prove_ready(reachable(address), authority, heartbeat.as_ref()) => return Err(error),
    };
    tracing::info!(signal, "shutting down");
    // A receiver that is gone means that the server ended by itself; joining it says why.
    let _ = stop.send(());
    serving.await?;
    Ok(())
}

/// The addresses of this machine: of its uplink on a device, elsewhere as they are now.
fn addresses(tasks: &mut Tasks, Machine { arguments, loaded, .. }: &Machine, places: &Places) -> Changing {
    if places.is_device {
        let settings = uplink::settings(&loaded.configuration);
        match uplink::start(tasks, settings, &places.data, arguments.bind_address) {
            Ok(changing) => return changing,
            // Somebody at the console can still find out why.
            Err(error) => tracing::error!(%error, "the device has no uplink"),
        }
    }
    watch::channel(of_host(arguments.bind_address)).1
}

/// Why a loop that should never end has ended.
fn reason(ended: Result<Result<(), String>, JoinError>) -> String {
    match ended {
        Ok(Ok(())) => "a controller ended".to_owned(),
        Ok(Err(reason)) => reason,
        Err(error) => error.to_string(),
    }
}

/// Beats from the start, says ready once the own listener has answered, and returns only with the reason for which
/// this process should end.
async fn prove_ready(
    address: SocketAddr,
    authority: CertificateDer<'static>,
    heartbeat: Option<&Heartbeat>,
) -> Box<dyn Error> {
    let beating = async {
        match heartbeat {
            Some(heartbeat) => heartbeat.beat().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(beating);
    tokio::select! {
        // In this order, so that PID 1 hears the first beat before anything else.
        biased;
        error = &mut beating => return error.into(),
        ready = announce_ready(address, authority, heartbeat) => if let Err(error) = ready {
            return error;
        },
    }
    beating.await.into()
}

async fn announce_ready(
    address: SocketAddr,
    authority: CertificateDer<'static>,
    heartbeat: Option<&Heartbeat>,
) -> Result<(), Box<dyn Error>> {
    let answer = self_check::ready(address, authority).await?;
    say(&Marker::new("readyz").with("status", answer.status.as_u16()).with("body", answer.body.trim_end()));
    if !answer.status.is_success() {
        return Err(format!("/readyz answered {}", answer.status).into());
    }
    if let Some(heartbeat) = heartbeat {
        heartbeat.say(&Message::Ready)?;
    }
    Ok(())
}

/// Prints a marker in one write, so that no other line can come between. A console that is gone is no reason to stop
/// serving.
pub(crate) fn say(marker: &Marker) {
    let _ = std::io::stdout().write_all(format!("{marker}\n").as_bytes());
}

/// An address at which this process reaches its own listener.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}
