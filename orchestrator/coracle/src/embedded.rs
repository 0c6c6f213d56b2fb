//! The embedded executables as sealed files in memory: on a laptop Coracle stays one file.

use std::fs::File;

use coracle_shim_protocol::executable::sealed;

/// An executable of the same target and profile as this one, chosen by a build variable.
pub(crate) struct Program {
    name: &'static str,
    content: &'static [u8],
}

/// Shim of a pod (and process 1, which is started from the slot instead): `CORACLE_INIT`.
pub(crate) static INIT: Program = Program { name: "coracle-init", content: include_bytes!(env!("CORACLE_INIT_PATH")) };

/// Runtime helper: `CORACLE_RUNTIME`.
pub(crate) static RUNTIME: Program =
    Program { name: "coracle-runtime", content: include_bytes!(env!("CORACLE_RUNTIME_PATH")) };

impl Program {
    /// Its name.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// A copy that nobody can change any more, not even this process.
    ///
    /// # Errors
    /// The kernel gave no memory file.
    pub(crate) fn unpack(&self) -> Result<File, String> {
        sealed(self.name, self.content).map_err(|error| format!("cannot unpack the embedded {}: {error}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use coracle_shim_protocol::executable::check_sealed;

    use super::*;

    #[test]
    fn the_copies_are_whole_and_cannot_be_changed() {
        for program in [&INIT, &RUNTIME] {
            let file = program.unpack().unwrap();
            check_sealed(&file).unwrap();
            assert_eq!(file.metadata().unwrap().len(), program.content.len() as u64, "{}", program.name());
        }
        assert_ne!(INIT.content, RUNTIME.content);
    }
}
