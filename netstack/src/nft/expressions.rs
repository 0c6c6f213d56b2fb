//! The expressions that rules are made of. Each works on registers of four bytes.

use super::attributes::Attributes;
use crate::Cidr;

/// The first register of four bytes.
pub(super) const FIRST: u32 = 8;
const VERDICT: u32 = 0;
const ELEMENT: u16 = 1;
const VALUE: u16 = 1;

/// Expressions one behind the other; all have to hold.
#[derive(Default)]
pub(super) struct Expressions(Attributes);

/// What a rule does in the end.
pub(super) enum Verdict {
    Drop,
    Return,
    Jump(&'static str),
}

/// Which packets' addresses an expression is about.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Source,
    Destination,
}

impl Expressions {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn into_attributes(self) -> Attributes {
        self.0
    }

    fn push(self, name: &str, data: Attributes) -> Self {
        Self(self.0.nest(ELEMENT, Attributes::new().text(1, name).nest(2, data)))
    }

    fn compare(self, equal: bool, value: &[u8]) -> Self {
        let data = Attributes::new().number(1, FIRST).number(2, u32::from(!equal)).nest(3, data(value));
        self.push("cmp", data)
    }

    fn mask(self, mask: &[u8]) -> Self {
        let length = u32::try_from(mask.len()).unwrap_or_default();
        let zero = vec![0; mask.len()];
        let data = Attributes::new()
            .number(1, FIRST)
            .number(2, FIRST)
            .number(3, length)
            .nest(4, data(mask))
            .nest(5, data(&zero));
        self.push("bitwise", data)
    }

    fn meta(self, key: u32, register: u32) -> Self {
        self.push("meta", Attributes::new().number(1, register).number(2, key))
    }

    fn payload(self, base: u32, offset: u32, length: u32, register: u32) -> Self {
        let data = Attributes::new().number(1, register).number(2, base).number(3, offset).number(4, length);
        self.push("payload", data)
    }

    /// `meta nfproto ipv4`
    pub(super) fn version(self, v4: bool) -> Self {
        const NFPROTO: u32 = 15;
        self.meta(NFPROTO, FIRST).compare(true, &[if v4 { 2 } else { 10 }])
    }

    /// `iifname "x"`
    pub(super) fn comes_by(self, name: &str) -> Self {
        const IIFNAME: u32 = 6;
        self.meta(IIFNAME, FIRST).compare(true, &interface(name))
    }

    /// `oifname "x"`
    pub(super) fn leaves_by(self, name: &str, yes: bool) -> Self {
        const OIFNAME: u32 = 7;
        self.meta(OIFNAME, FIRST).compare(yes, &interface(name))
    }

    /// `ip saddr 10.0.0.0/8`, with the version before it.
    pub(super) fn address_in(self, side: Side, cidr: Cidr) -> Self {
        let (address, mask) = (octets(cidr.network().address()), octets(cidr.mask()));
        self.version(cidr.is_v4()).load_address(side, cidr.is_v4(), FIRST).mask(&mask).compare(true, &address)
    }

    /// Puts an address into registers.
    pub(super) fn load_address(self, side: Side, v4: bool, register: u32) -> Self {
        const NETWORK: u32 = 1;
        let (source, destination, length) = if v4 { (12, 16, 4) } else { (8, 24, 16) };
        let offset = match side {
            Side::Source => source,
            Side::Destination => destination,
        };
        self.payload(NETWORK, offset, length, register)
    }

    /// Puts protocol and destination port into two registers.
    pub(super) fn load_protocol_and_port(self, register: u32) -> Self {
        const L4PROTO: u32 = 16;
        const TRANSPORT: u32 = 2;
        self.meta(L4PROTO, register).payload(TRANSPORT, 2, 2, register.saturating_add(1))
    }

    /// Looks the key in the first registers up in a map, and puts what it finds into the same registers.
    pub(super) fn look_up(self, map: &str) -> Self {
        self.push("lookup", Attributes::new().text(1, map).number(2, FIRST).number(3, FIRST))
    }

    /// `fib daddr type local`
    pub(super) fn for_the_host(self) -> Self {
        const ADDRTYPE: u32 = 3;
        const DADDR: u32 = 2;
        const LOCAL: u32 = 2;
        self.push("fib", Attributes::new().number(1, FIRST).number(2, ADDRTYPE).number(3, DADDR))
            .compare(true, &LOCAL.to_ne_bytes())
    }

    /// `ct status dnat`
    pub(super) fn was_translated(self) -> Self {
        const STATUS: u32 = 2;
        const DNAT: u32 = 0x20;
        self.push("ct", Attributes::new().number(1, FIRST).number(2, STATUS))
            .mask(&DNAT.to_ne_bytes())
            .compare(false, &[0; 4])
    }

    /// `counter`
    pub(super) fn count(self) -> Self {
        self.push("counter", Attributes::new().bytes(1, &[0; 8]).bytes(2, &[0; 8]))
    }

    /// `dnat` to the address and port in the first registers.
    pub(super) fn dnat(self, v4: bool) -> Self {
        const DNAT: u32 = 1;
        let (family, words) = if v4 { (2, 1) } else { (10, 4) };
        let port = FIRST.saturating_add(words);
        let data = Attributes::new()
            .number(1, DNAT)
            .number(2, family)
            .number(3, FIRST)
            .number(4, FIRST)
            .number(5, port)
            .number(6, port);
        self.push("nat", data)
    }

    /// `masquerade`, to a random port or if possible the same one.
    pub(super) fn masquerade(self, random: bool) -> Self {
        const FULLY_RANDOM: u32 = 0x10;
        let data = Attributes::new();
        self.push("masq", if random { data.number(1, FULLY_RANDOM) } else { data })
    }

    /// The end of the rule.
    pub(super) fn verdict(self, verdict: &Verdict) -> Self {
        let code = |number: i32| Attributes::new().bytes(1, &number.to_be_bytes());
        let verdict = match verdict {
            Verdict::Drop => code(0),
            Verdict::Return => code(-5),
            Verdict::Jump(chain) => code(-3).text(2, chain),
        };
        const VERDICT_DATA: u16 = 2;
        let data = Attributes::new().number(1, VERDICT).nest(2, Attributes::new().nest(VERDICT_DATA, verdict));
        self.push("immediate", data)
    }
}

/// A value as data.
pub(super) fn data(value: &[u8]) -> Attributes {
    Attributes::new().bytes(VALUE, value)
}

/// The bytes of an address.
pub(super) fn octets(address: std::net::IpAddr) -> Vec<u8> {
    match address {
        std::net::IpAddr::V4(address) => address.octets().to_vec(),
        std::net::IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The name of an interface, as long as the kernel keeps it.
fn interface(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(16, 0);
    bytes
}
