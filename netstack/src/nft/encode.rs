//! The rules of the pod network in the kernel's terms.

use std::net::IpAddr;

use super::{
    DELETE_TABLE, INET, NEW_CHAIN, NEW_RULE, NEW_SET, NEW_SET_ELEMENT, NEW_TABLE, Program, TABLE,
    attributes::{Attributes, attributes},
    digest,
    expressions::{Expressions, FIRST, Side, Verdict, data, octets},
};
use crate::{Cidr, Protocol, Ruleset, Target, wire::Frame};

/// The maps of host ports: any address of the host or a certain one, in each version.
pub(super) const MAPS: [&str; 4] = ["host_ports4", "host_ports_at4", "host_ports6", "host_ports_at6"];
/// How many elements go into one message: an attribute holds 64 KiB.
const PIECE: usize = 200;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const SUBSYSTEM: u16 = 10;
const LIST_ELEMENT: u16 = 1;
/// Longest comment that fits into what the kernel keeps beside an element or rule.
const COMMENT: usize = 127;

/// A chain that the kernel calls by itself.
struct Base {
    kind: &'static str,
    hook: u32,
    priority: i32,
}

/// Frames of one transaction, and how much is in them.
struct Writer {
    frames: Vec<Frame>,
    rules: usize,
    elements: usize,
}

/// The transaction that replaces whatever table there is.
pub(super) fn program(rules: &Ruleset) -> Program {
    let mut writer = Writer { frames: Vec::new(), rules: 0, elements: 0 };
    writer.chains();
    writer.maps(rules);
    writer.guard(rules);
    writer.host_ports();
    writer.masquerade(rules);
    let bytes = writer
        .frames
        .iter()
        .flat_map(|frame| frame.kind.to_be_bytes().into_iter().chain(frame.payload.iter().copied()));
    let stamp = format!("pod network of coracle, {:016x}", digest(bytes));
    let table = || Attributes::new().text(1, TABLE);
    let comment = |table: Attributes| table.bytes(6, &user_comment(&stamp));
    let batch = |kind| Frame { kind, flags: 0, payload: Attributes::new().message(0, SUBSYSTEM) };
    // Only a table that exists can be removed, so it is made first: empty if it was not there, else nothing happens.
    let mut frames = vec![
        batch(BATCH_BEGIN),
        frame(NEW_TABLE, CREATE, table()),
        frame(DELETE_TABLE, 0, table()),
        frame(NEW_TABLE, CREATE, comment(table())),
    ];
    frames.append(&mut writer.frames);
    if let Some(last) = frames.pop() {
        frames.push(last.acknowledged());
    }
    frames.push(batch(BATCH_END));
    Program { frames, stamp, rules: writer.rules, elements: writer.elements }
}

/// A message that names the table by the attribute of that number.
pub(super) fn table_payload(kind: u16) -> Vec<u8> {
    Attributes::new().text(kind, TABLE).message(INET, 0)
}

/// A message that names one of the maps.
pub(super) fn map_payload(map: &str) -> Vec<u8> {
    Attributes::new().text(1, TABLE).text(2, map).message(INET, 0)
}

/// The comment of a table, from the kernel's answer.
pub(super) fn comment(reply: &[u8]) -> Option<String> {
    const USER_DATA: u16 = 6;
    let (_, data) = attributes(reply.get(4..)?).find(|(kind, _)| *kind == USER_DATA)?;
    let (_, text) = data.split_first_chunk::<2>()?;
    Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
}

/// How many elements an answer holds.
pub(super) fn count_elements(reply: &[u8]) -> usize {
    const ELEMENTS: u16 = 3;
    let lists = attributes(reply.get(4..).unwrap_or_default()).filter(|(kind, _)| *kind == ELEMENTS);
    lists.map(|(_, list)| attributes(list).count()).sum()
}

impl Writer {
    fn push(&mut self, kind: u16, flags: u16, attributes: Attributes) {
        self.frames.push(frame(kind, flags, attributes));
    }

    fn chains(&mut self) {
        const PREROUTING: u32 = 0;
        const OUTPUT: u32 = 3;
        const POSTROUTING: u32 = 4;
        let nat = |hook, priority| Some(Base { kind: "nat", hook, priority });
        for (name, base) in [
            ("guard", Some(Base { kind: "filter", hook: PREROUTING, priority: -300 })),
            ("host_ports", None),
            ("outbound", None),
            ("prerouting", nat(PREROUTING, -100)),
            ("output", nat(OUTPUT, -100)),
            ("postrouting", nat(POSTROUTING, 100)),
        ] {
            let mut chain = Attributes::new().text(1, TABLE).text(3, name);
            if let Some(Base { kind, hook, priority }) = base {
                let hook = Attributes::new().number(1, hook).bytes(2, &priority.to_be_bytes());
                const ACCEPT: u32 = 1;
                chain = chain.nest(4, hook).number(5, ACCEPT).text(7, kind);
            }
            self.push(NEW_CHAIN, CREATE, chain);
        }
    }

    fn maps(&mut self, rules: &Ruleset) {
        for (id, map) in (1..).zip(MAPS) {
            let (v4, certain) = (map.ends_with('4'), map.contains("_at"));
            self.map(id, map, v4, certain);
            let of_map = |((address, ..), _): &(&(IpAddr, Protocol, u16), &Target)| {
                address.is_ipv4() == v4 && address.is_unspecified() != certain
            };
            let elements: Vec<Attributes> =
                rules.ports.iter().filter(of_map).map(|(key, target)| element(*key, target, certain)).collect();
            self.elements = self.elements.saturating_add(elements.len());
            let mut elements = elements.into_iter().peekable();
            while elements.peek().is_some() {
                let list = elements
                    .by_ref()
                    .take(PIECE)
                    .fold(Attributes::new(), |list, element| list.nest(LIST_ELEMENT, element));
                self.push(
                    NEW_SET_ELEMENT,
                    CREATE,
                    Attributes::new().text(1, TABLE).text(2, map).number(4, id).nest(3, list),
                );
            }
        }
    }

    fn map(&mut self, id: u32, name: &str, v4: bool, certain: bool) {
        // Types as nft numbers them, so that it can show them; the kernel only wants the lengths.
        const PROTOCOL: u32 = 12;
        const SERVICE: u32 = 13;
        const BITS: u32 = 6;
        const MAP: u32 = 0x8;
        const CONCATENATED: u32 = 0x80;
        let (address, length) = if v4 { (7, 4) } else { (8, 16) };
        let ports = (PROTOCOL << BITS) | SERVICE;
        let (key, fields) =
            if certain { ((address << (2 * BITS)) | ports, vec![length, 1, 2]) } else { (ports, vec![1, 2]) };
        let words: u32 = fields.iter().map(|length: &u32| length.div_ceil(4)).sum();
        let fields = fields
            .iter()
            .fold(Attributes::new(), |list, length| list.nest(LIST_ELEMENT, Attributes::new().number(1, *length)));
        let set = Attributes::new()
            .text(1, TABLE)
            .text(2, name)
            .number(3, MAP | CONCATENATED)
            .number(4, key)
            .number(5, words.saturating_mul(4))
            .number(6, (address << BITS) | SERVICE)
            .number(7, length + 4)
            .nest(9, Attributes::new().nest(2, fields))
            .number(10, id);
        self.push(NEW_SET, CREATE, set);
    }

    fn rule(&mut self, chain: &str, comment: &str, expressions: Expressions) {
        self.rules = self.rules.saturating_add(1);
        let mut rule = Attributes::new().text(1, TABLE).text(2, chain).nest(4, expressions.into_attributes());
        if !comment.is_empty() {
            rule = rule.bytes(7, &user_comment(comment));
        }
        self.push(NEW_RULE, CREATE | APPEND, rule);
    }

    /// The bridge routes addresses of loopback, for host ports: nobody may come in that way.
    fn guard(&mut self, rules: &Ruleset) {
        if let Some(loopback) = loopback().filter(|_| rules.pods.iter().any(Cidr::is_v4)) {
            let drop = Expressions::new().comes_by(&rules.bridge).address_in(Side::Destination, loopback);
            self.rule("guard", "pods must not reach the host's loopback", drop.count().verdict(&Verdict::Drop));
        }
    }

    /// Host ports, for packets that come in and those of the host itself.
    fn host_ports(&mut self) {
        for chain in ["prerouting", "output"] {
            self.rule(chain, "", Expressions::new().for_the_host().verdict(&Verdict::Jump("host_ports")));
        }
        for v4 in [true, false] {
            let [any, certain] = if v4 { [MAPS[0], MAPS[1]] } else { [MAPS[2], MAPS[3]] };
            let version = || Expressions::new().version(v4);
            let ports = FIRST.saturating_add(if v4 { 1 } else { 4 });
            let at = version().load_address(Side::Destination, v4, FIRST).load_protocol_and_port(ports);
            self.rule("host_ports", "", at.look_up(certain).dnat(v4));
            self.rule("host_ports", "", version().load_protocol_and_port(FIRST).look_up(any).dnat(v4));
        }
    }

    fn masquerade(&mut self, rules: &Ruleset) {
        let bridge = &rules.bridge;
        for pods in &rules.pods {
            // The answer of a neighbour on the bridge would not pass the host, which has to translate it back.
            let hairpin = Expressions::new().leaves_by(bridge, true).was_translated().address_in(Side::Source, *pods);
            self.rule("postrouting", "pod to a host port of its node", hairpin.count().masquerade(false));
        }
        if let Some(loopback) = loopback().filter(|_| rules.pods.iter().any(Cidr::is_v4)) {
            let own = Expressions::new().leaves_by(bridge, true).was_translated().address_in(Side::Source, loopback);
            self.rule("postrouting", "host to its own host port", own.count().masquerade(false));
        }
        for pods in &rules.pods {
            let out = Expressions::new().leaves_by(bridge, false).address_in(Side::Source, *pods);
            self.rule("postrouting", "", out.verdict(&Verdict::Jump("outbound")));
        }
        for cluster in rules.cluster.iter().chain(multicast().iter()) {
            self.rule(
                "outbound",
                "",
                Expressions::new().address_in(Side::Destination, *cluster).verdict(&Verdict::Return),
            );
        }
        self.rule("outbound", "pod to the world", Expressions::new().count().masquerade(true));
    }
}

fn frame(kind: u16, flags: u16, attributes: Attributes) -> Frame {
    Frame { kind, flags, payload: attributes.message(INET, 0) }
}

/// One host port: key, where it leads, and whose it is.
fn element((address, protocol, port): (IpAddr, Protocol, u16), target: &Target, certain: bool) -> Attributes {
    let mut key = if certain { octets(address) } else { Vec::new() };
    key.extend([protocol.number(), 0, 0, 0]);
    key.extend(port_word(port));
    let mut value = octets(target.address);
    value.extend(port_word(target.port));
    Attributes::new().nest(1, data(&key)).nest(2, data(&value)).bytes(6, &user_comment(&target.uid))
}

fn port_word(port: u16) -> [u8; 4] {
    let [high, low] = port.to_be_bytes();
    [high, low, 0, 0]
}

/// A comment as nft keeps it: type 0, length, text that ends with zero.
fn user_comment(text: &str) -> Vec<u8> {
    let text: Vec<u8> = text.bytes().filter(u8::is_ascii_graphic_or_space).take(COMMENT).chain([0]).collect();
    [&[0, u8::try_from(text.len()).unwrap_or(u8::MAX)], text.as_slice()].concat()
}

trait Printable {
    fn is_ascii_graphic_or_space(&self) -> bool;
}

impl Printable for u8 {
    fn is_ascii_graphic_or_space(&self) -> bool {
        (self.is_ascii_graphic() || *self == b' ') && *self != b'"'
    }
}

fn loopback() -> Option<Cidr> {
    Cidr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8)
}

/// Multicast keeps its sender's address.
fn multicast() -> Vec<Cidr> {
    let networks = [("224.0.0.0", 4), ("ff00::", 8)];
    networks.iter().filter_map(|(address, prefix)| Cidr::new(address.parse().ok()?, *prefix)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HostPort, NodeNetwork};
    use proptest::prelude::*;

    fn rules(ports: u16) -> Ruleset {
        let network = NodeNetwork {
            pod_cidrs: vec!["10.42.0.0/24".parse().unwrap(), "fd42::/64".parse().unwrap()],
            cluster_cidrs: vec!["10.42.0.0/16".parse().unwrap()],
            bridge: "cni0".to_owned(),
            mtu: 1450,
        };
        let port = |host_port| HostPort { protocol: Protocol::Tcp, host_ip: None, host_port, container_port: 80 };
        let mut rules = Ruleset::new(&network);
        let ips = ["10.42.0.2".parse().unwrap(), "fd42::2".parse().unwrap()];
        assert!(rules.add("uid", &ips, &(1..=ports).map(port).collect::<Vec<_>>()).is_empty());
        rules
    }

    #[test]
    fn every_message_fits_and_the_stamp_tells_them_apart() {
        let program = |ports| super::program(&rules(ports));
        assert!(program(u16::MAX).frames.iter().all(|frame| frame.payload.len() < 40_000));
        assert_eq!(program(u16::MAX).elements, 2 * usize::from(u16::MAX));
        assert_eq!(program(3).stamp, program(3).stamp);
        assert_ne!(program(3).stamp, program(4).stamp);
        assert_eq!(program(3).rules, program(0).rules, "rules do not grow with ports");
    }

    #[test]
    fn a_comment_is_plain_text() {
        assert_eq!(user_comment("a\"b\n c\u{e4}"), b"\0\x05ab c\0");
        assert_eq!(user_comment(&"x".repeat(500)).len(), COMMENT + 3);
    }

    proptest! {
        #[test]
        fn any_answer_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (comment(&bytes), count_elements(&bytes));
        }
    }
}
