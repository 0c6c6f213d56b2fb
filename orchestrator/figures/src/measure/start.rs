//! Start on an empty folder until `/readyz` says ok.

use super::{Bench, Both, Readings};
use crate::error::Result;
use crate::planes::{Ours, real_server};

pub(super) async fn measure(bench: &Bench, readings: &mut Readings) -> Result<()> {
    let mut both = Both::default();
    for _ in 0..bench.pace.repetitions {
        let ours = Ours::start(&bench.setup, &bench.setup.directory).await?;
        both.push(0, ours.ready_after().as_secs_f64() * 1000.0);
        ours.stop().await?;
        let real = real_server(&bench.setup).await?;
        both.push(1, real.ready_after.as_secs_f64() * 1000.0);
        real.stop().await?;
    }
    both.put(readings, "start")
}
