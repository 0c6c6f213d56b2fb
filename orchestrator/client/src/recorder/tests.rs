use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coracle_apimachinery::status::Status;
use coracle_apimachinery::{Value, json};
use tokio::time::Instant;

use super::{Correlator, Decision, Now, Recorder, Style};
use crate::event::{Event, NORMAL, WARNING};
use crate::memory::Objects;
use crate::{Changes, Client, Interest, Operation, PatchKind, Pending, View, Write};

/// 2023-11-14T22:13:20Z in nanoseconds.
const START: u64 = 1_700_000_000_000_000_000;

fn at(seconds: u64) -> Now {
    Now { unix_nanos: START + seconds * 1_000_000_000, since_start: Duration::from_secs(seconds) }
}

fn pod(name: &str) -> Arc<Value> {
    let text = format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{name}","namespace":"ns","resourceVersion":"7","uid":"u"}}}}"#
    );
    Arc::new(json::decode_any(text.as_bytes()).unwrap())
}

fn core() -> Style {
    Style::Core { component: "kubelet".into(), host: "n1".into() }
}

fn new_style() -> Style {
    Style::New { controller: "default-scheduler".into(), instance: "default-scheduler-n1".into() }
}

fn text(value: &Value) -> String {
    String::from_utf8(json::encode_any(value)).unwrap()
}

/// One line a decision: `create NAME COUNT MESSAGE`, `patch …`, `drop`.
fn line(decision: &Decision) -> String {
    let (verb, event) = match decision {
        Decision::Create(event) => ("create", event),
        Decision::Patch { event, .. } => ("patch", event),
        Decision::Drop => return "drop".into(),
    };
    let count = event.at(&["count"]).or_else(|| event.at(&["series", "count"])).and_then(Value::as_int).unwrap_or(0);
    let nanos = event.text_at(&["metadata", "name"]).rsplit('.').next().unwrap();
    let second = (u64::from_str_radix(nanos, 16).unwrap() - START) / 1_000_000_000;
    format!("{verb} @{second} {count} {}", event.text_at(&["message"]))
}

#[test]
fn documents_have_every_member() {
    let mut event = Event::warning(&pod("web"), "BackOff", "again");
    event.field_path = "spec.containers{web}".into();
    let Decision::Create(document) = Correlator::new(core()).decide(&event, at(0)) else { panic!("no new event") };
    assert_eq!(
        text(&document),
        r#"{"apiVersion":"v1","count":1,"firstTimestamp":"2023-11-14T22:13:20Z","involvedObject":{"apiVersion":"v1","fieldPath":"spec.containers{web}","kind":"Pod","name":"web","namespace":"ns","resourceVersion":"7","uid":"u"},"kind":"Event","lastTimestamp":"2023-11-14T22:13:20Z","message":"again","metadata":{"name":"web.17979cfe362a0000","namespace":"ns"},"reason":"BackOff","reportingComponent":"kubelet","reportingInstance":"n1","source":{"component":"kubelet","host":"n1"},"type":"Warning"}"#
    );
    let event = Event::normal(&pod("web"), "Scheduled", "Successfully assigned ns/web to n1");
    let Decision::Create(document) = Correlator::new(new_style()).decide(&event, at(0)) else { panic!("no new event") };
    assert_eq!(
        text(&document),
        r#"{"action":"Binding","apiVersion":"v1","eventTime":"2023-11-14T22:13:20.000000Z","involvedObject":{"apiVersion":"v1","kind":"Pod","name":"web","namespace":"ns","resourceVersion":"7","uid":"u"},"kind":"Event","message":"Successfully assigned ns/web to n1","metadata":{"name":"web.17979cfe362a0000","namespace":"ns"},"reason":"Scheduled","reportingComponent":"default-scheduler","reportingInstance":"default-scheduler-n1","type":"Normal"}"#
    );
    let node = Arc::new(json::decode_any(br#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}"#).unwrap());
    let event = Event::normal(&node, "NodeReady", "up");
    let Decision::Create(document) = Correlator::new(core()).decide(&event, at(0)) else { panic!("no new event") };
    assert_eq!(document.text_at(&["metadata", "namespace"]), "default");
    assert!(document.at(&["involvedObject", "namespace"]).is_none());
}

/// Times in seconds, message, what becomes of it.
type Row = (u64, &'static str, &'static str);

fn run(style: Style, rows: &[Row]) {
    let mut correlator = Correlator::new(style);
    for (number, (seconds, message, expected)) in rows.iter().enumerate() {
        let decision = correlator.decide(&Event::normal(&pod("p"), "Reason", *message), at(*seconds));
        assert_eq!(line(&decision), *expected, "row {number}");
    }
}

#[test]
fn equal_events_are_counted() {
    run(
        core(),
        &[
            (0, "a", "create @0 1 a"),
            (1, "a", "patch @0 2 a"),
            (2, "b", "create @2 1 b"),
            (3, "a", "patch @0 3 a"),
            (90_000, "a", "patch @0 4 a"),
        ],
    );
    let mut correlator = Correlator::new(core());
    correlator.decide(&Event::normal(&pod("p"), "R", "a"), at(0));
    let Decision::Patch { event, patch } = correlator.decide(&Event::normal(&pod("p"), "R", "a"), at(9)) else {
        panic!("no change")
    };
    assert_eq!(text(&patch), r#"{"count":2,"lastTimestamp":"2023-11-14T22:13:29Z","message":"a"}"#);
    assert_eq!(event.text_at(&["firstTimestamp"]), "2023-11-14T22:13:20Z");
    for other in [
        Event::warning(&pod("p"), "R", "a"),
        Event::normal(&pod("q"), "R", "a"),
        Event::normal(&pod("p"), "S", "a"),
        Event { field_path: "spec".into(), ..Event::normal(&pod("p"), "R", "a") },
    ] {
        assert!(matches!(correlator.decide(&other, at(10)), Decision::Create(_)), "{other:?}");
    }
    let odd = Event { kind: "Odd", ..Event::normal(&pod("p"), "R", "a") };
    assert_eq!(correlator.decide(&odd, at(11)), Decision::Drop);
}

#[test]
fn similar_events_are_combined() {
    let combined = |verb, second, count, message| {
        let rows = format!("{verb} @{second} {count} (combined from similar events): {message}");
        &*Box::leak(rows.into_boxed_str())
    };
    let mut rows: Vec<Row> = Vec::new();
    for (number, message) in ["a", "b", "c", "d", "e", "f", "g", "h", "i"].into_iter().enumerate() {
        let expected = Box::leak(format!("create @{number} 1 {message}").into_boxed_str());
        rows.push((number as u64, message, expected));
    }
    rows.extend([
        (10, "j", combined("create", 10, 1, "j")),
        (11, "k", combined("patch", 10, 2, "k")),
        // Exactly the interval is not yet silence.
        (611, "l", combined("patch", 10, 3, "l")),
        (1212, "m", "create @1212 1 m"),
    ]);
    run(core(), &rows);
    let mut correlator = Correlator::new(core());
    let last = (0..10)
        .map(|number| correlator.decide(&Event::normal(&pod("p"), "R", number.to_string()), at(number)))
        .last()
        .unwrap();
    let Decision::Create(last) = last else { panic!("no new event") };
    assert!(last.at(&["reportingComponent"]).is_none() && last.at(&["source", "component"]).is_some());
    // A message that is known is no further one.
    let again = |number: u64| line(&correlator.decide(&Event::normal(&pod("p"), "R", number.to_string()), at(20)));
    assert!((0..10).map(again).any(|line| !line.contains("combined")));
}

#[test]
fn floods_are_cut_off() {
    let mut correlator = Correlator::new(core());
    let mut tell = |name: &str, kind, seconds| {
        let event = Event { kind, ..Event::normal(&pod(name), "R", "a") };
        line(&correlator.decide(&event, at(seconds)))
    };
    assert_eq!(tell("p", NORMAL, 0), "create @0 1 a");
    for count in 2..=25 {
        assert_eq!(tell("p", NORMAL, 0), format!("patch @0 {count} a"));
    }
    assert_eq!(tell("p", NORMAL, 0), "drop");
    assert_eq!(tell("p", NORMAL, 299), "drop");
    // Warnings and other objects have their own budget.
    assert_eq!(tell("p", WARNING, 299), "create @299 1 a");
    assert_eq!(tell("q", NORMAL, 299), "create @299 1 a");
    // What was dropped was counted.
    assert_eq!(tell("p", NORMAL, 300), "patch @0 28 a");
    assert_eq!(tell("p", NORMAL, 301), "drop");
    // Silence saves no more than one burst.
    let told = (0..100).filter(|_| tell("p", NORMAL, 100_000) != "drop").count();
    assert_eq!(told, 25);
}

#[test]
fn series_begin_go_on_and_end() {
    run(
        new_style(),
        &[
            (0, "a", "create @0 0 a"),
            // The message does not tell series apart.
            (1, "b", "patch @0 2 a"),
            (2, "a", "drop"),
            (362, "c", "create @362 0 c"),
            (722, "c", "create @722 0 c"),
        ],
    );
    let mut correlator = Correlator::new(new_style());
    let event = Event::warning(&pod("p"), "FailedScheduling", "no");
    assert_eq!(correlator.next_due(), None);
    correlator.decide(&event, at(0));
    let Decision::Patch { patch, .. } = correlator.decide(&event, at(1)) else { panic!("no change") };
    assert_eq!(text(&patch), r#"{"series":{"count":2,"lastObservedTime":"2023-11-14T22:13:21.000000Z"}}"#);
    // It goes on for longer than half an hour.
    for second in (300..=1800).step_by(300) {
        assert_eq!(correlator.decide(&event, at(second)), Decision::Drop);
    }
    assert_eq!(correlator.next_due(), Some(Duration::from_secs(1801)));
    let lines = |decisions: Vec<Decision>| decisions.iter().map(line).collect::<Vec<_>>();
    assert_eq!(lines(correlator.due(Duration::from_secs(1801))), ["patch @0 8 no"]);
    assert_eq!(correlator.decide(&event, at(1802)), Decision::Drop);
    assert_eq!(correlator.next_due(), Some(Duration::from_secs(1802 + 360)));
    assert_eq!(lines(correlator.due(Duration::from_secs(1802 + 360))), ["patch @0 9 no"]);
    assert_eq!(correlator.next_due(), None);
    assert_eq!(line(&correlator.decide(&event, at(3000))), "create @3000 0 no");
    // A count that was written is not written again.
    assert_eq!(line(&correlator.decide(&event, at(3001))), "patch @3000 2 no");
    assert_eq!(lines(correlator.due(Duration::from_secs(3361))), [""; 0]);
    assert_eq!(correlator.next_due(), None);
    // Another version of the object has its own series.
    correlator.decide(&event, at(4000));
    let mut other = Value::clone(&event.regarding);
    other.as_object_mut().unwrap().object_mut("metadata").insert("resourceVersion".into(), Value::text("8"));
    let other = Event { regarding: Arc::new(other), ..event };
    assert_eq!(line(&correlator.decide(&other, at(4001))), "create @4001 0 no");
}

/// Answers writes with what the test says, then with success.
#[derive(Debug, Default)]
struct Fake {
    answers: Mutex<VecDeque<Status>>,
    writes: Mutex<Vec<(Write, Instant)>>,
}

impl Client for Fake {
    fn view(&self) -> View {
        Objects::new().view()
    }

    fn subscribe(&self, _: Interest<'_>) -> Box<dyn Changes> {
        panic!("a recorder follows nothing")
    }

    fn write(&self, write: Write) -> Pending<'_, Result<Arc<Value>, Status>> {
        self.writes.lock().unwrap().push((write, Instant::now()));
        let answer = self.answers.lock().unwrap().pop_front();
        Box::pin(async move { answer.map_or_else(|| Ok(Arc::new(Value::Null)), Err) })
    }
}

impl Fake {
    fn answering(answers: impl IntoIterator<Item = Status>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() })
    }

    fn verbs(&self) -> Vec<String> {
        let writes = self.writes.lock().unwrap();
        let verb = |write: &Write| match &write.operation {
            Operation::Create(event) => format!("create {} {}", event.text_at(&["message"]), write.name),
            Operation::Patch(PatchKind::Strategic, _) => format!("patch {}", write.name),
            other => panic!("{other:?}"),
        };
        writes.iter().map(|(write, _)| verb(write)).collect()
    }
}

async fn record(fake: &Arc<Fake>, style: Style, messages: &[&str]) {
    let (recorder, recording) = Recorder::with_clock(Arc::clone(fake) as Arc<dyn Client>, style, || START);
    for message in messages {
        recorder.record(Event::normal(&pod("p"), "R", *message));
    }
    drop(recorder);
    recording.run().await;
}

#[tokio::test(start_paused = true)]
async fn writes_follow_the_decisions() {
    let gone = || Status::not_found("", "events", "p");
    let ending = || Status::new(403, "Forbidden", "ending").because("NamespaceTerminating", "", "");
    let name = "p.17979cfe362a0000";
    let table: [(Vec<Status>, &[&str], Vec<String>); 4] = [
        (
            vec![],
            &["a", "a", "b"],
            vec![
                format!("create a {name}"),
                format!("patch {name}"),
                // The clock stood still, the name moved on.
                "create b p.17979cfe362a0002".into(),
            ],
        ),
        (vec![ending()], &["a"], vec![format!("create a {name}")]),
        // A refused event is made when it happens again.
        (
            vec![ending(), gone()],
            &["a", "a"],
            vec![format!("create a {name}"), format!("patch {name}"), format!("create a {name}")],
        ),
        (vec![Status::new(503, "ServiceUnavailable", "")], &["a"], vec![format!("create a {name}"); 2]),
    ];
    for (answers, messages, expected) in table {
        let fake = Fake::answering(answers);
        record(&fake, core(), messages).await;
        assert_eq!(fake.verbs(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_api_is_tried_for_a_while() {
    let fake = Fake::answering(vec![Status::new(503, "ServiceUnavailable", ""); 100]);
    record(&fake, core(), &["a"]).await;
    let writes = fake.writes.lock().unwrap();
    assert_eq!(writes.len(), 12);
    assert_eq!(writes[11].1 - writes[0].1, Duration::from_secs(110));
}

#[tokio::test(start_paused = true)]
async fn telling_never_waits() {
    let fake = Fake::answering([]);
    let (recorder, recording) = Recorder::with_clock(Arc::clone(&fake) as Arc<dyn Client>, core(), || START);
    for number in 0..1100 {
        recorder.record(Event::normal(&pod(&format!("p{number}")), "R", "a"));
    }
    drop(recorder);
    recording.run().await;
    assert_eq!(fake.verbs().len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_series_is_finished_by_the_clock_alone() {
    let fake = Fake::answering([]);
    let (recorder, recording) = Recorder::with_clock(Arc::clone(&fake) as Arc<dyn Client>, new_style(), || START);
    let task = tokio::spawn(recording.run());
    for _ in 0..3 {
        recorder.record(Event::warning(&pod("p"), "FailedScheduling", "no"));
    }
    tokio::time::sleep_until(Instant::now() + Duration::from_secs(361)).await;
    drop(recorder);
    task.await.unwrap();
    let writes = fake.writes.lock().unwrap();
    let Operation::Patch(_, patch) = &writes[2].0.operation else { panic!("no change") };
    assert_eq!(patch.at(&["series", "count"]), Some(&Value::Int(3)));
    assert_eq!((writes.len(), writes[2].1 - writes[0].1), (3, Duration::from_secs(360)));
}
