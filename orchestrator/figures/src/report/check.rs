//! Whether a document's section is one that this program could have written: every figure once, with a verdict that
//! follows from its numbers, and a cause for each that is worse.

use super::number::read_cell;
use super::section::around;
use super::verdict::{Verdict, direction};
use super::{CAUSES, COLUMNS, NOTHING, UNKNOWN};
use crate::rows::{FIGURES, Figure};

/// All that is wrong.
pub(crate) fn problems(document: &str) -> Vec<String> {
    let (before, after) = match around(document) {
        Ok(parts) => parts,
        Err(problem) => return vec![problem],
    };
    let section = document.get(before.len()..document.len() - after.len()).unwrap_or_default();
    let table: Vec<Vec<&str>> =
        section.lines().filter_map(cells).filter(|cells| cells.len() == COLUMNS.len()).collect();
    let mut problems = Vec::new();
    let (heads, rows) = table.split_at(table.len().min(2));
    if heads.first().map(Vec::as_slice) != Some(&COLUMNS[..]) {
        problems.push("the table does not have its heads".to_owned());
    }
    for row in rows {
        if let [name, ..] = row.as_slice()
            && !FIGURES.iter().any(|figure| figure.name == *name)
        {
            problems.push(format!("{name}: no figure has this name"));
        }
    }
    let causes = section.split_once(CAUSES).map_or("", |(_, causes)| causes);
    for figure in FIGURES {
        let of_figure: Vec<_> = rows.iter().filter(|row| row.first() == Some(&figure.name)).collect();
        match of_figure.as_slice() {
            [row] => problems.extend(of_row(figure, row, causes)),
            rows => problems.push(format!("{}: {} rows instead of one", figure.name, rows.len())),
        }
    }
    problems
}

/// The cells of a line of a table.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

fn of_row(figure: &Figure, row: &[&str], causes: &str) -> Option<String> {
    let wrong = |problem: &str| Some(format!("{}: {problem}", figure.name));
    let &[_, ours, peer, _, held_to, verdict, command] = row else { return wrong("the row is no row") };
    if held_to != direction(figure) {
        return wrong("the direction is not that of the figure");
    }
    if command != format!("`{}`", figure.group.command()) {
        return wrong("the command is not that of the figure");
    }
    if verdict == Verdict::NotMeasured.to_string() {
        return if ours == NOTHING && peer == NOTHING { None } else { wrong("measured or not?") };
    }
    let Some((value, unit)) = read_cell(ours, None) else { return wrong("our value cannot be read") };
    let other = match figure.peer {
        None => None,
        Some(name) => match read_cell(peer, Some(name)) {
            None => return wrong("the peer's value cannot be read"),
            Some((value, of_peer)) if of_peer == unit => Some(value),
            Some(_) => return wrong("ours and the peer's have two units"),
        },
    };
    if unit != figure.unit {
        return wrong("the unit is not that of the figure");
    }
    let follows = Verdict::of(figure.direction, value, other);
    if verdict != follows.to_string() {
        return wrong("the verdict does not follow from the numbers");
    }
    let cause = causes.lines().find_map(|line| line.strip_prefix("- ")?.strip_prefix(figure.name)?.strip_prefix(": "));
    let named = cause.is_some_and(|cause| !cause.trim().is_empty() && cause != UNKNOWN);
    if follows == Verdict::Worse && !named { wrong("it is worse, and no cause is named") } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::measure::Readings;
    use crate::report::causes::Causes;
    use crate::report::section::render;
    use std::path::Path;

    fn document() -> String {
        let mut readings = Readings::default();
        for figure in FIGURES.iter().filter(|figure| figure.group.is_host()) {
            let worse = figure.id == "idle-pss";
            match figure.peer {
                Some(_) => readings.put(figure.id, vec![if worse { 99.0 } else { 0.0 }], vec![0.0]).unwrap(),
                None => readings.put_alone(figure.id, vec![1.5, 2.5]).unwrap(),
            }
        }
        let causes = Causes::from([("idle-pss".to_owned(), "because of this and that".to_owned())]);
        format!("before\n{}\nafter\n", render(&readings, Machine { cores: 2, gibibytes: 24 }, &causes))
    }

    #[test]
    fn what_is_written_is_accepted() {
        assert_eq!(problems(&document()), Vec::<String>::new());
    }

    #[test]
    fn what_was_changed_by_hand_is_not() {
        let figure = Figure::find("idle-pss").unwrap();
        let row = document().lines().find(|line| line.contains(figure.name)).unwrap().to_owned();
        for (from, to, problem) in [
            (row.as_str(), "", "0 rows instead of one"),
            (&row, &format!("{row}\n{row}"), "2 rows instead of one"),
            (&row, &row.replace("99.0", "9.0"), "the verdict does not follow"),
            (&row, &row.replace("≤ 40.0 MB", "≤ 100 MB"), "the direction is not"),
            (&row, &row.replace("99.0 MB", "99.0 GB"), "two units"),
            (&row, &row.replace(figure.name, "memory of the moon"), "no figure has this name"),
            ("because of this and that", "", "no cause is named"),
            ("because of this and that", UNKNOWN, "no cause is named"),
            (CAUSES, "", "no cause is named"),
            ("figures:end", "end", "it needs"),
        ] {
            let found = problems(&document().replace(from, to)).join("\n");
            assert!(found.contains(problem), "{from} → {to}: {found}");
        }
    }

    #[test]
    fn the_committed_section_has_every_figure() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../SPECIFICATION.md");
        let found = problems(&std::fs::read_to_string(path).unwrap());
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}
