//! Repetitions of one measurement.

/// Values of the repetitions of one measurement, at least one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    /// A series of what was measured; none when nothing was, or when a value is no number.
    pub(crate) fn new(mut values: Vec<f64>) -> Option<Self> {
        let usable = !values.is_empty() && values.iter().all(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        usable.then_some(Self(values))
    }

    /// The value in the middle; of an even number of values the mean of the two.
    pub(crate) fn median(&self) -> f64 {
        let at = |index: usize| self.0.get(index).copied().unwrap_or_default();
        let half = self.0.len() / 2;
        if self.0.len() % 2 == 1 { at(half) } else { f64::midpoint(at(half.saturating_sub(1)), at(half)) }
    }

    /// The smallest and the largest value.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let first = self.0.first().copied().unwrap_or_default();
        (first, self.0.last().copied().unwrap_or_default())
    }

    /// How many values there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// A count as a number to compute with. Counts here are far below the 53 bits that are exact.
#[expect(clippy::cast_precision_loss, reason = "counts of these measurements are far below 2^53")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        Series::new(values.to_vec()).unwrap()
    }

    #[test]
    fn the_median_is_in_the_middle() {
        for (values, median, spread) in [
            (&[3.0][..], 3.0, (3.0, 3.0)),
            (&[5.0, 1.0, 3.0], 3.0, (1.0, 5.0)),
            (&[4.0, 1.0, 2.0, 100.0], 3.0, (1.0, 100.0)),
        ] {
            assert_eq!((series(values).median(), series(values).spread()), (median, spread), "{values:?}");
        }
    }

    #[test]
    fn nothing_and_no_number_are_no_series() {
        assert_eq!(Series::new(Vec::new()), None);
        assert_eq!(Series::new(vec![1.0, f64::NAN]), None);
        assert_eq!(Series::new(vec![f64::INFINITY]), None);
    }
}
