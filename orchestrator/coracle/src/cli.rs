//! The command line. A flag that is not honoured is refused by clap with the nearest one that is.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use coracle_cgroups::Mode;
use coracle_configuration::{COMPONENTS, Origin};

use crate::kubeconfig;

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
    /// Work with machine configurations
    #[command(subcommand)]
    Config(Config),
    /// Get an administrator's certificate from a device with its bootstrap token, and write a kubeconfig
    Kubeconfig(kubeconfig::Kubeconfig),
    /// Print the versions of this executable and of those that it embeds
    Version,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check a machine configuration: print `FILE: ok`, or each problem with its line and end with 1
    Check(Check),
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The document
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Where the document will stand [default: nocloud for a file called user-data, else esp]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) source: Option<ConfigSource>,
}

/// Where a machine configuration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConfigSource {
    /// CONFIG.YAML on the ESP of a device
    Esp,
    /// user-data on a NoCloud volume of a device
    Nocloud,
    /// A file of `coracle server --config` on a machine that is no device
    Host,
}

impl From<ConfigSource> for Origin {
    fn from(source: ConfigSource) -> Self {
        match source {
            ConfigSource::Esp => Self::Esp,
            ConfigSource::Nocloud => Self::NoCloud,
            ConfigSource::Host => Self::Host,
        }
    }
}

impl Cli {
    /// The command line of this process. A wrong one ends it with a message.
    pub(crate) fn read() -> Self {
        Self::of(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// A command line, and which flags of the server were given on it.
    pub(crate) fn of(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(arguments)?;
        let mut cli = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut Self::command()))?;
        if let (Command::Server(server), Some((_, matches))) = (&mut cli.command, matches.subcommand()) {
            let given = matches.ids().map(clap::Id::as_str);
            let given = given.filter(|flag| matches.value_source(flag) == Some(ValueSource::CommandLine));
            server.given = given.map(str::to_owned).collect();
        }
        Ok(cli)
    }
}

/// Flags of `coracle server`, named as k3s names them.
#[derive(Debug, Clone, Args)]
pub(crate) struct Server {
    /// Machine configuration, whose keys are named like these flags; a flag that is given wins [default:
    /// /etc/rancher/k3s/config.yaml if it is there; a device has its own sources]
    #[arg(long, short = 'c', value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Flags that were given, by the names of their fields
    #[arg(skip)]
    pub(crate) given: BTreeSet<String>,

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
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = PossibleValuesParser::new(COMPONENTS))]
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
