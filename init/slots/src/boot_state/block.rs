//! Two blocks: which one counts, and which one is written next.

use super::environment_block::Values;
use super::{Block, State};

/// One of the two blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Position {
    /// `STATE1.ENV`.
    First,
    /// `STATE2.ENV`.
    Second,
}

/// What both blocks say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The state that counts; [`State::DEFAULT`] when neither block is valid.
    pub state: State,
    /// The block that it was read from.
    pub source: Option<Position>,
    /// Whether each block, first and second, is exactly what a writer makes of its state. GRUB can read blocks that it
    /// cannot write any more.
    pub canonical: [bool; 2],
}

/// A block to write: all of its bytes, then a flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Which block.
    pub position: Position,
    /// Its whole content.
    pub bytes: Block,
}

impl Position {
    /// The other block.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// 0 or 1.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }
}

/// Reads the contents of the two block files; `None` is a file that cannot be read.
#[must_use]
pub fn read(files: [Option<&[u8]>; 2]) -> Reading {
    let [first, second] = files.map(|file| file.and_then(|file| State::from_values(&Values::read(file))));
    let (state, source) = match (first, second) {
        (Some(first), Some(second)) if second.seq > first.seq => (second, Some(Position::Second)),
        (Some(first), _) => (first, Some(Position::First)),
        (None, Some(second)) => (second, Some(Position::Second)),
        (None, None) => (State::DEFAULT, None),
    };
    let canonical = |file: Option<&[u8]>, state: Option<State>| {
        file.zip(state).is_some_and(|(file, state)| file == state.encode().as_slice())
    };
    let [first_file, second_file] = files;
    Reading { state, source, canonical: [canonical(first_file, first), canonical(second_file, second)] }
}

/// How the OS makes `wanted` the state: its number is set here. `None` when the state already says that.
#[must_use]
pub fn write_plan(reading: &Reading, wanted: &State) -> Option<Write> {
    let unchanged = State { seq: reading.state.seq, ..*wanted } == reading.state;
    if unchanged && reading.source.is_some() { None } else { Some(next_write(reading, wanted)) }
}

/// The write that replaces a damaged block, or at least moves the state out of one. Done when it says `None`, after two
/// writes at the most.
#[must_use]
pub fn repair_plan(reading: &Reading) -> Option<Write> {
    if reading.canonical == [true, true] { None } else { Some(next_write(reading, &reading.state)) }
}

/// Never the block that counts now: it must survive a torn write of the other one.
fn next_write(reading: &Reading, wanted: &State) -> Write {
    let position = reading.source.map_or(Position::First, Position::other);
    let state = State { seq: reading.state.next_seq(), ..*wanted };
    Write { position, bytes: state.encode() }
}
