//! A volume that hands a machine its configuration: FAT or ISO 9660 with the label `CIDATA`, as NoCloud defines it.

use coracle_slots::fat::Error;
use coracle_slots::{ReadAt, fat, iso9660};

const LABEL: &str = "CIDATA";
const FILE: &str = "user-data";

/// The document of a device, if it is such a volume.
///
/// A device that shows no such volume, or cannot even be looked at, has none: most devices of a machine are like that.
pub(super) fn document(device: &impl ReadAt, name: &str, most: u64) -> Result<Option<Vec<u8>>, Error> {
    let is_ours = |label: Result<Option<String>, Error>| {
        label.ok().flatten().is_some_and(|label| label.eq_ignore_ascii_case(LABEL))
    };
    let file = if is_ours(fat::label(device)) {
        fat::find(device, FILE)
    } else if is_ours(iso9660::label(device)) {
        iso9660::find(device, FILE)
    } else {
        return Ok(None);
    };
    match file {
        Ok(file) => file.read(device, most).map(Some),
        Err(Error::NotFound(file)) => Err(Error::NotFound(format!("{file} of {name}"))),
        Err(error) => Err(error),
    }
}
