//! The public keys that a device trusts for slot footers, each with a role.

use std::fmt;

use ed25519_dalek::VerifyingKey;
use sha2::{Digest, Sha256};

use crate::bytes::{from_hex, to_hex};

/// More keys than this are refused: the list is read by PID 1.
const MOST_KEYS: usize = 64;

/// Who holds a key, and so what a slot signed with it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyRole {
    /// The maker of the OS.
    Vendor,
    /// The owner of the device.
    Owner,
    /// A developer: fault injection is allowed, and the device says that it trusts such a key.
    Development,
}

/// The first 16 hexadecimal digits of the SHA-256 of a public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 8]);

/// A trusted key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Who holds it.
    pub role: KeyRole,
    /// Its short name.
    pub id: KeyId,
    /// The key itself.
    pub public: VerifyingKey,
}

/// All keys that a device trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Key>,
}

/// Why a line of a key set is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the key set: {what}")]
pub struct KeyError {
    /// Number of the line from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl KeyRole {
    const ALL: [Self; 3] = [Self::Vendor, Self::Owner, Self::Development];

    /// The word in a key set.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Owner => "owner",
            Self::Development => "development",
        }
    }
}

impl KeyId {
    /// Stands in a footer that is not signed yet.
    pub const NONE: Self = Self([0; 8]);

    /// The id of a public key.
    #[must_use]
    pub fn of(public: &VerifyingKey) -> Self {
        let mut id = [0; 8];
        crate::bytes::copy(&mut id, &Sha256::digest(public.as_bytes()));
        Self(id)
    }

    /// From its 16 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        from_hex(text).map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Key {
    /// A key with its id.
    #[must_use]
    pub fn new(role: KeyRole, public: VerifyingKey) -> Self {
        Self { role, id: KeyId::of(&public), public }
    }

    fn parse(line: &str) -> Result<Self, &'static str> {
        let mut words = line.split_ascii_whitespace();
        let (Some(role), Some(id), Some(public), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err("expected ROLE KEY-ID HEX-PUBLIC-KEY");
        };
        let role = KeyRole::ALL.into_iter().find(|known| known.name() == role);
        let role = role.ok_or("the role is not vendor, owner or development")?;
        let public = from_hex(public).ok_or("the public key is not 64 lower-case hexadecimal digits")?;
        let public = VerifyingKey::from_bytes(&public).map_err(|_| "the public key is no point of the curve")?;
        if public.is_weak() {
            return Err("the public key is weak");
        }
        let key = Self::new(role, public);
        if KeyId::parse(id) != Some(key.id) {
            return Err("the key id is not that of the public key");
        }
        Ok(key)
    }
}

/// The line of a key set.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.role.name(), self.id, to_hex(self.public.as_bytes()))
    }
}

impl KeySet {
    /// Reads `ROLE KEY-ID HEX-PUBLIC-KEY` lines. Empty lines and lines that begin with `#` are skipped; one bad line
    /// refuses the set, because a key that silently falls out could be the one that the next update needs.
    ///
    /// # Errors
    /// The first line that is malformed, repeated or one too many.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys: Vec<Key> = Vec::new();
        for (line, content) in (1..).zip(text.lines()) {
            if content.trim().is_empty() || content.starts_with('#') {
                continue;
            }
            let key = Key::parse(content).map_err(|what| KeyError { line, what })?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(KeyError { line, what: "the key stands there twice" });
            }
            if keys.len() >= MOST_KEYS {
                return Err(KeyError { line, what: "more than 64 keys" });
            }
            keys.push(key);
        }
        Ok(Self { keys })
    }

    /// The keys in the order of the file.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The key of an id.
    #[must_use]
    pub fn find(&self, id: KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }
}

impl FromIterator<Key> for KeySet {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        Self { keys: keys.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;

    fn key(seed: u8, role: KeyRole) -> Key {
        Key::new(role, SigningKey::from_bytes(&[seed; 32]).verifying_key())
    }

    #[test]
    fn a_set_reads_what_it_writes() {
        let keys = [key(1, KeyRole::Vendor), key(2, KeyRole::Owner), key(3, KeyRole::Development)];
        let text = format!("# trusted\n\n{}\n{}\n{}\n", keys[0], keys[1], keys[2]);
        let set = KeySet::parse(&text).unwrap();
        assert_eq!(set.keys(), keys);
        assert_eq!(set.find(keys[1].id).unwrap().role, KeyRole::Owner);
        assert_eq!(set.find(KeyId::NONE), None);
    }

    /// Frozen: the id of the key with the secret 32 × 0x01.
    #[test]
    fn ids_and_lines_are_frozen() {
        assert_eq!(
            key(1, KeyRole::Vendor).to_string(),
            "vendor 34750f98bd59fcfc 8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
        );
    }

    #[test]
    fn bad_lines_are_refused_by_number() {
        let good = key(1, KeyRole::Vendor).to_string();
        let table = [
            (good.replace("vendor", "Vendor"), "the role is not vendor, owner or development"),
            (format!("{good} x"), "expected ROLE KEY-ID HEX-PUBLIC-KEY"),
            (good.replace("34750f98", "34750f99"), "the key id is not that of the public key"),
            (good.replace("8a88e3dd", "8A88e3dd"), "the public key is not 64 lower-case hexadecimal digits"),
            (format!("vendor 0000000000000000 {}", "00".repeat(32)), "the public key is weak"),
            (format!("vendor 0000000000000000 02{}", "00".repeat(31)), "the public key is no point of the curve"),
            (key(1, KeyRole::Owner).to_string(), "the key stands there twice"),
        ];
        for (bad, what) in table {
            assert_eq!(KeySet::parse(&format!("{good}\n{bad}\n")), Err(KeyError { line: 2, what }), "{bad}");
        }
        let many: String = (0..65).map(|seed| format!("{}\n", key(seed, KeyRole::Owner))).collect();
        assert_eq!(KeySet::parse(&many), Err(KeyError { line: 65, what: "more than 64 keys" }));
    }
}
