//! What a healthy boot says on the serial line, and how long a test waits for it. `docs/serial-markers.md` is the text.

use crate::error::{Error, Result};
use crate::guest::Guest;
use crate::pattern::{event, marker};
use coracle_contract::marker::Marker;
use std::time::Duration;

/// The stages of a boot in their order; the names are frozen.
pub const STAGES: [&str; 18] = [
    "pseudo-fs",
    "modules",
    "watchdog",
    "disk",
    "footer",
    "verity",
    "root",
    "mounts",
    "devices",
    "state",
    "data",
    "contract",
    "cgroups",
    "network",
    "clock",
    "entropy",
    "seed",
    "supervise",
];

/// The longest that a boot may take under TCG on a loaded machine, firmware included.
pub const BOOT_BOUND: Duration = Duration::from_secs(300);

/// The longest that an orderly end may take: PID 1's own bounds and some slack.
pub const END_BOUND: Duration = Duration::from_secs(120);

/// The markers of one boot, from the last wait before it to the passed health gate.
#[derive(Clone, Debug)]
pub struct Boot {
    markers: Vec<Marker>,
}

/// Waits until the boot is healthy: the orchestrator has answered its own `/readyz` and PID 1 has recorded it.
///
/// # Errors
/// It is not within the bound, or a fatal error or a reset came first.
pub fn boot(guest: &mut Guest) -> Result<Boot> {
    let begin = guest.position();
    guest.wait_marker(&marker("gate").with("result", "passed"), BOOT_BOUND)?;
    check_documented(guest)?;
    Ok(Boot { markers: guest.markers_from(begin) })
}

/// Presses the power button and waits until PID 1 has ended everything and the machine is off.
///
/// # Errors
/// It does not end in order within the bound.
pub fn power_off(mut guest: Guest) -> Result<()> {
    guest.power_button()?;
    guest.wait_marker(&marker("power").with("action", "poweroff").with("reason", "power-button"), END_BOUND)?;
    guest.wait_unless(&event("SHUTDOWN").with("reason", "guest-shutdown"), &[event("RESET")], END_BOUND)?;
    check_documented(&guest)?;
    guest.ended(END_BOUND).map(|_| ())
}

fn check_documented(guest: &Guest) -> Result<()> {
    match undocumented(&guest.markers_from(0)) {
        found if found.is_empty() => Ok(()),
        found => Err(Error::Unexpected {
            subject: "docs/serial-markers.md".into(),
            message: format!("it does not list {}", found.join("; ")),
        }),
    }
}

/// Markers that `docs/serial-markers.md` does not list, or not with these fields.
fn undocumented(markers: &[Marker]) -> Vec<String> {
    let document = include_str!("../../docs/serial-markers.md");
    let row = |name: &str| document.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
    let listed = |marker: &Marker| {
        let fields = row(marker.name()).and_then(|row| row.split('|').nth(2)).unwrap_or_default();
        row(marker.name()).is_some() && marker.fields().all(|(key, _)| fields.contains(&format!("`{key}`")))
    };
    markers.iter().filter(|marker| !listed(marker)).map(ToString::to_string).collect()
}

impl Boot {
    /// All markers with this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Marker> {
        self.markers.iter().filter(move |marker| marker.name() == name)
    }

    /// A field of the only marker with this name; `None` also when there are several.
    #[must_use]
    pub fn get(&self, name: &str, key: &str) -> Option<&str> {
        let mut found = self.markers.iter().filter(|marker| marker.name() == name);
        let only = found.next()?;
        if found.next().is_some() { None } else { only.get(key) }
    }

    /// Names of the stages that ended, in order.
    #[must_use]
    pub fn stages(&self) -> Vec<&str> {
        self.markers.iter().filter(|marker| marker.name() == "stage").filter_map(|marker| marker.get("name")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lists_markers_and_fields() {
        let known = Marker::new("stage").with("name", "root").with("at-ms", 7);
        let markers = [known.clone(), known.with("colour", "red"), Marker::new("stages"), Marker::new("name")];
        assert_eq!(undocumented(&markers).len(), 3);
        let document = include_str!("../../docs/serial-markers.md");
        let (_, stages) = document.split_once("## Stages").unwrap();
        let mut rest = stages;
        for stage in STAGES {
            let (_, after) =
                rest.split_once(&format!("`{stage}`")).unwrap_or_else(|| panic!("{stage} is not in order"));
            rest = after;
        }
    }
}
