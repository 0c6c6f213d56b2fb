//! Sparse files: GNU's old format, and the formats 0.1 and 1.0 in extended records.

use std::io::Read;

use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use super::super::Error;
use super::pax::{Sparse, number};
use super::{BLOCK, Reader};

const BAD: Error = Error::Tar("invalid sparse map");
/// Most runs of one file: 16 bytes of memory each.
const MAX_RUNS: usize = 64 * 1024;

/// Where a run of data belongs in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Run {
    pub(in super::super) offset: u64,
    pub(in super::super) length: u64,
}

type Mapped = (u64, Option<Vec<Run>>);

impl<R: Read> Reader<R> {
    /// Four runs stand in the header, more in blocks behind it that do not count as data.
    pub(super) fn gnu_sparse(&mut self, header: &Header) -> Result<Mapped, Error> {
        let gnu = header.as_gnu().ok_or(BAD)?;
        let size = gnu.real_size().map_err(|_| BAD)?;
        let mut runs = Vec::new();
        let mut add = |blocks: &[GnuSparseHeader]| -> Result<(), Error> {
            for block in blocks.iter().filter(|block| !block.is_empty()) {
                let run = Run { offset: block.offset().map_err(|_| BAD)?, length: block.length().map_err(|_| BAD)? };
                runs.push(run);
            }
            if runs.len() > MAX_RUNS { Err(BAD) } else { Ok(()) }
        };
        add(&gnu.sparse)?;
        let mut more = gnu.is_extended();
        while more {
            let mut block = GnuExtSparseHeader::new();
            block.as_mut_bytes().copy_from_slice(&self.block()?.ok_or(Error::Tar("unexpected EOF"))?);
            add(&block.sparse)?;
            more = block.is_extended();
        }
        self.checked(size, runs)
    }

    pub(super) fn pax_sparse(&mut self, wanted: &Sparse) -> Result<Mapped, Error> {
        let size = wanted.size.ok_or(BAD)?;
        let numbers = match &wanted.map {
            Some(map) => map.split(|byte| *byte == b',').map(number).collect::<Result<Vec<_>, _>>()?,
            None if wanted.in_data => self.map_in_data()?,
            None => return Err(Error::Tar("unsupported sparse format")),
        };
        let (pairs, rest) = numbers.as_chunks();
        if !rest.is_empty() || pairs.len() > MAX_RUNS {
            return Err(BAD);
        }
        let runs = pairs.iter().map(|[offset, length]| Run { offset: *offset, length: *length }).collect();
        self.checked(size, runs)
    }

    /// Decimal numbers, one a line, first how many runs there are; filled up to a block.
    fn map_in_data(&mut self) -> Result<Vec<u64>, Error> {
        let (mut numbers, mut line, mut wanted) = (Vec::new(), Vec::new(), None);
        while wanted != Some(numbers.len()) {
            if self.left < BLOCK {
                return Err(BAD);
            }
            let block = self.block()?.ok_or(Error::Tar("unexpected EOF"))?;
            self.left -= BLOCK;
            for byte in block {
                if wanted == Some(numbers.len()) {
                    break;
                }
                match byte {
                    b'\n' => {
                        let value = number(&std::mem::take(&mut line))?;
                        match wanted {
                            Some(_) => numbers.push(value),
                            None => {
                                let runs = usize::try_from(value).ok().filter(|runs| *runs <= MAX_RUNS).ok_or(BAD)?;
                                wanted = Some(runs * 2);
                            }
                        }
                    }
                    byte if line.len() < 20 => line.push(byte),
                    _ => return Err(BAD),
                }
            }
        }
        Ok(numbers)
    }

    /// Runs come in order, do not overlap, lie in the file, and their data is what the entry has.
    fn checked(&self, size: u64, runs: Vec<Run>) -> Result<Mapped, Error> {
        if size > self.limits.bytes {
            return Err(Error::Bytes(self.limits.bytes));
        }
        let (mut end, mut data) = (0, 0);
        for run in &runs {
            if run.offset < end {
                return Err(BAD);
            }
            end = run.offset.checked_add(run.length).filter(|end| *end <= size).ok_or(BAD)?;
            data += run.length;
        }
        if data == self.left { Ok((size, Some(runs))) } else { Err(BAD) }
    }
}
