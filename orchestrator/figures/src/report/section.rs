//! The section as text. It has no date and no name of a machine, so that a run that measures the same writes the same.

use super::causes::Causes;
use super::number::{cell, rounded, shown};
use super::verdict::{Verdict, direction};
use super::{BEGIN, CAUSES, COLUMNS, END, NOTHING, Row, UNKNOWN};
use crate::machine::Machine;
use crate::measure::{Process, Readings};
use crate::rows::{FIGURES, Figure};

/// The rows of the table with their verdicts; figures without a reading are not measured.
pub(crate) fn rows<'a>(
    readings: &Readings,
    figures: impl Iterator<Item = &'a Figure>,
) -> Vec<(&'a Figure, Row, Verdict)> {
    figures
        .map(|figure| (figure, readings.by_id.get(figure.id)))
        .map(|(figure, reading)| {
            let Some(reading) = reading else {
                let nothing = || NOTHING.to_owned();
                return (
                    figure,
                    row(figure, [nothing(), nothing(), nothing()], Verdict::NotMeasured),
                    Verdict::NotMeasured,
                );
            };
            let (ours, peer) = (rounded(&reading.ours), reading.peer.as_ref().map(rounded));
            let verdict = Verdict::of(figure.direction, ours, peer);
            let named = figure.peer.zip(reading.peer.as_ref());
            let shown_peer = named.map(|(name, series)| format!("{name} {}", cell(series, figure.unit)));
            let ratio = peer.filter(|peer| *peer > 0.0).map(|peer| shown(ours / peer));
            let nothing = || NOTHING.to_owned();
            let values =
                [cell(&reading.ours, figure.unit), shown_peer.unwrap_or_else(nothing), ratio.unwrap_or_else(nothing)];
            (figure, row(figure, values, verdict), verdict)
        })
        .collect()
}

fn row(figure: &Figure, [ours, peer, ratio]: [String; 3], verdict: Verdict) -> Row {
    let command = format!("`{}`", figure.group.command());
    Row([figure.name.to_owned(), ours, peer, ratio, direction(figure), verdict.to_string(), command])
}

/// The whole section, markers included.
pub(crate) fn render(readings: &Readings, machine: Machine, causes: &Causes) -> String {
    let rows = rows(readings, FIGURES.iter());
    let mut text = format!(
        "{BEGIN}\nWritten by `make figures` on {machine}: release build, each figure with its peer in the same run; \
         median of the repetitions, smallest and largest in brackets. “control plane” is etcd, kube-apiserver, \
         kube-controller-manager and kube-scheduler 1.37.2 together.\n\n"
    );
    text.push_str(&line(&COLUMNS));
    text.push_str(&line(&["---"; COLUMNS.len()]));
    for (_, Row(cells), _) in &rows {
        text.push_str(&line(&cells.each_ref().map(String::as_str)));
    }
    text.push_str(&processes(&readings.processes));
    let worse: Vec<_> = rows.iter().filter(|(_, _, verdict)| *verdict == Verdict::Worse).collect();
    if !worse.is_empty() {
        text.push_str(&format!("\n{CAUSES}\n\n"));
        for (figure, ..) in worse {
            let cause = causes.get(figure.id).map_or(UNKNOWN, String::as_str);
            text.push_str(&format!("- {}: {cause}\n", figure.name));
        }
    }
    text.push_str(END);
    text
}

fn processes(processes: &[Process]) -> String {
    if processes.is_empty() {
        return String::new();
    }
    let mut text =
        format!("\n{}{}", line(&["Process at idle", "PSS", "RSS", "CPU in the same span"]), line(&["---"; 4]));
    for Process { name, pss, rss, cpu } in processes {
        let mega = |value: f64| format!("{} MB", shown(value));
        text.push_str(&line(&[name, &mega(*pss), &mega(*rss), &format!("{} CPU-ms", shown(*cpu))]));
    }
    text
}

fn line(cells: &[&str]) -> String {
    if cells.iter().all(|cell| *cell == "---") {
        return format!("|{}|\n", cells.join("|"));
    }
    format!("| {} |\n", cells.join(" | "))
}

/// Puts a section into a document in place of the one that is there.
///
/// # Errors
/// The document has no place for it.
pub(crate) fn replace(document: &str, section: &str) -> Result<String, String> {
    let (before, after) = around(document)?;
    Ok(format!("{before}{section}{after}"))
}

/// What stands before and after the section.
pub(crate) fn around(document: &str) -> Result<(&str, &str), String> {
    let no_place = || format!("it needs {BEGIN} once and {END} once after it");
    let (before, rest) = document.split_once(BEGIN).ok_or_else(no_place)?;
    let (section, after) = rest.split_once(END).ok_or_else(no_place)?;
    let once = ![before, section, after].iter().any(|part| part.contains(BEGIN) || part.contains(END));
    if once { Ok((before, after)) } else { Err(no_place()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_section_is_replaced() {
        let document = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        assert_eq!(replace(&document, "new").unwrap(), "a\nnew\nb\n");
        for broken in ["", BEGIN, END, &format!("{END}{BEGIN}"), &format!("{document}{document}")] {
            assert!(replace(broken, "new").is_err(), "{broken}");
        }
    }

    #[test]
    fn rows_say_what_was_measured() {
        let mut readings = Readings::default();
        readings.put("idle-pss", vec![21.0, 20.0, 22.0], vec![500.0]).unwrap();
        let figures = [Figure::find("idle-pss").unwrap(), Figure::find("init-executable").unwrap()];
        let rows = rows(&readings, figures.into_iter());
        let cells = rows[0].1.0.each_ref().map(String::as_str);
        let [_, ours, peer, ratio, direction, verdict, command] = cells;
        assert_eq!((ours, peer), ("21.0 MB (20.0–22.0)", "control plane 500 MB"));
        assert_eq!((ratio, direction, verdict), ("0.042", "≤ 40.0 MB", "holds"));
        assert_eq!(command, "`make figures GROUP=idle`");
        assert_eq!((rows[1].1.0[1].as_str(), rows[1].2), (NOTHING, Verdict::NotMeasured));
    }
}
