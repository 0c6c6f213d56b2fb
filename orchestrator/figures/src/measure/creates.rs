//! Durable creates of 1 KiB ConfigMaps through the API.

use std::time::Duration;

use super::bodies::{CONFIG_MAPS, config_map};
use super::{Bench, Both, Readings};
use crate::client::{Outcome, Until, load};
use crate::error::Result;
use crate::planes::{Pair, Side};
use crate::statistics::number;

pub(super) async fn measure(bench: &Bench, readings: &mut Readings) -> Result<()> {
    let pair = Pair::start(&bench.setup).await?;
    let outcome = create(bench, &pair.sides()?, readings).await;
    pair.stop().await.and(outcome)
}

async fn create(bench: &Bench, sides: &[Side; 2], readings: &mut Readings) -> Result<()> {
    for side in sides {
        side.accounts().await?;
    }
    let [mut latency, mut cpu, mut rate, mut cpu_of_many] = [(); 4].map(|()| Both::default());
    for round in 0..bench.pace.repetitions {
        for (index, side) in sides.iter().enumerate() {
            let (one, cost) = run(side, bench.pace.span, round, 1).await?;
            latency.push(index, one.latencies.median());
            cpu.push(index, cost);
            let (many, cost) = run(side, bench.pace.span, round, 64).await?;
            rate.push(index, number(many.count) / many.seconds);
            cpu_of_many.push(index, cost);
        }
    }
    latency.put(readings, "create-1")?;
    cpu.put(readings, "create-1-cpu")?;
    rate.put(readings, "create-64")?;
    cpu_of_many.put(readings, "create-64-cpu")
}

/// Creates by `clients` clients, and the answering process's CPU-µs for each.
async fn run(side: &Side, span: Duration, round: u32, clients: usize) -> Result<(Outcome, f64)> {
    let connections = side.endpoint.connections(clients).await?;
    let before = side.server()?;
    let outcome = load(connections, Until::Passed(span), move |endpoint, client, sent| {
        endpoint.post(CONFIG_MAPS, &config_map(&format!("c-{clients}-{round}-{client}-{sent}"), 'x'))
    })
    .await?;
    let cpu = (side.server()?.cpu - before.cpu) * 1000.0 / number(outcome.count);
    Ok((outcome, cpu))
}
