//! Tokens of JSON with Go's error texts. It knows no schema.

use crate::MAX_DEPTH;
use std::borrow::Cow;

/// The document is no JSON: Go's text, and the offset behind the offending byte.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Syntax {
    message: String,
    /// Bytes read when it was found.
    pub offset: usize,
}

type Outcome<T> = Result<T, Syntax>;

/// What kind of value begins at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    Object,
    List,
    String,
    Number,
    True,
    False,
    Null,
}

/// A cursor over a document.
pub(crate) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    pub(crate) fn slice(&self, from: usize) -> &'a [u8] {
        self.text.get(from..self.at).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
    }

    fn unexpected(&self, context: &str) -> Syntax {
        let Some(byte) = self.peek() else {
            return Syntax { message: "unexpected end of JSON input".to_owned(), offset: self.at };
        };
        let shown = match byte {
            b'\'' => "'\\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            b'\\' => "'\\\\'".to_owned(),
            b'\n' => "'\\n'".to_owned(),
            b'\r' => "'\\r'".to_owned(),
            b'\t' => "'\\t'".to_owned(),
            0x07 => "'\\a'".to_owned(),
            0x08 => "'\\b'".to_owned(),
            0x0b => "'\\v'".to_owned(),
            0x0c => "'\\f'".to_owned(),
            0..0x20 | 0x7f => format!("'\\x{byte:02x}'"),
            0x80..=0xa0 | 0xad => format!("'\\u{:04x}'", u32::from(byte)),
            _ => format!("'{}'", char::from(byte)),
        };
        Syntax { message: format!("invalid character {shown} {context}"), offset: self.at + 1 }
    }

    /// Skips white space and says what begins.
    pub(crate) fn begin(&mut self) -> Outcome<Begin> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => Ok(Begin::Object),
            Some(b'[') => Ok(Begin::List),
            Some(b'"') => Ok(Begin::String),
            Some(b'-' | b'0'..=b'9') => Ok(Begin::Number),
            Some(b't') => Ok(Begin::True),
            Some(b'f') => Ok(Begin::False),
            Some(b'n') => Ok(Begin::Null),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn enter(&mut self) -> Outcome<()> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Syntax { message: "exceeded max depth".to_owned(), offset: self.at });
        }
        Ok(())
    }

    /// Enters the object at the cursor; returns whether it has a member.
    pub(crate) fn enter_object(&mut self) -> Outcome<bool> {
        self.enter()?;
        self.skip_space();
        match self.peek() {
            Some(b'}') => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            Some(b'"') => Ok(true),
            _ => Err(self.unexpected("looking for beginning of object key string")),
        }
    }

    /// Reads a member name and its colon.
    pub(crate) fn key(&mut self) -> Outcome<Cow<'a, str>> {
        let key = self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("after object key"));
        }
        self.at += 1;
        Ok(key)
    }

    /// Behind a member: whether another one follows.
    pub(crate) fn more_members(&mut self) -> Outcome<bool> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.skip_space();
                if self.peek() != Some(b'"') {
                    return Err(self.unexpected("looking for beginning of object key string"));
                }
                Ok(true)
            }
            Some(b'}') => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            _ => Err(self.unexpected("after object key:value pair")),
        }
    }

    /// Enters the list at the cursor; returns whether it has an item.
    pub(crate) fn enter_list(&mut self) -> Outcome<bool> {
        self.enter()?;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            self.depth -= 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Behind an item: whether another one follows.
    pub(crate) fn more_items(&mut self) -> Outcome<bool> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(b']') => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            _ => Err(self.unexpected("after array element")),
        }
    }

    /// Reads `true`, `false` or `null` at the cursor.
    pub(crate) fn literal(&mut self, word: &'static str) -> Outcome<()> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                return Err(self.unexpected(&format!("in literal {word} (expecting '{}')", char::from(expected))));
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Reads the number at the cursor and returns its text.
    pub(crate) fn number(&mut self) -> Outcome<&'a str> {
        let from = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.unexpected("in numeric literal")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.unexpected("after decimal point in numeric literal"));
            }
            self.digits();
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.unexpected("in exponent of numeric literal"));
            }
            self.digits();
        }
        Ok(std::str::from_utf8(self.slice(from)).unwrap_or_default())
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    /// Reads the string at the cursor. Bytes that are no UTF-8 and lone surrogates become U+FFFD, as in Go.
    pub(crate) fn string(&mut self) -> Outcome<Cow<'a, str>> {
        self.at += 1;
        let from = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let text = String::from_utf8_lossy(self.slice(from));
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => return self.escaped_string(from).map(Cow::Owned),
                Some(0..0x20) | None => return Err(self.unexpected("in string literal")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escaped_string(&mut self, from: usize) -> Outcome<String> {
        let mut out = String::from_utf8_lossy(self.slice(from)).into_owned();
        loop {
            let run = self.at;
            while let Some(byte) = self.peek() {
                if byte < 0x20 || byte == b'"' || byte == b'\\' {
                    break;
                }
                self.at += 1;
            }
            out.push_str(&String::from_utf8_lossy(self.slice(run)));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    /// Reads what stands behind a backslash.
    fn escape(&mut self) -> Outcome<char> {
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode_escape(&mut self) -> Outcome<char> {
        let first = self.hex()?;
        let is_high = (0xd800..0xdc00).contains(&first);
        if is_high && self.text.get(self.at..self.at + 2) == Some(b"\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex()?;
            if let 0xdc00..0xe000 = second {
                let joined = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Outcome<u32> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let digit = digit.ok_or_else(|| self.unexpected("in \\u hexadecimal character escape"))?;
            value = value * 16 + digit;
            self.at += 1;
        }
        Ok(value)
    }

    /// Skips one value of any kind and returns its text.
    pub(crate) fn skip_value(&mut self) -> Outcome<&'a [u8]> {
        let begin = self.begin()?;
        let from = self.at;
        match begin {
            Begin::Object => {
                let mut more = self.enter_object()?;
                while more {
                    self.key()?;
                    self.skip_value()?;
                    more = self.more_members()?;
                }
            }
            Begin::List => {
                let mut more = self.enter_list()?;
                while more {
                    self.skip_value()?;
                    more = self.more_items()?;
                }
            }
            Begin::String => drop(self.string()?),
            Begin::Number => drop(self.number()?),
            Begin::True => self.literal("true")?,
            Begin::False => self.literal("false")?,
            Begin::Null => self.literal("null")?,
        }
        Ok(self.slice(from))
    }

    /// Only white space may follow.
    pub(crate) fn end(&mut self) -> Outcome<()> {
        self.skip_space();
        if self.peek().is_none() { Ok(()) } else { Err(self.unexpected("after top-level value")) }
    }
}

/// Whether `text` is one JSON document.
pub fn check(text: &[u8]) -> Result<(), Syntax> {
    let mut lexer = Lexer::new(text);
    lexer.skip_value()?;
    lexer.end()
}

#[cfg(test)]
mod tests {
    use super::{Lexer, check};

    #[test]
    fn errors_read_as_in_go() {
        let cases = [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("{a", "invalid character 'a' looking for beginning of object key string"),
            ("{\"a\",", "invalid character ',' after object key"),
            ("{\"a\":1 \"b\"", "invalid character '\"' after object key:value pair"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("nul ", "invalid character ' ' in literal null (expecting 'l')"),
            ("1 2", "invalid character '2' after top-level value"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.e", "invalid character 'e' after decimal point in numeric literal"),
            ("1e+", "unexpected end of JSON input"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"),
        ];
        for (text, message) in cases {
            assert_eq!(check(text.as_bytes()).unwrap_err().to_string(), message, "{text}");
        }
        assert_eq!(check("[".repeat(1000).as_bytes()).unwrap_err().to_string(), "exceeded max depth");
    }

    #[test]
    fn strings_are_unescaped() {
        let read = |text: &str| Lexer::new(text.as_bytes()).string().unwrap().into_owned();
        assert_eq!(read(r#""a\"\\\/\b\f\n\r\té""#), "a\"\\/\u{8}\u{c}\n\r\té");
        assert_eq!(read(r#""\ud83d\ude00\ud83dx\ude00\ud83dA""#), "😀\u{fffd}x\u{fffd}\u{fffd}A");
        assert_eq!(Lexer::new(b"\"a\xffb\"").string().unwrap(), "a\u{fffd}b");
    }
}
