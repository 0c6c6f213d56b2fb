//! Addresses and ports of Services: taken in the same transaction that writes the Service.
//!
//! What is taken is what the stored Services say; there is no second record that could disagree. Two writers cannot take
//! the same address, because a transaction holds only while its reservation key is as it was read.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use coracle_apimachinery::Value;
use coracle_apimachinery::field::{Error, Path};
use coracle_apimachinery::status::Status;
use coracle_store::{Expect, Kind, Txn, Write};

use crate::api::Api;
use crate::registry::Row;
use crate::stored::Object;

/// NodePorts that are given out.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;

/// Where Services get their addresses from.
#[derive(Debug, Clone)]
pub struct Networks {
    first: u32,
    prefix: u8,
}

impl Networks {
    /// The Service network of a CIDR such as `10.43.0.0/16`.
    ///
    /// # Errors
    /// The text is no IPv4 network between /12 and /28.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no IPv4 network with a prefix between 12 and 28");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().ok().filter(|prefix| (12..=28).contains(prefix)).ok_or_else(wrong)?;
        let first = u32::from(address) & (u32::MAX << (32 - u32::from(prefix)));
        Ok(Self { first, prefix })
    }

    /// The address of `default/kubernetes`: the first one.
    #[must_use]
    pub fn api_address(&self) -> Ipv4Addr {
        self.first.saturating_add(1).into()
    }

    fn size(&self) -> u32 {
        1 << (32 - u32::from(self.prefix))
    }

    fn contains(&self, address: Ipv4Addr) -> bool {
        let number = u32::from(address);
        number > self.first && number < self.first.saturating_add(self.size()).saturating_sub(1)
    }

    /// Gives a Service what it still needs and adds to the transaction what keeps that unique.
    ///
    /// # Errors
    /// An address or port that the client names is taken or out of range, or none is free.
    pub(crate) fn allocate(
        &self,
        api: &Api,
        row: &Row,
        value: &mut Value,
        old: Option<&Value>,
        txn: Txn,
    ) -> Result<Txn, Status> {
        if row.storage.as_str() != "core/services" || !needs(value, old) {
            return Ok(txn);
        }
        // One key stands for all reservations. It is read first: whoever writes it after that makes this decision void.
        let (key, expect, next) = turn(api)?;
        let taken = Taken::read(api, row, old)?;
        let name = value.text_at(&["metadata", "name"]).to_owned();
        let invalid = |error: Error| Status::invalid("", "Service", &name, &[error]);
        self.give_address(value, old, &taken).map_err(invalid)?;
        give_ports(value, old, &taken).map_err(invalid)?;
        Ok(txn.when(key.clone(), expect).write(Write::put(key, next)))
    }

    fn give_address(&self, value: &mut Value, old: Option<&Value>, taken: &Taken) -> Result<(), Error> {
        if value.text_at(&["spec", "type"]) == "ExternalName" {
            return Ok(());
        }
        let path = Path::new("spec").child("clusterIPs").index(0);
        let given = value.text_at(&["spec", "clusterIP"]).to_owned();
        let address = match given.as_str() {
            "None" => return Ok(()),
            "" => match old.map(|old| old.text_at(&["spec", "clusterIP"])).filter(|kept| !kept.is_empty()) {
                Some(kept) => kept.to_owned(),
                None => self.free(taken).ok_or_else(|| {
                    Error::new(
                        coracle_apimachinery::field::Problem::Internal,
                        &path,
                        None,
                        "failed to allocate a serviceIP: range is full",
                    )
                })?,
            },
            text => {
                let address: Ipv4Addr = text.parse().map_err(|_| {
                    Error::invalid(&path, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
                })?;
                let why = |why: &str| Error::invalid(&path, text, format!("failed to allocate IP {text}: {why}"));
                if !self.contains(address) {
                    return Err(why("the provided network does not match the current range"));
                }
                if taken.addresses.contains(text) {
                    return Err(why("provided IP is already allocated"));
                }
                text.to_owned()
            }
        };
        if let Some(object) = value.as_object_mut() {
            let spec = object.object_mut("spec");
            spec.insert("clusterIP".into(), Value::text(address.as_str()));
            spec.insert("clusterIPs".into(), Value::List(vec![Value::text(address)]));
            spec.insert_default("ipFamilies", || Value::List(vec![Value::text("IPv4")]));
            spec.insert_default("ipFamilyPolicy", || Value::text("SingleStack"));
        }
        Ok(())
    }

    /// A free address. Those below the first 16th (at most 256) are left for clients that name theirs, as upstream does.
    fn free(&self, taken: &Taken) -> Option<String> {
        let size = self.size();
        let offset = (size / 16).clamp(16, 256).min(size / 2);
        let start = self.first.saturating_add(offset);
        let end = self.first.saturating_add(size).saturating_sub(1);
        let candidates = (start..end).chain(self.first.saturating_add(2)..start);
        candidates.map(|number| Ipv4Addr::from(number).to_string()).find(|address| !taken.addresses.contains(address))
    }
}

/// What Services other than the one in question have.
#[derive(Debug, Default)]
struct Taken {
    addresses: BTreeSet<String>,
    ports: BTreeSet<i64>,
}

impl Taken {
    fn read(api: &Api, row: &Row, except: Option<&Value>) -> Result<Self, Status> {
        let mut taken = Self::default();
        let own = except.map(|own| own.text_at(&["metadata", "uid"]).to_owned()).unwrap_or_default();
        let snapshot = api.store().snapshot();
        for entry in snapshot.range(&row.storage.all(), None) {
            let tree = api.tree(row, &Object::of_entry(entry))?;
            if !own.is_empty() && tree.text_at(&["metadata", "uid"]) == own {
                continue;
            }
            taken.addresses.insert(tree.text_at(&["spec", "clusterIP"]).to_owned());
            let ports = tree.at(&["spec", "ports"]).map(Value::items).unwrap_or_default();
            taken.ports.extend(ports.iter().filter_map(|port| port.at(&["nodePort"]).and_then(Value::as_int)));
            taken.ports.extend(tree.at(&["spec", "healthCheckNodePort"]).and_then(Value::as_int));
        }
        Ok(taken)
    }
}

/// Gives a Service that names its one address in the older field the newer one too.
pub(crate) fn normalise(row: &Row, value: &mut Value) {
    let given = value.text_at(&["spec", "clusterIP"]).to_owned();
    if row.storage.as_str() != "core/services" || given.is_empty() {
        return;
    }
    if let Some(object) = value.as_object_mut() {
        object.object_mut("spec").insert_default("clusterIPs", || Value::List(vec![Value::text(given)]));
    }
}

/// Whether a write takes an address or a port: a new Service, or one whose type or ports changed.
fn needs(value: &Value, old: Option<&Value>) -> bool {
    let Some(old) = old else { return true };
    ["type", "ports", "clusterIP", "clusterIPs"].iter().any(|name| value.at(&["spec", name]) != old.at(&["spec", name]))
}

fn give_ports(value: &mut Value, old: Option<&Value>, taken: &Taken) -> Result<(), Error> {
    if !matches!(value.text_at(&["spec", "type"]), "NodePort" | "LoadBalancer") {
        return Ok(());
    }
    if value.at(&["spec", "allocateLoadBalancerNodePorts"]).and_then(Value::as_bool) == Some(false) {
        return Ok(());
    }
    let path = Path::new("spec").child("ports");
    let kept: Vec<Value> =
        old.and_then(|old| old.at(&["spec", "ports"])).map(|ports| ports.items().to_vec()).unwrap_or_default();
    let mut own: BTreeSet<i64> = BTreeSet::new();
    let Some(object) = value.as_object_mut() else { return Ok(()) };
    let Some(ports) = object.object_mut("spec").get_mut("ports").and_then(Value::items_mut) else { return Ok(()) };
    for (at, port) in ports.iter_mut().enumerate() {
        let given = port.at(&["nodePort"]).and_then(Value::as_int).unwrap_or(0);
        let was_here =
            |number: i64| kept.iter().any(|port| port.at(&["nodePort"]).and_then(Value::as_int) == Some(number));
        let same = |kept: &&Value| ["port", "protocol"].iter().all(|name| kept.at(&[name]) == port.at(&[name]));
        let before = kept.iter().find(same).and_then(|kept| kept.at(&["nodePort"])).and_then(Value::as_int);
        let chosen = if given != 0 {
            let path = path.index(at).child("nodePort");
            if !NODE_PORTS.contains(&given) {
                let detail = "provided port is not in the valid range. The range of valid ports is 30000-32767";
                return Err(Error::invalid_value(&path, given, detail));
            }
            if taken.ports.contains(&given) && !was_here(given) {
                return Err(Error::invalid_value(&path, given, "provided port is already allocated"));
            }
            given
        } else if let Some(before) = before.filter(|before| *before != 0 && !own.contains(before)) {
            before
        } else {
            let free = NODE_PORTS.clone().skip(86).chain(NODE_PORTS.clone().take(86));
            let free = free.into_iter().find(|number| !taken.ports.contains(number) && !own.contains(number));
            free.ok_or_else(|| {
                let problem = coracle_apimachinery::field::Problem::Internal;
                Error::new(
                    problem,
                    &path.index(at).child("nodePort"),
                    None,
                    "failed to allocate a nodePort: range is full",
                )
            })?
        };
        own.insert(chosen);
        if let Some(port) = port.as_object_mut() {
            port.insert("nodePort".into(), Value::Int(chosen));
        }
    }
    Ok(())
}

/// The key that all reservations go through, as it is and as it will be.
fn turn(api: &Api) -> Result<(coracle_store::Key, Expect, coracle_store::Value), Status> {
    let kind = Kind::new("coracle.internal", "reservations").map_err(Status::internal)?;
    let key = kind.key("", "services").map_err(Status::internal)?;
    let entry = api.store().get(&key);
    let expect = entry.as_ref().map_or(Expect::Absent, |entry| Expect::At(entry.revision()));
    let next = entry.map_or(1, |entry| entry.revision().as_u64().saturating_add(1));
    let value = coracle_store::Value::new(crate::stored::SCHEMA_GENERATION, next.to_string().as_bytes());
    Ok((key, expect, value.map_err(Status::internal)?))
}

#[cfg(test)]
mod tests {
    use super::{Networks, Taken};

    #[test]
    fn networks_are_read() {
        let network = Networks::parse("10.43.0.0/16").unwrap();
        assert_eq!(network.api_address().to_string(), "10.43.0.1");
        assert_eq!(network.free(&Taken::default()).unwrap(), "10.43.1.0");
        assert!(network.contains("10.43.255.254".parse().unwrap()));
        for outside in ["10.43.0.0", "10.43.255.255", "10.44.0.1"] {
            assert!(!network.contains(outside.parse().unwrap()), "{outside}");
        }
        for text in ["", "10.43.0.0", "10.43.0.0/8", "x/16", "fd00::/108"] {
            assert!(Networks::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_full_network_has_no_free_address() {
        let network = Networks::parse("10.43.0.0/28").unwrap();
        let mut taken = Taken::default();
        let mut count = 0;
        while let Some(address) = network.free(&taken) {
            assert!(network.contains(address.parse().unwrap()));
            assert!(taken.addresses.insert(address));
            count += 1;
        }
        assert_eq!(count, 13);
    }
}
