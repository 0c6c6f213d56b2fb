//! What a booted guest says of itself: lines `ID: VALUE UNIT` of the file that `make guest-figures` writes. A figure may stand
//! there several times, once for each repetition.

use std::collections::BTreeMap;
use std::fs;

use super::{Bench, Readings};
use crate::error::{Error, Result};
use crate::rows::{FIGURES, Figure, Group};

pub(super) fn measure(bench: &Bench, readings: &mut Readings) -> Result<()> {
    let path = &bench.guest;
    if !path.exists() {
        return Err(Error::Missing { path: path.clone(), command: "make guest-figures" });
    }
    let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
    let values = parse(&text).map_err(|problem| Error::format(path.display().to_string(), problem))?;
    values.into_iter().try_for_each(|(id, values)| readings.put_alone(id, values))
}

/// The values by the ids of figures, or what is wrong, with its line.
fn parse(text: &str) -> std::result::Result<BTreeMap<&'static str, Vec<f64>>, String> {
    let mut values: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |problem: String| format!("line {}: {problem}", number + 1);
        let (id, rest) = line.split_once(": ").ok_or_else(|| wrong(format!("{line:?} is not `ID: VALUE UNIT`")))?;
        let figure = Figure::find(id).filter(|figure| figure.group == Group::Guest);
        let figure = figure.ok_or_else(|| wrong(format!("no figure of a guest is named {id:?}")))?;
        let (value, unit) = rest.split_once(' ').unwrap_or((rest, ""));
        if unit != figure.unit {
            return Err(wrong(format!("{id} is measured in {}, not in {unit:?}", figure.unit)));
        }
        let value: f64 = value.parse().map_err(|_| wrong(format!("{value:?} is no number")))?;
        values.entry(figure.id).or_default().push(value);
    }
    let missing: Vec<&str> = FIGURES
        .iter()
        .filter(|figure| figure.group == Group::Guest && !values.contains_key(figure.id))
        .map(|figure| figure.id)
        .collect();
    if missing.is_empty() { Ok(values) } else { Err(format!("missing: {}", missing.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete() -> String {
        let guest = FIGURES.iter().filter(|figure| figure.group == Group::Guest);
        guest.map(|figure| format!("{}: 12.5 {}\n", figure.id, figure.unit)).collect()
    }

    #[test]
    fn every_figure_is_wanted_and_may_be_repeated() {
        let values = parse(&format!("{}kernel-to-init: 13 ms\n", complete())).unwrap();
        assert_eq!(values["kernel-to-init"], [12.5, 13.0]);
        let lacking = complete().replace("kernel-to-readyz: 12.5 ms\n", "");
        assert_eq!(parse(&lacking).unwrap_err(), "missing: kernel-to-readyz");
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_line() {
        for (line, problem) in [
            ("kernel-to-init 5 ms", "is not `ID: VALUE UNIT`"),
            ("kernel-to-moon: 5 ms", "no figure of a guest is named \"kernel-to-moon\""),
            ("idle-pss: 5 MB", "no figure of a guest"),
            ("kernel-to-init: 5 s", "measured in ms, not in \"s\""),
            ("kernel-to-init: 5", "measured in ms, not in \"\""),
            ("kernel-to-init: x ms", "\"x\" is no number"),
        ] {
            let error = parse(&format!("{}{line}\n", complete())).unwrap_err();
            let number = complete().lines().count() + 1;
            assert!(error.contains(problem) && error.starts_with(&format!("line {number}: ")), "{error}");
        }
    }
}
