//! What runs through every string: identifiers, times, revisions, addresses and hashes, wherever they stand.

use super::template::Rule;

/// 128 hexadecimal digits: SHA-512, as entity tags and OpenAPI addresses have it.
const SHA512: &str = "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%";

/// 64 hexadecimal digits: SHA-256, as the identity of a client certificate.
const SHA256: &str = "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%";

const fn anywhere(hidden: &'static str, placeholder: &'static str) -> Rule {
    Rule { before: "", hidden, after: "", placeholder }
}

/// Times count from 2020: scripts that need a time of their own take an earlier one, and that one is compared.
pub(super) const RULES: [Rule; 19] = [
    anywhere("%%%%%%%%-%%%%-%%%%-%%%%-%%%%%%%%%%%%", "<uid>"),
    anywhere("202#-##-##T##:##:##Z", "<time>"),
    anywhere("202#-##-##T##:##:##.######Z", "<time>"),
    anywhere("203#-##-##T##:##:##Z", "<time>"),
    anywhere("203#-##-##T##:##:##.######Z", "<time>"),
    anywhere("@@@, ## @@@ 20## ##:##:## GMT", "<time>"),
    anywhere("@@@, ## @@@ 20## ##:##:## +0000", "<time>"),
    anywhere(SHA512, "<hash>"),
    Rule {
        before: "gitCommit: ",
        hidden: "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%",
        after: "",
        placeholder: "<hash>",
    },
    Rule { before: "X509SHA256=", hidden: SHA256, after: "", placeholder: "<hash>" },
    Rule { before: "resource version: * (", hidden: "*", after: ")", placeholder: "<resource-version>" },
    Rule { before: "resource version: *, current: ", hidden: "*", after: "", placeholder: "<resource-version>" },
    Rule { before: "ResourceVersion in record (", hidden: "*", after: ")", placeholder: "<resource-version>" },
    Rule { before: "resourceVersion: \"", hidden: "*", after: "\"", placeholder: "<resource-version>" },
    Rule { before: "\"resourceVersion\": \"", hidden: "*", after: "\"", placeholder: "<resource-version>" },
    Rule { before: "\"resourceVersion\":\"", hidden: "*", after: "\"", placeholder: "<resource-version>" },
    // The volume that admission adds to each pod.
    Rule { before: "kube-api-access-", hidden: "$$$$$", after: "", placeholder: "<suffix>" },
    // Service addresses: the real server and ours both allocate at random from this range.
    anywhere("10.43.*.*", "<address>"),
    anywhere("127.0.0.1:*", "<address>"),
];

/// Applies all rules to one string.
pub(super) fn normalise(text: &str) -> String {
    RULES.iter().fold(text.to_owned(), |text, rule| rule.apply(&text))
}

/// True for an age as tables print it: `5s`, `3m20s`, `2d4h`, `1y30d`.
pub(super) fn is_age(text: &str) -> bool {
    let mut units = "ydhms".chars();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let Some((unit, after)) = rest.get(digits..).and_then(|rest| Some((rest.chars().next()?, rest.get(1..)?)))
        else {
            return false;
        };
        if digits == 0 || !units.any(|candidate| candidate == unit) {
            return false;
        }
        rest = after;
    }
    !text.is_empty()
}

/// Column titles under which tables print ages.
pub(super) const AGE_COLUMNS: [&str; 4] = ["Age", "Last Seen", "First Seen", "Duration"];

/// Normalises lines of kubectl, ages of its tables included. Tables are separated by empty lines.
pub(super) fn normalise_lines(lines: &mut [String]) {
    let mut ages: Vec<usize> = Vec::new();
    let mut start = true;
    for line in lines {
        if line.is_empty() {
            start = true;
            ages.clear();
        } else if start {
            start = false;
            ages = AGE_COLUMNS.iter().filter_map(|title| column(line, &title.to_uppercase())).collect();
        } else {
            for &at in &ages {
                hide_age(line, at);
            }
        }
        *line = normalise(line);
    }
}

/// Byte offset of a column by its title, which must be a whole cell of the heading.
fn column(heading: &str, title: &str) -> Option<usize> {
    heading.match_indices(title).map(|(at, _)| at).find(|&at| {
        let before = heading.get(..at).unwrap_or_default();
        let after = heading.get(at + title.len()..).unwrap_or_default();
        (before.is_empty() || before.ends_with("  ") || before.ends_with(' ') && before.trim_end().len() + 2 < at)
            && (after.is_empty() || after.starts_with("  "))
    })
}

/// Replaces an age that starts at `at`. The blanks that fill its column go with it: their number depends on it.
fn hide_age(line: &mut String, at: usize) {
    let Some(rest) = line.get(at..) else { return };
    let age = rest.split(' ').next().unwrap_or_default();
    if is_age(age) {
        let after = rest.get(age.len()..).unwrap_or_default().trim_start();
        let separator = if after.is_empty() { "" } else { "   " };
        let replaced = format!("{}<age>{separator}{after}", line.get(..at).unwrap_or_default());
        *line = replaced;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        let hash = "0A".repeat(64);
        for (text, result) in [
            ("0a1b2c3d-0000-4000-8000-0123456789ab", "<uid>"),
            ("2026-11-23T04:18:39Z", "<time>"),
            ("2026-11-23T04:18:39.123456Z", "<time>"),
            ("2001-02-03T04:05:06Z", "2001-02-03T04:05:06Z"),
            ("Mon, 23 Nov 2026 04:18:39 GMT", "<time>"),
            ("too old resource version: 1 (10803)", "too old resource version: 1 (<resource-version>)"),
            (
                "Too large resource version: 9, current: 12",
                "Too large resource version: 9, current: <resource-version>",
            ),
            ("https://127.0.0.1:40001/x", "https://<address>/x"),
            ("10.43.7.19", "<address>"),
            ("10.44.7.19", "10.44.7.19"),
            ("  resourceVersion: \"77\"", "  resourceVersion: \"<resource-version>\""),
            ("version 77", "version 77"),
        ] {
            assert_eq!(normalise(text), result, "{text}");
        }
        assert_eq!(normalise(&format!("/openapi/v3/api?hash={hash}")), "/openapi/v3/api?hash=<hash>");
    }

    #[test]
    fn ages() {
        for (text, result) in
            [("5s", true), ("3m20s", true), ("2d4h", true), ("", false), ("5", false), ("s", false), ("5s3m", false)]
        {
            assert_eq!(is_age(text), result, "{text}");
        }
    }

    #[test]
    fn only_the_age_column_of_a_table_is_touched() {
        let mut lines: Vec<String> =
            ["NAME   AGE   WAIT", "5s     5s    5s", "", "AGENT   X", "5s      5s"].map(str::to_owned).to_vec();
        normalise_lines(&mut lines);
        assert_eq!(lines, ["NAME   AGE   WAIT", "5s     <age>   5s", "", "AGENT   X", "5s      5s"]);
    }
}
