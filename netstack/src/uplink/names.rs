//! Names of domains as servers send them: text that ends up in a file must not be able to say something else there.

/// More than any resolver takes.
const MOST: usize = 32;

/// Whether it is the name of a domain or host: labels of letters, digits, `-` and `_`.
pub(super) fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// The domain of option 15. Some servers write a list there.
pub(super) fn domains(value: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(value);
    let words = text.split(|letter: char| letter.is_ascii_whitespace() || letter == '\0' || letter == ',');
    words.map(|word| word.trim_end_matches('.')).filter(|word| is_name(word)).take(MOST).map(str::to_owned).collect()
}

/// The names of option 119 (RFC 3397): labels with their lengths, the end of a name may be a pointer back.
/// Names that cannot be any are left out; after a break in the format nothing more is read.
pub(super) fn search(value: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = 0;
    while at < value.len() && names.len() < MOST {
        let Some((labels, next)) = name(value, at) else { break };
        at = next;
        let name = labels.iter().map(|label| String::from_utf8_lossy(label)).collect::<Vec<_>>().join(".");
        if is_name(&name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The labels of the name at a place, and the place behind it.
fn name(value: &[u8], start: usize) -> Option<(Vec<&[u8]>, usize)> {
    let (mut labels, mut at, mut behind) = (Vec::new(), start, None);
    // Pointers lead back only, so that each name ends.
    let mut bound = start;
    loop {
        let length = *value.get(at)?;
        let next = at.checked_add(1)?;
        match length {
            0 => return Some((labels, behind.unwrap_or(next))),
            0xc0.. => {
                let target = usize::from(u16::from_be_bytes([length & 0x3f, *value.get(next)?]));
                if target >= bound {
                    return None;
                }
                behind = behind.or_else(|| next.checked_add(1));
                (at, bound) = (target, target);
            }
            0x40.. => return None,
            length => {
                let end = next.checked_add(usize::from(length))?;
                labels.push(value.get(next..end)?);
                at = end;
            }
        }
        if labels.len() > 127 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches() {
        let plain = b"\x03eng\x05apple\x03com\x00\x09marketing\xc0\x04\x00";
        for (value, names) in [
            (&plain[..], &["eng.apple.com", "marketing.apple.com"][..]),
            (b"\x03eng\xc0\x00", &[]),
            (b"\xc0\x00", &[]),
            (b"\x01a\x00\xc0\x05", &["a"]),
            (b"\x01a\x00\x01b\x00\x03cut", &["a", "b"]),
            (b"\x01a\x00\x03b\nc\x00\x01d\x00", &["a", "d"]),
            (b"\x01a\x00\x01a\x00", &["a"]),
            (b"\x00", &[]),
            (b"", &[]),
        ] {
            assert_eq!(search(value), names, "{value:?}");
        }
    }

    #[test]
    fn plain_domains() {
        for (value, names) in [
            (&b"lan"[..], &["lan"][..]),
            (b"example.com.\0", &["example.com"]),
            (b"a.b  c.d", &["a.b", "c.d"]),
            (b"lan\nnameserver 6.6.6.6\n", &["lan", "nameserver", "6.6.6.6"]),
            (b"-..-", &[]),
            (b"\xff\xfe", &[]),
            (b"", &[]),
        ] {
            assert_eq!(domains(value), names, "{value:?}");
        }
    }
}
