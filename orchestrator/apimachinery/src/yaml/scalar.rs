//! Plain scalars by the rules of YAML 1.1 as Go's parser knows them.

use crate::{Value, base64};

const CORE: &str = "tag:yaml.org,2002:";

/// The value of a scalar. `plain` says that it was written without quotes.
pub(super) fn resolve(text: &str, plain: bool, tag: Option<&str>) -> Result<Value, String> {
    let Some(tag) = tag else {
        return if plain { resolve_plain(text) } else { Ok(Value::text(text)) };
    };
    match tag.strip_prefix(CORE) {
        Some("str") => Ok(Value::text(text)),
        Some("binary") => {
            let bytes = base64::decode(text).map_err(|_| "!!binary value contains invalid base64 data".to_owned())?;
            Ok(Value::text(String::from_utf8_lossy(&bytes)))
        }
        Some(wanted @ ("int" | "float" | "bool" | "null")) => {
            let value = resolve_plain(text)?;
            let fits = matches!(
                (&value, wanted),
                (Value::Int(_), "int" | "float")
                    | (Value::Float(_), "float")
                    | (Value::Bool(_), "bool")
                    | (Value::Null, "null")
            );
            if fits { Ok(value) } else { Err(format!("cannot decode `{text}` as a !!{wanted}")) }
        }
        // An unknown tag, also the bare `!`, leaves the text as it is.
        _ => Ok(Value::text(text)),
    }
}

fn resolve_plain(text: &str) -> Result<Value, String> {
    let word = match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(Value::Bool(true)),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(Value::Bool(false))
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => {
            return Err(format!("json: unsupported value: {text}"));
        }
        _ => None,
    };
    if let Some(value) = word {
        return Ok(value);
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Ok(Value::text(text));
    }
    let digits = text.replace('_', "");
    if let Some(integer) = integer(&digits) {
        return Ok(Value::Int(integer));
    }
    if is_float(&digits) {
        return match digits.parse::<f64>() {
            Ok(0.0) => Ok(Value::Float(0.0)),
            Ok(value) if value.is_finite() => Ok(Value::Float(value)),
            _ => Ok(Value::text(text)),
        };
    }
    Ok(Value::text(text))
}

/// An integer with the prefixes that Go knows: `0x`, `0o`, `0b`, and `0` for octal.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefixed = |prefix: [&str; 2], radix: u32| {
        let rest = digits.strip_prefix(prefix[0]).or_else(|| digits.strip_prefix(prefix[1]))?;
        Some((rest, radix))
    };
    let (digits, radix) = prefixed(["0x", "0X"], 16)
        .or_else(|| prefixed(["0o", "0O"], 8))
        .or_else(|| prefixed(["0b", "0B"], 2))
        .or_else(|| digits.strip_prefix('0').filter(|rest| !rest.is_empty()).map(|rest| (rest, 8)))
        .unwrap_or((digits, 10));
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let size = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -size } else { size }).ok()
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (number, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number_fits = match number.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(number),
    };
    number_fits && exponent.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::resolve;
    use crate::Value;

    #[test]
    fn plain_scalars() {
        let text = |text: &str| Value::text(text);
        let cases = [
            ("yes", Value::Bool(true)),
            ("N", Value::Bool(false)),
            ("oN", text("oN")),
            ("~", Value::Null),
            ("0777", Value::Int(511)),
            ("0o17", Value::Int(15)),
            ("0x1F", Value::Int(31)),
            ("-0b11", Value::Int(-3)),
            ("1_000", Value::Int(1000)),
            ("08", Value::Float(8.0)),
            ("1e3", Value::Float(1000.0)),
            (".5", Value::Float(0.5)),
            ("1.", Value::Float(1.0)),
            ("1.2.3", text("1.2.3")),
            ("2001-01-01", text("2001-01-01")),
            ("-", text("-")),
            ("+", text("+")),
            ("0x", text("0x")),
            ("1:30", text("1:30")),
            ("9223372036854775808", Value::Float(9_223_372_036_854_775_808.0)),
            ("--1", text("--1")),
            ("0x-1", text("0x-1")),
            ("100m", text("100m")),
        ];
        for (given, expected) in cases {
            assert_eq!(resolve(given, true, None), Ok(expected), "{given}");
        }
        assert_eq!(resolve("yes", false, None), Ok(text("yes")));
        assert!(resolve("x", false, Some("tag:yaml.org,2002:int")).is_err());
    }
}
