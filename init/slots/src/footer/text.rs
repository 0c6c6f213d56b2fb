//! Short names of fixed width.

use std::fmt;

/// One to `N` visible ASCII characters, filled up with zero bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text<const N: usize>([u8; N]);

/// Text that is empty, too long, or holds something else than visible ASCII.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not 1 to {most} visible ASCII characters")]
pub struct TextError {
    /// The text.
    pub text: String,
    /// The width of the field.
    pub most: usize,
}

impl<const N: usize> Text<N> {
    /// Text that fits the field.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn new(text: &str) -> Result<Self, TextError> {
        let mut bytes = [0; N];
        crate::bytes::copy(&mut bytes, text.as_bytes());
        let fits = text.len() <= N && !text.contains('\0');
        let checked = if fits { Self::checked(bytes) } else { None };
        checked.ok_or_else(|| TextError { text: text.to_owned(), most: N })
    }

    /// Trusts the caller; for constants.
    pub(super) const fn from_array(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The field's bytes, if they are canonical.
    pub(crate) fn checked(bytes: [u8; N]) -> Option<Self> {
        let mut padding = bytes.iter().skip_while(|byte| byte.is_ascii_graphic());
        let canonical = bytes.first().is_some_and(u8::is_ascii_graphic) && padding.all(|byte| *byte == 0);
        canonical.then_some(Self(bytes))
    }

    /// The field's bytes.
    #[must_use]
    pub const fn as_array(&self) -> &[u8; N] {
        &self.0
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(N);
        self.0.get(..end).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or("")
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_visible_text_that_fits() {
        assert_eq!(Text::<8>::new("x86_64").unwrap().as_str(), "x86_64");
        assert_eq!(Text::<8>::new("12345678").unwrap().as_str(), "12345678");
        for bad in ["", "123456789", "a b", "a\0", "a\0b", "ä", "a\n"] {
            assert!(Text::<8>::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Text::checked(*b"a\0b\0"), None, "text after the padding");
    }
}
