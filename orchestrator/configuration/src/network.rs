//! The key `network`: interfaces, in the words that netplan uses, as settings of the uplink.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netstack::Cidr;
use netstack::uplink::{Addressing, NicSettings, UplinkSettings};

use crate::document::Node;
use crate::keys;
use crate::problem::{Report, shortened};

/// Reads the interfaces.
pub(crate) fn interfaces(network: &Node<'_>, report: &mut Report) -> BTreeMap<String, NicSettings> {
    let mut interfaces = BTreeMap::new();
    for (_, node) in network.known_members(&keys::NETWORK, report) {
        for (name, node) in node.members(report) {
            if !is_interface(name) {
                node.wrong(report, format!("{:?} is no name of an interface", shortened(name)));
                continue;
            }
            if let Some(settings) = interface(&node, report) {
                interfaces.insert(name.to_owned(), settings);
            }
        }
    }
    interfaces
}

/// What the kernel takes as a name.
fn is_interface(name: &str) -> bool {
    (1..16).contains(&name.len())
        && !matches!(name, "." | ".." | "lo" | "all" | "default")
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':' | b'%'))
}

/// An interface as it is written.
#[derive(Default)]
struct Written {
    dhcp4: Option<bool>,
    addresses: Vec<Cidr>,
    gateways: Vec<IpAddr>,
    accept_ra: Option<bool>,
    others: bool,
}

fn interface(node: &Node<'_>, report: &mut Report) -> Option<NicSettings> {
    let before = report.count();
    let mut written = Written::default();
    let mut settings = NicSettings::default();
    for (key, member) in node.known_members(&keys::INTERFACE, report) {
        match key {
            "dhcp4" => written.dhcp4 = member.boolean(report),
            "accept-ra" => written.accept_ra = member.boolean(report),
            "addresses" => written.addresses = member.checked_items(report, cidr),
            "gateway4" => written.gateways.extend(member.checked(report, |text| gateway(text, true))),
            "gateway6" => written.gateways.extend(member.checked(report, |text| gateway(text, false))),
            _ => {
                written.others = true;
                match key {
                    "nameservers" => settings.resolvers = member.checked_items(report, address),
                    "search" => settings.search = member.checked_items(report, |text| Ok(text.to_owned())),
                    "mtu" => settings.mtu = member.number(0..=u32::MAX, report),
                    "metric" => settings.metric = member.number(0..=u32::MAX, report),
                    // The table has no further key.
                    _ => {}
                }
            }
        }
    }
    if report.count() > before {
        // What was left out would only make further problems.
        return None;
    }
    settings.router_advertisements = written.accept_ra.unwrap_or(true);
    match written.addressing() {
        Ok(addressing) => settings.addressing = addressing,
        Err(problem) => {
            node.wrong(report, problem);
            return None;
        }
    }
    // Whatever the uplink refuses is refused here, in its words.
    let alone = UplinkSettings { nics: [(String::new(), settings.clone())].into(), ..UplinkSettings::default() };
    match alone.check() {
        Ok(()) => Some(settings),
        Err(problem) => {
            node.wrong(report, problem.trim_start_matches(": "));
            None
        }
    }
}

impl Written {
    /// Where the addresses come from: from here if there are any here, else from a server unless it is switched off.
    fn addressing(&self) -> Result<Addressing, &'static str> {
        let is_written = !self.addresses.is_empty() || !self.gateways.is_empty();
        match self.dhcp4 {
            Some(true) if is_written => {
                Err("dhcp4: true and addresses or gateways of its own exclude each other in this version")
            }
            Some(true) => Ok(Addressing::Dhcp),
            None if !is_written => Ok(Addressing::Dhcp),
            None if self.addresses.is_empty() => Err("there is a gateway, but no address; dhcp4: false would allow it"),
            Some(false) if !is_written && self.accept_ra != Some(true) => {
                if self.others {
                    return Err(
                        "dhcp4: false without addresses switches the interface off, so nothing else can be said of it; accept-ra: true would keep IPv6",
                    );
                }
                Ok(Addressing::Off)
            }
            _ => Ok(Addressing::Static { addresses: self.addresses.clone(), gateways: self.gateways.clone() }),
        }
    }
}

fn cidr(text: &str) -> Result<Cidr, String> {
    text.parse().map_err(|_| format!("{:?} is no address with a prefix, such as 192.168.0.7/24", shortened(text)))
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{:?} is no IP address", shortened(text)))
}

fn gateway(text: &str, is_v4: bool) -> Result<IpAddr, String> {
    let version = if is_v4 { 4 } else { 6 };
    let address = address(text).ok().filter(|address| address.is_ipv4() == is_v4);
    address.ok_or_else(|| format!("{:?} is no IP address of version {version}", shortened(text)))
}
