//! Whether a figure is what it is held to.

use std::fmt;

use super::number::shown;
use crate::rows::{Direction, Figure};

/// What a reader needs to know of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its direction is kept.
    Holds,
    /// It is not, and the list below the table says why.
    Worse,
    /// There is no direction.
    Measured,
    /// The run left it out.
    NotMeasured,
}

impl Verdict {
    /// Of a measured figure.
    pub(crate) fn of(direction: Direction, ours: f64, peer: Option<f64>) -> Self {
        let holds = match (direction, peer) {
            (Direction::None, _) => return Self::Measured,
            (Direction::AtMost(limit), _) => ours <= limit,
            (Direction::AtMostOfPeer(share), Some(peer)) => ours <= share * peer,
            (Direction::AtLeastOfPeer(times), Some(peer)) => ours >= times * peer,
            (Direction::AtMostOfPeer(_) | Direction::AtLeastOfPeer(_), None) => false,
        };
        if holds { Self::Holds } else { Self::Worse }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Holds => "holds",
            Self::Worse => "**worse**",
            Self::Measured => "measured",
            Self::NotMeasured => "not measured",
        })
    }
}

/// A direction as the table shows it.
pub(crate) fn direction(figure: &Figure) -> String {
    match figure.direction {
        Direction::None => super::NOTHING.to_owned(),
        Direction::AtMost(limit) => format!("≤ {} {}", shown(limit), figure.unit),
        Direction::AtMostOfPeer(share) => format!("≤ {} × peer", shown(share)),
        Direction::AtLeastOfPeer(times) => format!("≥ {} × peer", shown(times)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_kept_or_not() {
        for (direction, ours, peer, verdict) in [
            (Direction::None, 1e9, Some(0.0), Verdict::Measured),
            (Direction::AtMost(40.0), 40.0, Some(500.0), Verdict::Holds),
            (Direction::AtMost(40.0), 40.1, None, Verdict::Worse),
            (Direction::AtMost(0.0), 0.001, None, Verdict::Worse),
            (Direction::AtMostOfPeer(1.3), 129.0, Some(100.0), Verdict::Holds),
            (Direction::AtMostOfPeer(1.3), 131.0, Some(100.0), Verdict::Worse),
            (Direction::AtLeastOfPeer(2.0), 200.0, Some(100.0), Verdict::Holds),
            (Direction::AtLeastOfPeer(2.0), 199.0, Some(100.0), Verdict::Worse),
            (Direction::AtLeastOfPeer(2.0), 199.0, None, Verdict::Worse),
        ] {
            assert_eq!(Verdict::of(direction, ours, peer), verdict, "{direction:?} {ours} {peer:?}");
        }
    }
}
