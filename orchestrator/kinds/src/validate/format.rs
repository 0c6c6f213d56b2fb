//! What texts must look like: names, labels, keys, ports, ranges. Each rule gives the complaints in upstream's words.
//!
//! Source of the wording: k8s.io/apimachinery v0.37.2, pkg/util/validation and pkg/api/validate/content.

use std::fmt::Display;

/// What is wrong with a text, one entry for each broken part of the rule.
pub type Complaints = Vec<String>;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_MAX: usize = 63;
const SUBDOMAIN_MAX: usize = 253;

/// Names that a kind allows for its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// DNS-1123 subdomain.
    Subdomain,
    /// DNS-1123 label.
    Label,
    /// DNS-1035 label.
    Label1035,
    /// Anything that can be one segment of a URL path.
    PathSegment,
    /// A key of a `ConfigMap`.
    ConfigMapKey,
    /// Anything.
    Any,
}

impl NameRule {
    /// What is wrong with a name; `prefix` tells that something will be appended to it.
    #[must_use]
    pub fn check(self, name: &str, prefix: bool) -> Complaints {
        let masked;
        // Upstream drops the last two characters in favour of one harmless one.
        let tested = if prefix && name.len() > 1 && name.ends_with('-') {
            let mut kept: String = name.to_owned();
            kept.pop();
            kept.pop();
            kept.push('a');
            masked = kept;
            masked.as_str()
        } else {
            name
        };
        match self {
            Self::Subdomain => subdomain(tested),
            Self::Label => label(tested),
            Self::Label1035 => label_1035(tested),
            Self::PathSegment => path_segment(name, prefix),
            Self::ConfigMapKey => config_map_key(name),
            Self::Any => Vec::new(),
        }
    }
}

/// `must be no more than N characters`, also where bytes are counted.
pub(crate) fn max_length(limit: usize) -> String {
    format!("must be no more than {limit} characters")
}

/// `must be between LOW and HIGH, inclusive`.
pub(crate) fn range(low: impl Display, high: impl Display) -> String {
    format!("must be between {low} and {high}, inclusive")
}

fn pattern(words: &str, regex: &str, examples: &[&str]) -> String {
    let mut text = words.to_owned();
    if examples.is_empty() {
        text.push_str(" (");
    } else {
        text.push_str(" (e.g. ");
        let quoted: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
        text.push_str(&quoted.join(" or "));
    }
    text.push_str("regex used for validation is '");
    text.push_str(regex);
    text.push_str("')");
    text
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Ends in `edge` bytes and holds only `inner` bytes; not empty.
fn framed(text: &str, edge: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(|byte| edge(*byte)) && bytes.last().is_some_and(|byte| edge(*byte));
    ends && bytes.iter().all(|byte| inner(*byte))
}

fn is_label(text: &str) -> bool {
    framed(text, is_lower, |byte| is_lower(byte) || byte == b'-')
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// DNS-1123 label.
pub(crate) fn label(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    if text.len() > LABEL_MAX {
        complaints.push(max_length(LABEL_MAX));
    }
    if !is_label(text) {
        complaints.push(if is_subdomain(text) {
            "must not contain dots".to_owned()
        } else {
            let words = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
            pattern(words, LABEL, &["my-name", "123-abc"])
        });
    }
    complaints
}

/// DNS-1123 subdomain.
pub(crate) fn subdomain(text: &str) -> Complaints {
    subdomain_limited(text, max_length(SUBDOMAIN_MAX))
}

fn subdomain_limited(text: &str, too_long: String) -> Complaints {
    let mut complaints = Vec::new();
    if text.len() > SUBDOMAIN_MAX {
        complaints.push(too_long);
    }
    if !is_subdomain(text) {
        let words = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
        complaints.push(pattern(words, &format!("{LABEL}(\\.{LABEL})*"), &["example.com"]));
    }
    complaints
}

/// DNS-1123 subdomain whose parts may begin with and contain underscores.
pub(crate) fn subdomain_with_underscore(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    if text.len() > SUBDOMAIN_MAX {
        complaints.push(max_length(SUBDOMAIN_MAX));
    }
    let part = |text: &str| {
        let rest = text.strip_prefix('_').unwrap_or(text);
        framed(rest, is_lower, |byte| is_lower(byte) || byte == b'-' || byte == b'_')
    };
    if !text.split('.').all(part) {
        const PART: &str = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
        let words = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character";
        complaints.push(pattern(words, &format!("{PART}(\\.{PART})*"), &["example.com"]));
    }
    complaints
}

/// DNS-1035 label.
pub(crate) fn label_1035(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    if text.len() > LABEL_MAX {
        complaints.push(max_length(LABEL_MAX));
    }
    if !is_label(text) || !text.starts_with(|first: char| first.is_ascii_lowercase()) {
        let words = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
        complaints.push(pattern(words, "[a-z]([-a-z0-9]*[a-z0-9])?", &["my-name", "abc-123"]));
    }
    complaints
}

fn path_segment(name: &str, prefix: bool) -> Complaints {
    if !prefix && matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    ['/', '%'].iter().filter(|bad| name.contains(**bad)).map(|bad| format!("may not contain '{bad}'")).collect()
}

const KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

fn is_key_name(text: &str) -> bool {
    framed(
        text,
        |byte| byte.is_ascii_alphanumeric(),
        |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
    )
}

/// A label key, also called a qualified name.
pub(crate) fn label_key(text: &str) -> Complaints {
    const WORDS: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    const EXAMPLES: [&str; 3] = ["MyName", "my.name", "123-abc"];
    let mut complaints = Vec::new();
    let mut parts = text.split('/');
    let name = match (parts.next(), parts.next(), parts.next()) {
        (Some(name), None, _) => name,
        (Some(prefix), Some(name), None) => {
            if prefix.is_empty() {
                complaints.push("prefix part must be non-empty".to_owned());
            } else {
                let too_long = format!("must be no more than {SUBDOMAIN_MAX} bytes");
                complaints
                    .extend(subdomain_limited(prefix, too_long).iter().map(|words| format!("prefix part {words}")));
            }
            name
        }
        _ => {
            let words = pattern(WORDS, KEY, &EXAMPLES);
            return vec![format!(
                "a valid label key {words} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        complaints.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_MAX {
        complaints.push(format!("name part must be no more than {LABEL_MAX} bytes"));
    }
    if !is_key_name(name) {
        complaints.push(format!("name part {}", pattern(WORDS, KEY, &EXAMPLES)));
    }
    complaints
}

/// A label key with a prefix, for maps of annotations that belong to someone.
pub(crate) fn is_prefixed(key: &str) -> bool {
    key.split('/').count() == 2
}

/// A label value.
pub(crate) fn label_value(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    if text.len() > LABEL_MAX {
        complaints.push(format!("must be no more than {LABEL_MAX} bytes"));
    }
    if !text.is_empty() && !is_key_name(text) {
        let words = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
        complaints.push(pattern(words, &format!("({KEY})?"), &["MyValue", "my_value", "12345"]));
    }
    complaints
}

/// A key of a `ConfigMap` or `Secret`.
pub(crate) fn config_map_key(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    if text.len() > SUBDOMAIN_MAX {
        complaints.push(max_length(SUBDOMAIN_MAX));
    }
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if text.is_empty() || !text.bytes().all(good) {
        let words = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
        complaints.push(pattern(words, "[-._a-zA-Z0-9]+", &["key.name", "KEY_NAME", "key-name"]));
    }
    match text {
        "." => complaints.push("must not be '.'".to_owned()),
        ".." => complaints.push("must not be '..'".to_owned()),
        _ if text.starts_with("..") => complaints.push("must not start with '..'".to_owned()),
        _ => {}
    }
    complaints
}

/// A name of an environment variable.
pub(crate) fn environment_name(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    if text.is_empty() {
        complaints.push("environment variable name must be non-empty".to_owned());
    }
    if !text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'=') {
        complaints.push(
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
                .to_owned(),
        );
    }
    complaints
}

/// A port number.
pub(crate) fn port_number(port: i64) -> Complaints {
    in_range(port, 1, 65535)
}

/// A user or group id.
pub(crate) fn id_number(id: i64) -> Complaints {
    in_range(id, 0, i64::from(i32::MAX))
}

/// A number within bounds.
pub(crate) fn in_range(number: i64, low: i64, high: i64) -> Complaints {
    if (low..=high).contains(&number) { Vec::new() } else { vec![range(low, high)] }
}

/// A name of a port.
pub(crate) fn port_name(text: &str) -> Complaints {
    let mut complaints = Vec::new();
    if text.len() > 15 {
        complaints.push(max_length(15));
    }
    if text.is_empty() || !text.bytes().all(|byte| is_lower(byte) || byte == b'-') {
        complaints.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        complaints.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        complaints.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        complaints.push("must not begin or end with a hyphen".to_owned());
    }
    complaints
}

/// The number of a percentage such as `25%`; too large ones count as the largest.
pub(crate) fn percent(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('%').filter(|digits| !digits.is_empty())?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().unwrap_or(i64::MAX))
}

/// What is said of a text that is no percentage.
pub(crate) fn percent_complaint() -> String {
    let words = "a valid percent string must be a numeric string followed by an ending '%'";
    pattern(words, "[0-9]+%", &["1%", "93%"])
}

/// A name of an HTTP header.
pub(crate) fn header_name(text: &str) -> Complaints {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Vec::new();
    }
    let words = "a valid HTTP header must consist of alphanumeric characters or '-'";
    vec![pattern(words, "[-A-Za-z0-9]+", &["X-Header-Name"])]
}

/// The regex that names of sysctls are held against.
pub(crate) const SYSCTL: &str = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
/// Longest name of a sysctl.
pub(crate) const SYSCTL_MAX: usize = 253;

/// Whether a text is a name of a sysctl.
pub(crate) fn is_sysctl(text: &str) -> bool {
    let inner = |byte: u8| is_lower(byte) || byte == b'-' || byte == b'_';
    text.len() <= SYSCTL_MAX && text.split(['.', '/']).all(|part| framed(part, is_lower, inner))
}

#[cfg(test)]
mod tests {
    use super::NameRule;

    #[test]
    fn names_obey_their_rule() {
        let table = [
            (NameRule::Subdomain, "a.b-c.1", false, 0),
            (NameRule::Subdomain, "a..b", false, 1),
            (NameRule::Subdomain, "A", false, 1),
            (NameRule::Subdomain, "web-", false, 1),
            (NameRule::Subdomain, "web-", true, 0),
            (NameRule::Subdomain, "-", true, 1),
            (NameRule::Label, "a.b", false, 1),
            (NameRule::Label1035, "1a", false, 1),
            (NameRule::PathSegment, "system:x", false, 0),
            (NameRule::PathSegment, "a/b%c", false, 2),
            (NameRule::PathSegment, "..", false, 1),
            (NameRule::PathSegment, "..", true, 0),
            (NameRule::ConfigMapKey, "..a", false, 1),
            (NameRule::Any, "", false, 0),
        ];
        for (rule, name, prefix, complaints) in table {
            assert_eq!(rule.check(name, prefix).len(), complaints, "{rule:?} {name}");
        }
        assert_eq!(NameRule::Label.check("a.b", false), ["must not contain dots"]);
        assert_eq!(NameRule::Subdomain.check(&"a".repeat(254), false), ["must be no more than 253 characters"]);
    }

    #[test]
    fn keys_count_bytes_in_their_own_words() {
        let long = format!("{}/{}", "a".repeat(254), "b".repeat(64));
        assert_eq!(
            super::label_key(&long),
            ["prefix part must be no more than 253 bytes", "name part must be no more than 63 bytes"]
        );
        assert_eq!(super::label_key("/x"), ["prefix part must be non-empty"]);
        assert_eq!(super::label_key("").len(), 2);
        assert!(super::label_value("").is_empty());
        assert_eq!(super::percent("120%"), Some(120));
        assert_eq!(super::percent("%"), None);
        assert!(super::is_sysctl("net.ipv4/conf.a_b"));
        assert!(!super::is_sysctl("net..a"));
        assert_eq!(super::port_name("a--1-").len(), 2);
    }
}
