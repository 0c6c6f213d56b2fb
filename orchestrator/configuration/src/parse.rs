//! Reading the document.

use std::collections::{BTreeMap, BTreeSet};

use coracle_apimachinery::yaml::{self, decode_any_located};
use coracle_apimachinery::{Object, Value};
use coracle_contract::paths;
use coracle_images::registries::Registries;

use crate::document::Node;
use crate::keys::{DOCUMENT, LATER_KEYS};
use crate::machine::{MachineConfiguration, Taint};
use crate::problem::{Problems, Report, shortened};
use crate::{check, network, pem};

/// Largest document in bytes.
pub const MOST_BYTES: usize = 1 << 20;

/// First line of a document that stands where other systems keep theirs.
pub const HEADER: &str = "#coracle-config";

/// Keys that only a device has something to do with, and what to do elsewhere.
const OF_DEVICES: [(&str, &str); 3] = [
    ("certificates", "name a file of this machine in registries.configs.HOST.tls.ca_file"),
    ("hostname", "node-name names the node"),
    ("network", "its network is not ours"),
];

/// Where a document comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `/CORACLE/CONFIG.YAML` of a device's ESP.
    Esp,
    /// `user-data` of a NoCloud volume: its first line is [`HEADER`].
    NoCloud,
    /// A file of a machine that is no device of ours.
    Host,
}

impl Origin {
    /// Sources of a device, in the order in which they are applied: the later one is the newer.
    pub const OF_DEVICE: [Self; 2] = [Self::Esp, Self::NoCloud];

    /// The name in generations, in the folder of seeds and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Esp => "esp",
            Self::NoCloud => "nocloud",
            Self::Host => "host",
        }
    }
}

/// Reads a document. An empty one is a configuration in which everything has its default.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &[u8], origin: Origin) -> Result<MachineConfiguration, Problems> {
    if text.len() > MOST_BYTES {
        return Err(Problems::one(
            1,
            format!("{} bytes are more than the {MOST_BYTES} of a configuration", text.len()),
        ));
    }
    if origin == Origin::NoCloud {
        check_header(text)?;
    }
    if let Err(error) = std::str::from_utf8(text) {
        let lines = text.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count();
        return Err(Problems::one(lines.saturating_add(1), "is no UTF-8"));
    }
    let located = decode_any_located(text).map_err(|error| match error {
        yaml::Error::Syntax { line, problem } => Problems::one(line.max(1), problem),
        other => Problems::one(1, other.to_string()),
    })?;
    let mut report = Report::default();
    for (line, key) in &located.repeated {
        report.add(*line, key, "stands twice");
    }
    let document = Node { value: &located.value, place: &located.place, path: String::new() };
    let configuration = document_of(&document, origin, &mut report);
    report.judge(configuration)
}

fn check_header(text: &[u8]) -> Result<(), Problems> {
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    if first == HEADER.as_bytes() {
        return Ok(());
    }
    let found = if first == b"#cloud-config" { "is a document for cloud-init, which this system is not; " } else { "" };
    Err(Problems::one(1, format!("{found}the first line of user-data must be {HEADER}")))
}

fn document_of(document: &Node<'_>, origin: Origin, report: &mut Report) -> MachineConfiguration {
    let mut this = MachineConfiguration::default();
    let mut registries = None;
    let mut members = document.members(report);
    members.retain(|(name, node)| match LATER_KEYS.iter().find(|(later, _)| later == name) {
        Some((_, reason)) => {
            node.wrong(report, format!("this key {reason}"));
            false
        }
        None => true,
    });
    for (key, node) in members {
        if let Some((_, instead)) = OF_DEVICES.iter().find(|(only, _)| *only == key && origin == Origin::Host) {
            node.wrong(report, format!("is for devices only; {instead}"));
            continue;
        }
        match key {
            "node-name" => this.node_name = node.checked(report, check::name),
            "hostname" => this.hostname = node.checked(report, check::name),
            "node-label" => this.node_labels = labels(&node, report),
            "node-taint" => this.node_taints = taints(&node, report),
            "tls-san" => this.tls_sans = node.checked_items(report, check::subject),
            "cluster-cidr" => this.cluster_cidr = node.checked(report, check::cluster_cidr),
            "service-cidr" => this.service_cidr = node.checked(report, check::service_cidr),
            "https-listen-port" => this.https_listen_port = node.number(1..=u16::MAX, report),
            "disable" => this.disable = node.checked_items(report, check::component),
            "bootstrap-token" => this.bootstrap_token = node.checked(report, check::token),
            "client-ca" => this.client_ca = node.checked(report, pem::certificates),
            "registries" => registries = Some(node),
            "certificates" => this.certificates = certificates(&node, report),
            "network" => this.interfaces = network::interfaces(&node, report),
            other => node.wrong(report, crate::keys::unknown(other, &DOCUMENT)),
        }
    }
    // Last, because it names certificates.
    if let Some(node) = registries {
        this.registries = read_registries(&node, report);
        if origin != Origin::Host && this.registries.is_some() {
            check_files(&node, &this.certificates, report);
        }
    }
    this
}

fn labels(node: &Node<'_>, report: &mut Report) -> Vec<(String, String)> {
    let mut seen = BTreeSet::new();
    node.checked_items(report, |text| {
        let label = check::label(text)?;
        once(&mut seen, label.0.clone())?;
        Ok(label)
    })
}

fn taints(node: &Node<'_>, report: &mut Report) -> Vec<Taint> {
    let mut seen = BTreeSet::new();
    node.checked_items(report, |text| {
        let taint = check::taint(text)?;
        once(&mut seen, format!("{}:{}", taint.key, taint.effect))?;
        Ok(taint)
    })
}

/// Refuses what was seen before.
fn once(seen: &mut BTreeSet<String>, new: String) -> Result<(), String> {
    if seen.contains(&new) {
        return Err(format!("{new} stands twice"));
    }
    seen.insert(new);
    Ok(())
}

fn certificates(node: &Node<'_>, report: &mut Report) -> BTreeMap<String, String> {
    let mut certificates = BTreeMap::new();
    for (name, node) in node.members(report) {
        if let Err(problem) = check::name(name) {
            node.wrong(report, problem);
        } else if let Some(text) = node.checked(report, pem::certificates) {
            certificates.insert(name.to_owned(), text);
        }
    }
    certificates
}

fn read_registries(node: &Node<'_>, report: &mut Report) -> Option<Registries> {
    let error = match Registries::read(node.value) {
        Ok(registries) => return Some(registries),
        Err(error) => error,
    };
    match error.member() {
        Some(("", text)) => node.wrong(report, text),
        Some((path, text)) => {
            report.add(node.place.path(path).line(), &format!("registries.{}", shortened(path)), text);
        }
        None => node.wrong(report, error.to_string()),
    }
    None
}

/// A device has no other files of authorities than those that the configuration brings.
fn check_files(registries: &Node<'_>, certificates: &BTreeMap<String, String>, report: &mut Report) {
    let hosts = registries.value.at(&["configs"]).and_then(Value::as_object);
    for (host, config) in hosts.into_iter().flat_map(Object::iter) {
        let Some(file) = config.at(&["tls", "ca_file"]).and_then(Value::as_str) else { continue };
        let name = file.strip_prefix(paths::CERTIFICATES).and_then(|rest| rest.strip_prefix('/'));
        let name = name.and_then(|rest| rest.strip_suffix(".pem"));
        if !name.is_some_and(|name| certificates.contains_key(name)) {
            let path = format!("configs.{host}.tls.ca_file");
            report.add(
                registries.place.path(&path).line(),
                &format!("registries.{}", shortened(&path)),
                format!("must be {}/NAME.pem with a NAME of certificates", paths::CERTIFICATES),
            );
        }
    }
}

#[cfg(test)]
mod tests;
