//! The configuration of this machine: from a device's sources or a file, and under the flags that were given.
//! `coracle config check` looks at a document without using it.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use coracle_auth::pki::Bundle;
use coracle_configuration::generations::{Condition, Reason};
use coracle_configuration::{Folders, Loaded, MOST_BYTES, MachineConfiguration, Origin, Problems, load, parse};
use coracle_contract::paths;

use crate::cli;

/// k3s' file.
const HOST_FILE: &str = "/etc/rancher/k3s/config.yaml";

/// What this machine is told.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The flags, with the configuration below them.
    pub(crate) arguments: cli::Server,
    /// The configuration: keys without a flag, where it is from, and what is wrong with other ones.
    pub(crate) loaded: Loaded,
    /// Authorities of the configuration whose client certificates are good.
    pub(crate) client_ca: Option<Bundle>,
}

/// A file that somebody named is not right.
#[derive(Debug)]
pub(crate) struct Wrong {
    file: PathBuf,
    problems: Problems,
}

impl Error for Wrong {}

impl fmt::Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.file.display(), self.problems)
    }
}

/// The configuration of this machine. That of a device never stops it; a file that is wrong does, because whoever starts
/// the server reads the message.
///
/// # Errors
/// The file is not there, cannot be read or is wrong; or a device is told to use one.
pub(crate) fn of_machine(arguments: &cli::Server) -> Result<Machine, Box<dyn Error>> {
    let is_device = Path::new(paths::BOOT_FACTS).exists();
    let mut loaded = if is_device {
        if arguments.config.is_some() {
            return Err(
                "--config is not for devices: their configuration comes from the ESP or a NoCloud volume".into()
            );
        }
        load(&Folders::of_device())
    } else {
        of_host(arguments.config.as_deref(), Path::new(HOST_FILE))?
    };
    let client_ca = match client_ca(&loaded.configuration) {
        Ok(bundle) => bundle,
        // Who has a certificate of the device's own authority can still put it right.
        Err(message) if is_device => {
            loaded.problems.push(Condition { reason: Reason::Invalid, message });
            None
        }
        Err(message) => return Err(format!("{}: {message}", loaded.source.unwrap_or_default()).into()),
    };
    Ok(Machine { arguments: configured(arguments, &loaded.configuration), loaded, client_ca })
}

/// The authorities of `client-ca`, which must be good for TLS and not only be PEM.
fn client_ca(configuration: &MachineConfiguration) -> Result<Option<Bundle>, String> {
    let bundle = configuration.client_ca.as_deref().map(Bundle::parse).transpose();
    bundle.map_err(|error| format!("client-ca {error}"))
}

/// The configuration in a file: the one that was named, else the usual one if it is there.
fn of_host(named: Option<&Path>, usual: &Path) -> Result<Loaded, Box<dyn Error>> {
    let file = named.unwrap_or(usual);
    let text = match read(file) {
        Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => return Ok(Loaded::default()),
        text => text.map_err(|error| format!("{}: {error}", file.display()))?,
    };
    let configuration = parse(&text, Origin::Host).map_err(|problems| Wrong { file: file.to_owned(), problems })?;
    Ok(Loaded { configuration, source: Some(file.display().to_string()), ..Loaded::default() })
}

/// The flags that hold: those that were given, then what the configuration says, then the defaults.
pub(crate) fn configured(arguments: &cli::Server, configuration: &MachineConfiguration) -> cli::Server {
    let mut merged = arguments.clone();
    let is_free = |flag: &str| !arguments.given.contains(flag);
    if is_free("node_name") {
        // A node is called like its host.
        merged.node_name = configuration.node_name.clone().or_else(|| configuration.hostname.clone());
    }
    if is_free("tls_san") {
        merged.tls_san.clone_from(&configuration.tls_sans);
    }
    if is_free("disable") {
        merged.disable.clone_from(&configuration.disable);
    }
    if let Some(port) = configuration.https_listen_port.filter(|_| is_free("https_listen_port")) {
        merged.https_listen_port = port;
    }
    for (flag, field, value) in [
        ("cluster_cidr", &mut merged.cluster_cidr, &configuration.cluster_cidr),
        ("service_cidr", &mut merged.service_cidr, &configuration.service_cidr),
    ] {
        if let Some(value) = value.as_ref().filter(|_| is_free(flag)) {
            field.clone_from(value);
        }
    }
    merged
}

/// `coracle config check`.
///
/// # Errors
/// The file cannot be read, or is wrong.
pub(crate) fn check(arguments: &cli::Check) -> Result<(), Box<dyn Error>> {
    let file = arguments.file.display();
    let usual = if arguments.file.ends_with("user-data") { Origin::NoCloud } else { Origin::Esp };
    let text = read(&arguments.file).map_err(|error| format!("{file}: {error}"))?;
    let mut out = io::stdout().lock();
    let problems = match parse(&text, arguments.source.map_or(usual, Origin::from)) {
        Ok(configuration) => {
            client_ca(&configuration).map_err(|message| format!("{file}: {message}"))?;
            return Ok(writeln!(out, "{file}: ok")?);
        }
        Err(problems) => problems,
    };
    for problem in problems.all() {
        let key = if problem.key.is_empty() { String::new() } else { format!("{}: ", problem.key) };
        writeln!(out, "{file}:{}: {key}{}", problem.line, problem.text)?;
    }
    let count = problems.all().len().saturating_add(problems.more());
    Err(format!("{file}: {count} problem{}", if count == 1 { "" } else { "s" }).into())
}

/// A file, cut behind the limit of a document, which the parser then tells.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(file)?.take((MOST_BYTES as u64).saturating_add(1)).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(flags: &[&str]) -> cli::Server {
        let arguments = ["coracle", "server"].iter().chain(flags);
        match cli::Cli::of(arguments).unwrap().command {
            cli::Command::Server(server) => *server,
            other => panic!("{other:?}"),
        }
    }

    fn configuration(text: &str) -> MachineConfiguration {
        parse(text.as_bytes(), Origin::Esp).unwrap()
    }

    const FULL: &str = "node-name: node\nhttps-listen-port: 7443\ncluster-cidr: 10.1.0.0/16\nservice-cidr: 10.2.0.0/16\ntls-san: [a.example]\ndisable: [traefik]\n";

    #[test]
    fn the_configuration_stands_above_the_defaults() {
        let merged = configured(&server(&[]), &configuration(FULL));
        assert_eq!(merged.node_name.as_deref(), Some("node"));
        assert_eq!(merged.https_listen_port, 7443);
        assert_eq!((&*merged.cluster_cidr, &*merged.service_cidr), ("10.1.0.0/16", "10.2.0.0/16"));
        assert_eq!((merged.tls_san, merged.disable), (vec!["a.example".to_owned()], vec!["traefik".to_owned()]));
        let merged = configured(&server(&[]), &configuration("hostname: h\n"));
        assert_eq!((merged.node_name.as_deref(), merged.https_listen_port), (Some("h"), 6443));
        assert_eq!((&*merged.cluster_cidr, &*merged.service_cidr), ("10.42.0.0/16", "10.43.0.0/16"));
    }

    #[test]
    fn flags_that_are_given_win_even_with_their_defaults() {
        let flags = [
            "--node-name=f",
            "--https-listen-port=6443",
            "--cluster-cidr=10.42.0.0/16",
            "--service-cidr=10.43.0.0/16",
            "--tls-san=f.example",
            "--disable=coredns",
        ];
        let given = server(&flags);
        let merged = configured(&given, &configuration(FULL));
        assert_eq!(format!("{merged:?}"), format!("{given:?}"));
    }

    #[test]
    fn every_flag_of_the_configuration_is_known_by_its_name() {
        let given = server(&[
            "--node-name=f",
            "--https-listen-port=1",
            "--cluster-cidr=x",
            "--service-cidr=x",
            "--tls-san=x",
            "--disable=traefik",
        ]);
        for flag in ["node_name", "https_listen_port", "cluster_cidr", "service_cidr", "tls_san", "disable"] {
            assert!(given.given.contains(flag), "{flag}");
        }
        assert!(server(&[]).given.is_empty());
    }

    #[test]
    fn authorities_must_be_good_for_tls() {
        let with = |pem: &str| {
            let configuration =
                MachineConfiguration { client_ca: Some(pem.to_owned()), ..MachineConfiguration::default() };
            client_ca(&configuration)
        };
        let folder = tempfile::tempdir().unwrap();
        let authorities = coracle_auth::pki::Authorities::open(folder.path()).unwrap();
        assert!(with(authorities.client.pem()).unwrap().is_some());
        let text = with("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap_err();
        assert!(text.starts_with("client-ca certificate 1 "), "{text}");
        assert!(client_ca(&MachineConfiguration::default()).unwrap().is_none());
    }

    #[test]
    fn a_host_has_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let (named, usual) = (folder.path().join("named"), folder.path().join("usual"));
        let shown = |named: Option<&Path>| match of_host(named, &usual) {
            Ok(loaded) => loaded.configuration.node_name.unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown(None), "");
        assert!(shown(Some(&named)).ends_with("named: No such file or directory (os error 2)"));
        std::fs::write(&usual, "node-name: u\n").unwrap();
        std::fs::write(&named, "node-name: node\n").unwrap();
        assert_eq!((shown(None), shown(Some(&named))), ("u".to_owned(), "node".to_owned()));
        std::fs::write(&usual, "node-name: u\nhostname: u\n").unwrap();
        assert!(
            shown(None).ends_with("usual: line 2: hostname: is for devices only; node-name names the node"),
            "{}",
            shown(None)
        );
    }
}
