//! What the working thread knows and does.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::execute::execute;
use crate::{
    Addresses, Attached, Cidr, Error, HostPort, NodeNetwork, PodNetwork, Ruleset, Target, connections,
    namespace::Held,
    nft,
    plan::{self, Action, Inside, Link},
    sysctl,
    wire::{Wire, route},
};

/// The network of the node and its pods.
pub(super) struct Node {
    network: NodeNetwork,
    wire: Wire,
    addresses: Addresses,
    pods: BTreeMap<String, Known>,
    /// How many pods have come so far.
    count: u64,
    /// Where datagrams to the host's ports went when the rules were written last.
    datagrams: BTreeMap<(IpAddr, u16), Target>,
}

/// A pod that is connected, or was when the program started.
struct Known {
    ips: Vec<IpAddr>,
    host_ports: Vec<HostPort>,
    /// Who came first keeps a host port that two want.
    came: u64,
}

/// Where a pod's interface is or will be.
struct Place<'a> {
    namespace: &'a Held,
    name: &'a str,
    inside: Inside,
    paired: bool,
}

impl Node {
    /// Makes or adopts the bridge and remembers whom the links are for.
    pub(super) fn open(network: NodeNetwork) -> Result<Self, Error> {
        network.check().map_err(Error::Network)?;
        let addresses = Addresses::new(&network.pod_cidrs);
        let mut node = Self {
            wire: Wire::route()?,
            network,
            addresses,
            pods: BTreeMap::new(),
            count: 0,
            datagrams: BTreeMap::new(),
        };
        node.base()?;
        node.remember()?;
        // Rules of a former run know host ports that this one does not know yet.
        if !nft::exists()? {
            node.rules()?;
        }
        Ok(node)
    }

    /// Connects one pod.
    pub(super) fn attach(&mut self, pod: &PodNetwork) -> Result<Attached, Error> {
        let was = self.pods.contains_key(&pod.uid);
        self.base()?;
        let attached = self.connect(pod)?;
        if let Err(error) = self.rules() {
            if !was {
                self.forget(&pod.uid);
            }
            return Err(error);
        }
        Ok(attached)
    }

    /// Disconnects one pod.
    pub(super) fn detach(&mut self, uid: &str) -> Result<(), Error> {
        let links = route::links(&mut self.wire)?;
        if let Some(link) = plan::port(uid, &links) {
            execute(&mut self.wire, &[Action::DeleteLink { name: link.name.clone() }], None)?;
        }
        self.release(uid);
        self.rules()
    }

    /// Connects exactly these pods.
    pub(super) fn reconcile(&mut self, all: &[PodNetwork]) -> Result<BTreeMap<String, Result<Attached, Error>>, Error> {
        self.base()?;
        let keep: BTreeSet<&str> = all.iter().map(|pod| pod.uid.as_str()).collect();
        let links = route::links(&mut self.wire)?;
        execute(&mut self.wire, &plan::leftovers(&links, &keep), None)?;
        let gone: Vec<String> = self.pods.keys().filter(|uid| !keep.contains(uid.as_str())).cloned().collect();
        for uid in gone {
            self.release(&uid);
        }
        let results = all.iter().map(|pod| (pod.uid.clone(), self.connect(pod))).collect();
        self.rules()?;
        Ok(results)
    }

    /// Who is connected.
    pub(super) fn pods(&self) -> BTreeMap<String, Vec<IpAddr>> {
        self.pods.iter().map(|(uid, known)| (uid.clone(), known.ips.clone())).collect()
    }

    /// The bridge and the host's settings.
    fn base(&mut self) -> Result<(), Error> {
        let actions = plan::bridge(&self.network, &route::links(&mut self.wire)?)?;
        execute(&mut self.wire, &actions, None)?;
        let links = route::links(&mut self.wire)?;
        let mut seen = BTreeMap::new();
        for key in plan::setting_keys(&self.network, &links) {
            if let Some(value) = sysctl::read(&key)? {
                seen.insert(key, value);
            }
        }
        execute(&mut self.wire, &plan::settings(&self.network, &links, &seen), None)
    }

    /// Takes the addresses of pods that are there, the oldest first.
    fn remember(&mut self) -> Result<(), Error> {
        let mut links = route::links(&mut self.wire)?;
        links.sort_by_key(|link| link.index);
        for (uid, ips) in links.iter().filter_map(plan::owner) {
            match self.addresses.claim(&ips) {
                Ok(()) => self.know(&uid, ips, Vec::new()),
                // The agent will tell whether the pod should be there; then it gets other addresses or goes.
                Err(error) => tracing::warn!(%uid, %error, "a pod's link has addresses that it cannot have"),
            }
        }
        Ok(())
    }

    fn connect(&mut self, pod: &PodNetwork) -> Result<Attached, Error> {
        check(pod)?;
        let namespace = pod.namespace.hold(&pod.uid)?;
        let was = self.pods.contains_key(&pod.uid);
        let ips = self.addresses_of(pod)?;
        let done = self.set_up(pod, &ips, &namespace);
        if done.is_err() && !was {
            self.forget(&pod.uid);
        }
        done
    }

    /// The pod's addresses: those it has, those it is said to have, or new ones.
    fn addresses_of(&mut self, pod: &PodNetwork) -> Result<Vec<IpAddr>, Error> {
        let had = self.pods.get(&pod.uid).map(|known| known.ips.clone());
        let ips = match had {
            Some(had) if pod.ips.is_empty() || pod.ips == had => had,
            had => {
                if let Some(outside) =
                    pod.ips.iter().find(|ip| !self.network.pod_cidrs.iter().any(|cidr| cidr.contains(**ip)))
                {
                    return Err(Error::Outside(*outside));
                }
                self.addresses.release(had.as_deref().unwrap_or_default());
                let claimed = if pod.ips.is_empty() {
                    self.addresses.take()
                } else {
                    self.addresses.claim(&pod.ips).map(|()| pod.ips.clone())
                };
                match claimed {
                    Ok(ips) => ips,
                    Err(error) => {
                        // They were its own a moment ago, so they are free.
                        had.map_or(Ok(()), |had| self.addresses.claim(&had))?;
                        return Err(error.into());
                    }
                }
            }
        };
        self.know(&pod.uid, ips.clone(), pod.host_ports.clone());
        Ok(ips)
    }

    fn set_up(&mut self, pod: &PodNetwork, ips: &[IpAddr], namespace: &Held) -> Result<Attached, Error> {
        let uid = pod.uid.as_str();
        let mut theirs = namespace.inside(Wire::route)?;
        let links = route::links(&mut self.wire)?;
        let Some(name) = plan::port_name(uid, &links) else {
            return Err(Error::Pod { uid: uid.to_owned(), problem: "no name is left for its link".to_owned() });
        };
        let inside = look(&mut theirs)?;
        let paired = plan::is_paired(uid, &links, &inside);
        let place = Place { namespace, name: &name, inside, paired };
        let done = self.fill(pod, ips, place, &mut theirs);
        if done.is_err() && !paired {
            // It is not signed yet, so only now it is known whose it is.
            let _ = execute(&mut self.wire, &[Action::DeleteLink { name: name.clone() }], None);
        }
        done?;
        let gateways = self.network.gateways().iter().map(Cidr::address).collect();
        Ok(Attached { ips: ips.to_vec(), gateways, mac: plan::pod_mac(ips), interface: name })
    }

    /// Makes the pair, unless it is there, and everything at both of its ends. A pod's own settings are only made with
    /// the pair: later on they are the pod's.
    fn fill(&mut self, pod: &PodNetwork, ips: &[IpAddr], place: Place<'_>, theirs: &mut Wire) -> Result<(), Error> {
        let (uid, network) = (pod.uid.as_str(), &self.network);
        let Place { namespace, name, mut inside, paired } = place;
        if !paired {
            execute(theirs, &plan::clear(&inside), None)?;
        }
        let links = route::links(&mut self.wire)?;
        let actions = plan::attach(network, uid, ips, name, &links, paired);
        execute(&mut self.wire, &actions, Some(namespace.fd()))?;
        if !paired {
            inside = look(theirs)?;
        }
        let settings = plan::inside_settings(network);
        let asked = if paired { &[] } else { pod.sysctls.as_slice() };
        namespace.inside(|| set(&settings, asked))?;
        execute(theirs, &plan::inside(network, ips, &inside), None)?;
        let last: Vec<Action> = plan::sign(uid, ips, name, &links, paired).into_iter().collect();
        execute(&mut self.wire, &last, None)
    }

    /// Removes what was made of a pod that could not be connected.
    fn forget(&mut self, uid: &str) {
        if let Err(error) = self.detach(uid) {
            tracing::warn!(%uid, %error, "cannot remove the link of a pod that was not connected");
        }
    }

    fn know(&mut self, uid: &str, ips: Vec<IpAddr>, host_ports: Vec<HostPort>) {
        self.count = self.count.saturating_add(1);
        let came = self.pods.get(uid).map_or(self.count, |known| known.came);
        self.pods.insert(uid.to_owned(), Known { ips, host_ports, came });
    }

    fn release(&mut self, uid: &str) {
        if let Some(known) = self.pods.remove(uid) {
            self.addresses.release(&known.ips);
        }
    }

    /// Writes the rules, if they are not as they should be.
    fn rules(&mut self) -> Result<(), Error> {
        let mut rules = Ruleset::new(&self.network);
        let mut pods: Vec<_> = self.pods.iter().collect();
        pods.sort_by_key(|(_, known)| known.came);
        for (uid, known) in pods {
            for port in rules.add(uid, &known.ips, &known.host_ports) {
                tracing::warn!(%uid, port = port.host_port, protocol = %port.protocol, "another pod has the host port");
            }
        }
        nft::ensure(&rules)?;
        let datagrams = rules.datagrams();
        if datagrams != self.datagrams {
            let ports: BTreeSet<u16> = datagrams.keys().chain(self.datagrams.keys()).map(|(_, port)| *port).collect();
            let links = route::links(&mut self.wire)?;
            let own: BTreeSet<IpAddr> =
                links.iter().flat_map(|link| link.addresses.iter().map(Cidr::address)).collect();
            // Without it, a client that goes on sending is served late: no reason to fail the pod.
            if let Err(error) = connections::forget(&ports, &own, &datagrams) {
                tracing::warn!(%error, "cannot make the kernel forget where datagrams went");
            }
            self.datagrams = datagrams;
        }
        Ok(())
    }
}

fn look(wire: &mut Wire) -> Result<Inside, Error> {
    let links: Vec<Link> = route::links(wire)?;
    Ok(Inside { links, routes: route::default_routes(wire)? })
}

/// Changes settings of the namespace that the calling thread is in.
fn set(own: &[(String, &'static str)], asked: &[(String, String)]) -> Result<(), Error> {
    for (key, value) in own {
        if sysctl::read(key)?.is_some_and(|seen| seen != *value) {
            sysctl::write(key, value)?;
        }
    }
    for (key, value) in asked {
        let path = sysctl::network_key(key)
            .ok_or_else(|| Error::Network(format!("{key:?} is no setting of a pod's network")))?;
        sysctl::write(&path, value)?;
    }
    Ok(())
}

/// The UID stands in a link's alias and in comments.
fn check(pod: &PodNetwork) -> Result<(), Error> {
    let fits = (1..=63).contains(&pod.uid.len());
    if fits && pod.uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Ok(());
    }
    Err(Error::Pod {
        uid: pod.uid.clone(),
        problem: "its UID is not made of at most 63 letters, digits and dashes".to_owned(),
    })
}
