use dhcproto::v4::{Message, MessageType};
use proptest::prelude::*;

use super::*;
use crate::uplink::tests::dhcp::{self, SERVER};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 50);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 60);
const HOUR: u32 = 3600;

type Random = Box<dyn FnMut() -> u32>;

/// A machine, its clock, and what it said.
struct Rig {
    machine: Machine<Random>,
    now: u64,
    said: Vec<(u64, Outgoing)>,
}

impl Rig {
    fn new() -> Self {
        Self::with(None, "this")
    }

    fn with(saved: Option<&Saved>, boot: &str) -> Self {
        let mut state = 1_u32;
        let random: Random = Box::new(move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state
        });
        let machine = Machine::new(Identity::new(MAC, [7; 16], None), random, saved, boot, 1_000_000);
        Self { machine, now: 1_000_000, said: Vec::new() }
    }

    fn note(&mut self, outgoing: Option<Outgoing>) {
        self.said.extend(outgoing.map(|outgoing| (self.now, outgoing)));
    }

    fn carrier(&mut self, there: bool) {
        let outgoing = self.machine.carrier(there, self.now);
        self.note(outgoing);
    }

    /// Lets time pass, with a tick at each deadline.
    fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        while let Some(deadline) = self.machine.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            let outgoing = self.machine.tick(self.now);
            self.note(outgoing);
            assert!(self.machine.deadline().is_none_or(|next| next > self.now), "{:?} spins", self.machine.phase);
        }
        self.now = end;
    }

    fn heard(&self) -> Message {
        dhcp::query(&self.said.last().unwrap().1.message)
    }

    fn answer(&mut self, kind: MessageType, address: Ipv4Addr, seconds: u32) {
        let options = if kind == MessageType::Nak { Vec::new() } else { dhcp::plain(seconds) };
        let answer = dhcp::answer(&self.heard(), kind, address, options);
        self.take(&answer);
    }

    fn take(&mut self, answer: &Message) {
        let outgoing = self.machine.answer(&dhcp::bytes(answer), self.now);
        self.note(outgoing);
    }

    fn bound() -> Self {
        let mut rig = Self::new();
        rig.carrier(true);
        rig.answer(MessageType::Offer, OWN, HOUR);
        rig.answer(MessageType::Ack, OWN, HOUR);
        rig
    }

    fn saved(&self, boot: &str) -> Saved {
        let held = self.machine.held().unwrap();
        Saved { boot: boot.to_owned(), start: held.start, answer: held.answer.clone() }
    }

    /// A machine in a phase, by its name.
    fn in_phase(phase: &str) -> Self {
        let mut rig = Self::new();
        match phase {
            "down" => {}
            "selecting" => rig.carrier(true),
            "requesting" => {
                rig.carrier(true);
                rig.answer(MessageType::Offer, OWN, HOUR);
            }
            "waiting" => {
                rig = Self::in_phase("requesting");
                rig.answer(MessageType::Nak, OWN, HOUR);
            }
            "confirming" => {
                rig = Self::with(Some(&Self::bound().saved("former")), "this");
                rig.carrier(true);
            }
            "confirming, held" => {
                rig = Self::with(Some(&Self::bound().saved("this")), "this");
                rig.carrier(true);
            }
            "bound" => rig = Self::bound(),
            "renewing" => {
                rig = Self::bound();
                rig.pass(1_800_000);
            }
            "rebinding" => {
                rig = Self::bound();
                rig.pass(3_150_000);
            }
            other => panic!("{other}"),
        }
        assert_eq!(rig.phase(), phase);
        rig
    }

    fn phase(&self) -> &'static str {
        match self.machine.phase {
            Phase::Down => "down",
            Phase::Waiting => "waiting",
            Phase::Selecting => "selecting",
            Phase::Requesting { .. } => "requesting",
            Phase::Confirming { .. } if self.machine.held.is_some() => "confirming, held",
            Phase::Confirming { .. } => "confirming",
            Phase::Bound => "bound",
            Phase::Renewing => "renewing",
            Phase::Rebinding => "rebinding",
        }
    }

    fn address(&self) -> Option<Ipv4Addr> {
        self.machine.held().map(|held| held.lease.address)
    }
}

#[test]
fn every_transition() {
    let leased = |phase: &str| ["bound", "renewing", "rebinding", "confirming, held"].contains(&phase);
    let phases = [
        "down",
        "selecting",
        "requesting",
        "waiting",
        "confirming",
        "confirming, held",
        "bound",
        "renewing",
        "rebinding",
    ];
    // Who is asked by nobody ignores: what is not in here changes nothing.
    let changes = [
        ("selecting", "offer", "requesting", None),
        ("requesting", "ack", "bound", Some(OTHER)),
        ("requesting", "nak", "waiting", None),
        ("confirming", "ack", "bound", Some(OTHER)),
        ("confirming", "nak", "selecting", None),
        ("confirming, held", "ack", "bound", Some(OTHER)),
        ("confirming, held", "nak", "selecting", None),
        ("renewing", "ack", "bound", Some(OTHER)),
        ("renewing", "nak", "selecting", None),
        ("rebinding", "ack", "bound", Some(OTHER)),
        ("rebinding", "nak", "selecting", None),
        ("down", "carrier", "selecting", None),
    ];
    for phase in phases {
        for event in
            ["offer", "ack", "nak", "carrier", "foreign exchange", "foreign client", "no time", "no server", "junk"]
        {
            let mut rig = Rig::in_phase(phase);
            let before = rig.said.len();
            if phase == "down" && event != "carrier" {
                let answer = dhcp::answer(&Message::default(), MessageType::Ack, OTHER, dhcp::plain(HOUR));
                rig.take(&answer);
            } else {
                match event {
                    "offer" => rig.answer(MessageType::Offer, OTHER, HOUR),
                    "ack" => rig.answer(MessageType::Ack, OTHER, HOUR),
                    "nak" => rig.answer(MessageType::Nak, OTHER, HOUR),
                    "carrier" => rig.carrier(true),
                    "junk" => assert_eq!(rig.machine.answer(&[0; 300], rig.now), None),
                    event => {
                        let kind = if phase == "selecting" { MessageType::Offer } else { MessageType::Ack };
                        let mut answer = dhcp::answer(&rig.heard(), kind, OTHER, dhcp::plain(HOUR));
                        match event {
                            "foreign exchange" => drop(answer.set_xid(answer.xid().wrapping_add(1))),
                            "foreign client" => drop(answer.set_chaddr(&[2, 0, 0, 0, 0, 8])),
                            "no time" => drop(answer.opts_mut().remove(dhcproto::v4::OptionCode::AddressLeaseTime)),
                            _ => drop(answer.opts_mut().remove(dhcproto::v4::OptionCode::ServerIdentifier)),
                        }
                        rig.take(&answer);
                    }
                }
            }
            let change = changes.iter().find(|(from, by, _, _)| *from == phase && *by == event);
            let same = (phase, leased(phase).then_some(OWN));
            let (to, address) = change.map_or(same, |(_, _, to, address)| (*to, *address));
            assert_eq!((rig.phase(), rig.address()), (to, address), "{phase}, {event}");
            let speaks = ["selecting", "requesting"].contains(&to) && change.is_some();
            assert_eq!(rig.said.len() - before, usize::from(speaks), "{phase}, {event}");
        }
        let mut rig = Rig::in_phase(phase);
        rig.carrier(false);
        assert_eq!(
            (rig.phase(), rig.address()),
            ("down", leased(phase).then_some(OWN)),
            "a lease outlives the carrier"
        );
        rig.carrier(true);
        let known = leased(phase) || phase == "confirming";
        assert_eq!(dhcp::wants(&rig.heard()), known.then_some(OWN));
        assert_eq!(rig.phase().starts_with("confirming"), known, "{phase}");
    }
}

#[test]
fn what_is_said_in_each_phase() {
    let any = Ipv4Addr::UNSPECIFIED;
    for (phase, kind, way, has, wants, asks) in [
        ("selecting", MessageType::Discover, Way::Raw, any, None, None),
        ("requesting", MessageType::Request, Way::Raw, any, Some(OWN), Some(SERVER)),
        ("confirming", MessageType::Request, Way::Raw, any, Some(OWN), None),
        ("confirming, held", MessageType::Request, Way::Raw, any, Some(OWN), None),
        ("renewing", MessageType::Request, Way::Server(OWN, SERVER), OWN, None, None),
        ("rebinding", MessageType::Request, Way::Everybody(OWN), OWN, None, None),
    ] {
        let rig = Rig::in_phase(phase);
        let heard = rig.heard();
        assert_eq!(
            (
                dhcp::kind(&heard),
                rig.said.last().unwrap().1.way,
                heard.ciaddr(),
                dhcp::wants(&heard),
                dhcp::asks(&heard)
            ),
            (kind, way, has, wants, asks),
            "{phase}"
        );
    }
    let rig = Rig::bound();
    assert_eq!(dhcp::query(&rig.said[0].1.message).xid(), dhcp::query(&rig.said[1].1.message).xid());
    assert!(!rig.machine.listens());
}

#[test]
fn lost_packets() {
    let mut rig = Rig::new();
    rig.carrier(true);
    rig.pass(600_000);
    let waits: Vec<u64> = rig.said.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    for (wait, about) in waits.iter().zip([4_000, 8_000, 16_000, 32_000, 64_000, 64_000, 64_000]) {
        assert!((about - 1000..=about + 1000).contains(wait), "{waits:?}");
    }
    assert!(waits.len() > 10, "it never gives up");
    assert!(waits[4..].windows(2).any(|pair| pair[0] != pair[1]), "and not in step with others");
    let seconds = rig.heard().secs();
    assert!((536..=600).contains(&seconds), "{seconds}");
    // An answer to any of the tries counts.
    rig.answer(MessageType::Offer, OWN, HOUR);
    assert_eq!(rig.phase(), "requesting");
    let before = rig.said.len();
    rig.pass(70_000);
    let kinds: Vec<_> = rig.said[before - 1..].iter().map(|(_, out)| dhcp::kind(&dhcp::query(&out.message))).collect();
    assert_eq!(kinds[..4], [MessageType::Request; 4]);
    assert_eq!(kinds[4], MessageType::Discover, "another server may answer");
}

#[test]
fn a_lease_counts_from_the_question() {
    let mut rig = Rig::in_phase("requesting");
    let asked = rig.now;
    rig.now += 3_000;
    rig.answer(MessageType::Ack, OWN, HOUR);
    assert_eq!(rig.machine.held().unwrap().start, asked);
    assert_eq!(rig.machine.held().unwrap().end(), Some(asked + 3_600_000));
    assert_eq!(rig.machine.deadline(), Some(asked + 1_800_000));
    // One that ended on the way is none.
    let mut rig = Rig::in_phase("requesting");
    rig.now += 3_000;
    rig.answer(MessageType::Ack, OWN, 2);
    assert_eq!((rig.phase(), rig.address()), ("selecting", None));
}

#[test]
fn the_life_of_a_lease_that_nobody_renews() {
    let mut rig = Rig::bound();
    let start = rig.now;
    let before = rig.said.len();
    rig.pass(3_599_999);
    assert_eq!(rig.address(), Some(OWN), "it holds to its last moment");
    let said: Vec<_> = rig.said[before..].iter().map(|(at, out)| ((at - start) / 1000, out.way)).collect();
    let (server, all) = (Way::Server(OWN, SERVER), Way::Everybody(OWN));
    assert_eq!(said[..4], [(1800, server), (2475, server), (2812, server), (2981, server)]);
    let rebinds: Vec<_> = said.iter().filter(|(_, way)| *way == all).map(|(at, _)| *at).collect();
    assert_eq!(rebinds, [3150, 3375, 3487, 3547]);
    let before = rig.said.len();
    rig.pass(1);
    assert_eq!((rig.phase(), rig.address()), ("selecting", None));
    assert_eq!(rig.said.len(), before + 1);
    assert_eq!(dhcp::wants(&rig.heard()), Some(OWN), "the same address would be welcome");
    rig.answer(MessageType::Offer, OTHER, HOUR);
    rig.answer(MessageType::Ack, OTHER, HOUR);
    assert_eq!(rig.address(), Some(OTHER));
}

#[test]
fn short_leases_and_long_sleep() {
    // Each phase asks at least once, none more often than it has to.
    let mut rig = Rig::in_phase("requesting");
    rig.answer(MessageType::Ack, OWN, 4);
    let before = rig.said.len();
    rig.pass(3_999);
    assert_eq!(rig.said.len(), before + 2);
    // The machine slept over all of its times.
    for (slept, phase, address) in [
        (1_900_000, "renewing", Some(OWN)),
        (3_200_000, "rebinding", Some(OWN)),
        (3_600_000, "selecting", None),
        (99_000_000, "selecting", None),
    ] {
        let mut rig = Rig::bound();
        rig.now += slept;
        let outgoing = rig.machine.tick(rig.now);
        assert!(outgoing.is_some());
        assert_eq!((rig.phase(), rig.address()), (phase, address));
    }
    let mut rig = Rig::in_phase("requesting");
    rig.answer(MessageType::Ack, OWN, u32::MAX);
    assert_eq!(rig.machine.deadline(), None, "for ever");
}

#[test]
fn a_server_that_refuses_its_own_offers_is_not_flooded() {
    let mut rig = Rig::new();
    rig.carrier(true);
    let mut waits = Vec::new();
    for _ in 0..10 {
        rig.answer(MessageType::Offer, OWN, HOUR);
        rig.answer(MessageType::Nak, OWN, HOUR);
        assert!(!rig.machine.listens());
        let refused = rig.now;
        rig.pass(rig.machine.deadline().unwrap() - refused);
        waits.push(rig.now - refused);
        assert_eq!(rig.phase(), "selecting");
    }
    assert!(waits[0] <= 1_500 && waits[1] <= 3_000, "{waits:?}");
    assert!(waits[7..].iter().all(|wait| *wait >= 63_000), "{waits:?}");
    rig.answer(MessageType::Offer, OWN, HOUR);
    rig.answer(MessageType::Ack, OWN, HOUR);
    assert_eq!(rig.machine.refused, 0);
}

#[test]
fn only_the_server_that_was_asked_decides() {
    let mut rig = Rig::in_phase("requesting");
    for kind in [MessageType::Ack, MessageType::Nak] {
        let mut answer = dhcp::answer(&rig.heard(), kind, OWN, dhcp::plain(HOUR));
        answer.opts_mut().insert(dhcproto::v4::DhcpOption::ServerIdentifier([192, 168, 7, 9].into()));
        rig.take(&answer);
        assert_eq!(rig.phase(), "requesting");
    }
}

#[test]
fn a_former_lease() {
    let bound = Rig::bound();
    // The same start of the machine: it holds while it is being confirmed.
    let mut rig = Rig::with(Some(&bound.saved("this")), "this");
    assert_eq!(rig.address(), Some(OWN));
    rig.carrier(true);
    rig.answer(MessageType::Ack, OWN, HOUR);
    assert_eq!((rig.phase(), rig.address()), ("bound", Some(OWN)));
    // Nobody answers: offers are looked for, and it holds until its end.
    let mut rig = Rig::with(Some(&bound.saved("this")), "this");
    rig.carrier(true);
    rig.pass(15_000);
    assert_eq!((rig.phase(), rig.address()), ("selecting", Some(OWN)));
    rig.pass(3_584_999);
    assert_eq!(rig.address(), Some(OWN));
    rig.pass(1);
    assert_eq!((rig.phase(), rig.address()), ("selecting", None));
    // Another network's server knows nothing of it.
    let mut rig = Rig::with(Some(&bound.saved("this")), "this");
    rig.carrier(true);
    rig.pass(15_000);
    rig.answer(MessageType::Offer, OTHER, HOUR);
    rig.answer(MessageType::Ack, OTHER, HOUR);
    assert_eq!(rig.address(), Some(OTHER));
    // Another start of the machine, or one that ended: only a wish.
    let mut rig = Rig::with(Some(&bound.saved("former")), "this");
    assert_eq!(rig.address(), None);
    rig.carrier(true);
    assert_eq!((rig.phase(), dhcp::wants(&rig.heard())), ("confirming", Some(OWN)));
    let old = Saved { start: 0, ..bound.saved("this") };
    let long_ago = Saved { answer: old.answer.clone(), start: 1, boot: "this".to_owned() };
    let mut random = Rig::with(None, "this");
    random.machine =
        Machine::new(Identity::new(MAC, [7; 16], None), Box::new(|| 4), Some(&long_ago), "this", 4_000_000);
    assert_eq!(random.address(), None);
    // Another interface's, or nonsense.
    let foreign = Machine::new(Identity::new([9; 6], [7; 16], None), || 4, Some(&old), "this", 5);
    assert!(foreign.held().is_none() && !foreign.hopes());
    let nonsense = Saved { answer: vec![1, 2, 3], ..old };
    assert!(!Rig::with(Some(&nonsense), "this").machine.hopes());
}

proptest! {
    #[test]
    fn nothing_makes_it_spin_or_keep_what_has_ended(steps in proptest::collection::vec((0_u8..8, any::<u32>()), 0..60)) {
        let mut rig = Rig::new();
        rig.carrier(true);
        for (step, number) in steps {
            match step {
                0 => rig.answer(MessageType::Offer, OWN, number % 5000),
                1 => rig.answer(MessageType::Ack, OTHER, number % 5000),
                2 => rig.answer(MessageType::Ack, OWN, u32::MAX),
                3 => rig.answer(MessageType::Nak, OWN, 1),
                4 => rig.carrier(number % 2 == 0),
                5 => rig.pass(u64::from(number % 100_000)),
                6 => rig.pass(u64::from(number % 10_000_000)),
                _ => drop(rig.machine.answer(&number.to_be_bytes(), rig.now)),
            }
            let outgoing = rig.machine.tick(rig.now);
            rig.note(outgoing);
            prop_assert!(rig.machine.held().and_then(Held::end).is_none_or(|end| end > rig.now));
            prop_assert!(rig.machine.deadline().is_none_or(|next| next > rig.now));
            prop_assert!(rig.machine.deadline().is_some() || ["down", "bound"].contains(&rig.phase()));
        }
    }
}
