//! Numbers as the table shows them: three digits that count, thousands set off. Verdicts are made from these, so that
//! a reader comes to the same.

use crate::statistics::Series;

/// A number with three digits that count, or all digits before the point.
pub(crate) fn shown(value: f64) -> String {
    let size = value.abs();
    let digits = match size {
        _ if size == 0.0 || size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    rest.map_or_else(|| format!("{sign}{grouped}"), |rest| format!("{sign}{grouped}.{rest}"))
}

/// The number that [`shown`] has shown.
pub(crate) fn read(text: &str) -> Option<f64> {
    text.replace(',', "").parse().ok().filter(|value: &f64| value.is_finite())
}

/// The median as it is shown.
pub(crate) fn rounded(series: &Series) -> f64 {
    read(&shown(series.median())).unwrap_or_default()
}

/// Median with unit, and the spread where there is one: `12.3 MB (12.1–12.9)`.
pub(crate) fn cell(series: &Series, unit: &str) -> String {
    let (low, high) = series.spread();
    let (low, high) = (shown(low), shown(high));
    let median = shown(series.median());
    if series.count() == 1 || low == high {
        format!("{median} {unit}")
    } else {
        format!("{median} {unit} ({low}–{high})")
    }
}

/// The median and the unit of a cell; `peer` stands before the number.
pub(crate) fn read_cell(cell: &str, peer: Option<&str>) -> Option<(f64, String)> {
    let rest = match peer {
        Some(peer) => cell.strip_prefix(peer)?.strip_prefix(' ')?,
        None => cell,
    };
    let (value, unit) = rest.split_once(' ')?;
    let unit = unit.split_once(" (").map_or(unit, |(unit, _)| unit);
    Some((read(value)?, unit.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
        for (value, text) in [
            (0.0, "0"),
            (0.000_4, "0.000"),
            (0.1234, "0.123"),
            (0.9996, "1.00"),
            (1.304, "1.30"),
            (9.999, "10.0"),
            (99.96, "100"),
            (538.4, "538"),
            (14_215.6, "14,216"),
            (1_234_567.0, "1,234,567"),
            (-1234.0, "-1,234"),
        ] {
            assert_eq!(shown(value), text);
        }
        assert_eq!(read("14,216"), Some(14_216.0));
        assert_eq!((read(""), read("inf")), (None, None));
    }

    #[test]
    fn cells_read_back() {
        let series = Series::new(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!(cell(&series, "MB"), "2.00 MB (1.00–3.00)");
        assert_eq!(read_cell("2.00 MB (1.00–3.00)", None), Some((2.0, "MB".to_owned())));
        assert_eq!(read_cell("etcd 1,200 /s", Some("etcd")), Some((1200.0, "/s".to_owned())));
        assert_eq!(read_cell("1,200 /s", Some("etcd")), None);
        assert_eq!(cell(&Series::new(vec![4.0]).unwrap(), "ms"), "4.00 ms");
    }
}
