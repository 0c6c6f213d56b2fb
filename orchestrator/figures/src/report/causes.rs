//! Why a figure is worse than its direction: `causes.toml`, one sentence with the evidence for each figure's id.

use std::collections::BTreeMap;

use crate::rows::{Direction, Figure};

/// Causes by the ids of their figures.
pub(crate) type Causes = BTreeMap<String, String>;

/// The committed causes.
///
/// # Errors
/// The file names a figure that is not held to anything, or gives it no real sentence.
pub(crate) fn read() -> Result<Causes, String> {
    parse(include_str!("../../causes.toml"))
}

fn parse(text: &str) -> Result<Causes, String> {
    let causes: Causes = toml::from_str(text).map_err(|error| error.to_string())?;
    for (id, cause) in &causes {
        let figure = Figure::find(id).ok_or_else(|| format!("no figure is named {id:?}"))?;
        if figure.direction == Direction::None {
            return Err(format!("{id} is held to nothing, so nothing needs a cause"));
        }
        if cause.split_whitespace().count() < 5 || cause.contains('\n') {
            return Err(format!("the cause of {id} is no sentence on one line"));
        }
    }
    Ok(causes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_causes_are_of_figures_with_directions() {
        read().unwrap();
    }

    #[test]
    fn what_is_no_cause_is_refused() {
        for (text, problem) in [
            ("nothing = \"a b c d e\"", "no figure is named"),
            ("executable = \"a b c d e\"", "held to nothing"),
            ("idle-pss = \"noise\"", "no sentence"),
        ] {
            assert!(parse(text).unwrap_err().contains(problem), "{text}");
        }
    }
}
