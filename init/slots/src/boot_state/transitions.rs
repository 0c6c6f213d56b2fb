//! What the OS may do to the state. Pure; the number of the write is set by [`super::write_plan`].

use super::{Slot, State, TRIES};

/// The running slot passed its health gate and nothing is on trial: all boots are left again.
#[must_use]
pub const fn healthy(state: &State) -> State {
    State { left: TRIES, failed: None, ..*state }
}

/// An update stands in `slot`, whole and checked: try it from the next boot on.
#[must_use]
pub const fn stage(state: &State, slot: Slot) -> State {
    State { trial: Some(slot), left: TRIES, ..*state }
}

/// The slot on trial passed its health gate: it becomes the active one. All of it stands in one block.
#[must_use]
pub const fn commit(state: &State) -> State {
    match state.trial {
        Some(trial) => State { active: trial, trial: None, left: TRIES, failed: None, ..*state },
        None => *state,
    }
}

/// `slot` failed a check that another boot would not pass either. A trial ends; without one, the other slot goes on
/// trial, as GRUB does it when no boot is left. A slot that runs only because the wanted one cannot be read is left.
#[must_use]
pub fn reject(state: &State, slot: Slot) -> State {
    match state.trial {
        Some(trial) if trial == slot => State { trial: None, failed: Some(slot), left: TRIES, ..*state },
        None if state.active == slot => State { trial: Some(slot.other()), failed: Some(slot), left: TRIES, ..*state },
        _ => *state,
    }
}

/// The disk gets its identity at first boot.
#[must_use]
pub const fn set_id(state: &State, id: u64) -> State {
    State { id, ..*state }
}

/// What a passed health gate in the slot `running` means. Running another slot than the wanted one says that the wanted
/// one could not be read: a trial is then over, an active slot keeps its place and is named as failed.
#[must_use]
pub fn settle(state: &State, running: Slot) -> State {
    match state.trial {
        Some(trial) if trial == running => commit(state),
        Some(trial) => reject(state, trial),
        None if state.active == running => healthy(state),
        None => State { left: TRIES, failed: Some(state.active), ..*state },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: State = State { seq: 7, active: Slot::A, trial: None, left: 2, failed: Some(Slot::B), id: 9 };
    const TRIAL: State = State { trial: Some(Slot::B), failed: None, ..BASE };

    #[test]
    fn each_transition_changes_what_it_says() {
        let full = State { left: TRIES, ..BASE };
        let table = [
            ("healthy", healthy(&BASE), State { failed: None, ..full }),
            ("stage", stage(&BASE, Slot::B), State { trial: Some(Slot::B), ..full }),
            ("commit", commit(&TRIAL), State { active: Slot::B, failed: None, ..full }),
            ("commit of nothing", commit(&BASE), BASE),
            ("reject the trial", reject(&TRIAL, Slot::B), full),
            (
                "reject the active",
                reject(&BASE, Slot::A),
                State { trial: Some(Slot::B), failed: Some(Slot::A), ..full },
            ),
            ("reject the stand-in", reject(&TRIAL, Slot::A), TRIAL),
            ("reject the other", reject(&BASE, Slot::B), BASE),
            ("id", set_id(&BASE, 5), State { id: 5, ..BASE }),
            ("settle the active", settle(&BASE, Slot::A), healthy(&BASE)),
            ("settle the trial", settle(&TRIAL, Slot::B), commit(&TRIAL)),
            ("settle beside the trial", settle(&TRIAL, Slot::A), full),
            ("settle beside the active", settle(&BASE, Slot::B), State { failed: Some(Slot::A), ..full }),
        ];
        for (name, got, want) in table {
            assert_eq!(got, want, "{name}");
        }
    }
}
