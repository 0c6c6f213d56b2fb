//! Extended records: `LENGTH KEY=VALUE\n`, where the value may hold any byte.

use super::super::Error;

const BAD: Error = Error::Tar("invalid extended header");
/// What stands before the name of an extended attribute.
const ATTRIBUTE: &[u8] = b"SCHILY.xattr.";

/// What the records of one entry say.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) modified: Option<(i64, u32)>,
    pub(super) attributes: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) sparse: Option<Sparse>,
    any: bool,
}

/// What the records say of a sparse file.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    pub(super) name: Option<Vec<u8>>,
    /// Length with the holes.
    pub(super) size: Option<u64>,
    /// Format 1.0, whose map stands before the data.
    pub(super) in_data: bool,
    /// Format 0.1: offsets and lengths.
    pub(super) map: Option<Vec<u8>>,
}

impl Records {
    pub(super) fn parse(mut rest: &[u8]) -> Result<Self, Error> {
        let mut this = Self { any: true, ..Self::default() };
        while !rest.is_empty() {
            let space = rest.iter().take(20).position(|byte| *byte == b' ').ok_or(BAD)?;
            let length = usize::try_from(number(rest.get(..space).ok_or(BAD)?)?).map_err(|_| BAD)?;
            let record = rest.get(space + 1..length).and_then(|record| record.strip_suffix(b"\n")).ok_or(BAD)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or(BAD)?;
            let (key, value) = (record.get(..equals).ok_or(BAD)?, record.get(equals + 1..).ok_or(BAD)?);
            this.take(key, value)?;
            rest = rest.get(length..).ok_or(BAD)?;
        }
        Ok(this)
    }

    pub(super) const fn is_empty(&self) -> bool {
        !self.any
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if let Some(name) = key.strip_prefix(ATTRIBUTE) {
            self.attributes.push((name.to_vec(), value.to_vec()));
            return Ok(());
        }
        // An empty value takes an earlier one back.
        let given = !value.is_empty();
        match key {
            b"path" => self.path = given.then(|| value.to_vec()),
            b"linkpath" => self.link = given.then(|| value.to_vec()),
            b"size" => self.size = given.then(|| number(value)).transpose()?,
            b"uid" => self.uid = given.then(|| number(value)).transpose()?,
            b"gid" => self.gid = given.then(|| number(value)).transpose()?,
            b"mtime" => self.modified = given.then(|| time(value)).transpose()?,
            _ => {
                if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                    self.take_sparse(key, value)?;
                }
            }
        }
        Ok(())
    }

    fn take_sparse(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let sparse = self.sparse.get_or_insert_default();
        match key {
            b"name" => sparse.name = Some(value.to_vec()),
            b"size" | b"realsize" => sparse.size = Some(number(value)?),
            b"major" if value == b"1" => sparse.in_data = true,
            b"map" => sparse.map = Some(value.to_vec()),
            b"major" | b"minor" | b"numblocks" => {}
            _ => return Err(Error::Tar("unsupported sparse format")),
        }
        Ok(())
    }
}

/// A decimal number without sign.
pub(super) fn number(text: &[u8]) -> Result<u64, Error> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| digits).and_then(|text| text.parse().ok()).ok_or(BAD)
}

/// Seconds with up to nine decimals.
fn time(text: &[u8]) -> Result<(i64, u32), Error> {
    let text = std::str::from_utf8(text).map_err(|_| BAD)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().map_err(|_| BAD)?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BAD);
    }
    let nine: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let nanoseconds: u32 = nine.parse().map_err(|_| BAD)?;
    match (whole.starts_with('-'), nanoseconds) {
        (true, 1..) => Ok((seconds.checked_sub(1).ok_or(BAD)?, 1_000_000_000 - nanoseconds)),
        _ => Ok((seconds, nanoseconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_any_byte() {
        let value = b"\x01\n20 path=evil\n\0=";
        let mut text = Vec::new();
        for (key, value) in
            [("SCHILY.xattr.security.capability", &value[..]), ("path", b"a\nb"), ("mtime", b"-1.25"), ("uid", b"7")]
        {
            let body = key.len() + value.len() + 3;
            let length = (body..).find(|length| length.to_string().len() + body == *length).unwrap();
            text.extend_from_slice(format!("{length} {key}=").as_bytes());
            text.extend_from_slice(value);
            text.push(b'\n');
        }
        let records = Records::parse(&text).unwrap();
        assert_eq!(records.path.as_deref(), Some(&b"a\nb"[..]));
        assert_eq!(records.attributes, [(b"security.capability".to_vec(), value.to_vec())]);
        assert_eq!((records.modified, records.uid), (Some((-2, 750_000_000)), Some(7)));
    }

    #[test]
    fn broken_records_are_refused() {
        for text in [
            "x",
            "5",
            "5 a=b\n",
            "6 a=b",
            "99 a=b\n",
            "0 a=b\n",
            "-6 a=b\n",
            "6 ab=\nx",
            "5 ab\n",
            "9 size=-\n",
            "11 mtime=x\n",
            "99999999999999999999 a=b\n",
            "29 GNU.sparse.offset=00000001\n",
        ] {
            assert!(Records::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
