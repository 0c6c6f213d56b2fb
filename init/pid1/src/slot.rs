//! The slot that this boot runs from: its partition, its verified footer.

use std::path::PathBuf;

use coracle_contract::kernel_arguments::Slot;
use coracle_contract::paths;
use coracle_slots::footer::{FOOTER_BYTES, Footer, KeyRole, KeySet};
use coracle_slots::gpt::{Entry, Table};
use coracle_slots::layout::Role;
use coracle_slots::{Part, ReadAt};

use crate::disk::{Disk, partition};
use crate::error::{Attempt as _, Error, Result, invalid};
use crate::files;

const KEYS_LIMIT: u64 = 64 * 1024;
const BOARD_LIMIT: u64 = 256;

/// Copy of the initrd's key set for the running system, which has to judge the other slot.
pub(crate) const KEYS_IN_RUN: &str = "/run/coracle/footer.keys";

/// A slot whose footer was believed.
#[derive(Debug)]
pub(crate) struct Verified {
    /// What the footer says.
    pub(crate) footer: Footer,
    /// Who signed it.
    pub(crate) role: KeyRole,
}

/// The partition role of a slot.
pub(crate) const fn role_of(slot: Slot) -> Role {
    match slot {
        Slot::A => Role::SlotA,
        Slot::B => Role::SlotB,
    }
}

/// Reads a key set.
pub(crate) fn keys(path: &str) -> Result<KeySet> {
    let text = files::read_text(path, KEYS_LIMIT)?;
    KeySet::parse(&text).map_err(|error| invalid("read", path)(Box::new(error)))
}

/// Whether a key set trusts development keys only.
pub(crate) fn only_development(keys: &KeySet) -> bool {
    !keys.keys().is_empty() && keys.keys().iter().all(|key| key.role == KeyRole::Development)
}

/// The entry of a slot in the table.
pub(crate) fn entry(table: &Table, slot: Slot) -> Result<&Entry> {
    let role = role_of(slot);
    table.find(role).ok_or_else(|| Error::Found(format!("the partition table has no {}", role.name())))
}

/// The device node of a slot's partition.
pub(crate) fn device(disk: &Disk, table: &Table, slot: Slot) -> Result<PathBuf> {
    partition::ensure(disk, entry(table, slot)?)
}

/// Reads a slot's footer and checks signature, fit, board and architecture.
pub(crate) fn verify(disk: &impl ReadAt, table: &Table, slot: Slot, keys: &KeySet, board: &str) -> Result<Verified> {
    let entry = entry(table, slot)?;
    let name = role_of(slot).name();
    let partition = Part::new(disk, entry.offset_bytes(), entry.size_bytes());
    let mut bytes = [0; FOOTER_BYTES];
    let offset = entry.size_bytes().saturating_sub(u64::try_from(FOOTER_BYTES).unwrap_or(u64::MAX));
    partition.read_at(offset, &mut bytes).attempt("read footer of", name)?;
    let refuse = |error| invalid("verify footer of", name)(Box::new(error));
    let (footer, role) = Footer::verify(&bytes, keys).map_err(refuse)?;
    footer.check_fit(entry.size_bytes()).map_err(refuse)?;
    for (what, found, wanted) in [
        ("board", footer.board.as_str(), board),
        ("architecture", footer.architecture.as_str(), std::env::consts::ARCH),
    ] {
        if found != wanted {
            return Err(Error::Found(format!("{name} is for {what} {found}, and this is {wanted}")));
        }
    }
    Ok(Verified { footer, role })
}

/// Whether a slot could be booted as far as its footer tells. Judged with a key set file; any doubt is a no.
pub(crate) fn is_usable(disk: &impl ReadAt, table: &Table, slot: Slot, keys_file: &str) -> bool {
    let verified = keys(keys_file).and_then(|keys| verify(disk, table, slot, &keys, &board()?));
    verified.is_ok()
}

/// The board that the initrd (or root) was built for.
pub(crate) fn board() -> Result<String> {
    Ok(files::read_text(paths::BOARD, BOARD_LIMIT)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::table::fresh_guids;
    use coracle_slots::gpt::shipped;

    #[test]
    fn an_empty_slot_and_a_missing_slot_are_refused_by_name() {
        let table = shipped(&fresh_guids().unwrap());
        let disk = Zeros;
        let refused = |slot| crate::error::chain(&verify(&disk, &table, slot, &KeySet::default(), "b").unwrap_err());
        assert!(refused(Slot::A).starts_with("verify footer of coracle-slot-a: "), "{}", refused(Slot::A));
        assert!(refused(Slot::B).contains("no coracle-slot-b"), "{}", refused(Slot::B));
    }

    #[test]
    fn an_empty_key_set_is_no_development_set() {
        assert!(!only_development(&KeySet::default()));
    }

    struct Zeros;

    impl ReadAt for Zeros {
        fn read_at(&self, _: u64, buf: &mut [u8]) -> std::io::Result<()> {
            buf.fill(0);
            Ok(())
        }

        fn len(&self) -> u64 {
            u64::MAX
        }
    }
}
