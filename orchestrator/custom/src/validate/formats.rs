//! Formats of texts that custom resources are held to.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether upstream knows the format under a name; two of its names are written with dashes only.
pub(super) fn is_known(format: &str) -> bool {
    let plain = format.replace('-', "");
    !plain.starts_with("k8s") || matches!(format, "k8s-short-name" | "k8s-long-name")
}

/// Whether a text has a format. Unknown formats always hold.
pub(super) fn holds(format: &str, text: &str) -> bool {
    match format.replace('-', "").as_str() {
        "bsonobjectid" => text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "uri" => is_request_uri(text),
        "email" => is_email(text),
        "hostname" => is_hostname(text),
        "ipv4" => text.contains('.') && is_ip(text),
        "ipv6" => text.contains(':') && text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr(text),
        "mac" => is_mac(text),
        "uuid" => is_uuid(text, None, false),
        "uuid3" => is_uuid(text, Some(b'3'), false),
        "uuid4" => is_uuid(text, Some(b'4'), true),
        "uuid5" => is_uuid(text, Some(b'5'), true),
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "creditcard" => is_credit_card(text),
        "ssn" => is_ssn(text),
        "hexcolor" => is_hex_colour(text),
        "rgbcolor" => is_rgb_colour(text),
        "byte" => is_base64(text),
        "date" => is_date(text),
        "duration" => is_duration(text),
        "datetime" => is_date_time(text),
        "k8sshortname" => text.len() <= 63 && is_label(text),
        "k8slongname" => text.len() <= 253 && text.split('.').all(is_label),
        _ => true,
    }
}

/// A URI with a scheme, or an absolute path.
fn is_request_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return false;
    }
    if text == "*" {
        return true;
    }
    let rest = match text.find(':') {
        Some(end) if text.get(..end).is_some_and(is_scheme) => text.get(end + 1..).unwrap_or_default(),
        Some(0) => return false,
        _ if text.starts_with('/') => text,
        _ => return false,
    };
    let (authority, path) = match rest.strip_prefix("//") {
        Some(after) => after.split_at(after.find(['/', '?']).unwrap_or(after.len())),
        None => ("", rest),
    };
    let path = path.split('?').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let is_opaque = !rest.starts_with('/');
    let port = host
        .rsplit_once(']')
        .map_or_else(|| host.split_once(':').map(|(_, port)| port), |(_, after)| after.strip_prefix(':'));
    (is_opaque || has_good_escapes(path))
        && !host.contains([' ', '<', '>', '"', '\\', '^', '`', '{', '|', '}'])
        && host.starts_with('[') == host.contains(']')
        && port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn has_good_escapes(text: &str) -> bool {
    let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let mut escapes = text.as_bytes().split(|byte| *byte == b'%').skip(1);
    escapes.all(|after| hex(after.first()) && hex(after.get(1)))
}

/// An address as mail headers hold it, also with a name before it.
fn is_email(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t']);
    let address = match (text.rfind('<'), text.ends_with('>')) {
        (Some(begin), true) => text.get(begin + 1..text.len() - 1).unwrap_or_default(),
        _ => text,
    };
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let is_literal = domain.len() > 2 && domain.starts_with('[') && domain.ends_with(']');
    (quoted || is_dot_atom(local)) && (is_literal || is_dot_atom(domain))
}

fn is_dot_atom(text: &str) -> bool {
    text.split('.').all(|atom| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte) || byte >= 0x80;
        !atom.is_empty() && atom.bytes().all(allowed)
    })
}

fn is_hostname(text: &str) -> bool {
    let symbol = |character: char| character.is_alphanumeric() || (!character.is_ascii() && !character.is_whitespace());
    let labels: Vec<&str> = text.split('.').collect();
    let fits = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|character| character == '-' || symbol(character))
    };
    let Some((top, below)) = labels.split_last() else { return false };
    if text.len() > 255 || !labels.iter().all(|label| fits(label)) {
        return false;
    }
    if below.is_empty() {
        // A name without dots may hold one dash, behind its first letter.
        return top.chars().skip(2).all(|character| character != '-');
    }
    let letters = top.chars().count();
    (2..=64).contains(&letters) && top.chars().all(char::is_alphabetic)
}

/// Leading zeros are tolerated, as they once were.
fn is_ip(text: &str) -> bool {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().is_ok();
    }
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 4
        && parts.iter().all(|part| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u8>().is_ok()
        })
        || text.parse::<Ipv4Addr>().is_ok()
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let limit = if address.contains(':') { 128 } else { 32 };
    let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    is_ip(address) && digits && bits.parse::<u32>().is_ok_and(|bits| bits <= limit)
}

fn is_mac(text: &str) -> bool {
    let parts = |separator: char, digits: usize, counts: &[usize]| {
        let parts: Vec<&str> = text.split(separator).collect();
        counts.contains(&parts.len())
            && parts.iter().all(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    parts(':', 2, &[6, 8, 20]) || parts('-', 2, &[6, 8, 20]) || parts('.', 4, &[3, 4, 10])
}

fn is_uuid(text: &str, version: Option<u8>, variant: bool) -> bool {
    let mut rest = text;
    let mut groups: Vec<&str> = Vec::new();
    for (index, digits) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        let Some((group, after)) = rest.split_at_checked(digits) else { return false };
        groups.push(group);
        rest = after;
    }
    let first = |index: usize| groups.get(index).and_then(|group| group.bytes().next()).unwrap_or_default();
    rest.is_empty()
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
        && version.is_none_or(|version| first(2) == version)
        && (!variant || matches!(first(3).to_ascii_lowercase(), b'8' | b'9' | b'a' | b'b'))
}

fn isbn_digits(text: &str) -> Vec<u8> {
    text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'-').collect()
}

fn is_isbn10(text: &str) -> bool {
    let digits = isbn_digits(text);
    let mut sum = 0_u32;
    for (weight, (index, byte)) in (1..).zip(digits.iter().enumerate()) {
        let value = match byte {
            b'0'..=b'9' => u32::from(byte - b'0'),
            b'X' if index == 9 => 10,
            _ => return false,
        };
        sum += weight * value;
    }
    digits.len() == 10 && sum.is_multiple_of(11)
}

fn is_isbn13(text: &str) -> bool {
    let digits = isbn_digits(text);
    if digits.len() != 13 || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let weights = [1_u32, 3].into_iter().cycle();
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum::<u32>().is_multiple_of(10)
}

fn is_credit_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|character| character.to_digit(10)).collect();
    let number: String = digits.iter().map(ToString::to_string).collect();
    let prefix = |length: usize| number.get(..length).and_then(|prefix| prefix.parse::<u32>().ok()).unwrap_or_default();
    let issued = match digits.len() {
        13 => prefix(1) == 4,
        14 => {
            matches!(prefix(3), 300..=305)
                || matches!(prefix(2), 36 | 38)
                || matches!(prefix(2), 60..=69 | 80..=89) && prefix(1) == 3
        }
        15 => matches!(prefix(2), 34 | 37) || matches!(prefix(4), 2131 | 1800),
        16 => prefix(1) == 4 || matches!(prefix(2), 51..=55) || prefix(4) == 6011 || prefix(2) == 65 || prefix(2) == 35,
        _ => false,
    };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match (index % 2, digit * 2) {
            (0, _) => *digit,
            (_, doubled @ 10..) => doubled - 9,
            (_, doubled) => doubled,
        })
        .sum();
    issued && sum.is_multiple_of(10)
}

fn is_ssn(text: &str) -> bool {
    text.len() == 11
        && text.bytes().enumerate().all(|(index, byte)| match index {
            3 | 6 => matches!(byte, b'-' | b' '),
            _ => byte.is_ascii_digit(),
        })
}

fn is_hex_colour(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_rgb_colour(text: &str) -> bool {
    let inside = text.strip_prefix("rgb(").and_then(|rest| rest.strip_suffix(')'));
    let parts: Vec<&str> = inside.unwrap_or_default().split(',').map(str::trim).collect();
    parts.len() == 3
        && parts.iter().all(|part| {
            let plain = *part == "0" || !part.starts_with('0');
            plain && part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u8>().is_ok()
        })
}

fn is_base64(text: &str) -> bool {
    let data = text.trim_end_matches('=');
    let padding = text.len() - data.len();
    !text.is_empty()
        && text.len().is_multiple_of(4)
        && padding <= 2
        && data.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

fn number(text: &str, digits: usize) -> Option<u32> {
    let fits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| fits)
}

fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let mut next = |digits: usize| parts.next().and_then(|part| number(part, digits));
    let (Some(year), Some(month), Some(day)) = (next(4), next(2), next(2)) else { return false };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn is_date_time(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut halves = text.split('t');
    let (Some(date), Some(time)) = (halves.next(), halves.next()) else { return false };
    let clock = |at: usize, limit: u32| {
        time.get(at..at + 2).and_then(|part| number(part, 2)).is_some_and(|value| value <= limit)
    };
    let colons = time.get(2..3) == Some(":") && time.get(5..6) == Some(":");
    let Some(mut rest) = time.get(8..) else { return false };
    // Any character may stand before the decimals.
    let decimals = rest.char_indices().nth(1).map(|(at, _)| at).filter(|_| !rest.starts_with(['z', '+', '-']));
    if let Some(after) = decimals.and_then(|at| rest.get(at..)) {
        let end = after.find(|character: char| !character.is_ascii_digit()).unwrap_or(after.len());
        if end == 0 {
            return false;
        }
        rest = after.get(end..).unwrap_or_default();
    }
    let zone = rest == "z"
        || rest
            .strip_prefix(['+', '-'])
            .and_then(|zone| zone.split_once(':'))
            .is_some_and(|(hours, minutes)| number(hours, 2).is_some() && number(minutes, 2).is_some());
    is_date(date) && colons && clock(0, 23) && clock(3, 59) && clock(6, 59) && zone
}

/// A Go duration, or numbers with words for units anywhere in the text.
fn is_duration(text: &str) -> bool {
    if coracle_apimachinery::duration::parse(text).is_ok() {
        return true;
    }
    const EXACT: [&str; 12] = ["ns", "us", "µs", "ms", "s", "m", "h", "hr", "d", "w", "wk", "min"];
    const BEGINNINGS: [&str; 8] = ["nano", "micro", "milli", "sec", "min", "hour", "day", "week"];
    let mut rest = text;
    while let Some(begin) = rest.find(|character: char| character.is_ascii_digit()) {
        let from = rest.get(begin..).unwrap_or_default();
        let end = from.find(|character: char| !character.is_ascii_digit()).unwrap_or(from.len());
        let after = from.get(end..).unwrap_or_default().trim_start();
        let unit_end =
            after.find(|character: char| !character.is_ascii_alphabetic() && character != 'µ').unwrap_or(after.len());
        let unit = after.get(..unit_end).unwrap_or_default().to_lowercase();
        if EXACT.contains(&unit.as_str()) || BEGINNINGS.iter().any(|word| unit.starts_with(word)) {
            return true;
        }
        rest = after.get(unit_end..).unwrap_or_default();
    }
    false
}

fn is_label(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.bytes().next().is_some_and(fits)
        && text.bytes().last().is_some_and(fits)
        && text.bytes().all(|byte| fits(byte) || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn formats_hold_where_upstream_says_so() {
        let table = [
            ("uri", "http://example.com/a?b", true),
            ("uri", "/path", true),
            ("uri", "relative", false),
            ("uri", "http://a b", false),
            ("email", "a@example.com", true),
            ("email", "Name <a@example.com>", true),
            ("email", "example.com", false),
            ("hostname", "my-host.example.com", true),
            ("hostname", "-a.com", false),
            ("ipv4", "10.0.0.01", true),
            ("ipv4", "10.0.0.256", false),
            ("ipv6", "::1", true),
            ("ipv6", "10.0.0.1", false),
            ("cidr", "10.0.0.0/8", true),
            ("cidr", "10.0.0.0/33", false),
            ("mac", "01:23:45:67:89:ab", true),
            ("mac", "01:23", false),
            ("uuid", "123e4567-e89b-12d3-a456-426614174000", true),
            ("uuid4", "123e4567-e89b-12d3-a456-426614174000", false),
            ("isbn", "978-0321751041", true),
            ("isbn10", "0321751043", true),
            ("isbn10", "0321751044", false),
            ("creditcard", "4111 1111 1111 1111", true),
            ("creditcard", "4111 1111 1111 1112", false),
            ("ssn", "111-22-3333", true),
            ("hexcolor", "#FFF", true),
            ("rgbcolor", "rgb(0, 255,1)", true),
            ("rgbcolor", "rgb(0,256,1)", false),
            ("byte", "aGVsbG8=", true),
            ("byte", "aGVsbG8", false),
            ("date", "2024-02-29", true),
            ("date", "2023-02-29", false),
            ("date-time", "2014-12-15T19:30:20.000Z", true),
            ("date-time", "2014-12-15T19:30:20", false),
            ("date-time", "2014-12-15 19:30:20Z", false),
            ("duration", "1h30m", true),
            ("duration", "22 ns", true),
            ("duration", "5 minutes", true),
            ("duration", "soon", false),
            ("k8s-short-name", "a-b", true),
            ("k8s-short-name", "a.b", false),
            ("k8s-long-name", "a.b", true),
        ];
        for (format, text, expected) in table {
            assert_eq!(holds(format, text), expected, "{format} {text}");
        }
    }
}
