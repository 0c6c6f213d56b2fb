//! What is written to the disk for updates of 1 KiB.

use super::bodies::{CONFIG_MAPS, config_map};
use super::{Bench, Both, Readings};
use crate::client::{Until, load};
use crate::disk::Disk;
use crate::error::Result;
use crate::planes::{Pair, Side};
use crate::statistics::number;
use http::Method;

/// Objects that are replaced in turn.
const OBJECTS: u64 = 500;
/// Spans of a load that one repetition takes, so that checkpoints of either side are in it.
const SPANS: u32 = 3;

pub(super) async fn measure(bench: &Bench, readings: &mut Readings) -> Result<()> {
    let disks = [Disk::make(&bench.setup.directory).await?, Disk::make(&bench.setup.directory).await?];
    let pair = Pair::start_below(&bench.setup, disks.each_ref().map(Disk::path)).await?;
    let outcome = update(bench, &pair.sides()?, &disks, readings).await;
    pair.stop().await.and(outcome)
}

async fn update(bench: &Bench, sides: &[Side; 2], disks: &[Disk; 2], readings: &mut Readings) -> Result<()> {
    for side in sides {
        side.accounts().await?;
        load(side.endpoint.connections(1).await?, Until::Sent(OBJECTS), |endpoint, _, sent| {
            endpoint.post(CONFIG_MAPS, &config_map(&name(sent), 'a'))
        })
        .await?;
    }
    let mut bytes = Both::default();
    for _ in 0..bench.pace.repetitions {
        for (index, (side, disk)) in sides.iter().zip(disks).enumerate() {
            let before = disk.written()?;
            let until = Until::Passed(bench.pace.span * SPANS);
            let outcome = load(side.endpoint.connections(1).await?, until, |endpoint, _, sent| {
                // Each round writes another letter: an update without a change writes nothing.
                let letter = u8::try_from(sent / OBJECTS % 25).map_or('b', |round| char::from(b'b' + round));
                let body = config_map(&name(sent), letter).to_string();
                let path = format!("{CONFIG_MAPS}/{}", name(sent));
                endpoint.request(Method::PUT, &path, "application/json", body.into())
            })
            .await?;
            bytes.push(index, number(disk.written()? - before) / number(outcome.count));
        }
    }
    bytes.put(readings, "update-bytes")
}

fn name(sent: u64) -> String {
    format!("u-{}", sent % OBJECTS)
}
