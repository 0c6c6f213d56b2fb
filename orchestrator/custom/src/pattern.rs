//! Patterns: Go's regular expressions, run by the `regex` crate.
//!
//! Both descend from RE2. A pattern is checked against Go's grammar while it is rewritten to the other notation, so that a
//! pattern which Go refuses is refused in Go's words, and one that Go takes means the same here.

use regex::{Regex, RegexBuilder};

/// Most memory that a compiled pattern may take; Go limits its own to about as much.
const SIZE_LIMIT: usize = 8 << 20;
/// Deepest nesting of groups; Go's limit is 1000.
const NEST_LIMIT: u32 = 250;
/// Most repetitions that a counted one may ask for.
const REPEAT_LIMIT: u32 = 1000;

/// Names of classes in brackets.
const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word",
    "xdigit",
];

/// A pattern, perhaps one that does not compile.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: Box<str>,
    compiled: Result<Regex, String>,
}

impl Pattern {
    /// Compiles a pattern.
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.into(), compiled: compile(text) }
    }

    /// The pattern as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is found in a text, or why it does not compile.
    pub(crate) fn is_match(&self, text: &str) -> Result<bool, &str> {
        match &self.compiled {
            Ok(regex) => Ok(regex.is_match(text)),
            Err(problem) => Err(problem),
        }
    }
}

/// Why Go does not compile a pattern, if it does not.
pub(crate) fn problem(text: &str) -> Option<String> {
    compile(text).err()
}

fn compile(text: &str) -> Result<Regex, String> {
    let rewritten = rewrite(text).map_err(|problem| format!("error parsing regexp: {problem}"))?;
    RegexBuilder::new(&rewritten)
        .size_limit(SIZE_LIMIT)
        .nest_limit(NEST_LIMIT)
        .build()
        .map_err(|_| format!("error parsing regexp: expression too large or not supported: `{text}`"))
}

struct Rewriter<'t> {
    rest: &'t str,
    whole: &'t str,
    out: String,
    /// Groups that are open.
    open: usize,
    /// Where the last repetition operator began, if it is the last thing written.
    repeated: Option<&'t str>,
    /// Whether something stands before that can be repeated.
    repeatable: bool,
}

fn rewrite(text: &str) -> Result<String, String> {
    let mut rewriter =
        Rewriter { rest: text, whole: text, out: String::new(), open: 0, repeated: None, repeatable: false };
    while let Some(character) = rewriter.rest.chars().next() {
        rewriter.step(character)?;
    }
    if rewriter.open > 0 {
        return Err(format!("missing closing ): `{text}`"));
    }
    Ok(rewriter.out)
}

impl<'t> Rewriter<'t> {
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Copies what means the same in both notations.
    fn keep(&mut self, bytes: usize) {
        let text = self.take(bytes);
        self.out.push_str(text);
    }

    fn atom(&mut self, repeatable: bool) {
        self.repeated = None;
        self.repeatable = repeatable;
    }

    fn step(&mut self, character: char) -> Result<(), String> {
        match character {
            '\\' => self.escape()?,
            '[' => self.class()?,
            '(' => self.group()?,
            ')' => {
                self.open = self.open.checked_sub(1).ok_or_else(|| format!("unexpected ): `{}`", self.whole))?;
                self.keep(1);
                self.atom(true);
            }
            '|' => {
                self.keep(1);
                self.atom(false);
            }
            '*' | '+' | '?' => self.repetition(1)?,
            '{' => match counted(self.rest) {
                Some((bytes, true)) => self.repetition(bytes)?,
                Some((bytes, false)) => {
                    let count = self.rest.get(..bytes).unwrap_or_default();
                    return Err(format!("invalid repeat count: `{count}`"));
                }
                None => {
                    self.take(1);
                    self.out.push_str("\\{");
                    self.atom(true);
                }
            },
            '}' | ']' => {
                self.out.push('\\');
                self.keep(1);
                self.atom(true);
            }
            '^' | '$' => {
                self.keep(1);
                self.atom(true);
            }
            other => {
                self.keep(other.len_utf8());
                self.atom(true);
            }
        }
        Ok(())
    }

    fn repetition(&mut self, bytes: usize) -> Result<(), String> {
        let begin = self.rest;
        let operator = self.take(bytes);
        if let Some(before) = self.repeated {
            let doubled = before.get(..before.len() - self.rest.len()).unwrap_or_default();
            return Err(format!("invalid nested repetition operator: `{doubled}`"));
        }
        if !self.repeatable {
            return Err(format!("missing argument to repetition operator: `{operator}`"));
        }
        self.out.push_str(operator);
        if self.rest.starts_with('?') {
            self.keep(1);
        }
        self.repeated = Some(begin);
        Ok(())
    }

    fn group(&mut self) -> Result<(), String> {
        self.open += 1;
        if !self.rest.starts_with("(?") {
            self.keep(1);
            self.atom(false);
            return Ok(());
        }
        let named = self.rest.strip_prefix("(?P<").or_else(|| self.rest.strip_prefix("(?<"));
        if let Some(named) = named {
            let Some(end) = named.find('>') else {
                return Err(format!("invalid named capture: `{}`", self.rest));
            };
            let name = named.get(..end).unwrap_or_default();
            let whole = self.rest.len() - named.len() + end + 1;
            if name.is_empty() || !name.chars().all(|character| character == '_' || character.is_ascii_alphanumeric()) {
                return Err(format!("invalid named capture: `{}`", self.rest.get(..whole).unwrap_or_default()));
            }
            self.take(whole);
            // Names carry no meaning for a match.
            self.out.push('(');
            self.atom(false);
            return Ok(());
        }
        // Flags, then a colon that begins a group or a bracket that ends the flags' own.
        let flags = self.rest.get(2..).unwrap_or_default();
        let end = flags.find(|character| !matches!(character, 'i' | 'm' | 's' | 'U' | '-'));
        match end.and_then(|end| Some((end, flags.get(end..)?.chars().next()?))) {
            Some((end, closing @ (':' | ')'))) => {
                self.keep(end + 3);
                if closing == ')' {
                    self.open -= 1;
                }
                self.atom(false);
                Ok(())
            }
            Some((end, other)) => {
                let bad = self.rest.get(..end + 2 + other.len_utf8()).unwrap_or_default();
                Err(format!("invalid or unsupported Perl syntax: `{bad}`"))
            }
            None => Err(format!("invalid or unsupported Perl syntax: `{}`", self.rest)),
        }
    }

    fn class(&mut self) -> Result<(), String> {
        let begin = self.rest;
        self.keep(1);
        if self.rest.starts_with('^') {
            self.keep(1);
        }
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            if self.rest.is_empty() {
                return Err(format!("missing closing ]: `{begin}`"));
            }
            if let Some(end) = self.rest.strip_prefix("[:").and_then(|name| name.find(":]")) {
                let name = self.rest.get(2..end + 2).unwrap_or_default();
                if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return Err(format!("invalid character class range: `[:{name}:]`"));
                }
                self.keep(end + 4);
            } else if !self.named_class(true)? {
                self.range(begin)?;
            }
        }
        self.keep(1);
        self.atom(true);
        Ok(())
    }

    /// One character of a class, or two with a dash between them.
    fn range(&mut self, class: &str) -> Result<(), String> {
        let begin = self.rest;
        let low = self.character(class)?;
        let mut high = low;
        let dash = self.rest.strip_prefix('-').is_some_and(|after| !after.is_empty() && !after.starts_with(']'));
        if dash {
            self.take(1);
            high = self.character(class)?;
        }
        if high < low {
            let range = begin.get(..begin.len() - self.rest.len()).unwrap_or_default();
            return Err(format!("invalid character class range: `{range}`"));
        }
        // Written as numbers, no character means anything of its own.
        self.out.push_str(&format!("\\x{{{:x}}}-\\x{{{:x}}}", u32::from(low), u32::from(high)));
        Ok(())
    }

    fn character(&mut self, class: &str) -> Result<char, String> {
        match self.rest.chars().next() {
            None => Err(format!("missing closing ]: `{class}`")),
            Some('\\') => self.escaped(),
            Some(other) => {
                self.take(other.len_utf8());
                Ok(other)
            }
        }
    }

    /// The character that an escape stands for.
    fn escaped(&mut self) -> Result<char, String> {
        let begin = self.rest;
        self.take(1);
        let Some(character) = self.rest.chars().next() else {
            return Err("trailing backslash at end of expression: ``".to_owned());
        };
        self.take(character.len_utf8());
        let found = match character {
            'a' => Some('\u{7}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            'x' => self.hexadecimal(),
            '1'..='7' if !self.rest.starts_with(|next: char| next.is_digit(8)) => None,
            '0'..='7' => {
                let digits = self.rest.bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let text = format!("{character}{}", self.take(digits));
                u32::from_str_radix(&text, 8).ok().and_then(char::from_u32)
            }
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => Some(other),
            _ => None,
        };
        found.ok_or_else(|| {
            let read = begin.len() - self.rest.len();
            format!("invalid escape sequence: `{}`", begin.get(..read).unwrap_or_default())
        })
    }

    fn hexadecimal(&mut self) -> Option<char> {
        let digits = if self.rest.starts_with('{') {
            let end = self.rest.find('}')?;
            self.take(end + 1).get(1..end)?
        } else {
            self.take(2)
        };
        let fits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| fits).and_then(char::from_u32)
    }

    /// `\d`, `\pL` and alike; says whether one stands here.
    fn named_class(&mut self, in_class: bool) -> Result<bool, String> {
        let Some(character) = self.rest.strip_prefix('\\').and_then(|rest| rest.chars().next()) else {
            return Ok(false);
        };
        let class = match character {
            'd' => "0-9",
            'w' => "0-9A-Za-z_",
            's' => "\\t\\n\\x0c\\r ",
            'D' => "^0-9",
            'W' => "^0-9A-Za-z_",
            'S' => "^\\t\\n\\x0c\\r ",
            'p' | 'P' => return self.property().map(|()| true),
            _ => return Ok(false),
        };
        self.take(2);
        if in_class && !class.starts_with('^') {
            self.out.push_str(class);
        } else {
            self.out.push_str(&format!("[{class}]"));
        }
        Ok(true)
    }

    fn property(&mut self) -> Result<(), String> {
        let name = self.rest.get(2..).unwrap_or_default();
        let bytes = match name.chars().next() {
            Some('{') => name.find('}').map(|end| end + 3),
            Some(letter) => Some(2 + letter.len_utf8()),
            None => None,
        };
        let class = bytes.and_then(|bytes| self.rest.get(..bytes)).unwrap_or(self.rest);
        if bytes.is_none() || Regex::new(class).is_err() {
            return Err(format!("invalid character class range: `{class}`"));
        }
        self.keep(class.len());
        Ok(())
    }

    fn escape(&mut self) -> Result<(), String> {
        if !self.named_class(false)? {
            match self.rest.chars().nth(1) {
                Some('A' | 'z' | 'B') => self.keep(2),
                Some('b') => {
                    self.take(2);
                    self.out.push_str("(?-u:\\b)");
                }
                Some('Q') => {
                    self.take(2);
                    let end = self.rest.find("\\E").unwrap_or(self.rest.len());
                    let literal = self.take(end);
                    self.take(2);
                    self.out.push_str(&regex::escape(literal));
                    // A repetition repeats its last character; without any, what stands before it.
                    if literal.is_empty() {
                        return Ok(());
                    }
                }
                _ => {
                    let character = self.escaped()?;
                    self.out.push_str(&format!("\\x{{{:x}}}", u32::from(character)));
                }
            }
        }
        self.atom(true);
        Ok(())
    }
}

/// The bytes of `{n}`, `{n,}` or `{n,m}` at the beginning and whether its numbers are fine; nothing when it is text.
fn counted(text: &str) -> Option<(usize, bool)> {
    let end = text.find('}')?;
    let inside = text.get(1..end)?;
    let (low, high) = match inside.split_once(',') {
        Some((low, high)) => (low, Some(high)),
        None => (inside, None),
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(low) || high.is_some_and(|high| !high.is_empty() && !is_number(high)) {
        return None;
    }
    let low = low.parse::<u32>().unwrap_or(u32::MAX);
    let high = high.filter(|high| !high.is_empty()).map_or(low, |high| high.parse::<u32>().unwrap_or(u32::MAX));
    Some((end + 1, low <= REPEAT_LIMIT && high <= REPEAT_LIMIT && low <= high))
}

#[cfg(test)]
mod tests {
    use super::{Pattern, problem};

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        let table = [
            ("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "my-name", true),
            ("^[a-z]$", "ab", false),
            (r"^\d+$", "٣", false),
            (r"^\w$", "é", false),
            (r"^[\w.-]+$", "a.b-c", true),
            ("[[a]", "[", true),
            ("^[&~^]$", "^", true),
            ("a{,2}", "a{,2}", true),
            ("^a{2}$", "aa", true),
            (r"^\Qa.b\E$", "a.b", true),
            ("^[]a]$", "]", true),
            (r"^[^\s]+$", "a b", false),
            ("(?i)^ABC$", "abc", true),
            (r"^\p{L}$", "é", true),
            ("^(?P<year>[0-9]{4})-(?P<day>[0-9]{2})$", "2024-01", true),
            (r"\bfoo\b", "a foo b", true),
            ("x$", "x\n", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(Pattern::new(pattern).is_match(text), Ok(expected), "{pattern} {text}");
        }
    }

    #[test]
    fn refusals_are_worded_as_go_words_them() {
        let table = [
            ("(", "error parsing regexp: missing closing ): `(`"),
            (")", "error parsing regexp: unexpected ): `)`"),
            ("[a", "error parsing regexp: missing closing ]: `[a`"),
            ("*", "error parsing regexp: missing argument to repetition operator: `*`"),
            ("a**", "error parsing regexp: invalid nested repetition operator: `**`"),
            ("(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"),
            ("(?!a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?!`"),
            (r"\y", r"error parsing regexp: invalid escape sequence: `\y`"),
            ("a{1001}", "error parsing regexp: invalid repeat count: `{1001}`"),
            ("a\\", "error parsing regexp: trailing backslash at end of expression: ``"),
        ];
        for (pattern, text) in table {
            assert_eq!(problem(pattern).as_deref(), Some(text), "{pattern}");
        }
    }

    /// The texts that each pattern of the table was tried on.
    const TEXTS: [&str; 29] = [
        "", "a", "ab", "a-b", "A", "1", "_", " ", "[", "]", "a.b", "é", "^", "&", "a1", "-", "\\", "x\n", "{", "a{2}",
        "b]", "٣", "aa", "aaa", "a:b", "/", "~", "{}", "a,b",
    ];

    /// Pairs of lines: a pattern, and what Go's regexp said of it: `E` and the refusal, or a digit for each text.
    #[test]
    fn patterns_do_what_go_does() {
        let lines: Vec<&str> = include_str!("../tests/patterns.txt").lines().collect();
        assert!(lines.len() > 200);
        for pair in lines.chunks(2) {
            let pattern = Pattern::new(pair[0]);
            let found: Result<String, &str> =
                TEXTS.iter().map(|text| pattern.is_match(text).map(|found| if found { '1' } else { '0' })).collect();
            assert_eq!(found.unwrap_or_else(|problem| format!("E {problem}")), pair[1], "{}", pair[0]);
        }
    }
}
