//! Contents of block files: hostile ones by hand, and random damage from a fixed seed.

use coracle_slots::boot_state::{BLOCK_BYTES, Block, State};

/// A small generator with a fixed seed: the same cases in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(0) % bound
    }

    fn choose<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// The canonical text with the first `from` replaced, cut or filled up to the length of a block.
pub(crate) fn replaced(state: &State, from: &str, to: &str) -> Block {
    let text = String::from_utf8_lossy(&state.encode()).replacen(from, to, 1);
    fit(text.into_bytes())
}

/// The canonical block with one value replaced.
pub(crate) fn block_with(state: &State, name: &str, value: &str) -> Block {
    let text = String::from_utf8_lossy(&state.encode()).into_owned();
    let lines = text.split('\n').map(|line| match line.split_once('=') {
        Some((found, _)) if found == name => format!("{name}={value}"),
        _ => line.to_owned(),
    });
    fit(lines.collect::<Vec<_>>().join("\n").into_bytes())
}

fn fit(mut bytes: Vec<u8>) -> Block {
    bytes.resize(BLOCK_BYTES, b'#');
    let mut block = [0; BLOCK_BYTES];
    block.copy_from_slice(&bytes);
    block
}

/// Two blocks with numbers near each other, at least one of them damaged.
pub(crate) fn damaged_pair(random: &mut Random, states: &[State]) -> [Option<Block>; 2] {
    let base = *random.choose(&[5_u64, 9, 99, 1_998, 899_999, 9_999_999_990]);
    let mut blocks = [0, 1].map(|_| {
        let seq = base + u64::try_from(random.below(4)).unwrap_or(0);
        State { seq, ..*random.choose(states) }.encode()
    });
    let other = blocks[1];
    for _ in 0..=random.below(3) {
        let which = random.below(2);
        damage(random, &mut blocks[which], &other);
    }
    blocks.map(Some)
}

/// Bytes that mean something in a block.
const SPECIAL: [u8; 14] = [b'\n', b'\\', b'=', b'#', 0, 0xff, b'-', b'a', b'b', b'0', b'9', b's', b'.', b' '];

fn damage(random: &mut Random, block: &mut Block, other: &Block) {
    // Most of what counts is at the start of both sectors.
    let at = match random.below(4) {
        0 => random.below(BLOCK_BYTES),
        1 => 510 + random.below(30),
        _ => random.below(110),
    };
    let length = 1 + random.below(40).min(BLOCK_BYTES - at - 1);
    match random.below(9) {
        0 => block[at] ^= 1 << random.below(8),
        1 | 2 => block[at] = *random.choose(&SPECIAL),
        3 => {
            let fill = *random.choose(&SPECIAL);
            block[at..at + length].fill(fill);
        }
        4 => block[at..].copy_from_slice(&other[at..]),
        5 => {
            // Bytes shift: a value gets longer, a line is repeated.
            let from = random.below(BLOCK_BYTES - length);
            let inserted: Vec<u8> = block[from..from + length].to_vec();
            block.copy_within(at..BLOCK_BYTES - length, at + length);
            block[at..at + length].copy_from_slice(&inserted);
        }
        6 => {
            // Bytes fall out, and the end is filled as a writer would.
            block.copy_within(at + length.., at);
            block[BLOCK_BYTES - length..].fill(b'#');
        }
        7 => block[at..at + length].iter_mut().for_each(|byte| *byte = u8::try_from(random.below(256)).unwrap_or(0)),
        _ => {
            let cut = random.below(BLOCK_BYTES);
            let fill = *random.choose(&[0, 0xff, b'#']);
            block[cut..].fill(fill);
        }
    }
}
