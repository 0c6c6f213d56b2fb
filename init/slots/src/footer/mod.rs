//! The signed footer in the last 4,096 bytes of a slot partition: what the slot holds and who vouches for it.
//!
//! Format 1, little-endian, final. A change of meaning is a new format number; unused bytes are zero and are checked.

mod keys;
mod text;

use ed25519_dalek::{Signature, Signer, SigningKey};

use crate::bytes::{array, copy, u32_le, u64_le};
use crate::verity::{self, BLOCK, BLOCK_BYTES, Params};

pub use keys::{Key, KeyError, KeyId, KeyRole, KeySet};
pub use text::{Text, TextError};

/// Bytes of a footer.
pub const FOOTER_BYTES: usize = 4096;

/// The format that this release writes and reads.
pub const FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"CRCLFOOT";
const VERITY_FORMAT: u32 = 1;
const HASH_ALGORITHM: Text<16> = Text::from_array(*b"sha256\0\0\0\0\0\0\0\0\0\0");
const SIGNATURE_ALGORITHM: Text<16> = Text::from_array(*b"ed25519\0\0\0\0\0\0\0\0\0");

/// Offsets of the fields.
mod at {
    pub(super) const FORMAT: usize = 8;
    pub(super) const SECURITY_FLOOR: usize = 12;
    pub(super) const IMAGE_BYTES: usize = 16;
    pub(super) const DATA_BLOCKS: usize = 24;
    pub(super) const HASH_START: usize = 32;
    pub(super) const DATA_BLOCK_SIZE: usize = 40;
    pub(super) const HASH_BLOCK_SIZE: usize = 44;
    pub(super) const VERITY_FORMAT: usize = 48;
    pub(super) const SALT_SIZE: usize = 52;
    pub(super) const HASH_ALGORITHM: usize = 56;
    pub(super) const ROOT_HASH: usize = 72;
    pub(super) const SALT: usize = 104;
    pub(super) const BOARD: usize = 136;
    pub(super) const ARCHITECTURE: usize = 168;
    pub(super) const VERSION: usize = 184;
    pub(super) const SIGNATURE_ALGORITHM: usize = 248;
    pub(super) const KEY_ID: usize = 264;
    pub(super) const UNUSED: usize = 280;
    pub(super) const SIGNATURE: usize = 4032;
}

/// What a footer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// Identity of the board that the slot was built for, for example `x86_64-vm`.
    pub board: Text<32>,
    /// Machine architecture, `x86_64` or `aarch64`.
    pub architecture: Text<16>,
    /// Version of the OS.
    pub version: Text<64>,
    /// A device that has run a slot with this number accepts none with a lower one.
    pub security_floor: u32,
    /// Bytes of the file-system image before it is padded to whole blocks.
    pub image_bytes: u64,
    /// The hash tree over the image.
    pub verity: Params,
    /// The key that signed; filled in by [`Footer::sign`].
    pub key_id: KeyId,
}

/// Why 4,096 bytes are no footer that this device accepts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes do not begin like a footer.
    #[error("the slot has no footer")]
    NoFooter,
    /// A format that this release does not know.
    #[error("footer format {0} is not {FORMAT}")]
    Format(u32),
    /// The signing key is not in the key set.
    #[error("the footer is signed by the unknown key {0}")]
    UnknownKey(String),
    /// The signature does not match: damaged, or not signed by this key.
    #[error("the footer's signature by key {0} is wrong")]
    Signature(KeyId),
    /// A signed footer with a field that this release cannot honour.
    #[error("the footer's field {0} is not supported or contradicts another")]
    Field(&'static str),
    /// Image, tree and footer do not fit into the partition.
    #[error("the footer describes {needed} bytes, but the partition has {available}")]
    Fit {
        /// Bytes that image, tree and footer take.
        needed: u64,
        /// Bytes of the partition.
        available: u64,
    },
}

impl Footer {
    /// The footer's bytes, signed. The key id is that of `key`, whatever the field says.
    #[must_use]
    pub fn sign(mut self, key: &SigningKey) -> [u8; FOOTER_BYTES] {
        self.key_id = KeyId::of(&key.verifying_key());
        let mut bytes = self.encode();
        bytes.resize(at::SIGNATURE, 0);
        let signature = key.sign(&bytes);
        bytes.extend(signature.to_bytes());
        let mut footer = [0; FOOTER_BYTES];
        copy(&mut footer, &bytes);
        footer
    }

    /// Checks the signature over every byte before it, then reads the fields.
    ///
    /// # Errors
    /// Nothing of the content is believed before the signature is right; then each field must be one that this release
    /// honours.
    pub fn verify(bytes: &[u8; FOOTER_BYTES], keys: &KeySet) -> Result<(Self, KeyRole), Error> {
        if !bytes.starts_with(MAGIC) {
            return Err(Error::NoFooter);
        }
        let format = u32_le(bytes, at::FORMAT).ok_or(Error::NoFooter)?;
        if format != FORMAT {
            return Err(Error::Format(format));
        }
        let id: Text<16> = array(bytes, at::KEY_ID).and_then(Text::checked).ok_or(Error::Field("key id"))?;
        let key = KeyId::parse(id.as_str()).and_then(|id| keys.find(id));
        let key = key.ok_or_else(|| Error::UnknownKey(id.as_str().to_owned()))?;
        let (signed, signature) = bytes.split_at_checked(at::SIGNATURE).ok_or(Error::NoFooter)?;
        let signature = Signature::from_slice(signature).map_err(|_| Error::Signature(key.id))?;
        key.public.verify_strict(signed, &signature).map_err(|_| Error::Signature(key.id))?;
        Ok((Self::decode(signed, key.id)?, key.role))
    }

    /// Checks that image, tree and footer fit into a partition.
    ///
    /// # Errors
    /// [`Error::Fit`], or [`Error::Field`] for a tree that cannot be.
    pub fn check_fit(&self, partition_bytes: u64) -> Result<(), Error> {
        let tree = self.verity.tree_blocks().map_err(|_| Error::Field("data blocks"))?;
        let blocks = self.verity.hash_start_block.saturating_add(tree).saturating_add(1);
        let needed = blocks.saturating_mul(BLOCK_BYTES);
        if needed > partition_bytes {
            return Err(Error::Fit { needed, available: partition_bytes });
        }
        Ok(())
    }

    fn encode(&self) -> Vec<u8> {
        let block = u32::try_from(BLOCK).unwrap_or(0);
        let mut bytes = Vec::with_capacity(FOOTER_BYTES);
        bytes.extend(MAGIC);
        for number in [FORMAT, self.security_floor] {
            bytes.extend(number.to_le_bytes());
        }
        for number in [self.image_bytes, self.verity.data_blocks, self.verity.hash_start_block] {
            bytes.extend(number.to_le_bytes());
        }
        for number in [block, block, VERITY_FORMAT, 32] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(HASH_ALGORITHM.as_array());
        bytes.extend(self.verity.root_hash);
        bytes.extend(self.verity.salt);
        bytes.extend(self.board.as_array());
        bytes.extend(self.architecture.as_array());
        bytes.extend(self.version.as_array());
        bytes.extend(SIGNATURE_ALGORITHM.as_array());
        bytes.extend(self.key_id.to_string().as_bytes());
        bytes
    }

    fn decode(bytes: &[u8], key_id: KeyId) -> Result<Self, Error> {
        let number = |at, name| u32_le(bytes, at).ok_or(Error::Field(name));
        let long = |at, name| u64_le(bytes, at).ok_or(Error::Field(name));
        let block = u32::try_from(BLOCK).unwrap_or(0);
        for (at, wanted, name) in [
            (at::DATA_BLOCK_SIZE, block, "data block size"),
            (at::HASH_BLOCK_SIZE, block, "hash block size"),
            (at::VERITY_FORMAT, VERITY_FORMAT, "verity hash format"),
            (at::SALT_SIZE, 32, "salt size"),
        ] {
            if number(at, name)? != wanted {
                return Err(Error::Field(name));
            }
        }
        if array(bytes, at::HASH_ALGORITHM) != Some(*HASH_ALGORITHM.as_array()) {
            return Err(Error::Field("hash algorithm"));
        }
        if array(bytes, at::SIGNATURE_ALGORITHM) != Some(*SIGNATURE_ALGORITHM.as_array()) {
            return Err(Error::Field("signature algorithm"));
        }
        if bytes.get(at::UNUSED..).is_none_or(|unused| unused.iter().any(|byte| *byte != 0)) {
            return Err(Error::Field("unused bytes"));
        }
        let footer = Self {
            board: text(bytes, at::BOARD, "board")?,
            architecture: text(bytes, at::ARCHITECTURE, "architecture")?,
            version: text(bytes, at::VERSION, "version")?,
            security_floor: number(at::SECURITY_FLOOR, "security floor")?,
            image_bytes: long(at::IMAGE_BYTES, "image size")?,
            verity: Params {
                data_blocks: long(at::DATA_BLOCKS, "data blocks")?,
                hash_start_block: long(at::HASH_START, "hash start")?,
                salt: array(bytes, at::SALT).ok_or(Error::Field("salt"))?,
                root_hash: array(bytes, at::ROOT_HASH).ok_or(Error::Field("root hash"))?,
            },
            key_id,
        };
        footer.check_sizes()?;
        Ok(footer)
    }

    /// The image fills its blocks, and the tree comes after them.
    fn check_sizes(&self) -> Result<(), Error> {
        if self.image_bytes.div_ceil(BLOCK_BYTES) != self.verity.data_blocks {
            return Err(Error::Field("image size"));
        }
        if self.verity.hash_start_block < self.verity.data_blocks {
            return Err(Error::Field("hash start"));
        }
        match self.verity.tree_blocks() {
            Err(verity::Error::Size(_)) => Err(Error::Field("data blocks")),
            _ => Ok(()),
        }
    }
}

fn text<const N: usize>(bytes: &[u8], at: usize, name: &'static str) -> Result<Text<N>, Error> {
    array(bytes, at).and_then(Text::checked).ok_or(Error::Field(name))
}
