//! From readings to the table on the terminal and the section of SPECIFICATION.md, and the check of that section.

pub(crate) mod causes;
pub(crate) mod check;
pub(crate) mod number;
pub(crate) mod section;
pub(crate) mod verdict;

/// The lines between which the section stands.
pub(crate) const BEGIN: &str = "<!-- figures:begin -->";
/// See [`BEGIN`].
pub(crate) const END: &str = "<!-- figures:end -->";

/// Heads of the columns.
pub(crate) const COLUMNS: [&str; 7] = ["Figure", "Coracle", "Peer", "Ratio", "Direction", "Verdict", "Command"];

/// Stands in a cell that has nothing to say.
pub(crate) const NOTHING: &str = "–";

/// Before the list of causes.
pub(crate) const CAUSES: &str = "What is worse than its direction, and why:";

/// Stands for a cause that nobody has found; [`check`] refuses it.
pub(crate) const UNKNOWN: &str = "not found yet";

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) [String; COLUMNS.len()]);
