//! What a machine configuration says.

use std::collections::BTreeMap;
use std::fmt;

use coracle_images::registries::Registries;
use netstack::uplink::{NicSettings, UplinkSettings};

/// A machine configuration that is right. What is absent has the default of `docs/configuration.md`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachineConfiguration {
    /// `node-name`: name of this machine's node.
    pub node_name: Option<String>,
    /// `hostname`: name of the host.
    pub hostname: Option<String>,
    /// `node-label`: labels of the node, each key once.
    pub node_labels: Vec<(String, String)>,
    /// `node-taint`: taints that the node registers with, each key and effect once.
    pub node_taints: Vec<Taint>,
    /// `tls-san`: further names and addresses of the serving certificate.
    pub tls_sans: Vec<String>,
    /// `cluster-cidr`: network of pod addresses, or one of each IP version with a comma between.
    pub cluster_cidr: Option<String>,
    /// `service-cidr`: network of Service addresses.
    pub service_cidr: Option<String>,
    /// `https-listen-port`: port of the API.
    pub https_listen_port: Option<u16>,
    /// `disable`: components that are not wanted, by the names in [`COMPONENTS`](crate::COMPONENTS).
    pub disable: Vec<String>,
    /// `bootstrap-token`: the token of the first contact.
    pub bootstrap_token: Option<BootstrapToken>,
    /// `client-ca`: certificates, in PEM, of authorities that may vouch for clients.
    pub client_ca: Option<String>,
    /// `registries`: which endpoints serve a registry, and whom to trust.
    pub registries: Option<Registries>,
    /// `certificates`: certificates in PEM by the name of their file, without `.pem`.
    pub certificates: BTreeMap<String, String>,
    /// `network.interfaces`: interfaces that are not just wired ones with DHCP, by name.
    pub interfaces: BTreeMap<String, NicSettings>,
}

/// A taint of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value; may be empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// A token of the first contact: `ID.SECRET`.
#[derive(Clone, PartialEq, Eq)]
pub struct BootstrapToken {
    /// Six characters that are no secret.
    pub id: String,
    /// Sixteen characters that are one.
    pub secret: String,
}

impl fmt::Debug for BootstrapToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("BootstrapToken").field("id", &self.id).finish_non_exhaustive()
    }
}

impl MachineConfiguration {
    /// The settings of the uplink, for a machine with this stable identifier. They pass
    /// [`UplinkSettings::check`], because the configuration was checked with it.
    #[must_use]
    pub fn uplink(&self, machine: [u8; 16]) -> UplinkSettings {
        UplinkSettings { machine, hostname: self.hostname.clone(), nics: self.interfaces.clone() }
    }
}
