//! The rules by which GRUB chooses a slot: a model of `grub.cfg`, compared with the real one by the chooser suite.

use super::environment_block;
use super::{Block, NO_SEQ, Position, Slot, State, TRIES, read};

/// What GRUB does with a state at one boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// The state that it writes, before it touches any slot.
    pub state: State,
    /// The slots in the order in which it tries them.
    pub order: [Slot; 2],
}

/// How a slot answers when GRUB tries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotContent {
    /// Kernel and initrd load, and the kernel starts.
    Boots,
    /// `slot.cfg`, kernel or initrd cannot be read.
    Unreadable,
    /// Everything loads, but `boot` comes back.
    Returns,
}

/// What one boot did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The slots that were touched, in order.
    pub tried: Vec<Slot>,
    /// The slot whose kernel started.
    pub started: Option<Slot>,
    /// `coracle.seq`: the number of the newest valid block, which is the one just written unless nothing could be.
    pub seq: u64,
    /// `coracle.id`.
    pub id: u64,
}

/// The rules on one state.
#[must_use]
pub fn choose(state: &State) -> Boot {
    let mut next = State { seq: state.next_seq(), ..*state };
    if next.left == 0 {
        match next.trial {
            Some(trial) => (next.failed, next.trial) = (Some(trial), None),
            None => (next.failed, next.trial) = (Some(next.active), Some(next.active.other())),
        }
        next.left = TRIES;
    }
    next.left = next.left.saturating_sub(1);
    Boot { state: next, order: [next.want(), next.want().other()] }
}

/// One whole boot on two block files, which it changes as GRUB does; `None` is a missing file.
pub fn run(files: &mut [Option<Block>; 2], content: impl Fn(Slot) -> SlotContent) -> Outcome {
    let reading = read([slice(files.first()), slice(files.get(1))]);
    let boot = choose(&reading.state);
    let written = write(files, reading.source, &boot.state);
    let (seq, source) = written.map_or((reading.state.seq, reading.source), |source| (boot.state.seq, Some(source)));
    let mut outcome = Outcome { tried: Vec::new(), started: None, seq, id: boot.state.id };
    for slot in boot.order {
        outcome.tried.push(slot);
        match content(slot) {
            SlotContent::Unreadable => {}
            SlotContent::Boots => {
                outcome.started = Some(slot);
                break;
            }
            SlotContent::Returns => {
                // No other slot may be loaded after a failed start; the next boot takes it.
                let current = State { seq, ..boot.state };
                write(files, source, &State { seq: current.next_seq(), left: 0, ..current });
                break;
            }
        }
    }
    outcome
}

fn slice(file: Option<&Option<Block>>) -> Option<&[u8]> {
    file.and_then(Option::as_ref).map(<[u8; super::BLOCK_BYTES]>::as_slice)
}

/// GRUB edits the block that does not count, reads it back, and falls back to the one that counts.
fn write(files: &mut [Option<Block>; 2], source: Option<Position>, state: &State) -> Option<Position> {
    let first_choice = source.map_or(Position::First, Position::other);
    [first_choice, first_choice.other()].into_iter().find(|position| {
        files.get_mut(position.index()).and_then(Option::as_mut).is_some_and(|block| save(block, state))
    })
}

/// Whether the block says `state` after GRUB has saved it.
fn save(block: &mut Block, state: &State) -> bool {
    let values = state.values();
    let edited = values
        .iter()
        .try_fold(block.to_vec(), |block, (name, value)| environment_block::set(&block, name, value))
        .and_then(|edited| Block::try_from(edited).ok());
    if let Some(edited) = edited {
        *block = edited;
    }
    state.seq != NO_SEQ && State::from_values(&environment_block::Values::read(block)) == Some(*state)
}
