//! Random identifiers.

/// What generated names end with: no vowels, so that no words come out (apimachinery v0.37.2, pkg/util/rand).
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The kernel's generator does not fail once it is seeded, which it is before this process starts.
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        tracing::error!("the random number generator failed");
    }
    bytes
}

/// A random UUID of version 4.
pub(crate) fn uid() -> String {
    let mut bytes: [u8; 16] = random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
}

/// Five characters for a generated name.
pub(crate) fn suffix() -> String {
    let bytes: [u8; 10] = random();
    let pick = |pair: &[u8]| {
        let number =
            usize::from(pair.first().copied().unwrap_or(0)) << 8 | usize::from(pair.last().copied().unwrap_or(0));
        char::from(ALPHABET.get(number % ALPHABET.len()).copied().unwrap_or(b'x'))
    };
    bytes.chunks(2).map(pick).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn identifiers_have_their_form() {
        let uid = super::uid();
        assert_eq!((uid.len(), uid.as_bytes()[14]), (36, b'4'), "{uid}");
        assert_ne!(uid, super::uid());
        assert_eq!(super::suffix().len(), 5);
    }
}
