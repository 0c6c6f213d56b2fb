//! From a blob to a plain tar. Which compression it is says the content, because media types are often wrong.

use std::cell::RefCell;
use std::io::{self, BufRead as _, BufReader, Read};
use std::rc::Rc;

use coracle_image_layout::{Digest, Hasher};
use flate2::bufread::MultiGzDecoder;

use super::{Error, Input, Limits};

/// Largest window of zstd: 128 MiB, what its own tool takes without being asked.
const WINDOW_LOG: u32 = 27;
/// Packed bytes that are read at once.
const BUFFER: usize = 64 * 1024;

/// Hashes what is read through it.
pub(super) struct Hashed<R> {
    input: R,
    hasher: Rc<RefCell<Hasher>>,
}

/// The hash of what was read so far.
pub(super) struct Seen(Rc<RefCell<Hasher>>);

impl<R> Hashed<R> {
    pub(super) fn new(input: R) -> (Self, Seen) {
        let hasher = Rc::new(RefCell::new(Hasher::default()));
        (Self { input, hasher: Rc::clone(&hasher) }, Seen(hasher))
    }

    pub(super) fn into_inner(self) -> R {
        self.input
    }
}

impl Seen {
    pub(super) fn digest(&self) -> Digest {
        self.0.borrow().clone().finish()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hasher.borrow_mut().update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Ends a bomb: counts what comes out of decompression, headers and what stands behind the archive included.
pub(super) struct Counted<R> {
    input: R,
    left: u64,
    limit: u64,
}

impl<R> Counted<R> {
    pub(super) fn new(input: R, limits: Limits) -> Self {
        // Each entry may add a header, what describes it and its padding.
        let left = limits.bytes.saturating_add(limits.entries.saturating_mul(4_096));
        Self { input, left, limit: limits.bytes }
    }

    pub(super) fn into_inner(self) -> R {
        self.input
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other(Error::Bytes(self.limit).to_string()))?;
        Ok(count)
    }
}

struct Plain<R>(R);
struct Gzip<R: Read>(MultiGzDecoder<BufReader<R>>);
struct Zstd<R: Read>(zstd::Decoder<'static, BufReader<R>>);

/// The plain tar of a blob.
pub(super) fn plain<R: Read + 'static>(blob: R) -> io::Result<Box<dyn Input>> {
    let mut blob = BufReader::with_capacity(BUFFER, blob);
    let start = blob.fill_buf()?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(Gzip(MultiGzDecoder::new(blob))));
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || (start.get(1..4) == Some(&[0x2a, 0x4d, 0x18])) {
        let mut decoder = zstd::Decoder::with_buffer(blob)?;
        decoder.window_log_max(WINDOW_LOG)?;
        return Ok(Box::new(Zstd(decoder)));
    }
    Ok(Box::new(Plain(blob)))
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<R: Read + 'static> Input for Plain<R> {
    fn into_blob(self: Box<Self>) -> Box<dyn Read> {
        Box::new(self.0)
    }
}

impl<R: Read + 'static> Input for Gzip<R> {
    fn into_blob(self: Box<Self>) -> Box<dyn Read> {
        Box::new(self.0.into_inner())
    }
}

impl<R: Read + 'static> Input for Zstd<R> {
    fn into_blob(self: Box<Self>) -> Box<dyn Read> {
        Box::new(self.0.finish())
    }
}
