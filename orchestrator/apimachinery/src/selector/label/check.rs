//! What keys and values of labels must look like, worded as k8s.io/apimachinery v0.37.2, pkg/api/validate/content.

const NAME_LIMIT: usize = 63;
const SUBDOMAIN_LIMIT: usize = 253;
const NAME_FORM: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const NAME_WORDS: &str =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const LABEL_FORM: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";

/// What is wrong with the key of a label.
#[must_use]
pub fn key_problems(key: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let form = format!(
        "{NAME_WORDS} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{NAME_FORM}')"
    );
    let mut parts = key.split('/');
    let name = match (parts.next(), parts.next(), parts.next()) {
        (Some(name), None, _) => name,
        (Some(prefix), Some(name), None) => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".to_owned());
            } else {
                problems.extend(subdomain_problems(prefix).into_iter().map(|problem| format!("prefix part {problem}")));
            }
            name
        }
        _ => {
            let prefix = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a valid label key {form} {prefix}")];
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if name.len() > NAME_LIMIT {
        problems.push(format!("name part must be no more than {NAME_LIMIT} bytes"));
    }
    if !is_name(name) {
        problems.push(format!("name part {form}"));
    }
    problems
}

/// What is wrong with the value of a label.
#[must_use]
pub fn value_problems(value: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if value.len() > NAME_LIMIT {
        problems.push(format!("must be no more than {NAME_LIMIT} bytes"));
    }
    if !value.is_empty() && !is_name(value) {
        let words = format!("a valid label must be an empty string or {}", NAME_WORDS.trim_start_matches("must "));
        let examples = "'MyValue',  or 'my_value',  or '12345'";
        problems.push(format!("{words} (e.g. {examples}, regex used for validation is '({NAME_FORM})?')"));
    }
    problems
}

fn subdomain_problems(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > SUBDOMAIN_LIMIT {
        problems.push(format!("must be no more than {SUBDOMAIN_LIMIT} bytes"));
    }
    let is_label = |label: &str| {
        label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !text.split('.').all(is_label) {
        problems.push(format!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '{LABEL_FORM}(\\.{LABEL_FORM})*')"
        ));
    }
    problems
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
