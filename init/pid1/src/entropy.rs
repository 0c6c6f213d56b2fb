//! The kernel's random generator: a seed carried from boot to boot, credited only after it has been replaced on disk.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;

use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest as _, Sha256};

use crate::context::Context;
use crate::error::{Attempt as _, Error, Result};
use crate::files;
use crate::sys;
use crate::wait::{self, Moment};

/// The seed below the STATE mount point.
pub(crate) const SEED: &str = "/state/system/random-seed";

const SEED_BYTES: usize = 32;

/// How long a boot waits for the generator: hardware or jitter gives enough within seconds.
const WAIT_MS: u64 = 60_000;

/// Credits the stored seed and waits until the generator is ready. `writable` is false without STATE.
pub(crate) fn seed(context: &mut Context, writable: bool) -> Result<()> {
    if writable && let Err(error) = credit_stored_seed(Path::new(SEED)) {
        context.warn(&error);
    }
    // /dev/random becomes readable when the generator is ready.
    let random = File::open("/dev/random").attempt("open", "/dev/random")?;
    let deadline = Moment::now().after(WAIT_MS);
    let ready = wait::readable_feeding(&[random.as_fd()], deadline, &mut context.watchdog)?;
    if ready.contains(&true) {
        return Ok(());
    }
    Err(Error::Found(format!("the random generator is not ready after {WAIT_MS} ms")))
}

/// Replaces the seed file with fresh bytes; for an orderly shutdown and when none exists.
pub(crate) fn store_fresh_seed() -> Result<()> {
    let mut seed = [0_u8; SEED_BYTES];
    getrandom(&mut seed[..], GetRandomFlags::NONBLOCK).attempt("make", SEED)?;
    files::replace_durably(SEED, &seed)
}

/// The old seed is credited only when its successor is durably on disk: a seed that could be used twice is worth
/// nothing.
fn credit_stored_seed(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let old = files::read(path, 4096)?;
    let mut fresh = [0_u8; SEED_BYTES];
    getrandom(&mut fresh[..], GetRandomFlags::INSECURE).attempt("make", path)?;
    files::replace_durably(path, &successor(&old, &fresh))?;
    let random = File::options().write(true).open("/dev/urandom").attempt("open", "/dev/urandom")?;
    sys::add_entropy(random.as_fd(), &mut pool_info(&old)).attempt("credit", path)
}

/// The seed after `old`. It depends on `old` as well, because this early the kernel's own bytes may be predictable.
fn successor(old: &[u8], fresh: &[u8]) -> [u8; SEED_BYTES] {
    Sha256::new_with_prefix(b"coracle random seed\0").chain_update(old).chain_update(fresh).finalize().into()
}

/// `struct rand_pool_info`: credited bits (only a whole seed counts), length, bytes.
fn pool_info(seed: &[u8]) -> Vec<u8> {
    let bits: i32 = if seed.len() == SEED_BYTES { 256 } else { 0 };
    let length = u32::try_from(seed.len()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(SEED_BYTES * 2);
    bytes.extend(bits.to_ne_bytes());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(seed);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_seed_is_credited() {
        assert_eq!(pool_info(&[7; 32])[..8], [0, 1, 0, 0, 32, 0, 0, 0]);
        assert_eq!(pool_info(&[7; 31])[..8], [0, 0, 0, 0, 31, 0, 0, 0]);
        assert_eq!(pool_info(&[]), [0; 8]);
    }

    #[test]
    fn a_successor_depends_on_both_sources() {
        let seed = successor(&[1; 32], &[2; 32]);
        assert_ne!(seed, successor(&[3; 32], &[2; 32]));
        assert_ne!(seed, successor(&[1; 32], &[3; 32]));
    }
}
