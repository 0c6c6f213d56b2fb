//! Sizes of executables, as they are and compressed.

use std::fs::File;
use std::io;
use std::path::Path;

use super::{Bench, MEGA, Readings};
use crate::error::{Error, Result};
use crate::planes::size;
use crate::statistics::number;

/// The level that zstd itself takes by default.
const LEVEL: i32 = 3;

pub(super) fn measure(bench: &Bench, readings: &mut Readings) -> Result<()> {
    let (setup, programs) = (&bench.setup, &bench.setup.programs);
    let peers = [programs.etcd(), programs.api_server(), programs.controller_manager(), programs.scheduler()];
    let (mut plain, mut small) = (0, 0);
    for peer in &peers {
        (plain, small) = (plain + size(peer)?, small + compressed(peer)?);
    }
    let mega = |bytes: u64| vec![number(bytes) / MEGA];
    readings.put("executable", mega(size(&setup.coracle)?), mega(plain))?;
    readings.put("executable-compressed", mega(compressed(&setup.coracle)?), mega(small))?;
    readings.put_alone("init-executable", mega(size(&setup.init)?))
}

/// Bytes of a file after compression.
pub(super) fn compressed(path: &Path) -> Result<u64> {
    let mut file = File::open(path).map_err(Error::file("open", path))?;
    let mut work = || -> io::Result<u64> {
        let mut encoder = zstd::Encoder::new(Counter(0), LEVEL)?;
        io::copy(&mut file, &mut encoder)?;
        Ok(encoder.finish()?.0)
    };
    work().map_err(Error::file("compress", path))
}

/// Counts what is written and forgets it.
struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_zeros_gets_small() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zeros");
        std::fs::write(&path, vec![0; 1 << 20]).unwrap();
        let bytes = compressed(&path).unwrap();
        assert!(bytes > 0 && bytes < 1024, "{bytes}");
    }
}
