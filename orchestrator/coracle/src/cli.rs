//! The command line. A flag that is not honoured is refused by clap with the nearest one that is.

use std::net::IpAddr;

use clap::{Args, Parser, Subcommand};

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
    Server(Server),
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
}
