//! Small patterns for values whose shape is fixed. A template stands for whole words only: what matches must not continue
//! a letter or digit on either side.
//!
//! `#` is a digit, `*` one or more digits, `%` a hexadecimal digit, `@` a letter, `$` a character of a generated suffix;
//! every other character is itself.

/// Characters of the suffixes that Kubernetes makes up.
const SUFFIX_ALPHABET: &str = "bcdfghjklmnpqrstvwxz2456789";

/// Replaces the part of the text that matches `hidden`, where it stands between `before` and `after`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Template that must stand before; it is kept.
    pub(super) before: &'static str,
    /// Template of what is replaced.
    pub(super) hidden: &'static str,
    /// Template that must follow; it is kept.
    pub(super) after: &'static str,
    /// What is put instead.
    pub(super) placeholder: &'static str,
}

/// Length of the match of `template` at the start of `text`, or none.
pub(super) fn matches(template: &str, text: &str) -> Option<usize> {
    let mut rest = text;
    for symbol in template.chars() {
        let first = rest.chars().next()?;
        let length = match symbol {
            '#' if first.is_ascii_digit() => 1,
            '%' if first.is_ascii_hexdigit() => 1,
            '@' if first.is_ascii_alphabetic() => 1,
            '$' if SUFFIX_ALPHABET.contains(first) => 1,
            '*' if first.is_ascii_digit() => rest.bytes().take_while(u8::is_ascii_digit).count(),
            '#' | '%' | '@' | '$' | '*' => return None,
            literal if literal == first => first.len_utf8(),
            _ => return None,
        };
        rest = rest.get(length..)?;
    }
    Some(text.len() - rest.len())
}

/// True when all of `text` is one match.
pub(super) fn is_whole(template: &str, text: &str) -> bool {
    matches(template, text) == Some(text.len())
}

impl Rule {
    /// Start and end of the hidden part, when the rule applies at the start of `text`.
    fn applies(&self, text: &str) -> Option<(usize, usize)> {
        let start = matches(self.before, text)?;
        let hidden = text.get(start..)?;
        let end = start + matches(self.hidden, hidden)?;
        matches(self.after, text.get(end..)?)?;
        Some((start, end))
    }

    /// The text with every match replaced.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        let mut position = 0;
        let mut inside_word = false;
        while let Some(rest) = text.get(position..).filter(|rest| !rest.is_empty()) {
            if !inside_word
                && let Some((start, end)) = self.applies(rest)
                && !rest
                    .get(end..)
                    .and_then(|rest| rest.chars().next())
                    .is_some_and(|next| next.is_ascii_alphanumeric())
            {
                result.push_str(rest.get(..start).unwrap_or_default());
                result.push_str(self.placeholder);
                position += end;
                inside_word = false;
                continue;
            }
            let Some(next) = rest.chars().next() else { break };
            inside_word = next.is_ascii_alphanumeric();
            result.push(next);
            position += next.len_utf8();
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: Rule = Rule { before: "", hidden: "%%-##", after: "", placeholder: "<uid>" };

    #[test]
    fn whole_words_only() {
        for (text, result) in [
            ("af-12", "<uid>"),
            ("(af-12)", "(<uid>)"),
            ("af-12 af-13", "<uid> <uid>"),
            ("xaf-12", "xaf-12"),
            ("af-123", "af-123"),
            ("ag-12", "ag-12"),
            ("é af-12 é", "é <uid> é"),
            ("", ""),
        ] {
            assert_eq!(UID.apply(text), result, "{text}");
        }
    }

    #[test]
    fn surroundings_are_kept_and_needed() {
        let rule = Rule { before: "version: * (", hidden: "*", after: ")", placeholder: "<n>" };
        assert_eq!(rule.apply("too old version: 1 (23)"), "too old version: 1 (<n>)");
        assert_eq!(rule.apply("too old version: 1 (23"), "too old version: 1 (23");
        assert_eq!(rule.apply("too old version: x (23)"), "too old version: x (23)");
    }
}
