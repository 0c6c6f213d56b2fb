//! The shell patterns of module aliases: `*`, `?` and `[a-z]` sets. Bytes, because aliases are ASCII and a boot compares
//! some hundred devices with ten thousand patterns.

/// Whether `text` matches `pattern`. Works without recursion or allocation, in at most `pattern × text` steps.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0_usize, 0_usize);
    // Where to go on after a mismatch: behind the last star, with one more byte given to it.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(t) {
        match step(pattern, p, byte) {
            Step::Star => {
                p = p.saturating_add(1);
                retry = Some((p, t));
            }
            Step::One(next) => {
                p = next;
                t = t.saturating_add(1);
            }
            Step::Mismatch => match retry {
                None => return false,
                Some((behind_star, from)) => {
                    p = behind_star;
                    t = from.saturating_add(1);
                    retry = Some((behind_star, t));
                }
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

enum Step {
    /// The pattern has a star here.
    Star,
    /// The byte is accepted; the pattern goes on at this index.
    One(usize),
    /// The byte is refused, or the pattern is at its end.
    Mismatch,
}

fn step(pattern: &[u8], at: usize, byte: u8) -> Step {
    match pattern.get(at) {
        Some(b'*') => Step::Star,
        Some(b'?') => Step::One(at.saturating_add(1)),
        Some(b'[') => set(pattern, at.saturating_add(1), byte),
        Some(wanted) if *wanted == byte => Step::One(at.saturating_add(1)),
        _ => Step::Mismatch,
    }
}

/// A `[...]` set whose first byte is at `at`.
fn set(pattern: &[u8], mut at: usize, byte: u8) -> Step {
    let mut found = false;
    while let Some(&low) = pattern.get(at) {
        at = at.saturating_add(1);
        if low == b']' {
            return if found { Step::One(at) } else { Step::Mismatch };
        }
        let high = match (pattern.get(at), pattern.get(at.saturating_add(1))) {
            (Some(b'-'), Some(&high)) if high != b']' => {
                at = at.saturating_add(2);
                high
            }
            _ => low,
        };
        found |= (low..=high).contains(&byte);
    }
    Step::Mismatch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_match_as_in_modules_alias() {
        let table = [
            ("virtio:d00000002v*", "virtio:d00000002v00001AF4", true),
            ("virtio:d00000002v*", "virtio:d00000001v00001AF4", false),
            ("pci:v00008086d000025ABsv*sd*bc*sc*i*", "pci:v00008086d000025ABsv00001AF4sd00001100bc08sc80i00", true),
            ("usb:v04B4p1002d[0-4]*", "usb:v04B4p1002d3x", true),
            ("usb:v04B4p1002d[0-4]*", "usb:v04B4p1002d5x", false),
            ("a[bc-e]f", "adf", true),
            ("a[bc-e]f", "aff", false),
            ("a[bc", "ab", false),
            ("*a*b", "xxaxxb", true),
            ("*a*b", "xxbxxa", false),
            ("fs-ext4", "fs-ext4", true),
            ("fs-ext", "fs-ext4", false),
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
        ];
        for (pattern, text, want) in table {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_stay_cheap() {
        assert!(!matches(&"a*".repeat(60), &"a".repeat(59)));
        assert!(!matches(&format!("{}b", "*a".repeat(200)), &"a".repeat(5000)));
    }
}
