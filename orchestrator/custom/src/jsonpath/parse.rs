//! Reading a path.

use super::{Filter, JsonPath, Step};
use coracle_apimachinery::Value;

/// Deepest nesting of filters and unions.
const DEPTH: usize = 16;

/// Why a path cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Problem(String);

impl JsonPath {
    /// Reads a path such as `.status.conditions[?(@.type=="Ready")].status`.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        nested(text, 0)
    }
}

fn problem<T>(text: impl Into<String>) -> Result<T, Problem> {
    Err(Problem(text.into()))
}

fn nested(text: &str, depth: usize) -> Result<JsonPath, Problem> {
    if depth > DEPTH {
        return problem("path is nested too deeply");
    }
    let mut reader = Reader { rest: text, steps: Vec::new(), depth };
    while !reader.rest.is_empty() {
        reader.step()?;
    }
    Ok(JsonPath(reader.steps))
}

struct Reader<'t> {
    rest: &'t str,
    steps: Vec<Step>,
    depth: usize,
}

impl<'t> Reader<'t> {
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn step(&mut self) -> Result<(), Problem> {
        if self.rest.starts_with("[?(") {
            return self.filter();
        }
        if self.rest.starts_with("..") {
            return self.recursive();
        }
        let Some(first) = self.rest.chars().next() else { return Ok(()) };
        match first {
            '\n' | '\r' => problem("unclosed action"),
            ' ' | '@' | '$' => {
                self.take(1);
                Ok(())
            }
            '[' => self.array(),
            '"' | '\'' => self.quoted(first),
            '.' => {
                self.take(1);
                self.field();
                Ok(())
            }
            '+' | '-' => self.number(),
            digit if digit.is_ascii_digit() => self.number(),
            letter if letter == '_' || letter.is_alphanumeric() => self.word(),
            other => problem(format!("unrecognized character in action: U+{:04X} '{other}'", u32::from(other))),
        }
    }

    fn recursive(&mut self) -> Result<(), Problem> {
        if self.steps.last() == Some(&Step::Recursive) {
            return problem("invalid multiple recursive descent");
        }
        self.take(2);
        self.steps.push(Step::Recursive);
        if self.rest.starts_with(|next: char| next == '_' || next.is_alphanumeric()) {
            self.field();
        }
        Ok(())
    }

    /// A name up to the next character that ends one; a backslash takes that meaning away.
    fn field(&mut self) {
        let mut name = String::new();
        let mut escaped = false;
        let mut end = self.rest.len();
        for (at, character) in self.rest.char_indices() {
            if !escaped && character == '\\' {
                escaped = true;
                continue;
            }
            if !escaped && is_terminator(character) {
                end = at;
                break;
            }
            escaped = false;
            name.push(character);
        }
        self.take(end);
        self.steps.push(if name == "*" { Step::Wildcard } else { Step::Field(name) });
    }

    fn word(&mut self) -> Result<(), Problem> {
        let end = self.rest.find(is_terminator).unwrap_or(self.rest.len());
        match self.take(end) {
            "true" => self.steps.push(Step::Literal(Value::Bool(true))),
            "false" => self.steps.push(Step::Literal(Value::Bool(false))),
            other => return problem(format!("unrecognized identifier {other}")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Problem> {
        let digits = self.rest.get(1..).unwrap_or_default();
        let end = digits.find(|c: char| c != '.' && !c.is_ascii_digit()).map_or(self.rest.len(), |end| end + 1);
        let text = self.take(end);
        let value = match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(value), _) => Value::Int(value),
            (_, Ok(value)) if value.is_finite() => Value::Float(value),
            _ => return problem(format!("cannot parse number {text}")),
        };
        self.steps.push(Step::Literal(value));
        Ok(())
    }

    fn quoted(&mut self, quote: char) -> Result<(), Problem> {
        let mut text = String::new();
        let mut escaped = false;
        for (at, character) in self.rest.char_indices().skip(1) {
            match character {
                '\n' => break,
                _ if escaped => {
                    escaped = false;
                    text.push(match character {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        other => other,
                    });
                }
                '\\' => escaped = true,
                _ if character == quote => {
                    self.take(at + 1);
                    self.steps.push(Step::Literal(Value::text(text)));
                    return Ok(());
                }
                other => text.push(other),
            }
        }
        problem("unterminated quoted string")
    }

    fn array(&mut self) -> Result<(), Problem> {
        let Some(end) = self.rest.find(']').filter(|end| !self.rest.get(..*end).is_some_and(|t| t.contains('\n')))
        else {
            return problem("unterminated array");
        };
        let inside = self.take(end + 1).get(1..end).unwrap_or_default();
        if inside.contains(',') {
            let parts = inside.split(',').map(|part| nested(&format!("[{}]", part.trim_matches(' ')), self.depth + 1));
            self.steps.push(Step::Union(parts.collect::<Result<_, _>>()?));
            return Ok(());
        }
        let key = inside.strip_prefix('\'').and_then(|key| key.strip_suffix('\'')).filter(|key| !key.contains('\''));
        if let Some(key) = key.filter(|_| inside.len() > 1) {
            self.steps.extend(nested(&format!(".{key}"), self.depth + 1)?.0);
            return Ok(());
        }
        self.steps.push(slice(if inside == "*" { ":" } else { inside })?);
        Ok(())
    }

    fn filter(&mut self) -> Result<(), Problem> {
        self.take(3);
        let mut quote: Option<char> = None;
        let mut closed = false;
        let mut before = ' ';
        let mut end = None;
        for (at, character) in self.rest.char_indices() {
            match (character, quote) {
                ('\n', _) => break,
                ('"' | '\'', None) => quote = Some(character),
                (_, Some(open)) if character == open && before != '\\' => closed = true,
                (')', _) if quote.is_some() == closed => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
            before = character;
        }
        let Some(end) = end else { return problem("unterminated filter") };
        let inside = self.take(end + 1).get(..end).unwrap_or_default();
        if !self.rest.starts_with(']') {
            return problem("unclosed array expect ]");
        }
        self.take(1);
        let is_operator = |character: char| matches!(character, '!' | '<' | '>' | '=');
        let compared = inside.find(is_operator).filter(|at| *at > 0).and_then(|at| {
            let (left, rest) = inside.split_at_checked(at)?;
            let mut length = rest.find(|character| !is_operator(character)).unwrap_or(rest.len());
            // Something has to stay for the right side.
            if length == rest.len() {
                length = length.checked_sub(1).filter(|length| *length > 0)?;
            }
            let (operator, right) = rest.split_at_checked(length)?;
            Some((left, operator, right))
        });
        let filter = match compared {
            None => Filter { left: nested(inside, self.depth + 1)?, right: None },
            Some((left, operator, right)) => Filter {
                left: nested(left, self.depth + 1)?,
                right: Some((operator.to_owned(), nested(right, self.depth + 1)?)),
            },
        };
        self.steps.push(Step::Filter(Box::new(filter)));
        Ok(())
    }
}

fn is_terminator(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

/// `1`, `1:3`, `:`, `-1:` and `0:4:2`.
fn slice(text: &str) -> Result<Step, Problem> {
    let wrong = || Problem(format!("invalid array index {text}"));
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > 3 {
        return Err(wrong());
    }
    let number = |part: Option<&&str>| match part {
        None | Some(&"") => Ok(None),
        Some(part) => {
            let digits = part.strip_prefix('-').unwrap_or(part);
            let fits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<i64>().ok().filter(|_| fits).map(Some).ok_or_else(wrong)
        }
    };
    let begin = number(parts.first())?;
    let end = match parts.get(1) {
        None => Some((begin.unwrap_or(0).saturating_add(1), true)),
        some => number(some)?.map(|end| (end, false)),
    };
    Ok(Step::Slice(begin, end, number(parts.get(2))?))
}
