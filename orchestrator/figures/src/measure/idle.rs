//! Both control planes left alone at the same time: memory, processor time and what they write.

use tokio::time::{Instant, sleep_until};

use super::{Bench, Both, MEGA, Process, Readings};
use crate::disk::Disk;
use crate::error::Result;
use crate::planes::{Pair, Side};
use crate::statistics::number;
use crate::usage::Usage;

/// Windows; together five minutes at the full pace.
const WINDOWS: u32 = 5;

pub(super) async fn measure(bench: &Bench, readings: &mut Readings) -> Result<()> {
    let disks = [Disk::make(&bench.setup.directory).await?, Disk::make(&bench.setup.directory).await?];
    let pair = Pair::start_below(&bench.setup, disks.each_ref().map(Disk::path)).await?;
    let outcome = watch(bench, &pair.sides()?, &disks, readings).await;
    pair.stop().await.and(outcome)
}

async fn watch(bench: &Bench, sides: &[Side; 2], disks: &[Disk; 2], readings: &mut Readings) -> Result<()> {
    let started = Instant::now() + bench.pace.settle;
    sleep_until(started).await;
    let before = each(sides)?;
    let [mut pss, mut rss, mut cpu, mut written] = [(); 4].map(|()| Both::default());
    let first = [total(&before, 0), total(&before, 1)];
    let mut last = [disks[0].written()?, disks[1].written()?];
    for window in 1..=WINDOWS {
        sleep_until(started + bench.pace.window * window).await;
        for (index, ((side, disk), last)) in sides.iter().zip(disks).zip(&mut last).enumerate() {
            let now = side.all()?;
            pss.push(index, now.pss / MEGA);
            rss.push(index, now.rss / MEGA);
            let before = std::mem::replace(last, disk.written()?);
            written.push(index, number(*last - before) / 1000.0);
        }
    }
    for (index, (side, first)) in sides.iter().zip(first).enumerate() {
        cpu.push(index, side.all()?.cpu - first.cpu);
    }
    for ((_, name, before), (_, _, now)) in before.into_iter().zip(each(sides)?) {
        let (pss, rss) = (now.pss / MEGA, now.rss / MEGA);
        readings.processes.push(Process { name, pss, rss, cpu: now.cpu - before.cpu });
    }
    pss.put(readings, "idle-pss")?;
    rss.put(readings, "idle-rss")?;
    cpu.put(readings, "idle-cpu")?;
    written.put(readings, "idle-writes")
}

/// Every process with the number of its side.
fn each(sides: &[Side; 2]) -> Result<Vec<(usize, &'static str, Usage)>> {
    let all = sides
        .iter()
        .enumerate()
        .flat_map(|(number, side)| side.processes.iter().map(move |(name, process)| (number, *name, *process)));
    all.map(|(number, name, process)| Ok((number, name, Usage::of(process)?))).collect()
}

fn total(all: &[(usize, &'static str, Usage)], side: usize) -> Usage {
    let of_side = all.iter().filter(|(index, ..)| *index == side);
    of_side.fold(Usage::default(), |sum, (_, _, usage)| sum.plus(*usage))
}
