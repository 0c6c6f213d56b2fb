//! Writes the schema tables of `coracle-apimachinery` from the pinned upstream Go modules.
//!
//! The modules are fetched by the host's `go mod download` (so its proxy settings hold) and read straight out of the
//! verified zip files: nothing is unpacked and no Go code is built. The result is one deterministic text file per
//! group-version; its format is described in `orchestrator/apimachinery/schema/FORMAT.md`.
//!
//! This is a build-time tool. It must never depend on the codec it feeds, or a defect there could hide itself.

pub mod defaults;
pub mod discovery;
pub mod error;
pub mod gosource;
pub mod modules;
pub mod openapi;
pub mod packages;
pub mod process;
pub mod proto;
pub mod table;
pub mod tree;
pub mod zip;

pub use error::Error;

use std::collections::BTreeMap;

/// Makes every table file in memory: file name → contents.
pub fn generate(modules: &modules::Modules, default_rows: &str) -> Result<BTreeMap<String, String>, Error> {
    let universe = packages::Universe::load(modules)?;
    let rows = defaults::Rows::parse(default_rows)?;
    let mut files = BTreeMap::new();
    for group_version in universe.selected() {
        let text = table::write(&universe, group_version, &rows)?;
        files.insert(group_version.file_name(), text);
    }
    rows.all_used()?;
    Ok(files)
}
