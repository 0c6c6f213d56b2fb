//! Conditions on texts and numbers.

use super::formats;
use super::report::{Found, Outcome};
use crate::gotext;
use crate::structural::{Rules, Structural};
use coracle_apimachinery::Value;

/// Length, pattern. Only the first problem is told.
pub(super) fn text(path: &str, text: &str, rules: &Rules) -> Outcome {
    let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let value = || Value::text(text);
    if let Some(most) = rules.max_length.filter(|most| count > *most) {
        return Outcome::failed(Found::too_long(path, most));
    }
    if let Some(least) = rules.min_length.filter(|least| count < *least) {
        let message = format!("{path} in body should be at least {least} chars long");
        return Outcome::failed(Found::invalid(path, value(), message));
    }
    if let Some(pattern) = &rules.pattern {
        let written = pattern.text();
        let wanted = match pattern.is_match(text) {
            Ok(true) => return Outcome::default(),
            Ok(false) => written.to_owned(),
            Err(problem) => format!("{written}, but pattern is invalid: {problem}"),
        };
        return Outcome::failed(Found::invalid(path, value(), format!("{path} in body should match '{wanted}'")));
    }
    Outcome::default()
}

/// The format of a text.
pub(super) fn format(path: &str, text: &str, format: &str) -> Outcome {
    if formats::holds(format, text) { Outcome::default() } else { Outcome::failed(Found::kind(path, format, text)) }
}

/// Range of the type, divisor and bounds of a number.
#[expect(clippy::cast_precision_loss, reason = "upstream compares with bounds in float64")]
pub(super) fn number(path: &str, value: &Value, schema: &Structural) -> Outcome {
    let mut outcome = Outcome::default();
    let rules = &schema.rules;
    // Ranges are only checked when the type leaves no doubt.
    let kind = if schema.int_or_string { "" } else { &*schema.kind };
    let format = if matches!(kind, "integer" | "number") { &*rules.format } else { "" };
    if let Some(problem) = out_of_range(value, kind, format, "Checked", path) {
        outcome.add(Found::whole(problem));
    }
    let general = match value {
        Value::Int(value) => *value as f64,
        Value::Float(value) => *value,
        _ => return outcome,
    };
    let mut bound = |limit: f64, what: &str, check: &dyn Fn(Number) -> Option<String>| {
        let limit_problem = out_of_range(&Value::Float(limit), kind, format, what, path);
        let (data, limit) = match (&limit_problem, value) {
            (None, Value::Int(value)) => (Number::Int(*value, truncate(limit)), Number::Int(truncate(limit), 0)),
            _ => (Number::Float(general, limit), Number::Float(limit, 0.0)),
        };
        if let Some(problem) = limit_problem {
            outcome.add(Found::whole(problem));
        }
        if let Some(words) = check(data) {
            let value = if words.starts_with("factor") { limit.shown() } else { data.shown() };
            outcome.add(Found::invalid(path, value, words));
        }
    };
    if let Some(factor) = rules.multiple_of {
        bound(factor, "MultipleOf", &|data| multiple(path, data));
    }
    if let Some(least) = rules.minimum {
        let exclusive = rules.exclusive_minimum;
        bound(least, "Minimum boundary", &|data| {
            let words = if exclusive { "greater than" } else { "greater than or equal to" };
            (data.is_less() || (exclusive && data.is_equal()))
                .then(|| format!("{path} in body should be {words} {}", data.limit()))
        });
    }
    if let Some(most) = rules.maximum {
        let exclusive = rules.exclusive_maximum;
        bound(most, "Maximum boundary", &|data| {
            let words = if exclusive { "less than" } else { "less than or equal to" };
            (!(data.is_less() || data.is_equal()) || (exclusive && data.is_equal()))
                .then(|| format!("{path} in body should be {words} {}", data.limit()))
        });
    }
    outcome.matches += 1;
    outcome
}

/// A number and what it is compared with, both of one type.
#[derive(Debug, Clone, Copy)]
enum Number {
    Int(i64, i64),
    Float(f64, f64),
}

impl Number {
    fn is_less(self) -> bool {
        match self {
            Self::Int(data, limit) => data < limit,
            Self::Float(data, limit) => data < limit,
        }
    }

    #[expect(clippy::float_cmp, reason = "bounds are compared exactly")]
    fn is_equal(self) -> bool {
        match self {
            Self::Int(data, limit) => data == limit,
            Self::Float(data, limit) => data == limit,
        }
    }

    fn limit(self) -> String {
        match self {
            Self::Int(_, limit) => limit.to_string(),
            Self::Float(_, limit) => gotext::float(limit),
        }
    }

    fn shown(self) -> Value {
        match self {
            Self::Int(data, _) => Value::Int(data),
            Self::Float(data, _) => Value::Float(data),
        }
    }
}

fn multiple(path: &str, data: Number) -> Option<String> {
    let (positive, holds) = match data {
        Number::Int(data, factor) => (factor > 0, data.checked_rem(factor) == Some(0)),
        Number::Float(data, factor) => {
            let times = if factor < 1.0 { 1.0 / factor * data } else { data / factor };
            (factor > 0.0, is_whole(times))
        }
    };
    if !positive {
        return Some(format!("factor MultipleOf declared for {path} must be positive: {}", data.limit()));
    }
    (!holds).then(|| format!("{path} in body should be a multiple of {}", data.limit()))
}

#[expect(clippy::cast_possible_truncation, reason = "Go converts the bound of an integer to int64")]
fn truncate(limit: f64) -> i64 {
    limit as i64
}

#[expect(clippy::cast_possible_truncation, reason = "the range is what is checked")]
fn out_of_range(value: &Value, kind: &str, format: &str, what: &str, path: &str) -> Option<String> {
    // 2^63 itself is no int64 any more.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let whole = match value {
        Value::Int(value) => Some(*value),
        Value::Float(value) if value.fract() == 0.0 && (-LIMIT..LIMIT).contains(value) => Some(*value as i64),
        _ => None,
    };
    let fits = match (kind, format, value) {
        ("integer", "int32", _) => whole.is_some_and(|value| i32::try_from(value).is_ok()),
        ("integer", ..) => whole.is_some(),
        (_, "float", Value::Float(value)) => (*value as f32).is_finite(),
        _ => true,
    };
    if fits {
        return None;
    }
    Some(if format.is_empty() {
        format!("{what} value must be of type {kind} (default format) in {path}")
    } else {
        format!("{what} value must be of type {kind} with format {format} in {path}")
    })
}

/// Whether a number is an integer that JSON can hold, with the tolerance that upstream has.
pub(super) fn is_whole(number: f64) -> bool {
    const LIMIT: f64 = 9_007_199_254_740_991.0;
    const TOLERANCE: f64 = 1e-9;
    if !number.is_finite() || number.abs() > LIMIT {
        return false;
    }
    let truncated = number.trunc();
    let difference = (number - truncated).abs();
    if difference == 0.0 {
        return true;
    }
    truncated != 0.0 && number > 0.0 && difference / (number.abs() + truncated.abs()) < TOLERANCE
}

/// Whether a value is one of a closed set: numbers are converted to the type of the set's value first.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "Go converts numbers like this")]
pub(super) fn same(value: &Value, allowed: &Value) -> bool {
    match (value, allowed) {
        (Value::Null, _) | (_, Value::Null) => false,
        #[expect(clippy::float_cmp, reason = "values of a set are compared exactly")]
        (Value::Int(value), Value::Float(allowed)) => *value as f64 == *allowed,
        (Value::Float(value), Value::Int(allowed)) => *value as i64 == *allowed,
        _ => value == allowed,
    }
}
