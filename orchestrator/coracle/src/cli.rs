//! The command line. A flag that is not honoured is refused by clap with the nearest one that is.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use coracle_cgroups::Mode;

/// Coracle: Kubernetes as a whole device.
#[derive(Debug, Parser)]
#[command(name = "coracle", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server of this machine
    Server(Box<Server>),
    /// Print the versions of this executable and of the coracle-init that it embeds
    Version,
}

/// Flags of `coracle server`, named as k3s names them.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// Address that the HTTPS listener binds
    #[arg(long, default_value = "0.0.0.0", value_name = "IP")]
    pub(crate) bind_address: IpAddr,

    /// Port that the HTTPS listener binds; 0 takes a free one
    #[arg(long, default_value_t = 6443, value_name = "PORT")]
    pub(crate) https_listen_port: u16,

    /// Folder of the cluster's state [default: on a device a folder of STATE, elsewhere /var/lib/rancher/k3s or
    /// ~/.rancher/k3s without root]
    #[arg(long, short = 'd', value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// File that gets the administrator's kubeconfig [default: /etc/rancher/k3s/k3s.yaml, or ~/.kube/k3s.yaml without
    /// root; on a device none, because its root is read-only]
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) write_kubeconfig: Option<PathBuf>,

    /// Network of Service addresses
    #[arg(long, default_value = "10.43.0.0/16", value_name = "CIDR")]
    pub(crate) service_cidr: String,

    /// Further names and addresses of the serving certificate
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_san: Vec<String>,

    /// Components that are not wanted, by k3s' names
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = ["coredns", "servicelb", "traefik", "local-storage", "metrics-server", "runtimes"])]
    pub(crate) disable: Vec<String>,

    /// Name of this machine's node [default: the host's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) node_name: Option<String>,

    /// Run no node on this machine
    #[arg(long)]
    pub(crate) disable_agent: bool,

    /// What the node's control groups must offer; group-only is for tests on machines whose cgroup v2 has no controllers,
    /// and refuses limits
    #[arg(long, default_value = "full", value_name = "MODE", value_parser = cgroup_mode)]
    pub(crate) cgroup_mode: Mode,

    /// Network of pod addresses; each node gets a /24 of it
    #[arg(long, default_value = "10.42.0.0/16", value_name = "CIDR")]
    pub(crate) cluster_cidr: String,

    /// Run no controllers: objects are stored, and nothing acts on them
    #[arg(long)]
    pub(crate) disable_controller_manager: bool,

    /// Run no scheduler: pods wait for another one to bind them
    #[arg(long)]
    pub(crate) disable_scheduler: bool,

    /// Add a node whose containers exist by name only, for tests and trials; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) fake_node: Vec<String>,

    /// Refused in this version: it joins with the second node
    #[arg(long, short = 't', value_name = "TOKEN", value_parser = refuse("the second node, which is not part of this version"))]
    pub(crate) token: Option<Refused>,
}

fn cgroup_mode(text: &str) -> Result<Mode, String> {
    match text {
        "full" => Ok(Mode::Full),
        "group-only" => Ok(Mode::GroupOnly),
        _ => Err("the modes are full and group-only".to_owned()),
    }
}

/// A value that is never taken.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refused {}

/// A parser that takes no value and says with what the flag joins.
fn refuse(with: &'static str) -> impl Fn(&str) -> Result<Refused, String> + Clone + Send + Sync + 'static {
    move |_| Err(format!("this flag joins with {with}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_flags_are_refused_with_the_nearest_one() {
        let error = Cli::try_parse_from(["coracle", "server", "--https-listen-prot", "1"]).unwrap_err().to_string();
        assert!(error.contains("--https-listen-port"), "{error}");
        assert!(Cli::try_parse_from(["coracle", "agent"]).is_err());
    }

    #[test]
    fn flags_that_cannot_be_honoured_are_refused_with_the_reason() {
        for (flag, value, reason) in
            [("--token", "secret", "second node"), ("--disable", "kube-proxy", "metrics-server")]
        {
            let error = Cli::try_parse_from(["coracle", "server", flag, value]).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(Cli::try_parse_from(["coracle", "server", "--disable", "traefik,servicelb"]).is_ok());
    }
}
