//! The envelope around every stored value. Its layout is final:
//!
//! ```text
//! byte 0      value format (1)
//! byte 1      encryption envelope: 0 = the body is plain; every other number is refused until a release defines it
//! bytes 2..6  schema generation, little endian: which schema and defaults the body was derived with
//! bytes 6..   body: canonical bytes of the object, opaque to the store
//! ```

use std::sync::Arc;

use crate::error::Error;

/// The value format that this release writes; also the newest one that it reads.
pub const VALUE_FORMAT: u8 = 1;
/// The largest value, envelope included: the request limit of etcd, which may take the store's place.
pub const MAX_VALUE_BYTES: usize = 1_572_864;
const HEADER_BYTES: usize = 6;
const ENVELOPE_PLAIN: u8 = 0;

/// Bytes at rest with their envelope. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Value(Arc<[u8]>);

impl Value {
    /// Wraps a body.
    ///
    /// # Errors
    /// [`Error::TooLarge`] above [`MAX_VALUE_BYTES`].
    pub fn new(schema_generation: u32, body: &[u8]) -> Result<Self, Error> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
        bytes.push(VALUE_FORMAT);
        bytes.push(ENVELOPE_PLAIN);
        bytes.extend_from_slice(&schema_generation.to_le_bytes());
        bytes.extend_from_slice(body);
        Self::parse(&bytes)
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`Error::UnsupportedFormat`] for another value format, [`Error::InvalidValue`] for an unknown encryption
    /// envelope or a missing header, [`Error::TooLarge`] above [`MAX_VALUE_BYTES`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_VALUE_BYTES {
            return Err(Error::TooLarge { what: "value", size: bytes.len(), limit: MAX_VALUE_BYTES });
        }
        let Some((header, _)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Err(Error::InvalidValue { reason: format!("{} bytes are too few for its header", bytes.len()) });
        };
        let [format, envelope, ..] = *header;
        if format != VALUE_FORMAT {
            let only = u32::from(VALUE_FORMAT);
            let subject = "stored value".to_owned();
            return Err(Error::UnsupportedFormat { subject, found: format.into(), oldest: only, newest: only });
        }
        if envelope != ENVELOPE_PLAIN {
            return Err(Error::InvalidValue { reason: format!("encryption envelope {envelope} is unknown") });
        }
        Ok(Self(bytes.into()))
    }

    /// The body without its envelope.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.0.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// The schema generation that the body was derived with.
    #[must_use]
    pub fn schema_generation(&self) -> u32 {
        match *self.0 {
            [_, _, a, b, c, d, ..] => u32::from_le_bytes([a, b, c, d]),
            _ => 0,
        }
    }

    /// The bytes as they are stored, envelope included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Value {
    /// Prints no body: values hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Value({} bytes, schema {})", self.0.len(), self.schema_generation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelope_bytes_are_final() {
        let value = Value::new(0x0403_0201, b"{}").unwrap();
        assert_eq!(value.as_bytes(), [1, 0, 1, 2, 3, 4, b'{', b'}']);
        assert_eq!(value.body(), b"{}");
        assert_eq!(value.schema_generation(), 0x0403_0201);
        assert_eq!(Value::parse(value.as_bytes()).unwrap(), value);
    }

    #[test]
    fn unknown_envelopes_are_refused() {
        assert!(matches!(Value::parse(&[2, 0, 0, 0, 0, 0]), Err(Error::UnsupportedFormat { found: 2, .. })));
        assert!(matches!(Value::parse(&[0, 0, 0, 0, 0, 0]), Err(Error::UnsupportedFormat { found: 0, .. })));
        assert!(matches!(Value::parse(&[1, 1, 0, 0, 0, 0]), Err(Error::InvalidValue { .. })));
        assert!(matches!(Value::parse(&[1, 0, 0, 0, 0]), Err(Error::InvalidValue { .. })));
        assert!(matches!(Value::parse(&[]), Err(Error::InvalidValue { .. })));
    }

    #[test]
    fn size_is_bounded() {
        assert!(Value::new(0, &vec![0; MAX_VALUE_BYTES - HEADER_BYTES]).is_ok());
        assert!(matches!(Value::new(0, &vec![0; MAX_VALUE_BYTES]), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn debug_output_hides_the_body() {
        assert!(!format!("{:?}", Value::new(0, b"password").unwrap()).contains("password"));
    }
}
