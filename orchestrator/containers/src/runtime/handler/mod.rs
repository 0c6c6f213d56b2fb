//! Probes and hooks, with the kubelet's words.

mod grpc;
mod http;
mod target;
mod tls;

use std::time::Duration;

use coracle_agent::runtime::{Failure, Handled, HandlerSpec, State};
use coracle_apimachinery::Value;
use coracle_client::object;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Containers, failure};
use target::{Target, dial_error};

impl Containers {
    /// Runs a probe or hook. A handler that says no is an answer.
    pub(super) async fn handle(&self, spec: HandlerSpec) -> Result<Handled, Failure> {
        if let Some(exec) = spec.handler.at(&["exec"]) {
            let command: Vec<String> =
                object::items(exec, &["command"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
            return self.exec_handler(&spec, &command).await;
        }
        if let Some(seconds) = spec.handler.at(&["sleep"]) {
            return Ok(self.sleep_handler(&spec, seconds).await);
        }
        let ips = self.0.pods().get(object::uid(&spec.pod)).and_then(|pod| Some(pod.sandbox.as_ref()?.ips.clone()));
        let ip = ips.unwrap_or_default().into_iter().next();
        let ip = ip.or_else(|| Some(spec.pod.text_at(&["status", "podIP"]).to_owned()).filter(|ip| !ip.is_empty()));
        // A pod of the host's network is where the host is.
        let ip = ip.unwrap_or_else(|| "127.0.0.1".to_owned());
        let target = Target::of(&spec, &ip);
        let target = match target {
            Ok(target) => target,
            Err(why) => return Ok(said(false, why)),
        };
        if spec.handler.at(&["httpGet"]).is_some() {
            return Ok(http::get(&target, spec.timeout, is_hook(&spec)).await);
        }
        if spec.handler.at(&["grpc"]).is_some() {
            return Ok(grpc::check(&target, spec.handler.text_at(&["grpc", "service"]), spec.timeout).await);
        }
        if spec.handler.at(&["tcpSocket"]).is_some() {
            return Ok(connect(&target, spec.timeout).await);
        }
        Err(failure("", "missing probe handler"))
    }

    async fn exec_handler(&self, spec: &HandlerSpec, command: &[String]) -> Result<Handled, Failure> {
        match self.run(&spec.id, command, spec.timeout).await {
            Ok(done) => Ok(said(done.exit_code == 0, done.output)),
            Err(why) if why.ends_with("timed out") => {
                let seconds = duration(spec.timeout);
                Ok(said(false, format!("command timed out: {:?} timed out after {seconds}", command.join(" "))))
            }
            Err(why) => Ok(said(false, why)),
        }
    }

    /// Sleeps, at most until the container ends.
    async fn sleep_handler(&self, spec: &HandlerSpec, sleep: &Value) -> Handled {
        let seconds = u64::try_from(object::int(sleep, &["seconds"], 0)).unwrap_or(0);
        let wanted = Duration::from_secs(seconds);
        let end = Instant::now() + wanted.min(spec.timeout);
        let state = {
            let id = spec.id.strip_prefix(super::SCHEME).unwrap_or(&spec.id);
            let pods = self.0.pods();
            let pod = pods.get(object::uid(&spec.pod));
            pod.and_then(|pod| pod.containers.get(id)).map(|held| held.state.subscribe())
        };
        let over = async {
            match state {
                Some(mut state) => drop(state.wait_for(|state| matches!(state, State::Exited(_))).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep_until(end) => {}
            () = over => return said(false, "container terminated before sleep hook finished".to_owned()),
        }
        said(wanted <= spec.timeout, String::new())
    }
}

fn said(success: bool, output: String) -> Handled {
    Handled { success, output }
}

async fn connect(target: &Target, limit: Duration) -> Handled {
    match timeout(limit, TcpStream::connect((target.host.as_str(), target.port))).await {
        Ok(Ok(_)) => said(true, String::new()),
        Ok(Err(error)) => said(false, dial_error(target, &error)),
        Err(_) => said(false, format!("dial tcp {}: i/o timeout", target.authority())),
    }
}

/// Whether the handler is that of a hook: a hook that was answered was successful, whatever the answer.
fn is_hook(spec: &HandlerSpec) -> bool {
    let lists = ["containers", "initContainers"];
    let container =
        lists.iter().find_map(|list| object::named(object::items(&spec.pod, &["spec", list]), "name", &spec.container));
    let hooks = container.and_then(|container| container.at(&["lifecycle"]));
    let is = |member: &str| {
        let hook = hooks.and_then(|hooks| hooks.at(&[member, "httpGet"]));
        hook.is_some() && hook == spec.handler.at(&["httpGet"])
    };
    let probes = ["livenessProbe", "readinessProbe", "startupProbe"];
    let is_probe = probes.iter().any(|probe| {
        container.and_then(|container| container.at(&[probe, "httpGet"])) == spec.handler.at(&["httpGet"])
    });
    (is("postStart") || is("preStop")) && !is_probe
}

/// A time as Go prints it, for whole seconds below a minute and milliseconds.
pub(super) fn duration(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    match (seconds / 60, seconds % 60, millis) {
        (0, 0, millis) if millis > 0 => format!("{millis}ms"),
        (0, seconds, 0) => format!("{seconds}s"),
        (0, seconds, millis) => format!("{}s", format!("{seconds}.{millis:03}").trim_end_matches('0')),
        (minutes, seconds, _) => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests;
