//! Sizes of the disk image, from what the image builder left.

use std::fs;

use serde::Deserialize;

use super::{Bench, MEGA, Readings, sizes};
use crate::error::{Error, Result};
use crate::statistics::number;

/// The part of the manifest that is read.
#[derive(Debug, Deserialize, PartialEq)]
struct Manifest {
    sizes: Sizes,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Sizes {
    initrd: u64,
    slot: u64,
    qcow2: u64,
}

pub(super) fn measure(bench: &Bench, readings: &mut Readings) -> Result<()> {
    let path = bench.image.join("manifest.toml");
    if !path.exists() {
        return Err(Error::Missing { path, command: "make images" });
    }
    let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
    let Manifest { sizes } = parse(&text).map_err(|error| Error::format(path.display().to_string(), error))?;
    let mega = |bytes: u64| vec![number(bytes) / MEGA];
    readings.put_alone("initrd", mega(sizes.initrd))?;
    readings.put_alone("slot", mega(sizes.slot))?;
    readings.put_alone("disk", mega(sizes.qcow2))?;
    readings.put_alone("disk-compressed", mega(sizes::compressed(&bench.image.join("disk.raw"))?))
}

fn parse(text: &str) -> std::result::Result<Manifest, toml::de::Error> {
    toml::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_are_found_among_the_rest() {
        let text = "board = \"b\"\n[sizes]\nkernel = 1\ninitrd = 2\nslot = 3\nqcow2 = 4\n[[output]]\nname = \"x\"\n";
        assert_eq!(parse(text).unwrap(), Manifest { sizes: Sizes { initrd: 2, slot: 3, qcow2: 4 } });
        assert!(parse("[sizes]\ninitrd = 2\n").is_err());
    }
}
