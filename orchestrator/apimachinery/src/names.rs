//! What names, label keys and label values may look like, and what is said of those that do not.
//!
//! Source of the rules and the wording: k8s.io/apimachinery v0.37.2, pkg/util/validation.

/// Longest DNS label, and longest label value and name part of a key, in bytes.
const LABEL_BYTES: usize = 63;
/// Longest DNS subdomain.
const SUBDOMAIN_BYTES: usize = 253;

const LABEL_FORMAT: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_FORMAT: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const QUALIFIED_FORMAT: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const VALUE_FORMAT: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

fn regex_error(message: &str, format: &str, examples: &[&str]) -> String {
    let quoted: Vec<String> = examples.iter().map(|example| format!("'{example}'")).collect();
    format!("{message} (e.g. {}, regex used for validation is '{format}')", quoted.join(",  or "))
}

fn too_long(limit: usize) -> String {
    format!("must be no more than {limit} bytes")
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_qualified(text: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    edge(text.bytes().next()) && edge(text.bytes().last()) && text.bytes().all(inner)
}

/// What is wrong with a DNS label (RFC 1123).
#[must_use]
pub fn dns_label(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > LABEL_BYTES {
        errors.push(too_long(LABEL_BYTES));
    }
    if !is_label(text) {
        let message = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
        errors.push(regex_error(message, LABEL_FORMAT, &["my-name", "123-abc"]));
    }
    errors
}

/// What is wrong with a DNS subdomain (RFC 1123).
#[must_use]
pub fn dns_subdomain(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > SUBDOMAIN_BYTES {
        errors.push(too_long(SUBDOMAIN_BYTES));
    }
    if !text.split('.').all(is_label) {
        let message = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
        errors.push(regex_error(message, SUBDOMAIN_FORMAT, &["example.com"]));
    }
    errors
}

/// What is wrong with a DNS label as RFC 1035 has it, which Service names follow.
#[must_use]
pub fn dns_1035_label(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > LABEL_BYTES {
        errors.push(too_long(LABEL_BYTES));
    }
    if !is_label(text) || !text.starts_with(|first: char| first.is_ascii_lowercase()) {
        let message = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
        errors.push(regex_error(message, "[a-z]([-a-z0-9]*[a-z0-9])?", &["my-name", "abc-123"]));
    }
    errors
}

/// What is wrong with a name that becomes part of a path.
#[must_use]
pub fn path_segment(text: &str) -> Vec<String> {
    if matches!(text, "." | "..") {
        return vec![format!("may not be '{text}'")];
    }
    let contains = |part: &&str| text.contains(*part);
    ["/", "%"].iter().filter(|part| contains(part)).map(|part| format!("may not contain '{part}'")).collect()
}

/// What is wrong with a key such as `example.com/name`.
#[must_use]
pub fn qualified_name(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let name = match text.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".to_owned());
            } else {
                errors.extend(dns_subdomain(prefix).into_iter().map(|error| format!("prefix part {error}")));
            }
            name
        }
        _ => {
            let message = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
            let examples = ["MyName", "my.name", "123-abc"];
            let tail = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            errors.push(format!("{}{tail}", regex_error(message, QUALIFIED_FORMAT, &examples)));
            return errors;
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_BYTES {
        errors.push(format!("name part {}", too_long(LABEL_BYTES)));
    }
    if !is_qualified(name) {
        let message = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
        errors.push(regex_error(message, QUALIFIED_FORMAT, &["MyName", "my.name", "123-abc"]));
    }
    errors
}

/// What is wrong with a label value; nothing is wrong with an empty one.
#[must_use]
pub fn label_value(text: &str) -> Option<String> {
    if text.len() > LABEL_BYTES {
        return Some(too_long(LABEL_BYTES));
    }
    if text.is_empty() || is_qualified(text) {
        return None;
    }
    let message = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    Some(regex_error(message, VALUE_FORMAT, &["MyValue", "my_value", "12345"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged() {
        assert!(
            dns_label("my-name").is_empty()
                && dns_subdomain("a.b-c.d").is_empty()
                && qualified_name("a.b/C_d").is_empty()
        );
        for bad in ["", "-a", "a-", "A", "a.b", "a_b"] {
            assert_eq!(dns_label(bad).len(), 1, "{bad}");
        }
        for bad in ["", ".", "a..b", "a.-b"] {
            assert_eq!(dns_subdomain(bad).len(), 1, "{bad}");
        }
        assert!(dns_1035_label("1a").len() == 1 && dns_1035_label("a1").is_empty());
        assert!(label_value("").is_none() && label_value("a b").is_some());
        assert_eq!(qualified_name("a/b/c").len(), 1);
        assert_eq!(path_segment("a/b%"), ["may not contain '/'", "may not contain '%'"]);
    }
}
