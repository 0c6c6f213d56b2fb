//! GRUB's environment block format, as GRUB 2.12 itself treats it (`load_env` with a list of names, `save_env`).
//!
//! A reader that is stricter or laxer than GRUB would choose another block than GRUB did, so this one follows it into
//! the corners: a backslash takes the next byte literally, a name reaches over line ends up to its `=`, the last of
//! several values counts, a zero byte ends a name or a value, and one broken item ends the block but leaves the values
//! before it.

/// First line of a block.
pub const SIGNATURE: &str = "# GRUB Environment Block\n";

/// The names that are read; every other one is ignored.
pub const NAMES: [&str; 7] = ["seq", "active", "trial", "left", "failed", "id", "end"];

/// The values of [`NAMES`] that a block sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    found: [Option<Vec<u8>>; NAMES.len()],
}

impl Values {
    /// Reads a block of any length. A file that is no block at all has no values.
    #[must_use]
    pub fn read(file: &[u8]) -> Self {
        let mut values = Self::default();
        // GRUB compares with the size of the string and its final zero byte.
        if file.len() <= SIGNATURE.len() {
            return values;
        }
        let Some(mut rest) = file.strip_prefix(SIGNATURE.as_bytes()) else { return values };
        while let Some(first) = rest.first() {
            if *first != b'#' {
                let Some((name, after)) = split_name(rest) else { break };
                let Some(length) = line_length(after).filter(|length| *length < after.len()) else { break };
                values.set(until_zero(name), unescaped(after.get(..length).unwrap_or_default()));
                rest = after.get(length..).unwrap_or_default();
            }
            rest = next_line(rest);
        }
        values
    }

    /// The value of one of [`NAMES`].
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        NAMES.iter().zip(&self.found).find(|(known, _)| **known == name).and_then(|(_, value)| value.as_deref())
    }

    fn set(&mut self, name: &[u8], value: Vec<u8>) {
        for (known, found) in NAMES.iter().zip(&mut self.found) {
            if known.as_bytes() == name {
                *found = Some(value);
                return;
            }
        }
    }
}

/// The block after GRUB has saved one variable into it; `None` when GRUB refuses. For the model of GRUB: the OS always
/// writes whole blocks.
#[must_use]
pub fn set(block: &[u8], name: &str, value: &str) -> Option<Vec<u8>> {
    if block.len() <= SIGNATURE.len() || !block.starts_with(SIGNATURE.as_bytes()) {
        return None;
    }
    let tail = block.iter().rev().take_while(|byte| **byte == b'#').count();
    let text = block.get(..block.len().checked_sub(tail)?)?;
    if text.last() != Some(&b'\n') {
        return None;
    }
    let key = [name.as_bytes(), b"="].concat();
    let mut at = SIGNATURE.len();
    // GRUB looks for a name only where a whole `name=` and one more byte fit before the tail.
    while at.checked_add(key.len())? < text.len() {
        let rest = block.get(at..)?;
        if let Some(old) = rest.strip_prefix(key.as_slice()) {
            // Unlike the reader, the writer counts an escape that leaves the block as the end of the block.
            let length = line_length(old).filter(|length| *length < old.len())?;
            let value_at = at.checked_add(key.len())?;
            let after = text.get(value_at.checked_add(length)?..)?;
            return filled(&[text.get(..value_at)?, value.as_bytes(), after], block.len());
        }
        at = at.checked_add(rest.len().checked_sub(next_line(rest).len())?)?;
    }
    filled(&[text, &key, value.as_bytes(), b"\n"], block.len())
}

/// The parts and `#` up to the length of the block; `None` when they do not fit.
fn filled(parts: &[&[u8]], length: usize) -> Option<Vec<u8>> {
    let mut block = parts.concat();
    if block.len() > length {
        return None;
    }
    block.resize(length, b'#');
    Some(block)
}

/// Name and what follows its `=`.
fn split_name(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = rest.iter().position(|byte| *byte == b'=')?;
    let (name, after) = rest.split_at_checked(equals)?;
    Some((name, after.get(1..)?))
}

/// Bytes before the first line end that is not escaped; at least the whole length when there is none.
fn line_length(rest: &[u8]) -> Option<usize> {
    let mut length: usize = 0;
    while let Some(byte) = rest.get(length) {
        length = match byte {
            b'\n' => return Some(length),
            b'\\' => length.checked_add(2)?,
            _ => length.checked_add(1)?,
        };
    }
    Some(length)
}

/// What follows the first line end that is not escaped.
fn next_line(rest: &[u8]) -> &[u8] {
    line_length(rest).and_then(|length| rest.get(length.checked_add(1)?..)).unwrap_or_default()
}

/// The value with its escapes taken away, up to a zero byte.
fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        value.extend(if *byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    let length = until_zero(&value).len();
    value.truncate(length);
    value
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> Values {
        Values::read(&[SIGNATURE.as_bytes(), body].concat())
    }

    #[test]
    fn corners_of_the_format() {
        let table: [(&[u8], &[u8]); 15] = [
            (b"left=4\n", b"4"),
            (b"left=4\nleft=3\n", b"3"),
            (b"left=\\4\n", b"4"),
            (b"left=4\\\n\n", b"4\n"),
            (b"left=4\0x\n", b"4"),
            (b"left\0x=4\n", b"4"),
            (b"left=\\\n", b"absent"),
            (b"left=4", b"absent"),
            (b"left=4\\", b"absent"),
            (b"x\nleft=4\n", b"absent"),
            (b"x\nleft=4\nleft=3\n", b"3"),
            (b"#x\nleft=4\n", b"4"),
            (b"#x\\\nleft=3\nleft=4\n", b"4"),
            (b"#x\\\nleft=3\n", b"absent"),
            (b"left=4\nx=\\", b"4"),
        ];
        for (body, want) in table {
            let values = read(body);
            let got = values.get("left").unwrap_or(b"absent");
            assert_eq!(got, want, "{:?}", String::from_utf8_lossy(body));
        }
        assert_eq!(read(b"root=x\nprefix=y\n"), Values::default());
        assert_eq!(Values::read(b"# GRUB Environment Blocklleft=4\n"), Values::default());
        assert_eq!(Values::read(SIGNATURE.as_bytes()), Values::default());
    }

    #[test]
    fn corners_of_saving() {
        let block = |body: &str| format!("{SIGNATURE}{body}").into_bytes();
        let table = [
            ("left=4\n####", Some("left=3\n####")),
            ("left=44\n####", Some("left=3\n#####")),
            ("left=\n####", Some("left=3\n###")),
            ("left=\n", None),
            ("left=4\nleft=4\n#", Some("left=3\nleft=4\n#")),
            ("x=1\n#########", Some("x=1\nleft=3\n##")),
            ("x=1\n######", None),
            ("left=4", None),
            ("left=4 ###", None),
            ("left=4\nx=1 ###", None),
            ("left=4\\\n5\n###", Some("left=3\n######")),
        ];
        for (before, after) in table {
            assert_eq!(set(&block(before), "left", "3"), after.map(block), "{before:?}");
        }
        assert_eq!(set(b"left=4\n############################", "left", "3"), None);
    }
}
