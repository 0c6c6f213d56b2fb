//! Tables for the supervision policy.

use coracle_contract::heartbeat::Message;

use super::policy::{Action, BACK_OFF_MS, Hold, Input, Policy};
use crate::process::Ended;
use crate::wait::Moment;

const GATE: u64 = 1_000_000;

fn running(at: u64) -> Policy {
    let mut policy = Policy::new(Moment(at), GATE);
    assert_eq!(policy.step(Moment(at), &Input::Tick), [Action::Start]);
    assert_eq!(policy.step(Moment(at), &Input::Started), []);
    policy
}

const fn exit() -> Input {
    Input::Exited(Ended::Code(1))
}

#[test]
fn starts_at_once_and_only_once() {
    let mut policy = Policy::new(Moment(5), GATE);
    assert_eq!(policy.next_deadline(), Some(Moment(5)));
    assert_eq!(policy.step(Moment(5), &Input::Tick), [Action::Start]);
    assert_eq!(policy.step(Moment(6), &Input::Tick), []);
}

#[test]
fn the_back_off_follows_its_table_and_stays_bounded() {
    let mut policy = running(0);
    let mut now = 0;
    for round in 0..12 {
        let pause = BACK_OFF_MS[round.min(BACK_OFF_MS.len() - 1)];
        assert_eq!(policy.step(Moment(now), &exit()), [Action::BackOff(pause)], "round {round}");
        assert!(policy.deserves_food(Moment(now)), "a scheduled restart is progress");
        assert_eq!(policy.step(Moment(now + pause - 1), &Input::Tick), []);
        now += pause;
        assert_eq!(policy.step(Moment(now), &Input::Tick), [Action::Start]);
        assert_eq!(policy.step(Moment(now), &Input::Started), []);
    }
}

#[test]
fn a_failed_start_backs_off_too() {
    let mut policy = Policy::new(Moment(0), GATE);
    policy.step(Moment(0), &Input::Tick);
    assert_eq!(policy.step(Moment(0), &Input::StartFailed), [Action::BackOff(250)]);
    assert_eq!(policy.next_deadline(), Some(Moment(250)));
}

#[test]
fn a_long_ready_life_resets_the_back_off_and_a_short_one_does_not() {
    for (lived, ready, want) in [(60_000, true, 250), (59_999, true, 500), (60_000, false, 500)] {
        let mut policy = running(0);
        policy.step(Moment(0), &exit());
        policy.step(Moment(250), &Input::Tick);
        policy.step(Moment(250), &Input::Started);
        policy.step(Moment(250), &Input::Heard(if ready { Message::Ready } else { Message::Alive }));
        let end = Moment(250 + lived);
        assert_eq!(policy.step(end, &exit()).first(), Some(&Action::BackOff(want)), "{lived} {ready}");
    }
}

#[test]
fn silence_starves_the_watchdog_and_is_said_once() {
    let mut policy = running(0);
    assert_eq!(policy.step(Moment(1_000), &Input::Heard(Message::Alive)), []);
    assert_eq!(policy.next_deadline(), Some(Moment(21_000)));
    assert!(policy.deserves_food(Moment(20_999)));
    assert!(!policy.deserves_food(Moment(21_000)));
    assert_eq!(policy.step(Moment(21_000), &Input::Tick), [Action::Stale]);
    assert_eq!(policy.step(Moment(22_000), &Input::Tick), []);
    assert_eq!(policy.step(Moment(23_000), &Input::Heard(Message::Alive)), []);
    assert!(policy.deserves_food(Moment(23_000)), "a process that speaks again is fresh again");
}

#[test]
fn a_new_process_has_its_grace() {
    let policy = running(0);
    assert!(policy.deserves_food(Moment(59_999)));
    assert!(!policy.deserves_food(Moment(60_000)));
}

#[test]
fn the_gate_passes_once() {
    let mut policy = running(0);
    assert_eq!(policy.step(Moment(10), &Input::Heard(Message::Ready)), [Action::GatePassed]);
    assert_eq!(policy.step(Moment(11), &Input::Heard(Message::Ready)), []);
    policy.step(Moment(12), &Input::Heard(Message::Alive));
    assert_eq!(policy.step(Moment(GATE), &Input::Heard(Message::Alive)), [], "a passed gate cannot fail");
}

#[test]
fn the_gate_fails_once_and_a_hold_feeds() {
    let mut policy = running(0);
    let mut policy_deadline = policy.next_deadline();
    while let Some(moment) = policy_deadline.filter(|moment| moment.0 < GATE) {
        policy.step(moment, &Input::Heard(Message::Alive));
        policy_deadline = policy.next_deadline();
    }
    policy.step(Moment(GATE - 1), &Input::Heard(Message::Alive));
    assert_eq!(policy.step(Moment(GATE), &Input::Tick), [Action::GateFailed]);
    assert_eq!(policy.step(Moment(GATE + 1), &Input::Tick), []);
    policy.hold(Hold::NoOtherSlot);
    assert!(policy.deserves_food(Moment(GATE + 1)));
}

#[test]
fn a_reboot_is_passed_on() {
    let mut policy = running(0);
    let message = Input::Heard(Message::Reboot("update".to_owned()));
    assert_eq!(policy.step(Moment(1), &message), [Action::Reboot("update".to_owned())]);
}

#[test]
fn a_hold_starts_nothing_and_is_fed_for_ever() {
    let mut policy = Policy::held(Hold::StateLost);
    assert_eq!(policy.next_deadline(), None);
    assert_eq!(policy.step(Moment(u64::MAX), &Input::Tick), []);
    assert!(policy.deserves_food(Moment(u64::MAX)));
}

#[test]
fn messages_without_a_process_are_ignored() {
    let mut policy = Policy::new(Moment(0), GATE);
    assert_eq!(policy.step(Moment(0), &Input::Heard(Message::Ready)), [Action::Start]);
}
