//! Blocks of headers: names and values, compressed as one zlib stream over all blocks of a direction.

use flate2::{Decompress, FlushDecompress, Status};

/// What zlib knows before the first block, from the specification of SPDY/3.
const DICTIONARY: &[u8] = include_bytes!("dictionary.bin");

/// Longest block, decompressed. Those of port-forward have about 100 bytes.
const LONGEST: usize = 16 << 10;

/// An empty block as stored data, and an empty stored block behind it: Go's reader gives data out at such a mark.
/// Nothing of it depends on what was sent before, so no compressor is kept.
const EMPTY: [u8; 14] = [0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// The head of a zlib stream without a dictionary.
const HEAD: [u8; 2] = [0x78, 0x01];

/// Headers of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Headers(Vec<(String, String)>);

/// Reads blocks.
pub(super) struct Reader(Decompress);

impl Headers {
    /// The value of a header; empty when there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

impl Reader {
    pub(super) fn new() -> Self {
        Self(Decompress::new(true))
    }

    /// Reads the next block of the connection.
    pub(super) fn read(&mut self, block: &[u8]) -> Result<Headers, &'static str> {
        let plain = self.inflate(block)?;
        parse(&plain).ok_or("a malformed block of headers")
    }

    fn inflate(&mut self, mut input: &[u8]) -> Result<Vec<u8>, &'static str> {
        const BROKEN: &str = "headers that cannot be decompressed";
        let mut plain = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let before = (self.0.total_in(), self.0.total_out());
            let result = self.0.decompress(input, &mut chunk, FlushDecompress::Sync);
            let used = usize::try_from(self.0.total_in() - before.0).map_err(|_| BROKEN)?;
            let made = usize::try_from(self.0.total_out() - before.1).map_err(|_| BROKEN)?;
            input = input.get(used..).ok_or(BROKEN)?;
            match result {
                Ok(Status::StreamEnd) => return Err(BROKEN),
                Ok(_) => plain.extend_from_slice(chunk.get(..made).ok_or(BROKEN)?),
                Err(error) if error.needs_dictionary().is_some() => {
                    self.0.set_dictionary(DICTIONARY).map_err(|_| BROKEN)?;
                    continue;
                }
                Err(_) => return Err(BROKEN),
            }
            if plain.len() > LONGEST {
                return Err("headers that are too long");
            }
            if input.is_empty() && made < chunk.len() {
                return Ok(plain);
            }
            if used == 0 && made == 0 {
                return Err(BROKEN);
            }
        }
    }
}

/// Reads a decompressed block.
fn parse(mut rest: &[u8]) -> Option<Headers> {
    fn number(rest: &mut &[u8]) -> Option<usize> {
        let (number, behind) = rest.split_first_chunk()?;
        *rest = behind;
        usize::try_from(u32::from_be_bytes(*number)).ok()
    }
    fn text(rest: &mut &[u8]) -> Option<String> {
        let length = number(rest)?;
        let (text, behind) = rest.split_at_checked(length)?;
        *rest = behind;
        String::from_utf8(text.to_vec()).ok()
    }
    let mut headers = Headers::default();
    for _ in 0..number(&mut rest)? {
        headers.0.push((text(&mut rest)?, text(&mut rest)?));
    }
    rest.is_empty().then_some(headers)
}

/// A block without headers; the first of a connection begins the zlib stream.
pub(super) fn empty(first: bool) -> Vec<u8> {
    let head: &[u8] = if first { &HEAD } else { &[] };
    [head, &EMPTY].concat()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};

    /// Writes blocks as clients do.
    pub(crate) struct Writer(Compress);

    impl Writer {
        pub(crate) fn new() -> Self {
            let mut compress = Compress::new(Compression::default(), true);
            compress.set_dictionary(DICTIONARY).unwrap();
            Self(compress)
        }

        pub(crate) fn write(&mut self, headers: &[(&str, &str)]) -> Vec<u8> {
            let mut plain = u32::try_from(headers.len()).unwrap().to_be_bytes().to_vec();
            for text in headers.iter().flat_map(|(name, value)| [name, value]) {
                plain.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                plain.extend(text.as_bytes());
            }
            self.deflate(&plain)
        }

        pub(crate) fn deflate(&mut self, plain: &[u8]) -> Vec<u8> {
            let mut block = Vec::with_capacity(plain.len() + 1024);
            self.0.compress_vec(plain, &mut block, FlushCompress::Sync).unwrap();
            block
        }
    }

    #[test]
    fn blocks_follow_each_other() {
        let (mut writer, mut reader) = (Writer::new(), Reader::new());
        for port in ["80", "81", "80"] {
            let block = writer.write(&[("port", port), ("streamtype", "data")]);
            let headers = reader.read(&block).unwrap();
            assert_eq!((headers.get("Port"), headers.get("streamtype"), headers.get("x")), (port, "data", ""));
        }
        assert_eq!(reader.read(&writer.write(&[])), Ok(Headers::default()));
    }

    #[test]
    fn the_empty_block_is_read_again_and_again() {
        let mut reader = Reader::new();
        for first in [true, false, false] {
            assert_eq!(reader.read(&empty(first)), Ok(Headers::default()));
        }
    }

    #[test]
    fn wrong_blocks() {
        for (plain, expected) in [
            (&[0, 0, 0, 1][..], "a malformed block of headers"),
            (&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff], "a malformed block of headers"),
            (&[0, 0, 0, 0, 0], "a malformed block of headers"),
            (&[0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0, 0, 0, 0], "a malformed block of headers"),
            (&[0; LONGEST + 1], "headers that are too long"),
            // A bomb: few bytes that become many.
            (&vec![0; 64 << 20], "headers that are too long"),
        ] {
            let block = Writer::new().deflate(plain);
            assert_eq!(Reader::new().read(&block), Err(expected));
        }
        for garbage in [&b""[..], b"x", b"\x78", &[0xff; 64]] {
            assert!(Reader::new().read(garbage).is_err(), "{garbage:?}");
        }
    }
}
