//! Signing keys. A key directory holds `signing.key` (the ed25519 seed, 64 hexadecimal digits) and `footer.keys` (the
//! public keys that devices of this build trust, a role each). Development directories are made on first use.

use std::path::Path;

use coracle_slots::footer::{Key, KeyError, KeyId, KeyRole, KeySet};
use ed25519_dalek::SigningKey;

use crate::files;
use crate::packages::store::Strictness;

/// The key that signs and the keys that devices trust.
#[derive(Debug)]
pub struct Keys {
    /// Signs the slot's footer.
    pub signing: SigningKey,
    /// Its id and role among the trusted keys.
    pub id: KeyId,
    /// Its role among the trusted keys.
    pub role: KeyRole,
    /// `footer.keys` for the initrd, comments included.
    pub trusted: String,
}

/// Why a key directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The random numbers of the host cannot be read.
    #[error("cannot read random bytes for a new key")]
    Random(#[source] rustix::io::Errno),
    /// The signing key is malformed.
    #[error("{0} does not hold 64 hexadecimal digits")]
    Seed(String),
    /// The list of trusted keys is malformed.
    #[error("cannot read {path}")]
    Trusted {
        /// The file.
        path: String,
        /// What is wrong.
        source: KeyError,
    },
    /// Devices would not accept what this key signs.
    #[error("key {0} signs, but is not in footer.keys: no device would start the slot")]
    Untrusted(KeyId),
    /// A release must not be signed by, or trust, development keys.
    #[error("key {0} is a development key; a release neither uses nor trusts one")]
    Development(KeyId),
}

const SIGNING: &str = "signing.key";
const TRUSTED: &str = "footer.keys";

/// Reads the keys of a directory; a development build makes them when the directory has none.
///
/// # Errors
/// The files are malformed or do not fit together, or a release would involve a development key.
pub fn load(directory: &Path, strictness: Strictness) -> Result<Keys, Error> {
    let (signing_path, trusted_path) = (directory.join(SIGNING), directory.join(TRUSTED));
    if strictness == Strictness::Development && !signing_path.exists() {
        make(directory)?;
    }
    let mut seed = [0; 32];
    hex::decode_to_slice(files::read_text(&signing_path)?.trim(), &mut seed)
        .map_err(|_| Error::Seed(signing_path.display().to_string()))?;
    let signing = SigningKey::from_bytes(&seed);
    let trusted = files::read_text(&trusted_path)?;
    let set = KeySet::parse(&trusted)
        .map_err(|source| Error::Trusted { path: trusted_path.display().to_string(), source })?;
    let id = KeyId::of(&signing.verifying_key());
    let role = set.find(id).ok_or(Error::Untrusted(id))?.role;
    let development = set.keys().iter().find(|key| key.role == KeyRole::Development);
    match development {
        Some(key) if strictness == Strictness::Release => Err(Error::Development(key.id)),
        _ => Ok(Keys { signing, id, role, trusted }),
    }
}

/// Makes a development key that only its owner can read.
fn make(directory: &Path) -> Result<(), Error> {
    let mut seed = [0; 32];
    let mut filled = 0;
    while filled < seed.len() {
        let flags = rustix::rand::GetRandomFlags::empty();
        filled += rustix::rand::getrandom(&mut seed[filled..], flags).map_err(Error::Random)?;
    }
    let public = SigningKey::from_bytes(&seed).verifying_key();
    files::create_dirs(directory)?;
    files::write(&directory.join(TRUSTED), format!("{}\n", Key::new(KeyRole::Development, public)).as_bytes())?;
    Ok(files::create_private(&directory.join(SIGNING), format!("{}\n", hex::encode(seed)).as_bytes())?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn development_keys_are_made_once_and_stay_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        let first = load(&path, Strictness::Development).unwrap();
        let again = load(&path, Strictness::Development).unwrap();
        assert_eq!((first.id, first.role, &first.trusted), (again.id, KeyRole::Development, &again.trusted));
        let mode = std::fs::metadata(path.join(SIGNING)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_release_takes_vendor_keys_by_path_and_no_development_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert!(matches!(load(path, Strictness::Release), Err(Error::File(_))));
        let development = load(path, Strictness::Development).unwrap();
        assert!(matches!(load(path, Strictness::Release), Err(Error::Development(_))));
        let vendor = development.trusted.replace("development", "vendor");
        std::fs::write(path.join(TRUSTED), &vendor).unwrap();
        assert_eq!(load(path, Strictness::Release).unwrap().role, KeyRole::Vendor);
        std::fs::write(path.join(TRUSTED), "").unwrap();
        assert!(matches!(load(path, Strictness::Release), Err(Error::Untrusted(_))));
        std::fs::write(path.join(SIGNING), "12").unwrap();
        assert!(matches!(load(path, Strictness::Release), Err(Error::Seed(_))));
    }
}
