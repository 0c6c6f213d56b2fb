//! From the request that creates a pod until a watch says that it runs. kwok plays the nodes of both sides, so that the
//! control planes are what differs.

use std::time::Instant;

use oracle::Target;
use oracle::cluster::play_nodes;

use super::bodies::{PODS, small_pod};
use super::{Bench, Both, Readings};
use crate::error::Result;
use crate::planes::{Pair, Side};

/// Pods of one repetition.
const PODS_EACH: u32 = 5;

pub(super) async fn measure(bench: &Bench, readings: &mut Readings) -> Result<()> {
    let pair = Pair::start(&bench.setup).await?;
    let outcome = with_nodes(bench, &pair, readings).await;
    pair.stop().await.and(outcome)
}

async fn with_nodes(bench: &Bench, pair: &Pair, readings: &mut Readings) -> Result<()> {
    let programs = &bench.setup.programs;
    let folders = [bench.setup.folder("kwok-")?, bench.setup.folder("kwok-")?];
    let targets: [&Target; 2] = [pair.ours.target(), pair.real.target()];
    let mut players = Vec::new();
    for (folder, target) in folders.iter().zip(targets) {
        players.push(play_nodes(programs, target, folder.path()).await?);
    }
    let outcome = run(bench, &pair.sides()?, readings).await;
    for player in players {
        player.stop().await?;
    }
    outcome
}

async fn run(bench: &Bench, sides: &[Side; 2], readings: &mut Readings) -> Result<()> {
    let mut both = Both::default();
    for side in sides {
        side.accounts().await?;
    }
    for round in 0..bench.pace.repetitions {
        for (index, side) in sides.iter().enumerate() {
            for number in 0..PODS_EACH {
                both.push(index, until_running(side, &format!("pod-{round}-{number}")).await?);
            }
        }
    }
    both.put(readings, "pod-running")
}

/// Milliseconds.
async fn until_running(side: &Side, name: &str) -> Result<f64> {
    let (mut watcher, mut creator) = (side.endpoint.connect().await?, side.endpoint.connect().await?);
    let path = format!("{PODS}?watch=1&fieldSelector=metadata.name%3D{name}");
    let events = watcher.ask(side.endpoint.get(&path)?).await?;
    let created = Instant::now();
    creator.drain(side.endpoint.post(PODS, &small_pod(name))?).await?;
    watcher.follow(&path, events, |pod| pod["status"]["phase"] == "Running").await?;
    Ok(created.elapsed().as_secs_f64() * 1000.0)
}
