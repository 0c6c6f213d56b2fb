//! Reads from 5,000 pods, in answers per second of the answering process's processor time.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::bodies::{PODS, waiting_pod};
use super::{Bench, Both, MEGA, Readings};
use crate::client::{Until, load};
use crate::error::{Error, Result};
use crate::planes::{Pair, Side};
use crate::statistics::number;

/// Connections that make the pods.
const MAKERS: usize = 32;
/// Connections that get pods, and how many requests are in flight on each.
const CONNECTIONS: usize = 8;
const IN_FLIGHT: usize = 4;

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const JSON: &str = "application/json";

pub(super) async fn measure(bench: &Bench, readings: &mut Readings) -> Result<()> {
    let pair = Pair::start(&bench.setup).await?;
    let outcome = ask(bench, &pair.sides()?, readings).await;
    pair.stop().await.and(outcome)
}

async fn ask(bench: &Bench, sides: &[Side; 2], readings: &mut Readings) -> Result<()> {
    let (span, pods) = (bench.pace.span, bench.pace.pods);
    for side in sides {
        fill(side, pods).await?;
    }
    let mut gets = Both::default();
    for _ in 0..bench.pace.repetitions {
        for (index, side) in sides.iter().enumerate() {
            gets.push(index, get(side, span, pods).await?);
        }
    }
    gets.put(readings, "get")?;
    for (id, kind) in [("list-json", JSON), ("list-protobuf", PROTOBUF)] {
        let mut lists = Both::default();
        for _ in 0..bench.pace.repetitions {
            for (index, side) in sides.iter().enumerate() {
                lists.push(index, list(side, span, kind).await?);
            }
        }
        lists.put(readings, id)?;
    }
    let mut memory = Both::default();
    for (index, side) in sides.iter().enumerate() {
        memory.push(index, side.all()?.pss / MEGA);
    }
    memory.put(readings, "loaded-pss")
}

/// Makes the pods and proves that all are listed.
async fn fill(side: &Side, pods: u64) -> Result<()> {
    let mut connection = side.accounts().await?;
    let makers = side.endpoint.connections(MAKERS).await?;
    let clients = u64::try_from(MAKERS).unwrap_or(1);
    let each = pods.div_ceil(clients);
    load(makers, Until::Sent(each), move |endpoint, client, sent| {
        endpoint.post(PODS, &waiting_pod(u64::try_from(client).unwrap_or_default() * each + sent))
    })
    .await?;
    let list = connection.json(side.endpoint.get(PODS)?).await?;
    let found = list["items"].as_array().map_or(0, Vec::len);
    if u64::try_from(found).is_ok_and(|found| found == each * clients) {
        return Ok(());
    }
    Err(Error::format("the list of pods", format!("{found} pods are listed, {} were made", each * clients)))
}

async fn get(side: &Side, span: Duration, pods: u64) -> Result<f64> {
    let mut clients = Vec::new();
    for connection in side.endpoint.connections(CONNECTIONS).await? {
        clients.extend(std::iter::repeat_n(connection, IN_FLIGHT));
    }
    let before = side.server()?;
    let outcome = load(clients, Until::Passed(span), move |endpoint, client, sent| {
        // A step without a common divisor with the number of pods visits all of them.
        let pod = (u64::try_from(client).unwrap_or_default() * 157 + sent * 7) % pods;
        endpoint.get(&format!("{PODS}/pod-{pod:05}"))
    })
    .await?;
    per_cpu_second(outcome.count, side.server()?.cpu - before.cpu)
}

async fn list(side: &Side, span: Duration, kind: &'static str) -> Result<f64> {
    let clients = side.endpoint.connections(1).await?;
    let before = side.server()?;
    let outcome = load(clients, Until::Passed(span), move |endpoint, _, _| {
        endpoint.request(Method::GET, PODS, kind, Bytes::new())
    })
    .await?;
    per_cpu_second(outcome.count, side.server()?.cpu - before.cpu)
}

/// Answers per second of processor time, which is given in milliseconds.
fn per_cpu_second(count: u64, cpu: f64) -> Result<f64> {
    if cpu <= 0.0 {
        return Err(Error::format("processor time", "too little to be measured"));
    }
    Ok(number(count) * 1000.0 / cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second_of_processor_time() {
        assert_eq!(per_cpu_second(500, 250.0).unwrap(), 2000.0);
        assert!(per_cpu_second(500, 0.0).is_err());
    }
}
