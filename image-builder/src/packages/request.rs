//! Which packages an image needs: the committed list (`packages.toml`) and each board's kernel.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::lock::{Architecture, Key, Role};
use crate::board::Board;
use crate::files;
use crate::images::Table;

/// The package list, by use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Programs for the build host, with the libraries that they load.
    tool: Vec<String>,
    /// Packages whose files go into the root.
    slot: Vec<String>,
    /// Programs that only tests run, by the build host's architecture.
    test: BTreeMap<Architecture, Vec<String>>,
    /// Boot loaders by the board's architecture.
    boot: BTreeMap<Architecture, Vec<String>>,
}

/// Why the package list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not readable.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The file is no package list.
    #[error("{path} is not a package list")]
    Parse {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
}

impl List {
    /// Reads the list.
    ///
    /// # Errors
    /// The file is missing or malformed.
    pub fn load(path: &Path) -> Result<Self, Error> {
        toml::from_str(&files::read_text(path)?)
            .map_err(|source| Error::Parse { path: path.display().to_string(), source: Box::new(source) })
    }

    /// What building `board` on a host of architecture `host` needs.
    #[must_use]
    pub fn for_board(&self, board: &Board, host: Architecture) -> Vec<Key> {
        let machine = board.architecture.debian();
        let mut keys = vec![(Role::Kernel, machine, board.kernel_package.clone())];
        let mut add = |role, machine, names: &[String]| {
            keys.extend(names.iter().map(|name| (role, machine, name.clone())));
        };
        add(Role::Tool, host, &self.tool);
        add(Role::Slot, machine, &self.slot);
        add(Role::Boot, machine, self.boot.get(&machine).map_or(&[], Vec::as_slice));
        keys
    }

    /// What the tests need beside [`List::for_board`].
    #[must_use]
    pub fn for_tests(&self, host: Architecture) -> Vec<Key> {
        let names = self.test.get(&host).map_or(&[][..], Vec::as_slice);
        names.iter().map(|name| (Role::Test, host, name.clone())).collect()
    }

    /// Everything that any board and any container image needs on any host: the content of the lock.
    #[must_use]
    pub fn all(&self, boards: &[Board], images: &Table) -> Vec<Key> {
        let mut keys: Vec<Key> = [Architecture::Amd64, Architecture::Arm64]
            .into_iter()
            .flat_map(|host| {
                let boards = boards.iter().flat_map(move |board| self.for_board(board, host));
                let images = images.packages(images.images(), host);
                boards.chain(images).chain(self.for_tests(host)).collect::<Vec<_>>()
            })
            .collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Boards;
    use crate::packages::lock::Lock;

    #[test]
    fn the_committed_lock_answers_every_request_and_nothing_else() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let boards = Boards::load(&root.join("../board-configs")).unwrap();
        let images = Table::load(&root.join("images.toml")).unwrap();
        let wanted = List::load(&root.join("packages.toml")).unwrap().all(boards.all(), &images);
        let lock = Lock::load(&root.join("packages.lock")).unwrap();
        let locked: Vec<Key> = lock.entries().map(|entry| entry.key()).collect();
        assert_eq!(locked, wanted);
    }

    #[test]
    fn boot_loaders_that_a_board_names_are_among_its_packages() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let boards = Boards::load(&root.join("../board-configs")).unwrap();
        let list = List::load(&root.join("packages.toml")).unwrap();
        for board in boards.all() {
            let keys = list.for_board(board, Architecture::host());
            for efi in &board.firmware.efi {
                let key = (Role::Boot, board.architecture.debian(), efi.package.clone());
                assert!(keys.contains(&key), "{} lacks {}", board.id, efi.package);
            }
        }
    }
}
